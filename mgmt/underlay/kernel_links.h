// What the kernel says of the interfaces that the hub's ports stand on: their MACs, as they change, and the
// VLAN interfaces on them. Control thread only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mgmt/underlay/netlink_socket.h"

namespace weir::underlay {

/// MACs of some interfaces, followed by netlink.
class LinkMacs {
 public:
  static Result<std::unique_ptr<LinkMacs>> create(const std::vector<uint32_t>& ifindexes);

  int fd() const { return events_->fd(); }
  /// Reads what the kernel said. True if a MAC changed.
  bool process();
  /// Absent: no such interface was asked for, or it is gone.
  std::optional<net::Mac> mac(uint32_t ifindex) const;

 private:
  explicit LinkMacs(std::unique_ptr<netlink::Socket> events) : events_(std::move(events)) {}
  bool on_message(const nlmsghdr& message);
  bool read_everything();

  std::unique_ptr<netlink::Socket> events_;
  std::map<uint32_t, std::optional<net::Mac>> macs_;
};

/// A VLAN interface (802.1Q) of the kernel's.
struct VlanInterface {
  uint32_t ifindex = 0;
  std::string name;
  uint16_t vlan = 0;
};
/// Those on the interface `parent`, in the order of their VLANs.
Result<std::vector<VlanInterface>> vlans_on(uint32_t parent);

}  // namespace weir::underlay
