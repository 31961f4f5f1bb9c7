// Cores, limits, ports and files.
#include <map>
#include <set>

#include "dataplane/io/buffers.h"
#include "mgmt/config/choices.h"
#include "mgmt/config/validate.h"
#include "mgmt/config/values.h"

namespace weir::config {

namespace {

/// DPDK's RTE_MAX_ETHPORTS in Debian's build.
constexpr size_t kMaxPorts = 32;
/// sockaddr_un.sun_path with its terminating zero is 108 bytes.
constexpr size_t kMaxSocketPath = 107;

/// The table of a section that the file has once; the root if the file leaves it out.
const Node& single(const Validation& v, std::string_view name) {
  const Node& root = v.draft.document.root;
  const Node* node = root.find(name);
  return node != nullptr && node->kind == Node::Kind::table ? *node : root;
}

void check_cores(const Validation& v) {
  const Node* cores = single(v, "worker").find("cores");
  if (cores == nullptr) return;
  std::set<int64_t> seen;
  for (const Node& core : cores->children) {
    if (core.bad || seen.insert(core.integer).second) continue;
    v.report.at(
        core, "worker.cores",
        "core " + std::to_string(core.integer) + " is listed twice; each worker needs a core of its own");
  }
}

void check_limits(const Validation& v) {
  const Limits& limits = v.draft.config.limits;
  const Node& table = single(v, "limits");
  if (limits.held_packets > limits.packet_buffers / 4) {
    v.report.at(table, "held_packets", "limits.held_packets",
                std::to_string(limits.held_packets) + " is more than a quarter of limits.packet_buffers (" +
                    std::to_string(limits.packet_buffers) + ")");
  }
  if (const uint32_t held = limits.held_packets + limits.held_fragments;
      limits.held_packets <= limits.packet_buffers / 4 && held > limits.packet_buffers / 4) {
    v.report.at(table, "held_fragments", "limits.held_fragments",
                std::to_string(limits.held_fragments) + " and limits.held_packets (" +
                    std::to_string(limits.held_packets) +
                    ") are together more than a quarter of limits.packet_buffers (" +
                    std::to_string(limits.packet_buffers) + ")");
  }
  if (limits.inspection_queue > limits.packet_buffers / 2) {
    v.report.at(table, "inspection_queue", "limits.inspection_queue",
                std::to_string(limits.inspection_queue) + " is more than half of limits.packet_buffers (" +
                    std::to_string(limits.packet_buffers) + ")");
  }
  if (limits.overload_end >= limits.overload_begin) {
    v.report.at(table, "overload_end", "limits.overload_end",
                std::to_string(limits.overload_end) + " has to be below limits.overload_begin (" +
                    std::to_string(limits.overload_begin) + ")");
  }
  if (limits.held_per_neighbor > limits.held_packets) {
    v.report.at(table, "held_per_neighbor", "limits.held_per_neighbor",
                std::to_string(limits.held_per_neighbor) + " is more than limits.held_packets (" +
                    std::to_string(limits.held_packets) + ")");
  }
  const size_t workers = v.draft.config.workers.cores.size();
  if (limits.inspected_sessions < workers) {
    v.report.at(table, "inspected_sessions", "limits.inspected_sessions",
                std::to_string(limits.inspected_sessions) + " sessions cannot be shared out over " +
                    std::to_string(workers) + " workers; each needs one at least");
  }
}

void check_socket(const Validation& v) {
  const std::string& socket = v.draft.config.api.socket;
  if (socket.size() <= kMaxSocketPath) return;
  v.report.at(single(v, "api"), "socket", "api.socket",
              "the path of a Unix socket has at most " + std::to_string(kMaxSocketPath) +
                  " bytes; this one, made absolute, has " + std::to_string(socket.size()));
}

/// The key that names the device is there if, and only if, the driver wants it.
void check_device_key(const Validation& v, const Node& table, PortDriver driver, std::string_view key,
                      bool wanted, bool needed) {
  const Node* value = table.find(key);
  const std::string path = "port[]." + std::string(key);
  const std::string with = " with driver " + in_quotes(name_of(kPortDrivers, driver));
  if (value != nullptr && !wanted)
    v.report.at(*value, path, "there is no such thing" + with + "; leave the key out");
  if (value == nullptr && needed) v.report.at(table, path, "missing; it is required" + with);
}

void check_driver_keys(const Validation& v, const Port& port, const Node& table) {
  if (const Node* driver = table.find("driver"); driver != nullptr && driver->bad) return;
  const PortDriver d = port.driver;
  const bool kernel = d == PortDriver::af_xdp || d == PortDriver::af_packet || d == PortDriver::tap;
  const bool takes_mac =
      d == PortDriver::pci || d == PortDriver::pcap || d == PortDriver::null || d == PortDriver::tap;
  check_device_key(v, table, d, "interface", kernel, kernel);
  check_device_key(v, table, d, "pci", d == PortDriver::pci, d == PortDriver::pci);
  check_device_key(v, table, d, "rx_pcap", d == PortDriver::pcap, false);
  if (port.rx_loop) check_device_key(v, table, d, "rx_loop", d == PortDriver::pcap, false);
  check_device_key(v, table, d, "tx_pcap", d == PortDriver::pcap, false);
  check_device_key(v, table, d, "mac", takes_mac, false);
  if (d == PortDriver::af_xdp && port.mtu > dataplane::kMaxAfXdpMtu) {
    v.report.at(table, "mtu", "port[].mtu",
                std::to_string(port.mtu) + " is more than an \"af_xdp\" port carries, " +
                    std::to_string(dataplane::kMaxAfXdpMtu) +
                    ": the kernel gives AF_XDP one page for each packet; the other drivers carry " +
                    std::to_string(dataplane::kMaxMtu));
  }
  if (const Node* gateway = table.find("gateway"); gateway != nullptr && d == PortDriver::af_xdp) {
    v.report.at(
        *gateway, "port[].gateway",
        "not possible with driver \"af_xdp\": the kernel's routes are used; add the default route there");
  }
}

/// The hub's own underlay addresses, so that none is given to two ports.
using Owners = std::map<net::IpAddress, const Node*>;

void check_addresses(const Validation& v, const Port& port, const Node& table, Owners& owners) {
  const Node* list = table.find("address");
  if (list == nullptr || list->bad) return;
  for (size_t i = 0; i < port.addresses.size(); ++i) {
    const Node& element = list->children[i];
    if (const std::string why = not_a_host_address(port.addresses[i]); !why.empty()) {
      v.report.at(element, "port[].address", in_quotes(element.text) + " " + why);
      continue;
    }
    const auto [owner, added] = owners.emplace(port.addresses[i].address, &element);
    if (!added) {
      v.report.at(element, "port[].address",
                  net::to_string(port.addresses[i].address) + " is given to a port already, on " +
                      at_line(*owner->second));
    }
  }
}

bool is_link_local(const net::IpAddress& address) {
  return !address.is_v4() && net::parse_prefix("fe80::/10")->contains(address);
}

/// What is wrong with a port's default route; empty: nothing.
std::string gateway_problem(const Port& port, const net::IpAddress& gateway, const Owners& owners) {
  if (const auto own = owners.find(gateway); own != owners.end()) {
    return "this is the hub's own address, on " + at_line(*own->second) + "; the gateway is another router";
  }
  bool same_family = false;
  for (const net::InterfaceAddress& own : port.addresses) {
    same_family |= own.address.family == gateway.family;
    if (!own.subnet().contains(gateway)) continue;
    const std::string why = not_a_host_address({gateway, own.length});
    return why.empty() ? "" : in_quotes(net::to_string(gateway)) + " " + why;
  }
  if (!is_link_local(gateway))
    return net::to_string(gateway) + " lies in the subnet of none of the port's addresses";
  return same_family ? "" : "the port has no IPv6 address, from which it could be asked";
}

void check_gateways(const Validation& v, const Port& port, const Node& table, const Owners& owners) {
  const Node* list = table.find("gateway");
  const Node* addresses = table.find("address");
  if (list == nullptr || list->bad || port.driver == PortDriver::af_xdp) return;
  if (addresses != nullptr && addresses->bad) return;
  std::set<net::Family> families;
  for (size_t i = 0; i < port.gateways.size(); ++i) {
    const Node& element = list->children[i];
    if (!families.insert(port.gateways[i].family).second) {
      v.report.at(element, "port[].gateway", "the port has a gateway of that family already; one is used");
    } else if (std::string why = gateway_problem(port, port.gateways[i], owners); !why.empty()) {
      v.report.at(element, "port[].gateway", std::move(why));
    }
  }
}

void check_ports(const Validation& v) {
  std::map<std::string, const Node*> devices;  // by interface or PCI address
  Owners owners;
  for (size_t i = 0; i < v.draft.ports.size(); ++i) {
    if (v.report.full()) return;
    const Port& port = v.draft.config.ports[i];
    const Node& table = *v.draft.ports[i];
    if (i == kMaxPorts)
      v.report.at(table, "port", "there are at most " + std::to_string(kMaxPorts) + " ports");
    check_driver_keys(v, port, table);
    check_addresses(v, port, table, owners);
    for (const std::string_view key : {"interface", "pci"}) {
      const Node* device = table.get(key);
      if (device == nullptr) continue;
      const auto [first, added] = devices.emplace(device->text, device);
      if (!added) {
        v.report.at(
            *device, "port[]." + std::string(key),
            in_quotes(device->text) + " is driven by another port already, on " + at_line(*first->second));
      }
    }
    if (port.rx_loop && (port.rx_pcap.empty() || !port.tx_pcap.empty())) {
      v.report.at(table, "rx_loop", "port[].rx_loop",
                  port.rx_pcap.empty() ? "there is no rx_pcap to read again and again"
                                       : "tx_pcap would grow without end; leave it out");
    }
    if (!port.rx_pcap.empty() && port.rx_pcap == port.tx_pcap) {
      v.report.at(table, "tx_pcap", "port[].tx_pcap",
                  "the same file as rx_pcap would be overwritten while it is read");
    }
  }
  // When all of the hub's own addresses are known.
  for (size_t i = 0; i < v.draft.ports.size() && !v.report.full(); ++i)
    check_gateways(v, v.draft.config.ports[i], *v.draft.ports[i], owners);
}

}  // namespace

void validate_machine(const Validation& v) {
  check_cores(v);
  check_limits(v);
  check_socket(v);
  check_ports(v);
}

}  // namespace weir::config
