#include "dataplane/io/port.h"

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <unistd.h>

#include <algorithm>

#include "dataplane/io/eal.h"
#include "dataplane/io/ethernet_port.h"
#include "dataplane/io/memory_port.h"

namespace weir::dataplane {
namespace {

using PortResult = Result<std::unique_ptr<Port>>;

uint16_t mtu_or_default(uint32_t mtu) { return static_cast<uint16_t>(mtu != 0 ? mtu : RTE_ETHER_MTU); }

PortResult open_device(const PortSpec& spec, unsigned workers, rte_mempool* pool, const DeviceSetup& setup) {
  auto device = EthernetDevice::open(setup, pool);
  if (!device) return tl::unexpected(std::move(device).error());
  return std::make_unique<EthernetPort>(spec.name, workers, std::move(*device), mtu_or_default(spec.mtu));
}

PortResult open_pcap(const PortSpec& spec, unsigned workers, rte_mempool* pool) {
  if (spec.rx_pcap.empty() && spec.tx_pcap.empty()) {
    return fail(ErrorCode::invalid, "a pcap port needs a file to read or a file to write");
  }
  std::string arguments;
  if (!spec.rx_pcap.empty()) {
    if (access(spec.rx_pcap.c_str(), R_OK) != 0) {
      return fail(ErrorCode::not_found, "cannot read the capture " + spec.rx_pcap);
    }
    arguments = "rx_pcap=" + spec.rx_pcap;
  }
  if (spec.rx_loop) {
    if (spec.rx_pcap.empty() || !spec.tx_pcap.empty())
      return fail(ErrorCode::invalid, "a pcap port that loops needs a file to read and none to write");
    arguments += ",infinite_rx=1";
  }
  if (!spec.tx_pcap.empty()) arguments += (arguments.empty() ? "tx_pcap=" : ",tx_pcap=") + spec.tx_pcap;
  for (const std::string& path : {spec.rx_pcap, spec.tx_pcap}) {
    if (auto checked = check_device_argument(path); !checked) return tl::unexpected(checked.error());
  }
  return open_device(spec, workers, pool, {.device = unique_device_name("net_pcap"), .vdev = arguments});
}

/// Receives nothing and frees what is sent.
PortResult open_null(const PortSpec& spec, unsigned workers, rte_mempool* pool) {
  const auto queues = static_cast<uint16_t>(workers);
  return open_device(spec, workers, pool,
                     {.device = unique_device_name("net_null"),
                      .vdev = "no-rx=1",
                      .rx_queues = queues,
                      .tx_queues = queues});
}

PortResult open_pci(const PortSpec& spec, unsigned workers, rte_mempool* pool) {
  uint16_t id = 0;
  if (rte_eth_dev_get_port_by_name(spec.pci.c_str(), &id) != 0) {
    const std::string path = "/sys/bus/pci/devices/" + spec.pci;
    if (access(path.c_str(), F_OK) != 0) {
      return fail(ErrorCode::not_found, "there is no PCI device " + spec.pci);
    }
    return fail(ErrorCode::refused,
                "no driver of DPDK took the PCI device " + spec.pci +
                    "; most NICs have to be bound to vfio-pci first: `dpdk-devbind.py -b vfio-pci " +
                    spec.pci + "`");
  }
  const auto queues = static_cast<uint16_t>(workers);
  auto port = open_device(spec, workers, pool,
                          {.device = spec.pci,
                           .rx_queues = queues,
                           .tx_queues = queues,
                           .mtu = spec.mtu,
                           .spread_by_hash = true,
                           .offload_checksums = true});
  if (port && spec.mac) {
    rte_ether_addr address;
    std::copy(spec.mac->bytes.begin(), spec.mac->bytes.end(), address.addr_bytes);
    if (const int result = rte_eth_dev_default_mac_addr_set((*port)->device(), &address); result != 0) {
      return fail(ErrorCode::refused, "the driver does not take the MAC " + net::to_string(*spec.mac) + ": " +
                                          rte_strerror(-result));
    }
  }
  return port;
}

PortResult open_memory(const PortSpec& spec, unsigned workers, rte_mempool* pool) {
  constexpr net::Mac kLocallyAdministered{{0x02, 0x57, 0x45, 0x49, 0x52, 0x00}};
  auto port = MemoryPort::create(spec.name, workers, pool, kLocallyAdministered, MemoryPort::Depth{},
                                 mtu_or_default(spec.mtu));
  if (!port) return tl::unexpected(std::move(port).error());
  return std::unique_ptr<Port>(std::move(*port));
}

PortResult open_kind(const PortSpec& spec, unsigned workers, rte_mempool* pool) {
  switch (spec.kind) {
    case PortKind::af_xdp:
      return open_af_xdp(spec, workers, pool);
    case PortKind::af_packet:
      return open_af_packet(spec, workers, pool);
    case PortKind::tap:
      return open_tap(spec, workers, pool);
    case PortKind::pcap:
      return open_pcap(spec, workers, pool);
    case PortKind::null:
      return open_null(spec, workers, pool);
    case PortKind::pci:
      return open_pci(spec, workers, pool);
    case PortKind::memory:
      return open_memory(spec, workers, pool);
  }
  return fail(ErrorCode::internal, "unknown kind of port");
}

}  // namespace

Result<std::unique_ptr<Port>> Port::open(const PortSpec& spec, unsigned workers, rte_mempool* pool) {
  auto port = [&]() -> PortResult {
    if (workers == 0 || pool == nullptr) return fail(ErrorCode::internal, "no workers or no packet pool");
    const uint16_t max_mtu = largest_mtu(spec.kind, data_bytes_of(*pool));
    if (spec.mtu != 0 && (spec.mtu < RTE_ETHER_MIN_MTU || spec.mtu > max_mtu)) {
      return fail(ErrorCode::invalid, "an MTU of " + std::to_string(spec.mtu) + " is not between " +
                                          std::to_string(RTE_ETHER_MIN_MTU) + " and " +
                                          std::to_string(max_mtu));
    }
    return open_kind(spec, workers, pool);
  }();
  if (!port) return tl::unexpected(std::move(port).error().context("port " + spec.name));
  return port;
}

}  // namespace weir::dataplane
