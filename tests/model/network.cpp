#include "tests/model/network.h"

#include <algorithm>

namespace weir::model {

namespace {

std::string words(const std::vector<Prefix>& list) {
  std::string out;
  for (const Prefix& p : list) out += " " + to_string(p);
  return out;
}
std::string numbers(const char* name, const auto& list) {
  std::string out;
  for (const int n : list) out += (out.empty() ? std::string(" ") + name : ",") + std::to_string(n);
  return out;
}
std::string words(const RuleEnd& end) {
  std::string out = numbers("domains ", end.domains) + words(end.prefixes);
  for (const Group& g : end.groups) {
    out += " (" + numbers("domains ", g.domains) + numbers("attachments ", g.attachments) + words(g.prefixes);
    for (const auto& [d, p] : g.of_domains) out += " " + to_string(p) + " of " + std::to_string(d);
    out += ")";
  }
  return out;
}

}  // namespace

std::string routes_of(const Network& n) {
  std::string out;
  for (const Route& r : n.routes) {
    out += std::to_string(r.domain) + ": " + to_string(r.prefix) + " by";
    for (const Hop& h : r.hops)
      out += " " + std::to_string(h.attachment) + (h.via ? "/" + to_string(*h.via) : "");
    out += "; ";
  }
  return out;
}

std::string rules_of(const Network& n) {
  std::string out = "connected";
  for (const auto& [a, b] : n.connections)
    if (a < b) out += " " + std::to_string(a) + "-" + std::to_string(b);
  for (const Rule& r : n.rules) {
    static const char* const names[] = {"allow", "deny", "reject", "inspect"};
    out += std::string("; ") + (r.watch ? "watch " : "") + names[static_cast<int>(r.action)] + " from" +
           words(r.from) + " to" + words(r.to);
    for (const Service& s : r.services)
      out += " " + std::to_string(s.protocol) + "/" + std::to_string(s.first) + "-" + std::to_string(s.last);
    if (r.timeouts != 0) out += " time-outs " + std::to_string(r.timeouts);
    if (r.dscp) out += " dscp " + std::to_string(*r.dscp);
  }
  for (const StaticNat& f : n.fixed) {
    out += "; static " + std::to_string(f.domain) + " " + to_string(f.inside) + " as " +
           to_string(f.outside) + (f.neutral ? " neutrally" : "") + numbers("seen by ", f.seen_by);
  }
  for (const Published& p : n.published) {
    out += "; published " + to_string(p.address) + " " + std::to_string(p.protocol) + "/" +
           std::to_string(p.port) + " is " + std::to_string(p.domain) + " " + to_string(p.server) + " " +
           std::to_string(p.server_port) + numbers("seen by ", p.seen_by);
    for (const auto& [server, weight] : p.servers)
      out += " or " + to_string(server) + " by " + std::to_string(weight);
  }
  for (const Pool& p : n.pools) {
    out += "; pool of " + std::to_string(p.to) + " " + to_string(p.first) + "-" + to_string(p.last) +
           " ports " + std::to_string(p.low_port) + "-" + std::to_string(p.high_port) +
           (p.ports_per_host != 0 ? ", " + std::to_string(p.ports_per_host) + " for each host" : "") +
           (p.prefix64 ? " for " + to_string(*p.prefix64) : "") + numbers("from ", p.from) + " sources" +
           words(p.sources) + " destinations" + words(p.destinations);
  }
  return out;
}

std::string to_string(const Network& n) {
  static const char* const kinds[] = {"vxlan",          "geneve",          "geneve of IP", "gre",
                                      "gre with a key", "gre of Ethernet", "ipip",         "native"};
  std::string out = "attachments";
  for (const AttachmentConfig& a : n.attachments) {
    out += " of " + std::to_string(a.domain) + " by " + kinds[static_cast<size_t>(a.tunnel.kind)] +
           (a.tunnel.v6 ? " over IPv6," : ",");
  }
  out += " " + routes_of(n) + rules_of(n);
  const std::pair<const char*, const Budget&> budgets[] = {
      {"host", n.of_host}, {"attachment", n.of_attachment}, {"domain", n.of_domain}};
  for (const auto& [whose, b] : budgets) {
    out += std::string("; a ") + whose + " " + std::to_string(b.per_second) + " a second, " +
           std::to_string(b.half_open) + " half open";
  }
  out += numbers("; down ", n.down) + " known";
  for (const auto& [a, address] : n.neighbours) out += " " + std::to_string(a) + "/" + to_string(address);
  return out;
}

bool Network::inspects() const {
  return std::any_of(rules.begin(), rules.end(), [](const Rule& r) { return r.action == Action::inspect; });
}

bool Network::is_gateway(Attachment a, const Address& address) const {
  const auto& own = attachments[static_cast<size_t>(a)].gateways;
  return std::find(own.begin(), own.end(), address) != own.end();
}

Mac Network::hub_mac(Attachment a) const {
  if (tunnel_of(a).kind == TunnelKind::native) return kPortMac;
  return 0x02'57'00'00'00'00 | static_cast<Mac>(a);
}

uint32_t vni_of(Attachment a) { return 100 + static_cast<uint32_t>(a); }
Address tunnel_end_of(Attachment a, bool six) {
  const auto host = 10 + static_cast<unsigned>(a);
  return six ? model::v6(0x2001'0db8'000f'0000ULL, host) : v4(198, 18, 0, host);
}
Address hub_address(bool six) { return six ? v6(0x2001'0db8'000f'0000ULL, 1) : v4(198, 18, 0, 1); }
Mac underlay_mac(Attachment a) { return 0x02'aa'00'00'00'00 | static_cast<Mac>(a); }
Mac mac_of(Attachment a, const Address& address) {
  const Mac host = ((address.lo ^ address.lo >> 32 ^ address.hi ^ address.hi >> 20) & 0xff'ffff) |
                   (address.v6 ? 0x80'0000 : 0);
  return 0x02'00'00'00'00'00 | static_cast<Mac>(0x10 + a) << 32 | host;
}

}  // namespace weir::model
