// A written configuration reads back as the same one.
#include "mgmt/config/writer.h"

#include <gtest/gtest.h>

#include <random>

#include "mgmt/config/choices.h"
#include "mgmt/config/diff.h"
#include "mgmt/config/key_table.h"
#include "mgmt/config/route_lines.h"
#include "tests/support/rounds.h"
#include "tests/unit/config/samples.h"

namespace weir::config::test {
namespace {

/// Reads back what is written; equal by every key, in the same order.
void expect_round_trip(const Config& config) {
  const std::string text = to_toml(config);
  const auto again = read_config_text(text, config.file);
  ASSERT_TRUE(again) << to_string(again.error().front()) << "\n" << text;
  EXPECT_EQ(to_string(diff(config, *again)), "") << text;
  EXPECT_EQ(to_string(diff(*again, config)), "") << text;
  EXPECT_EQ(to_toml(*again), text);
}

TEST(Writer, AnExampleInFull) {
  EXPECT_EQ(to_toml(read_good(text_of(Base::policy))),
            R"([worker]
cores = [1]

[[port]]
name = "wan0"
interface = "eth1"
address = ["198.18.0.1/24"]

[[domain]]
name = "prod"

[[domain]]
name = "shared"

[[domain]]
name = "lone"

[[attachment]]
name = "cloud-a"
domain = "prod"
gateway = ["10.1.0.1/24", "2001:db8:1::1/64"]
vxlan = { vni = 10, local = "198.18.0.1", remote = "198.18.0.10" }

[[attachment]]
name = "cloud-b"
domain = "shared"
gateway = ["10.2.0.1/24"]
vxlan = { vni = 20, local = "198.18.0.1", remote = "198.18.0.20" }

[[route]]
domain = "prod"
prefix = "10.1.64.0/18"
attachment = "cloud-a"
via = "10.1.0.2"

[[connection]]
domains = ["prod", "shared"]

[[profile]]
name = "default"
rules = ["/etc/weir/demo.rules"]
)");
}

TEST(Writer, EveryKeyComesBack) {
  Config full = read_good(full_text());
  full.routes_file.clear();
  expect_round_trip(full);
  expect_round_trip(read_good(text_of(Base::policy)));
}

TEST(Writer, WithARoutesFileRoutesAreLines) {
  const Config config = read_good(full_text());
  EXPECT_EQ(routes_text(config),
            "prod 10.1.64.0/18 attachment cloud-a via 10.1.0.2 weight 3 ecmp\nprod 10.66.0.0/16 blackhole\n");
  const std::string text = to_toml(config);
  EXPECT_EQ(text.find("[[route]]"), std::string::npos);
  EXPECT_NE(text.find("[routes]\nfile = \"/etc/weir/more.routes\"\n"), std::string::npos) << text;
  Config again = read_good(text);
  Problems problems;
  read_route_lines(routes_text(config), again.routes_file, again.routes, problems);
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(to_string(diff(config, again)), "");
}

TEST(Writer, ManyRoutesGetAFileOfTheirOwn) {
  Config config = read_good(text_of(Base::policy));
  EXPECT_EQ(routes_file_for(config), "");
  config.routes.resize(kMaxTomlRoutes + 1);
  EXPECT_EQ(routes_file_for(config), "/etc/weir/hub.toml.routes");
  config.routes_file = "/x";
  EXPECT_EQ(routes_file_for(config), "/x");
}

/// full_text() sets no key to its default, but those that it cannot set together with the others.
TEST(Writer, EveryKeyThatIsSetIsWritten) {
  const Config config = read_good(full_text());
  Config inline_routes = config;
  inline_routes.routes_file.clear();
  const std::string text = to_toml(config) + to_toml(inline_routes);
  for (const KeySpec& key : keys()) {
    if (key.path == "port[].rx_loop" || key.path == "attachment[].dscp_model") continue;
    std::string leaf(leaf_of(key.path));
    if (leaf == "*") leaf = key.path.find("port") == std::string_view::npos ? "HOME_NET" : "WEB_PORTS";
    EXPECT_TRUE(text.find("\n" + leaf + " = ") != std::string::npos ||
                text.find(" " + leaf + " = ") != std::string::npos)
        << key.path;
  }
}

/// Random right configurations: names with all that a name may hold, texts with what TOML has to escape.
class RandomConfig {
 public:
  explicit RandomConfig(uint32_t seed) : random_(seed) {}

