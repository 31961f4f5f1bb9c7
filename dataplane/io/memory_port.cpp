#include "dataplane/io/memory_port.h"

#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ether.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include <algorithm>
#include <cstring>

#include "dataplane/io/ethernet_port.h"

namespace weir::dataplane {
namespace {

struct RingDeleter {
  void operator()(rte_ring* ring) const {
    void* packet = nullptr;
    while (rte_ring_dequeue(ring, &packet) == 0) rte_pktmbuf_free(static_cast<rte_mbuf*>(packet));
    rte_ring_free(ring);
  }
};
using Ring = std::unique_ptr<rte_ring, RingDeleter>;

constexpr size_t kQueuesApart = 6;  // two lines, which a core fetches as one, and a bit

class RingPort : public MemoryPort {
 public:
  RingPort(std::string name, rte_mempool* pool, net::Mac mac, Depth depth, uint16_t mtu)
      : name_(std::move(name)), pool_(pool), mac_(mac), depth_(depth), mtu_(mtu) {}
  ~RingPort() override { device_.reset(); }  // before the rings that it reads

  Status open(unsigned queues);

  const std::string& name() const override { return name_; }
  net::Mac mac() const override { return mac_; }
  uint16_t mtu() const override { return mtu_; }
  bool tx_checksums() const override { return false; }
  bool link_up() const override { return device_->link_up(); }
  uint16_t device() const override { return device_->id(); }
  uint32_t kernel_ifindex() const override { return 0; }
  std::vector<uint16_t> rx_queues(WorkerIndex worker) const override {
    return worker < rx_.size() ? std::vector<uint16_t>{device_queue(worker)} : std::vector<uint16_t>{};
  }
  uint16_t tx_queue(WorkerIndex worker) const override { return device_queue(worker % tx_.size()); }
  bool tx_shared() const override { return false; }

  bool inject(uint16_t queue, std::span<const uint8_t> frame) override;
  std::vector<std::vector<uint8_t>> collect() override;
  std::vector<std::vector<uint8_t>> collect(uint16_t queue) override;
  size_t inject(uint16_t queue, std::span<rte_mbuf* const> packets) override;
  size_t collect(uint16_t queue, std::span<rte_mbuf*> packets) override;

 private:
  /// The device's queue with ring `queue`.
  uint16_t device_queue(size_t queue) const { return static_cast<uint16_t>(queue * apart_); }
  static Status add_ring(std::vector<Ring>& rings, const std::string& device, const char* direction,
                         unsigned depth);

