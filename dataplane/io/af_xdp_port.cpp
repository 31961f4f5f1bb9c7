// Ports over AF_XDP: DPDK's driver binds one socket to each hardware queue and attaches our steering program,
// which leaves everything but tunnel traffic to the kernel.
#include <rte_mempool.h>

#include <algorithm>

#include "dataplane/io/eal.h"
#include "dataplane/io/ethernet_port.h"
#include "dataplane/io/interface.h"
#include "dataplane/io/interface_claim.h"
#include "dataplane/io/xdp_steering.h"
#include "dataplane/io/xsk_sockets.h"

namespace weir::dataplane {
namespace {

/// The driver keeps that many buffers in each queue's fill ring, and as many again may be on their way.
constexpr uint32_t kBuffersPerQueue = 4096;

/// Sees to it that none of our programs stays attached: the driver leaves it when opening fails half-way.
class ProgramGuard {
 public:
  ProgramGuard(std::string interface, uint32_t ifindex)
      : interface_(std::move(interface)), ifindex_(ifindex) {}
  ProgramGuard(const ProgramGuard&) = delete;
  ProgramGuard& operator=(const ProgramGuard&) = delete;
  // An error means that the interface is gone or that somebody attached a program of their own: not ours to
  // touch.
  ~ProgramGuard() { (void)detach_stale(interface_, ifindex_); }

 private:
  std::string interface_;
  uint32_t ifindex_;
};

/// What an open af_xdp port holds beside the device, given back in reverse order.
struct Holdings {
  std::unique_ptr<InterfaceClaim> claim;
  InterfaceMtu mtu;
  std::unique_ptr<ProgramGuard> program;
  std::unique_ptr<XskSockets> sockets;
};

class AfXdpPort : public EthernetPort {
 public:
  AfXdpPort(const PortSpec& spec, unsigned workers, uint32_t ifindex, std::unique_ptr<Holdings> holdings,
            std::unique_ptr<EthernetDevice> opened, uint16_t mtu)
      : EthernetPort(spec.name, workers, std::move(opened), mtu),
        holdings_(std::move(holdings)),
        interface_(spec.interface),
        ifindex_(ifindex) {}
  ~AfXdpPort() override { close_device(); }  // the driver detaches first, then the guard looks after it

  uint32_t kernel_ifindex() const override { return ifindex_; }
  bool link_up() const override {
    const auto facts = find_interface(interface_);
    return facts && facts->running;
  }

