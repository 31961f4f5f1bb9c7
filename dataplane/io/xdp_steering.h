// XDP steering: on an af_xdp port only the hub's tunnel traffic goes to the hub, all else stays with the
// kernel.
//
// The BPF program (xdp/steer.bpf.c) looks up (destination address, protocol, UDP port) of either family, and
// the VLAN, in maps that control fills; first fragments and later ones to those addresses are taken too,
// whatever their port: a fragmented datagram for the kernel to such an address is the price. Control thread
// only.
//
// A program is recognised as Weir's by its name. Whether its hub still lives is told by the claim that every
// af_xdp port holds on its interface, which the kernel drops with the process.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/net/address.h"
#include "dataplane/net/result.h"

namespace weir::dataplane {

/// What goes to the hub: one kind of tunnel to one of its addresses, or all of a VLAN.
struct SteerRule {
  net::IpAddress local{};
  uint16_t udp_port = 0;  // host order; other protocols than UDP: 0
  uint8_t protocol = 17;
  /// Instead of the above: every frame whose first tag is this VLAN's, or, if it is 0, that has no tag.
  std::optional<uint16_t> vlan{};
  friend constexpr auto operator<=>(const SteerRule&, const SteerRule&) = default;
};

class XdpSteering {
 public:
  /// The program that is built into this binary as a file in memory (nothing on disk, nothing to clean up);
  /// its path is for PortSpec::xdp_object and valid in this process as long as it lives.
  static Result<std::string> object_file();
  /// Detaches a program that an earlier hub left on the interface after kill -9; Port::open() does this by
  /// itself. `in_use`: a living hub has the interface, or the program is another's: that is left alone and
  /// named.
  static Status remove_stale(const std::string& interface);
  /// Finds the maps of the program that the af_xdp port attached to `ifindex`. It has no rules yet: all goes
  /// to the kernel.
  static Result<std::unique_ptr<XdpSteering>> attach_to(uint32_t ifindex);
  virtual ~XdpSteering() = default;

  /// Makes the set of rules exactly this; adds before it removes. At most 2,048 rules.
  virtual Status set(const std::vector<SteerRule>& rules) = 0;
};

}  // namespace weir::dataplane
