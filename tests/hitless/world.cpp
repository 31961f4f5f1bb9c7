#include "tests/hitless/world.h"

#include <algorithm>
#include <sstream>

namespace weir::hitless {

namespace {

constexpr uint32_t v4(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}

constexpr uint32_t kHub = v4(198, 18, 0, 1), kRouter = v4(198, 18, 0, 254);
constexpr uint32_t kPeers = v4(198, 19, 0, 1);
constexpr uint32_t kWestNet = v4(10, 64, 0, 0), kEastNet = v4(10, 128, 0, 0), kHosts = 0xf'ffff;  // both /12
constexpr uint32_t kSpokeLinks = v4(172, 16, 0, 0);   // a /28 for each
constexpr uint32_t kNoise = v4(10, 30, 0, 0);         // a /16 for each of the two
constexpr uint32_t kSpokeNets = v4(100, 64, 0, 0);    // a /26 for each
constexpr uint32_t kTenantLinks = v4(10, 200, 0, 0);  // a /28 for each of the two sides, of all tenants
constexpr uint32_t kTenantNets = v4(10, 201, 0, 0);   // a /24 likewise
constexpr uint32_t kFirstVni = 1'000;
constexpr uint16_t kPlainPort = 443, kInspectedPort = 8'080;
constexpr uint8_t kUdp = 17, kTcp = 6;
/// Inspection has a ceiling of its own, so not more than these are inspected.
constexpr uint32_t kMaybeInspected = 32'768;

std::string text(uint32_t address) { return net::to_string(net::IpAddress(net::Ipv4{address})); }
std::string text6(uint32_t address) {
  char out[32];
  std::snprintf(out, sizeof out, "fd00::%x:%x", address >> 16, address & 0xffff);
  return out;
}

net::Mac numbered_mac(uint8_t kind, uint32_t number) {
  return {{2, kind, 0, static_cast<uint8_t>(number >> 16), static_cast<uint8_t>(number >> 8),
           static_cast<uint8_t>(number)}};
}

void write_side(std::ostringstream& out, const char* domain, AttachmentNumber first, unsigned net,
                uint32_t prefix) {
  for (AttachmentNumber i = 0; i < kMembers; ++i) {
    const Spoke spoke = World::spoke(first + i);
    const std::string name = domain + std::to_string(i);
    out << "[[attachment]]\nname = \"" << name << "\"\ndomain = \"" << domain << "\"\n"
        << "vxlan = { vni = " << spoke.vni << ", local = \"" << text(kHub) << "\", remote = \""
        << text(spoke.peer) << "\" }\n"
        << "gateway = [\"10." << net << "." << i << ".1/24\", \"fd01:" << net << ":" << i << "::1/64\"]\n"
        << "mac = \"" << net::to_string(spoke.hub) << "\"\n"
        << "[[route]]\ndomain = \"" << domain << "\"\nprefix = \"" << text(prefix) << "/12\"\nattachment = \""
        << name << "\"\nvia = \"10." << net << "." << i << ".2\"\necmp = true\n"
        << "[[route]]\ndomain = \"" << domain << "\"\nprefix = \"" << text6(prefix)
        << "/108\"\nattachment = \"" << name << "\"\nvia = \"fd01:" << net << ":" << i
        << "::2\"\necmp = true\n";
  }
}

config::Attachment attachment(AttachmentNumber number, const std::string& name, const std::string& domain,
                              uint32_t link) {
  const Spoke far = World::spoke(number);
  config::Attachment made;
  made.name = name;
  made.domain = domain;
  made.tunnel.id = far.vni;
  made.tunnel.local = net::Ipv4{kHub};
  made.tunnel.remote = net::Ipv4{far.peer};
  made.gateways = {net::parse_interface_address(text(link + 1) + "/28").value()};
  made.mac = far.hub;
  return made;
}

config::Route route(const std::string& domain, uint32_t prefix, unsigned length, const std::string& name,
                    uint32_t link) {
  config::Route made;
  made.domain = domain;
  made.prefix = net::Prefix{net::IpAddress(net::Ipv4{prefix}), static_cast<uint8_t>(length)};
  made.attachment = name;
  made.via = net::IpAddress(net::Ipv4{link + 2});
  return made;
}

std::string tenant_name(uint32_t generation, unsigned side) {
  return "tenant" + std::to_string(generation) + (side == 0 ? "-left" : "-right");
}

}  // namespace

World::World(const WorldSize& size) : size_(size) {
  link_.hub = {{2, 0, 0, 0, 0, 1}};
  link_.router = {{2, 0, 0, 0, 0, 0xfe}};
  link_.address = kHub;
}

Spoke World::spoke(AttachmentNumber number) {
  const uint32_t vni = kFirstVni + number;
  // Three tunnels to a peer, so that neither the peer nor the VNI alone says whose a packet is.
  return {kPeers + number / 3, vni, numbered_mac(0x70, vni), numbered_mac(0x71, vni)};
}

std::optional<AttachmentNumber> World::number_of(uint32_t vni) {
  if (vni < kFirstVni) return std::nullopt;
  return vni - kFirstVni;
}

/// The kinds of sessions lie in the number's bits, so that any stretch of numbers has its share of each.
Session World::session(SessionNumber number) const {
  if (number >= kPassing) return passing(number);
  Session session;
  const bool from_west = (number & 1) == 0;
  const uint32_t west = kWestNet + (number & kHosts), east = kEastNet + (number * 7'919 & kHosts);
  const uint32_t kind = number & 31;
  const bool inspected = size_.inspect && number < kMaybeInspected && (kind == 6 || kind == 8 || kind == 11);
  Flow& flow = session.flow;
  flow.v6 = (number & 4) != 0 && (number & 8) == 0;
  flow.protocol = (number & 2) != 0 ? kTcp : kUdp;
  flow.src = from_west ? west : east;
  flow.dst = from_west ? east : west;
  flow.src_port = static_cast<uint16_t>(1'024 + number % 60'000);
  flow.dst_port = inspected ? kInspectedPort : kPlainPort;
  session.home = (from_west ? kWest : kEast) + (number >> 4 & (kMembers - 1));
  session.first = from_west ? kEast : kWest;
  session.members = kMembers;
  session.payload = kind == 3 || kind == 16 ? 500 : kStampBytes;
  session.inspected = inspected;
  session.fragmented = size_.fragments && kind == 17;  // UDP over IPv4 from east
  return session;
}

/// Which: bit 0 TCP, bit 1 started by the spoke.
Session World::passing(SessionNumber number) const {
  const uint32_t generation = generation_of(number), which = number % kPerSpoke;
  if (is_tenant(generation)) return of_tenant(number);
  Session session;
  const uint32_t west = kWestNet + (number & kHosts), spoke = kSpokeNets + generation * 64 + 1 + which;
  const bool from_west = (which & 2) == 0;
  const AttachmentNumber west_home = kWest + generation % kMembers;
  session.flow = {false,
                  (which & 1) != 0 ? kTcp : kUdp,
                  from_west ? west : spoke,
                  from_west ? spoke : west,
                  static_cast<uint16_t>(20'000 + generation % 40'000),
                  kPlainPort};
  session.home = from_west ? west_home : kFirstSpoke + generation;
  session.first = from_west ? kFirstSpoke + generation : kWest;
  session.members = from_west ? 1 : kMembers;
  return session;
}

/// Which: bit 0 TCP, bit 1 started by the right side. Nothing but the attachments depends on the tenant.
Session World::of_tenant(SessionNumber number) const {
  const uint32_t generation = generation_of(number), which = number % kPerSpoke;
  const unsigned from = which >> 1 & 1, to = 1 - from;
  const bool tcp = (which & 1) != 0;
  const uint32_t host = 1 + which;
  Session session;
  session.inspected = size_.inspect && !tcp;
  session.flow = {false,
                  tcp ? kTcp : kUdp,
                  kTenantNets + from * 256 + host,
                  kTenantNets + to * 256 + host,
                  static_cast<uint16_t>(20'000 + which),
                  session.inspected ? kInspectedPort : kPlainPort};
  session.home = attachment_of_tenant(generation, from);
  session.first = attachment_of_tenant(generation, to);
  return session;
}

std::string World::config(const std::string& rules_file) const {
  std::ostringstream out;
  out << "[limits]\nsessions = " << 2 * size_.sessions + 8'192 << "\npunts_per_second = 100000\n"
      << "packet_buffers = 32768\nadjacencies = 65536\nheld_packets = 4096\n"
      << "[timeouts]\nudp = 3600\nudp_unanswered = 3600\ntcp_handshake = 3600\n"
      << "[events]\nflow = false\n"
      // Opened by the test as a port of memory.
      << "[[port]]\nname = \"wan0\"\ndriver = \"null\"\naddress = [\"" << text(kHub)
      << "/24\"]\ngateway = [\"" << text(kRouter) << "\"]\nmac = \"" << net::to_string(link_.hub) << "\"\n"
      << "[[domain]]\nname = \"west\"\n[[domain]]\nname = \"east\"\n[[domain]]\nname = \"edge\"\n"
      << "[[connection]]\ndomains = [\"west\", \"east\"]\n[[connection]]\ndomains = [\"west\", \"edge\"]\n";
  write_side(out, "west", kWest, 10, kWestNet);
  write_side(out, "east", kEast, 20, kEastNet);
  if (size_.floods) {
    out << "[[domain]]\nname = \"noise\"\n[[connection]]\ndomains = [\"west\", \"noise\"]\n";
    for (const AttachmentNumber number : {kFlooder, kBystander}) {
      const Spoke far = spoke(number);
      out << "[[attachment]]\nname = \"" << (number == kFlooder ? "flooder" : "bystander")
          << "\"\ndomain = \"noise\"\nvxlan = { vni = " << far.vni << ", local = \"" << text(kHub)
          << "\", remote = \"" << text(far.peer) << "\" }\ngateway = [\"" << text(noise_gateway(number))
          << "/16\"]\nmac = \"" << net::to_string(far.hub) << "\"\n";
    }
  }
  if (size_.inspect) {
    out << "[[profile]]\nname = \"look\"\nrules = [\"" << rules_file << "\"]\n";
    for (const char* protocol : {"tcp", "udp"}) {
      out << "[[policy]]\nid = \"look-" << protocol
          << "\"\naction = \"inspect\"\nprofile = \"look\"\nprotocol = \"" << protocol << "\"\nports = ["
          << kInspectedPort << "]\n";
    }
  }
  out << "[[policy]]\nid = \"rest\"\naction = \"allow\"\n";
  return out.str();
}

std::string World::rules(unsigned edition) {
  std::ostringstream out;
  for (unsigned i = 0; i < 16; ++i) {
    out << "drop " << (i % 2 == 0 ? "tcp" : "udp")
        << " any any -> any any (msg:\"none\"; content:\"never sent " << edition << " " << i
        << "\"; sid:" << 1'000'000 + i << "; rev:" << edition + 1 << ";)\n";
  }
  return out.str();
}

uint32_t World::noise_gateway(AttachmentNumber number) { return kNoise + ((number - kFlooder) << 16) + 1; }

uint32_t World::west_host(uint32_t number) { return kWestNet + (number & kHosts); }

/// In the order in which they come: what is named, before what names it.
config::ModelChanges World::parts_of(uint32_t generation, config::ChangeVerb verb) const {
  config::ModelChanges changes;
  if (!is_tenant(generation)) {
    const std::string name = "spoke" + std::to_string(generation);
    const uint32_t link = kSpokeLinks + generation * 16;
    changes.push_back({verb, attachment(kFirstSpoke + generation, name, "edge", link), {}});
    changes.push_back({verb, route("edge", kSpokeNets + generation * 64, 26, name, link), {}});
    return changes;
  }
  config::Connection connection;
  for (unsigned side = 0; side < 2; ++side) {
    const std::string name = tenant_name(generation, side);
    const uint32_t link = kTenantLinks + side * 16;
    config::Domain domain;
    domain.name = name;
    (side == 0 ? connection.a : connection.b) = name;
    changes.push_back({verb, domain, {}});
    changes.push_back({verb, attachment(attachment_of_tenant(generation, side), name, name, link), {}});
    changes.push_back({verb, route(name, kTenantNets + side * 256, 24, name, link), {}});
  }
  changes.push_back({verb, connection, {}});
  return changes;
}

config::ModelChanges World::arrival(uint32_t generation) const {
  return parts_of(generation, config::ChangeVerb::add);
}

config::ModelChanges World::departure(uint32_t generation) const {
  config::ModelChanges changes = parts_of(generation, config::ChangeVerb::remove);
  std::reverse(changes.begin(), changes.end());
  return changes;
}

}  // namespace weir::hitless