  std::string name_;
  rte_mempool* pool_;
  net::Mac mac_;
  Depth depth_;
  uint16_t mtu_;
  std::vector<Ring> rx_, tx_;
  size_t apart_ = 1;  // queues of the device for each of ours
  std::unique_ptr<EthernetDevice> device_;
};

Status RingPort::add_ring(std::vector<Ring>& rings, const std::string& device, const char* direction,
                          unsigned depth) {
  const std::string ring_name = device + direction + std::to_string(rings.size());
  // Several producers: tests may let workers share a tx queue.
  rte_ring* ring = rte_ring_create(ring_name.c_str(), depth, SOCKET_ID_ANY, 0);
  if (ring == nullptr) {
    return fail(ErrorCode::exhausted,
                "no room for the rings of a memory port: " + std::string(rte_strerror(rte_errno)));
  }
  rings.emplace_back(ring);
  return {};
}

Status RingPort::open(unsigned queues) {
  if (queues == 0) return fail(ErrorCode::invalid, "a memory port has a queue at least");
  const std::string device = unique_device_name("mem");
  for (unsigned queue = 0; queue < queues; ++queue) {
    if (auto made = add_ring(rx_, device, "r", depth_.rx); !made) return made;
    if (auto made = add_ring(tx_, device, "t", depth_.tx); !made) return made;
  }
  // The device counts in its queues, 24 bytes each, at every poll: workers of neighbouring queues would take
  // the line from each other. So each has several in a row, as far as the device has room, and uses the
  // first.
  apart_ = std::clamp<size_t>(RTE_PMD_RING_MAX_RX_RINGS / queues, 1, kQueuesApart);
  std::vector<rte_ring*> rx, tx;
  for (const Ring& ring : rx_) rx.insert(rx.end(), apart_, ring.get());
  for (const Ring& ring : tx_) tx.insert(tx.end(), apart_, ring.get());
  const auto count = static_cast<uint16_t>(rx.size());
  const int id = rte_eth_from_rings(device.c_str(), rx.data(), count, tx.data(), count, rte_socket_id());
  if (id < 0)
    return fail(ErrorCode::exhausted, "DPDK makes no ring device: " + std::string(rte_strerror(rte_errno)));
  auto opened = EthernetDevice::open(
      {.device = "net_ring_" + device, .remove_vdev = true, .rx_queues = count, .tx_queues = count}, pool_);
  if (!opened) return tl::unexpected(std::move(opened).error());
  device_ = std::move(*opened);
  return {};
}

bool RingPort::inject(uint16_t queue, std::span<const uint8_t> frame) {
  if (queue >= rx_.size()) return false;
  rte_mbuf* packet = rte_pktmbuf_alloc(pool_);
  if (packet == nullptr) return false;
  if (frame.size() > rte_pktmbuf_tailroom(packet)) {
    rte_pktmbuf_free(packet);
    return false;
  }
  char* bytes = rte_pktmbuf_append(packet, static_cast<uint16_t>(frame.size()));
  if (!frame.empty()) std::memcpy(bytes, frame.data(), frame.size());
  if (rte_ring_enqueue(rx_[queue].get(), packet) == 0) return true;
  rte_pktmbuf_free(packet);
  return false;
}

std::vector<std::vector<uint8_t>> RingPort::collect(uint16_t queue) {
  std::vector<std::vector<uint8_t>> frames;
  if (queue >= tx_.size()) return frames;
  void* taken = nullptr;
  while (rte_ring_dequeue(tx_[queue].get(), &taken) == 0) {
    auto* packet = static_cast<rte_mbuf*>(taken);
    std::vector<uint8_t>& frame = frames.emplace_back();
    frame.reserve(packet->pkt_len);
    for (const rte_mbuf* segment = packet; segment != nullptr; segment = segment->next) {
      const auto* bytes = rte_pktmbuf_mtod(segment, const uint8_t*);
      frame.insert(frame.end(), bytes, bytes + segment->data_len);
    }
    rte_pktmbuf_free(packet);
  }
  return frames;
}

std::vector<std::vector<uint8_t>> RingPort::collect() {
  std::vector<std::vector<uint8_t>> all;
  const auto queues = static_cast<uint16_t>(tx_.size());
  for (uint16_t queue = 0; queue < queues; ++queue) {
    for (auto& frame : collect(queue)) all.push_back(std::move(frame));
  }
  return all;
}

size_t RingPort::inject(uint16_t queue, std::span<rte_mbuf* const> packets) {
  return rte_ring_enqueue_burst(rx_[queue].get(), reinterpret_cast<void* const*>(packets.data()),
                                static_cast<unsigned>(packets.size()), nullptr);
}

size_t RingPort::collect(uint16_t queue, std::span<rte_mbuf*> packets) {
  return rte_ring_dequeue_burst(tx_[queue].get(), reinterpret_cast<void**>(packets.data()),
                                static_cast<unsigned>(packets.size()), nullptr);
}

}  // namespace

Result<std::unique_ptr<MemoryPort>> MemoryPort::create(const std::string& name, unsigned queues,
                                                       rte_mempool* pool, net::Mac mac, Depth depth,
                                                       uint16_t mtu) {
  auto port = std::make_unique<RingPort>(name, pool, mac, depth, mtu);
  if (auto opened = port->open(queues); !opened) return tl::unexpected(opened.error());
  return port;
}

}  // namespace weir::dataplane
