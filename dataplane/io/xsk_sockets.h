// Looking after the AF_XDP sockets that DPDK's driver makes: are the queues free, and are the sockets closed.
// Internal to this folder.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/net/result.h"

namespace weir::dataplane {

/// DPDK 22.11's driver never closes the socket of a UMEM that is not shared: its reference count starts at
/// zero and is counted down before it is compared. The queue would stay busy until the process ends. So the
/// sockets that appear while a port opens are noted, and closed after the driver is done with them.
class XskSockets {
 public:
  /// Notes which AF_XDP sockets this process has now, before the port opens.
  XskSockets();
  /// Closes those that note_new() found and that are still open.
  ~XskSockets();
  XskSockets(const XskSockets&) = delete;
  XskSockets& operator=(const XskSockets&) = delete;

  /// Notes those that have come since the constructor. Call when the port has opened or failed to.
  void note_new();

 private:
  struct Socket {
    int fd;
    ino_t inode;  // tells whether the number is still the same socket
    friend bool operator==(const Socket&, const Socket&) = default;
  };
  static std::vector<Socket> open_now();

  std::vector<Socket> before_;
  std::vector<Socket> ours_;
};

/// Waits until no AF_XDP socket is bound to the first `queues` queues of a virtual interface: the kernel
/// frees the queue of a closed socket, or of a killed hub, a moment later. `in_use` after two seconds. On a
/// real NIC it returns at once, since there the question itself would reset the queue.
Status wait_for_free_queues(const std::string& interface, uint32_t ifindex, unsigned queues);

}  // namespace weir::dataplane
