// 2 MiB hugepages, reserved for the hub's life and given back afterwards.
//
// The kernel's pool is one number for the whole machine. It is changed by difference and under a lock, so
// that hubs that start and stop in any order leave it as it was. What a hub killed by SIGKILL had reserved is
// noted in a file under /run/weir and given back by the next hub that stops. Control thread.
#pragma once

#include <cstdint>
#include <string>

#include "dataplane/net/result.h"

namespace weir::dataplane {

class HugepageReservation {
 public:
  /// Where the kernel keeps the pool and where notes of reservations lie; tests use folders of their own.
  struct Paths {
    std::string pool = "/sys/kernel/mm/hugepages/hugepages-2048kB";
    std::string notes = "/run/weir";
  };

  HugepageReservation() = default;
  explicit HugepageReservation(Paths paths) : paths_(std::move(paths)) {}
  ~HugepageReservation() { give_back(); }
  HugepageReservation(const HugepageReservation&) = delete;
  HugepageReservation& operator=(const HugepageReservation&) = delete;

  /// Sees to it that `mib` MiB of hugepages are free, and keeps other hubs from reserving until
  /// pages_are_mapped() or give_back(): a page that is free for two hubs is there for one. `unavailable`: no
  /// hugepages here, no permission, or the kernel has no contiguous memory left; then the pool is as it was.
  Status reserve(uint32_t mib);
  /// The free pages are in use now; other hubs may reserve.
  void pages_are_mapped() { unlock(); }
  /// Undoes reserve(), and takes back what dead hubs left reserved. Does nothing without a reservation.
  void give_back();
  /// Pages that reserve() added or took over from a dead hub.
  uint64_t pages() const { return pages_; }

 private:
  Status lock();
  void unlock();
  Status grow(uint64_t needed);
  std::string note_path(int pid) const;
  uint64_t take_over_notes_of_the_dead();

  Paths paths_;
  uint64_t pages_ = 0;
  int pool_fd_ = -1;  // nr_hugepages, locked while open
};

}  // namespace weir::dataplane
