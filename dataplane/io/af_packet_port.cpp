// Ports over AF_PACKET sockets, where XDP is not to be had. The kernel sees every packet too, so the hub's
// addresses must not be configured on the interface: the kernel would answer beside the hub.
#include <algorithm>

#include "dataplane/io/ethernet_port.h"
#include "dataplane/io/interface.h"

namespace weir::dataplane {
namespace {

class AfPacketPort : public EthernetPort {
 public:
  AfPacketPort(const PortSpec& spec, unsigned workers, std::unique_ptr<InterfaceMtu> changed_mtu,
               std::unique_ptr<EthernetDevice> opened, uint16_t mtu)
      : EthernetPort(spec.name, workers, std::move(opened), mtu),
        changed_mtu_(std::move(changed_mtu)),
        interface_(spec.interface) {}
  ~AfPacketPort() override { close_device(); }

  bool link_up() const override {
    const auto facts = find_interface(interface_);
    return facts && facts->running;
  }

 private:
  std::unique_ptr<InterfaceMtu> changed_mtu_;
  std::string interface_;
};

}  // namespace

Result<std::unique_ptr<Port>> open_af_packet(const PortSpec& spec, unsigned workers, rte_mempool* pool) {
  const auto facts = find_interface(spec.interface);
  if (!facts) return tl::unexpected(facts.error());
  if (auto checked = check_device_argument(spec.interface); !checked) return tl::unexpected(checked.error());
  auto changed_mtu = std::make_unique<InterfaceMtu>();
  const uint32_t mtu = spec.mtu != 0 ? spec.mtu : facts->mtu;
  if (auto changed = changed_mtu->change(spec.interface, facts->mtu, mtu); !changed) {
    return tl::unexpected(changed.error());
  }
  // One queue pair: with several the kernel spreads by its own hash and the fan-out group is one more thing
  // to fail.
  const DeviceSetup setup{.device = unique_device_name("net_af_packet"),
                          .vdev = "iface=" + spec.interface + ",qpairs=1"};
  auto device = EthernetDevice::open(setup, pool);
  if (!device) {
    if (!facts->up) {
      return fail(ErrorCode::unavailable,
                  spec.interface + " is down; `ip link set " + spec.interface + " up` mends it");
    }
    return tl::unexpected(std::move(device).error().context(spec.interface));
  }
  const auto usable = static_cast<uint16_t>(std::min<uint32_t>(mtu, kMaxMtu));
  return std::make_unique<AfPacketPort>(spec, workers, std::move(changed_mtu), std::move(*device), usable);
}

}  // namespace weir::dataplane
