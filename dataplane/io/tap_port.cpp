// Ports that are a TAP interface of the kernel: the hub makes it, and it goes away with the port, however the
// hub ends. Its name and MTU are the port's; addresses and routes on it are the user's business.
//
// DPDK 22.11's own TAP driver refuses frames of more than 1,522 bytes, and finds out by a signal to the
// process whether there is something to read. So this is a null device whose callbacks read and write the
// interface.
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "dataplane/io/ethernet_port.h"
#include "dataplane/io/interface.h"

namespace weir::dataplane {
namespace {

std::string error_text(int error) { return std::generic_category().message(error); }

/// The two ends of the wire need a MAC each, the same ones at every start, so that neighbours need not learn
/// anew.
struct Ends {
  net::Mac hub, kernel;
};
Ends ends_of(const std::string& interface) {
  uint32_t hash = 0x811c9dc5;  // FNV-1a
  for (const char c : interface) hash = (hash ^ static_cast<uint8_t>(c)) * 0x01000193;
  return {net::Mac::from_u64(uint64_t{0x0254} << 32 | hash),
          net::Mac::from_u64(uint64_t{0x0654} << 32 | hash)};
}

/// The interface, as long as it lives. Read and written by the one worker that has the port's queue.
class TapInterface {
 public:
  TapInterface() = default;
  ~TapInterface() {
    if (fd_ >= 0) close(fd_);  // the kernel removes it
  }
  TapInterface(const TapInterface&) = delete;
  TapInterface& operator=(const TapInterface&) = delete;

  Status make(const std::string& name, net::Mac mac, uint16_t mtu);

  /// Receives after the `already` packets. An interface that was empty is left alone for a while, since
  /// asking takes a system call.
  uint16_t receive(rte_mempool* pool, rte_mbuf** packets, uint16_t already, uint16_t max) {
    if (rte_rdtsc() < next_look_) return already;
    uint16_t n = already;
    for (; n < max; ++n) {
      rte_mbuf* packet = rte_pktmbuf_alloc(pool);
      if (packet == nullptr) break;
      const ssize_t got = read(fd_, rte_pktmbuf_mtod(packet, void*), rte_pktmbuf_tailroom(packet));
      if (got <= 0) {
        rte_pktmbuf_free(packet);
        next_look_ = rte_rdtsc() + look_every_;
        break;
      }
      packet->data_len = static_cast<uint16_t>(got);
      packet->pkt_len = packet->data_len;
      packets[n] = packet;
    }
    return n;
  }
  /// How many packets, from the first on, the kernel took.
  uint16_t send(rte_mbuf** packets, uint16_t count) const {
    uint16_t n = 0;
    while (n < count && write(fd_, rte_pktmbuf_mtod(packets[n], const void*), packets[n]->data_len) ==
                            packets[n]->data_len) {
      ++n;
    }
    return n;
  }

