#include "dataplane/io/ethernet_port.h"

#include <rte_bus_vdev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <cstring>

#include "dataplane/io/eal_log.h"
#include "dataplane/io/interface.h"

namespace weir::dataplane {
namespace {

/// The driver's refusal as a sentence. `result` is a negative errno value, which drivers often make up; what
/// they or the kernel logged says more.
tl::unexpected<Error> refused(const std::string& step, int result) {
  std::string reason = EalLog::active() != nullptr ? EalLog::active()->complaint() : "";
  if (reason.empty()) reason = rte_strerror(-result);
  return fail(result == -ENOMEM ? ErrorCode::exhausted : ErrorCode::refused,
              "the driver does not " + step + ": " + reason);
}

}  // namespace

std::string unique_device_name(const std::string& driver) {
  static unsigned next = 0;  // control thread only; names stay unused after a close, which costs nothing
  return driver + "_weir" + std::to_string(next++);
}

Status check_device_argument(const std::string& value) {
  if (value.find_first_of(",=[]()\"") == std::string::npos) return {};
  return fail(ErrorCode::invalid, "DPDK cannot take a name with one of ,=[]()\" in it: " + value);
}

Result<std::unique_ptr<EthernetDevice>> EthernetDevice::open(const DeviceSetup& setup, rte_mempool* pool) {
  if (EalLog::active() != nullptr) EalLog::active()->forget_complaints();
  std::unique_ptr<EthernetDevice> device(new EthernetDevice);
  if (setup.vdev) {
    if (const int result = rte_vdev_init(setup.device.c_str(), setup.vdev->c_str()); result != 0) {
      return refused("accept the device", result);
    }
  }
  if (setup.vdev || setup.remove_vdev) device->vdev_ = setup.device;
  if (rte_eth_dev_get_port_by_name(setup.device.c_str(), &device->id_) != 0) {
    return fail(ErrorCode::not_found, "DPDK knows no device " + setup.device);
  }
  device->opened_ = true;
  if (auto done = device->configure(setup, pool); !done) return tl::unexpected(std::move(done).error());
  return device;
}

Status EthernetDevice::configure(const DeviceSetup& setup, rte_mempool* pool) {
  rte_eth_dev_info info{};
  if (const int result = rte_eth_dev_info_get(id_, &info); result != 0)
    return refused("describe the device", result);
  rx_queues_ = std::min(setup.rx_queues, info.max_rx_queues);
  tx_queues_ = std::min(setup.tx_queues, info.max_tx_queues);
  rte_eth_conf conf{};
  if (setup.mtu != 0) conf.rxmode.mtu = setup.mtu;
  // Checksums of outer UDP headers: the device's work where it can.
  constexpr uint64_t kChecksums = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
  tx_checksums_ = setup.offload_checksums && (info.tx_offload_capa & kChecksums) == kChecksums;
  if (tx_checksums_) conf.txmode.offloads |= kChecksums;
  if (setup.offload_checksums) conf.rxmode.offloads |= info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
  if (setup.spread_by_hash && rx_queues_ > 1) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    // The outer UDP source port carries the inner flow's entropy (RFC 7348 section 5).
    conf.rx_adv_conf.rss_conf.rss_hf = (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP) & info.flow_type_rss_offloads;
  }
  if (const int result = rte_eth_dev_configure(id_, rx_queues_, tx_queues_, &conf); result != 0) {
    return refused("accept " + std::to_string(rx_queues_) + " queues", result);
  }
  uint16_t rx_descriptors = setup.rx_descriptors;
  uint16_t tx_descriptors = setup.tx_descriptors;
  if (const int result = rte_eth_dev_adjust_nb_rx_tx_desc(id_, &rx_descriptors, &tx_descriptors);
      result != 0) {
    return refused("say how long its queues are", result);
  }
  const auto socket = static_cast<unsigned>(rte_eth_dev_socket_id(id_));
  for (uint16_t queue = 0; queue < rx_queues_; ++queue) {
    const int result = rte_eth_rx_queue_setup(id_, queue, rx_descriptors, socket, nullptr, pool);
    if (result != 0) return refused("set up receive queue " + std::to_string(queue), result);
  }
  for (uint16_t queue = 0; queue < tx_queues_; ++queue) {
    const int result = rte_eth_tx_queue_setup(id_, queue, tx_descriptors, socket, nullptr);
    if (result != 0) return refused("set up transmit queue " + std::to_string(queue), result);
  }
  if (const int result = rte_eth_dev_start(id_); result != 0) return refused("start", result);
  return {};
}

EthernetDevice::~EthernetDevice() {
  if (opened_) {
    // A failure here has nobody to go to; the driver logs it.
    (void)rte_eth_dev_stop(id_);
    (void)rte_eth_dev_close(id_);
  }
  if (!vdev_.empty()) (void)rte_vdev_uninit(vdev_.c_str());
}

net::Mac EthernetDevice::mac() const {
  rte_ether_addr address{};
  net::Mac mac;
  if (rte_eth_macaddr_get(id_, &address) == 0)
    std::memcpy(mac.bytes.data(), address.addr_bytes, mac.bytes.size());
  return mac;
}

bool EthernetDevice::link_up() const {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

std::vector<uint16_t> EthernetPort::rx_queues(WorkerIndex worker) const {
  std::vector<uint16_t> queues;
  for (unsigned queue = worker; queue < device_->rx_queues(); queue += workers_) {
    queues.push_back(static_cast<uint16_t>(queue));
  }
  return queues;
}

uint16_t EthernetPort::tx_queue(WorkerIndex worker) const {
  return static_cast<uint16_t>(worker % device_->tx_queues());
}

InterfaceMtu::~InterfaceMtu() {
  // The interface may be gone; then there is nothing to put back.
  if (before_ != 0) (void)set_interface_mtu(interface_, before_);
}

Status InterfaceMtu::change(const std::string& interface, uint32_t current, uint32_t wanted) {
  if (wanted == current) return {};
  if (auto done = set_interface_mtu(interface, wanted); !done) return done;
  interface_ = interface;
  before_ = current;
  return {};
}

}  // namespace weir::dataplane
