// One hub per interface: a claim that the kernel drops when its process ends, however it ends. Internal to
// this folder.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "dataplane/net/result.h"

namespace weir::dataplane {

/// A bound abstract Unix socket named after the interface. Abstract names belong to a network namespace, as
/// interfaces do, and need no file. It tells a stale XDP program (nobody claims) from one in use.
class InterfaceClaim {
 public:
  /// `in_use` if a living hub, or another port of this one, has the interface.
  static Result<std::unique_ptr<InterfaceClaim>> take(const std::string& interface, uint32_t ifindex);
  ~InterfaceClaim();
  InterfaceClaim(const InterfaceClaim&) = delete;
  InterfaceClaim& operator=(const InterfaceClaim&) = delete;

 private:
  explicit InterfaceClaim(int fd) : fd_(fd) {}
  int fd_;
};

/// XdpSteering::remove_stale() for one who holds the claim.
Status detach_stale(const std::string& interface, uint32_t ifindex);

}  // namespace weir::dataplane