  Config make() {
    Config c = read_good(text_of(Base::machine));
    c.hub_name = name("hub");
    c.workers.idle = flip() ? Idle::poll : Idle::adaptive;
    c.workers.burst = 1 + below(256);
    c.limits.sessions = 1'000 + below(1'000);
    c.timeouts.udp = 1 + below(1'000);
    c.events.eve = flip() ? "" : flip() ? "-" : "/var/log/" + words();
    c.log.level = kLogLevels[below(kLogLevels.size())];
    for (uint32_t i = 0, n = 1 + below(5); i < n; ++i)
      c.domains.push_back({name("d" + std::to_string(i)), {}});
    for (uint32_t i = 0, n = below(6); i < n; ++i) c.attachments.push_back(attachment(c, i));
    for (uint32_t i = 0, n = below(30); i < n; ++i) add_route(c, i);
    if (c.domains.size() > 1) c.connections.push_back({c.domains[1].name, c.domains[0].name, {}});
    for (uint32_t i = 0, n = below(4); i < n; ++i) c.profiles.push_back(profile(i));
    for (uint32_t i = 0, n = below(5); i < n; ++i) c.objects.groups.push_back(group(c, i));
    for (uint32_t i = 0, n = below(4); i < n; ++i) c.objects.services.push_back(service(i));
    for (uint32_t i = 0, n = below(4); i < n; ++i)
      c.objects.prefixes.push_back(
          {{net::Ipv4{i << 24}, 8}, {name("t")}, flip() ? "" : c.domains[0].name, {}});
    for (uint32_t i = 0, n = below(20); i < n; ++i) c.policy.push_back(rule(c, i));
    return c;
  }

 private:
  uint32_t below(size_t n) { return static_cast<uint32_t>(random_() % n); }
  bool flip() { return below(2) == 0; }

