// Ports over AF_PACKET sockets, where XDP is not to be had. The kernel sees every packet too, so the hub's
// addresses must not be configured on the interface: the kernel would answer beside the hub.
#include <algorithm>

#include "dataplane/io/eal.h"
#include "dataplane/io/ethernet_port.h"
#include "dataplane/io/interface.h"

namespace weir::dataplane {
namespace {

constexpr uint32_t kFramesPerBlock = 64;
constexpr uint32_t kFrames = 512;  // of each direction

class AfPacketPort : public EthernetPort {
 public:
  AfPacketPort(const PortSpec& spec, unsigned workers, uint32_t ifindex,
               std::unique_ptr<InterfaceMtu> changed_mtu, std::unique_ptr<EthernetDevice> opened,
               uint16_t mtu)
      : EthernetPort(spec.name, workers, std::move(opened), mtu),
        changed_mtu_(std::move(changed_mtu)),
        interface_(spec.interface),
        ifindex_(ifindex) {}
  ~AfPacketPort() override { close_device(); }

  uint32_t kernel_ifindex() const override { return ifindex_; }
  bool link_up() const override {
    const auto facts = find_interface(interface_);
    return facts && facts->running;
  }

 private:
  std::unique_ptr<InterfaceMtu> changed_mtu_;
  std::string interface_;
  uint32_t ifindex_;
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
  // The ring's blocks hold whole frames and are whole pages: 64 frames, whose size is a multiple of 64.
  const uint32_t frame = af_packet_frame_bytes(data_bytes_of(*pool));
  const DeviceSetup setup{.device = unique_device_name("net_af_packet"),
                          .vdev = "iface=" + spec.interface + ",qpairs=1,framesz=" + std::to_string(frame) +
                                  ",blocksz=" + std::to_string(kFramesPerBlock * frame) +
                                  ",framecnt=" + std::to_string(kFrames)};
  auto device = EthernetDevice::open(setup, pool);
  if (!device) {
    if (!facts->up) {
      return fail(ErrorCode::unavailable,
                  spec.interface + " is down; `ip link set " + spec.interface + " up` mends it");
    }
    return tl::unexpected(std::move(device).error().context(spec.interface));
  }
  const auto usable =
      static_cast<uint16_t>(std::min<uint32_t>(mtu, largest_mtu(PortKind::af_packet, data_bytes_of(*pool))));
  return std::make_unique<AfPacketPort>(spec, workers, facts->index, std::move(changed_mtu),
                                        std::move(*device), usable);
}

}  // namespace weir::dataplane