 private:
  int fd_ = -1;
  uint64_t look_every_ = rte_get_tsc_hz() / 50'000;  // 20 us
  uint64_t next_look_ = 0;
};

Status TapInterface::make(const std::string& name, net::Mac mac, uint16_t mtu) {
  constexpr auto kTun = "/dev/net/tun";
  fd_ = open(kTun, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd_ < 0) {
    return fail(ErrorCode::unavailable, std::string("a tap port needs ") + kTun + ": " + error_text(errno) +
                                            "; `modprobe tun` may help");
  }
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL);
  if (ioctl(fd_, TUNSETIFF, &request) != 0) {
    if (errno == EBUSY || errno == EEXIST || errno == EINVAL) {
      return fail(ErrorCode::in_use, "there is an interface " + name +
                                         " already, and a tap port makes its own: choose another name");
    }
    return fail(ErrorCode::refused, "the kernel makes no TAP interface " + name + ": " + error_text(errno));
  }
  if (auto set = set_interface_mac(name, mac); !set) return set;
  if (auto set = set_interface_mtu(name, mtu); !set) return set;
  return set_interface_up(name);
}

uint16_t on_receive(uint16_t, uint16_t, rte_mbuf** packets, uint16_t already, uint16_t max, void* port);
uint16_t on_send(uint16_t, uint16_t, rte_mbuf** packets, uint16_t count, void* tap) {
  return static_cast<TapInterface*>(tap)->send(packets, count);
}

class TapPort : public EthernetPort {
 public:
  TapPort(const PortSpec& spec, unsigned workers, rte_mempool* pool, net::Mac mac,
          std::unique_ptr<TapInterface> tap, std::unique_ptr<EthernetDevice> opened, uint16_t mtu)
      : EthernetPort(spec.name, workers, std::move(opened), mtu),
        pool_(pool),
        interface_(spec.interface),
        mac_(mac),
        tap_(std::move(tap)) {}
  /// No worker runs any more. Else the next device with this number would have the callbacks.
  ~TapPort() override {
    if (on_receive_ != nullptr && rte_eth_remove_rx_callback(device(), 0, on_receive_) == 0)
      rte_free(const_cast<rte_eth_rxtx_callback*>(on_receive_));
    if (on_send_ != nullptr && rte_eth_remove_tx_callback(device(), 0, on_send_) == 0)
      rte_free(const_cast<rte_eth_rxtx_callback*>(on_send_));
    close_device();
  }

  /// No worker runs yet.
  Status start() {
    on_receive_ = rte_eth_add_rx_callback(device(), 0, on_receive, this);
    on_send_ = rte_eth_add_tx_callback(device(), 0, on_send, tap_.get());
    if (on_receive_ != nullptr && on_send_ != nullptr) return {};
    return fail(ErrorCode::unavailable, "this DPDK was built without callbacks, which a tap port needs");
  }
  uint16_t receive(rte_mbuf** packets, uint16_t already, uint16_t max) const {
    return tap_->receive(pool_, packets, already, max);
  }

  net::Mac mac() const override { return mac_; }
  uint32_t kernel_ifindex() const override { return if_nametoindex(interface_.c_str()); }
  bool link_up() const override {
    const auto facts = find_interface(interface_);
    return facts && facts->running;
  }

 private:
  rte_mempool* pool_;
  std::string interface_;
  net::Mac mac_;
  std::unique_ptr<TapInterface> tap_;
  const rte_eth_rxtx_callback* on_receive_ = nullptr;
  const rte_eth_rxtx_callback* on_send_ = nullptr;
};

uint16_t on_receive(uint16_t, uint16_t, rte_mbuf** packets, uint16_t already, uint16_t max, void* port) {
  return static_cast<const TapPort*>(port)->receive(packets, already, max);
}

}  // namespace

Result<std::unique_ptr<Port>> open_tap(const PortSpec& spec, unsigned workers, rte_mempool* pool) {
  // Also says whether it can be a name at all.
  if (const auto facts = find_interface(spec.interface); !facts && facts.error().code != ErrorCode::not_found)
    return tl::unexpected(facts.error());
  const Ends ends = ends_of(spec.interface);
  const auto mtu = static_cast<uint16_t>(spec.mtu != 0 ? spec.mtu : RTE_ETHER_MTU);
  auto tap = std::make_unique<TapInterface>();
  if (auto made = tap->make(spec.interface, ends.kernel, mtu); !made) return tl::unexpected(made.error());
  // What the callback has sent the null device frees. One queue pair: this is no way for much traffic.
  auto device = EthernetDevice::open({.device = unique_device_name("net_null"), .vdev = "no-rx=1"}, pool);
  if (!device) return tl::unexpected(std::move(device).error());
  auto port = std::make_unique<TapPort>(spec, workers, pool, spec.mac.value_or(ends.hub), std::move(tap),
                                        std::move(*device), mtu);
  if (auto started = port->start(); !started) return tl::unexpected(started.error());
  return port;
}

}  // namespace weir::dataplane