  std::string name(std::string text) {
    constexpr std::string_view kLetters = "azAZ09-_.";
    text += '-';  // so that "r1" and "r10" stay different
    for (uint32_t i = 0, n = below(8); i < n; ++i) text += kLetters[below(kLetters.size())];
    return text;
  }
  std::string words() {
    constexpr std::string_view kParts[] = {"a", " ", "\"", "\\",       "'", "#",
                                           "[", "]", "=",  "\xc3\xa9", "{", ","};
    std::string text = "x";
    for (uint32_t i = 0, n = below(12); i < n; ++i) text += kParts[below(std::size(kParts))];
    return text;
  }
  dataplane::Tunnel tunnel(uint32_t i) {
    using dataplane::TunnelKind;
    dataplane::Tunnel t;
    t.kind = static_cast<TunnelKind>(below(5));
    t.ethernet = t.kind == TunnelKind::vxlan || t.kind == TunnelKind::native;
    if (t.kind == TunnelKind::native) {
      t.vlan = static_cast<uint16_t>(1 + i);
      if (flip()) t.outer_vlan = static_cast<uint16_t>(1 + below(4'094));
      return t;
    }
    t.local = *net::parse_ip("198.18.0.1");
    t.remote = net::Ipv4{0xc6120100 + i};
    if (over_udp(t.kind)) t.id = below(1u << 24);
    if (t.kind == TunnelKind::geneve) t.udp_port = flip() ? dataplane::kGenevePort : uint16_t{6'082};
    if (t.kind == TunnelKind::vxlan && flip()) t.udp_port = 8'472;
    if (t.kind == TunnelKind::geneve || t.kind == TunnelKind::gre) t.ethernet = flip();
    if (t.kind == TunnelKind::gre && flip()) {
      t.keyed = true;
      t.id = below(0xffff'ffff);
    }
    if (t.kind == TunnelKind::ipip) t.inner = static_cast<dataplane::InnerFamilies>(below(3));
    if (over_udp(t.kind)) t.udp_checksum = flip();
    t.ttl = static_cast<uint8_t>(1 + below(255));
    t.dscp_model = flip() ? dataplane::DscpModel::pipe : dataplane::DscpModel::uniform;
    if (t.dscp_model == dataplane::DscpModel::pipe) t.dscp = static_cast<uint8_t>(below(64));
    return t;
  }
  Attachment attachment(const Config& c, uint32_t i) {
    Attachment a;
    a.name = name("a" + std::to_string(i));
    a.domain = c.domains[below(c.domains.size())].name;
    a.tunnel = tunnel(i);
    if (a.tunnel.kind == dataplane::TunnelKind::native) a.port = c.ports.front().name;
    a.gateways.push_back({net::Ipv4{(10u << 24) + (i << 16) + 1}, 24});
    if (flip()) a.gateways.push_back({net::Ipv6{0x20010db8'00000000ULL + i, 1}, 64});
    if (flip() && a.port.empty()) a.mac = net::Mac::from_u64(0x020000000000 + below(1u << 30));
    if (flip()) a.mtu = 1'280 + below(200);
    a.mss_clamp = flip();
    a.reverse_path = flip();
    if (flip()) a.max_packets_per_second = below(1'000'000);
    if (flip()) a.max_bytes_per_second = below(1'000'000);
    return a;
  }
  void add_route(Config& c, uint32_t i) {
    Route r;
    r.prefix = {net::Ipv4{(172u << 24) + (i << 12)}, static_cast<uint8_t>(20 + below(13))};
    r.domain = c.domains[below(c.domains.size())].name;
    r.blackhole = c.attachments.empty() || flip();
    if (!r.blackhole) {
      const Attachment& a = c.attachments[below(c.attachments.size())];
      r.domain = a.domain;
      r.attachment = a.name;
      if (flip()) r.via = net::Ipv4{a.gateways[0].address.v4().value + 1 + below(100)};
      r.ecmp = flip();
    }
    r.weight = 1 + below(255);
    c.routes.push_back(r);
  }
  Profile profile(uint32_t i) {
    Profile p;
    p.name = name("p" + std::to_string(i));
    p.rule_files.assign(1 + below(3), "/etc/" + words());
    p.on_drop = flip() ? OnDrop::reset : OnDrop::silent;
    p.fail = flip() ? FailMode::open : FailMode::closed;
    p.mode = flip() ? InspectMode::ids : flip() ? InspectMode::test : InspectMode::ips;
    p.depth = flip() ? 0 : below(1u << 30);
    p.min_ttl = below(256);
    p.on_conflict = flip() ? OnConflict::drop : OnConflict::rewrite;
    if (flip()) p.address_groups = {{"HOME_NET", "[10.0.0.0/8,!10.9.0.0/16]"}, {"SERVERS-1", "$HOME_NET"}};
    if (flip()) p.port_groups = {{"WEB_PORTS", "8000:8099"}};
    if (flip()) p.limits.transactions = 1 + below(100);
    if (flip()) p.limits.decode_layers = 1 + below(8);
    p.exceptions.malformed = kExceptionPolicies[below(std::size(kExceptionPolicies))].value;
    p.exceptions.midstream = kExceptionPolicies[below(std::size(kExceptionPolicies))].value;
    return p;
  }
  Endpoint endpoint(const Config& c) {
    Endpoint e;
    if (flip()) e.domains.push_back(c.domains[below(c.domains.size())].name);
    for (uint32_t i = 0, n = below(3); i < n; ++i) e.prefixes.push_back({net::Ipv4{below(256) << 24}, 8});
    if (flip() && !c.objects.groups.empty())
      e.groups.push_back(c.objects.groups[below(c.objects.groups.size())].name);
    return e;
  }
  Group group(const Config& c, uint32_t i) {
    Group g;
    g.name = name("g" + std::to_string(i));
    g.domains.push_back(c.domains[below(c.domains.size())].name);
    if (flip() && !c.attachments.empty()) g.attachments.push_back(c.attachments[0].name);
    if (flip()) g.prefixes.push_back({net::Ipv6{0x20010db8'00000000ULL + i, 0}, 64});
    if (flip() && i > 0) g.groups.push_back(c.objects.groups[below(i)].name);
    if (flip()) g.match = name("a") + " and not (" + name("b") + " or c)";
    if (flip()) g.comment = words();
    return g;
  }
  Service service(uint32_t i) {
    Service s;
    s.name = name("s" + std::to_string(i));
    s.protocol = flip() ? Protocol::icmpv6 : Protocol::udp;
    if (s.protocol == Protocol::udp) s.ports = {{1, static_cast<uint16_t>(1 + below(60'000))}};
    if (s.protocol == Protocol::icmpv6) s.icmp_types = {below(256)};
    return s;
  }
  PolicyRule rule(const Config& c, uint32_t i) {
    PolicyRule r;
    r.id = name("r" + std::to_string(i));
    r.action = flip() ? PolicyAction::allow : PolicyAction::deny;
    r.from = endpoint(c);
    r.to = endpoint(c);
    if (flip() && !c.profiles.empty()) {
      r.action = PolicyAction::inspect;
      r.profile = c.profiles[below(c.profiles.size())].name;
    }
    r.protocol = flip() ? Protocol::tcp : flip() ? Protocol::any : Protocol::icmp;
    if (r.protocol == Protocol::tcp && flip()) {
      const auto first = static_cast<uint16_t>(1 + below(30'000));
      r.ports = {{first, first}, {first, static_cast<uint16_t>(first + below(30'000))}};
    }
    if (r.protocol == Protocol::any && flip() && !c.objects.services.empty())
      r.services.push_back(c.objects.services[below(c.objects.services.size())].name);
    r.enabled = flip();
    r.watch = flip();
    if (flip()) r.log = RuleLog{flip(), flip()};
    if (flip()) r.dscp = below(64);
    if (flip()) r.timeouts.udp = 1 + below(1'000);
    if (flip()) r.timeouts.tcp_established = 1 + below(1'000);
    r.comment = flip() ? words() : "";
    return r;
  }

  std::mt19937 random_;
};

TEST(Writer, RandomConfigurationsComeBack) {
  for (int seed = 0; seed < weir::test::rounds(300) && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    expect_round_trip(RandomConfig(static_cast<uint32_t>(seed)).make());
  }
}

TEST(Writer, StringsAreEscaped) {
  EXPECT_EQ(toml_string("a\"b\\c\n\x7f\xc3\xa9"), "\"a\\\"b\\\\c\\u000a\\u007f\xc3\xa9\"");
}

}  // namespace
}  // namespace weir::config::test
