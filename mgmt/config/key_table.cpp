#include "mgmt/config/key_table.h"

#include <algorithm>
#include <vector>

#include "mgmt/config/key_lists.h"
#include "mgmt/config/problem.h"

namespace weir::config {

namespace {

constexpr SectionSpec kSections[] = {
    {"hub", Change::restart, false, "The hub itself."},
    {"eal", Change::restart, false, "DPDK's environment layer."},
    {"worker", Change::restart, true, "The poll-mode threads that forward packets."},
    {"control", Change::restart, false, "Every thread that is not a worker."},
    {"limits", Change::restart, false,
     "Ceilings on what remote hosts can make the hub hold or do. Each is counted when it is hit; `weir "
     "check` "
     "prints the memory that they amount to."},
    {"timeouts", Change::live, false, "After how long without a packet a session is forgotten."},
    {"tcp", Change::live, false, "How closely TCP is followed; see sessions.md."},
    {"api", Change::restart, false, "Where weirctl reaches the hub."},
    {"rule_cache", Change::live, false, "What is compiled of inspection rules, kept on disk."},
    {"log", Change::live, false, "The hub's own log, on standard error."},
    {"events", Change::restart, false, "Alerts, drops and flows, as EVE JSON."},
    {"port[]", Change::restart, true, "An Ethernet device that DPDK drives."},
    {"domain[]", Change::live, false,
     "A routing and security domain: its own routes and its own address space. Domains are isolated from "
     "each "
     "other unless a connection joins them."},
    {"attachment[]", Change::live, false,
     "One spoke: a tunnel to it, or a port or VLAN in its place, its domain, and the hub's addresses inside. "
     "It "
     "has exactly one of the tables `vxlan`, `geneve`, `gre`, `ipip` and `native`; docs/tunnels.md shows "
     "each."},
    {"attachment[].vxlan", Change::live, false,
     "A VXLAN tunnel (RFC 7348). Its local address, remote address, VNI and port together are unique."},
    {"attachment[].geneve", Change::live, false,
     "A GENEVE tunnel (RFC 8926). Options are checked and passed over; one that is marked critical refuses "
     "the "
     "packet. Its local address, remote address, VNI and port together are unique."},
    {"attachment[].gre", Change::live, false,
     "A GRE tunnel (RFC 2784, RFC 2890). Its local address, remote address and key together are unique. A "
     "checksum is verified where there is one; sequence numbers are passed over; neither is sent."},
    {"attachment[].ipip", Change::live, false,
     "IP packets in IP packets: IPv4 in IPv4 (RFC 2003), IPv6 in IPv4 (6in4, RFC 4213), either in IPv6 "
     "(RFC 2473). Local address, remote address and inner family together are unique."},
    {"attachment[].native", Change::live, false,
     "No tunnel: a port, or a VLAN on it, is the attachment. The hub takes all of its packets, and the hub's "
     "MAC "
     "inside is the port's."},
    {"attachment[].health", Change::live, false,
     "Whether the attachment works, found out by what comes in and, if asked for, by probes to an address "
     "inside. See health.md."},
    {"route[]", Change::live, false,
     "Where a prefix of a domain is reached: through a router inside an attachment, directly inside an "
     "attachment, or "
     "nowhere (blackhole). The subnets of gateway addresses are routes already."},
    {"routes", Change::live, false,
     "Routes that are kept in a file of their own, one a line. They are as good as those in `[[route]]`, and "
     "a million "
     "of them are read in a fraction of a second."},
    {"connection[]", Change::live, false,
     "Two domains that may reach each other, in both directions, as far as policy allows."},
    {"prefix[]", Change::live, false, "A prefix with tags, for groups to choose by."},
    {"group[]", Change::live, false,
     "A set of ends of sessions, for policy rules. An end belongs to it by any of its parts: its domain, the "
     "attachment that it is behind, its address, another group, or by what `match` chooses. A group without "
     "any part, and groups that contain each other, are refused."},
    {"service[]", Change::live, false, "A kind of session, for policy rules."},
    {"policy[]", Change::live, false,
     "One rule. Rules are tried in the order of the file; the first that matches a session's first packet "
     "decides "
     "for the session, and where none matches it is denied. A rule that allows a session allows its "
     "replies."},
    {"policy[].from", Change::live, false, "Where the session comes from; without it, anywhere."},
    {"policy[].to", Change::live, false, "Where the session goes to; without it, anywhere."},
    {"policy[].names", Change::live, false,
     "What the session says of itself, one of each kind that stands here; without it, anything. See "
     "policy.md."},
    {"policy[].timeouts", Change::live, false,
     "Time-outs of the sessions that the rule decides, instead of those in `[timeouts]`. All rules together "
     "have at "
     "most 255 different sets of them."},
    {"profile[]", Change::live, false,
     "How sessions are inspected. Profiles with the same `rules` share what is compiled of them. See "
     "inspection.md."},
    {"profile[].address_groups", Change::live, false,
     "Values of variables for addresses in the rules, such as `HOME_NET = \"[10.0.0.0/8,!10.9.0.0/16]\"`. "
     "Those that are not set have the values that Suricata's own configuration gives them; `$HOME_NET` is "
     "then "
     "the private ranges, `$EXTERNAL_NET` the rest."},
    {"profile[].port_groups", Change::live, false,
     "Values of variables for ports in the rules, such as `HTTP_PORTS = \"[80,8000:8099]\"`."},
    {"profile[].limits", Change::live, false, "Ceilings of one session's protocol parsers."},
    {"profile[].exceptions", Change::live, false,
     "What becomes of a session at a ceiling, in Suricata's words: `drop-flow`, `reject` (the same, and both "
     "ends are told), `drop-packet`, `bypass` (not inspected any more), `pass-flow` (followed, but no rule "
     "is "
     "held against it), `pass-packet`, `ignore` (inspected as well as that goes), `auto` (`drop-flow`, and "
     "`ignore` with mode `ids`)."},
    {"nat[]", Change::live, false,
     "One rule of address translation. It has exactly one of the tables `static`, `dnat`, `snat` and "
     "`nat64`. Policy "
     "sees "
     "the source before and the destination after translation. There are at most 65,535 rules. See nat.md."},
    {"nat[].static", Change::live, false,
     "Addresses of one domain that others see as other ones, one for one and in both directions: one host "
     "(static "
     "1:1) or a whole prefix (mapped), so that spokes with overlapping addresses reach each other."},
    {"nat[].dnat", Change::live, false,
     "A public address and port that is a server in some domain, or several that share the sessions by "
     "weight."},
    {"nat[].snat", Change::live, false,
     "A pool of public addresses, of which sessions from some domains to another one get their source. The "
     "first "
     "rule of the file that fits counts, of at most 64."},
    {"nat[].nat64", Change::live, false,
     "NAT64: hosts of IPv6 reach hosts of IPv4, by IPv6 addresses that have an IPv4 address inside, and are "
     "seen with "
     "a source from a pool of IPv4 addresses. Counts as one of the 64 pools."},
};

}  // namespace

std::span<const SectionSpec> sections() { return kSections; }

std::span<const KeySpec> keys() {
  static const std::vector<KeySpec> all = [] {
    std::vector<KeySpec> joined;
    for (const auto part : {machine_keys(), operation_keys(), network_keys(), policy_keys(), nat_keys()})
      joined.insert(joined.end(), part.begin(), part.end());
    return joined;
  }();
  return all;
}

bool names_members(const KeySpec& key) { return key.list && section_of(key.path) == "group[]"; }

std::string_view section_of(std::string_view path) {
  const size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : path.substr(0, dot);
}

std::string_view leaf_of(std::string_view path) {
  const size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? path : path.substr(dot + 1);
}

std::string option_name(std::string_view path) {
  std::string name(path.substr(path.find("].") + 2));
  for (const KeySpec& key : keys()) {
    if (key.path != path || key.identity != Identity::required) continue;
    for (char& c : name) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    return name;
  }
  std::replace(name.begin(), name.end(), '.', '-');
  std::replace(name.begin(), name.end(), '_', '-');
  return "--" + name;
}

std::string element_expectation(const KeySpec& key) {
  switch (key.kind) {
    case ValueKind::boolean:
      return "true or false";
    case ValueKind::integer:
      return std::string(key.power_of_two ? "a power of two" : "a whole number") + " from " +
             std::to_string(key.min) + " to " + std::to_string(key.max);
    case ValueKind::choice: {
      std::string text = "one of ";
      for (size_t i = 0; i < key.choices.size(); ++i) {
        if (i > 0) text += i + 1 == key.choices.size() ? " and " : ", ";
        text += in_quotes(key.choices[i]);
      }
      return text;
    }
    case ValueKind::name:
      return "a name of 1 to 32 letters, digits, \"-\", \"_\" and \".\"";
    case ValueKind::text:
      return "a string without control characters";
    case ValueKind::file:
      return "a file name";
    case ValueKind::interface:
      return "an interface name of 1 to 15 characters such as \"eth1\"";
    case ValueKind::pci:
      return "a PCI address such as \"0000:03:00.0\"";
    case ValueKind::mac:
      return "a unicast MAC such as \"02:00:00:00:00:01\"";
    case ValueKind::ipv4:
      return "an IPv4 address such as \"198.18.0.1\"";
    case ValueKind::ip:
      return "an IP address such as \"10.1.0.2\"";
    case ValueKind::ipv4_interface:
      return "an IPv4 address with its prefix length such as \"198.18.0.1/24\"";
    case ValueKind::ip_interface:
      return "an address with its prefix length such as \"10.1.0.1/24\"";
    case ValueKind::prefix:
      return "a prefix such as \"10.1.0.0/16\"";
    case ValueKind::ports:
      return "a port from 1 to 65535 or a range such as \"8000-8100\"";
    case ValueKind::rule_addresses:
      return "addresses as in a rule such as \"[10.0.0.0/8,!10.9.0.0/16]\"";
    case ValueKind::rule_ports:
      return "ports as in a rule such as \"[80,8000:8099]\"";
    case ValueKind::rules:
      return "rules by sid such as 2019401, or as in \"1:2019401\", \"2019401-2019499\" or "
             "\"group:scan.rules\"";
  }
  return {};
}

std::string expectation(const KeySpec& key) {
  return key.list ? "a list, each element " + element_expectation(key) : element_expectation(key);
}

}  // namespace weir::config
