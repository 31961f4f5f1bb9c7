// XDP steering: on an af_xdp port only the hub's tunnel traffic goes to the hub, all else stays with the kernel.
//
// The BPF program (xdp/steer.bpf.c) looks up (destination address, protocol, UDP port) in a map that control fills; first
// fragments and later ones to those addresses are taken too. Control thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/net/address.h"
#include "dataplane/net/result.h"

namespace weir::dataplane {

struct SteerRule {
  net::Ipv4 local;
  uint16_t udp_port = 0;  // host order
  friend constexpr auto operator<=>(const SteerRule&, const SteerRule&) = default;
};

class XdpSteering {
 public:
  /// Writes the program that is built into this binary to a private temporary file and returns its path, to be handed to the
  /// port as PortSpec::xdp_object.
  static Result<std::string> object_file();
  /// Detaches a program that an earlier hub left on the interface after kill -9. Another's program is left alone and is an error
  /// that names it.
  static Status remove_stale(const std::string& interface);
  /// Finds the maps of the program that the af_xdp port attached to `ifindex`.
  static Result<std::unique_ptr<XdpSteering>> attach_to(uint32_t ifindex);
  virtual ~XdpSteering() = default;

  /// Makes the set of rules exactly this; adds before it removes.
  virtual Status set(const std::vector<SteerRule>& rules) = 0;
};

}  // namespace weir::dataplane