 private:
  std::unique_ptr<Holdings> holdings_;
  std::string interface_;
  uint32_t ifindex_;
};

/// The number of sockets to bind: one for each hardware queue, or a refusal that says how to have fewer.
Result<uint16_t> queues_to_bind(const std::string& interface, const rte_mempool& pool) {
  const auto queues = interface_queues(interface);
  if (!queues) return tl::unexpected(queues.error());
  const std::string has = interface + " has " + std::to_string(queues->receive) + " receive queues, ";
  if (!queues->combined && queues->receive > 1) {
    return fail(ErrorCode::refused,
                has + "but DPDK binds a single one on such a device and the others' packets would " +
                    "pass the hub by; `ethtool -L " + interface + " rx 1` mends it");
  }
  const uint32_t affordable = pool.size / kBuffersPerQueue;
  if (affordable == 0) {
    return fail(ErrorCode::exhausted, "an AF_XDP socket needs " + std::to_string(kBuffersPerQueue) +
                                          " packet buffers, and the hub has " + std::to_string(pool.size));
  }
  if (queues->receive > affordable) {
    return fail(ErrorCode::refused, has + "each needs an AF_XDP socket, and the " +
                                        std::to_string(pool.size) + " packet buffers suffice for " +
                                        std::to_string(affordable) + "; `ethtool -L " + interface +
                                        " combined " + std::to_string(affordable) +
                                        "` or more packet buffers mend it");
  }
  return static_cast<uint16_t>(queues->receive);
}

/// The driver takes the pool for one gapless array of buffers and hands it to the kernel as UMEM.
bool is_gapless(rte_mempool& pool) {
  struct Walk {
    const char* next = nullptr;
    size_t step = 0;
    bool gapless = true;
  } walk;
  walk.step = pool.header_size + pool.elt_size + pool.trailer_size;
  rte_mempool_obj_iter(
      &pool,
      [](rte_mempool*, void* state, void* object, unsigned) {
        auto& w = *static_cast<Walk*>(state);
        const auto* at = static_cast<const char*>(object);
        if (w.next != nullptr && at != w.next) w.gapless = false;
        w.next = at + w.step;
      },
      &walk);
  return pool.nb_mem_chunks == 1 && walk.gapless;
}

DeviceSetup device_setup(const PortSpec& spec, uint16_t queues) {
  // busy_budget=0: the driver makes no system call on an empty poll unless the NIC asks to be woken.
  // Every socket registers the pool itself (no shared_umem), so that NICs with and without zero copy go
  // together.
  return {.device = unique_device_name("net_af_xdp"),
          .vdev = "iface=" + spec.interface + ",start_queue=0,queue_count=" + std::to_string(queues) +
                  ",busy_budget=0,xdp_prog=" + spec.xdp_object,
          .rx_queues = queues,
          .tx_queues = queues,
          .rx_descriptors = 2048,
          .tx_descriptors = 2048};
}

}  // namespace

Result<std::unique_ptr<Port>> open_af_xdp(const PortSpec& spec, unsigned workers, rte_mempool* pool) {
  if (spec.xdp_object.empty()) return fail(ErrorCode::internal, "no XDP program is given");
  const auto facts = find_interface(spec.interface);
  if (!facts) return tl::unexpected(facts.error());
  for (const std::string& value : {spec.interface, spec.xdp_object}) {
    if (auto checked = check_device_argument(value); !checked) return tl::unexpected(checked.error());
  }
  if (!is_gapless(*pool)) {
    return fail(ErrorCode::unavailable,
                "AF_XDP needs a packet pool in one gapless piece of memory, which DPDK does not "
                "give beside PCI devices without an IOMMU");
  }
  if (data_bytes_of(*pool) > kMaxAfXdpDataBytes) {
    return fail(ErrorCode::internal, "buffers of " + std::to_string(data_bytes_of(*pool)) +
                                         " bytes do not fit a page, as AF_XDP wants them");
  }
  auto holdings = std::make_unique<Holdings>();
  auto claim = InterfaceClaim::take(spec.interface, facts->index);
  if (!claim) return tl::unexpected(std::move(claim).error());
  holdings->claim = std::move(*claim);
  if (auto removed = detach_stale(spec.interface, facts->index); !removed)
    return tl::unexpected(removed.error());
  const auto queues = queues_to_bind(spec.interface, *pool);
  if (!queues) return tl::unexpected(queues.error());
  if (auto free = wait_for_free_queues(spec.interface, facts->index, *queues); !free) {
    return tl::unexpected(free.error());
  }
  const uint32_t mtu = spec.mtu != 0 ? spec.mtu : facts->mtu;
  if (auto changed = holdings->mtu.change(spec.interface, facts->mtu, mtu); !changed) {
    return tl::unexpected(changed.error());
  }
  holdings->program = std::make_unique<ProgramGuard>(spec.interface, facts->index);
  holdings->sockets = std::make_unique<XskSockets>();
  auto device = EthernetDevice::open(device_setup(spec, *queues), pool);
  holdings->sockets->note_new();
  if (!device) {
    if (!facts->up) {
      return fail(ErrorCode::unavailable,
                  spec.interface + " is down; `ip link set " + spec.interface + " up` mends it");
    }
    return tl::unexpected(std::move(device).error().context(spec.interface + " over AF_XDP"));
  }
  const auto usable =
      static_cast<uint16_t>(std::min<uint32_t>(mtu, largest_mtu(PortKind::af_xdp, data_bytes_of(*pool))));
  return std::make_unique<AfXdpPort>(spec, workers, facts->index, std::move(holdings), std::move(*device),
                                     usable);
}

}  // namespace weir::dataplane
