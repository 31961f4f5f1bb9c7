// A model that follows a file: ids, versions and sharing from one reading to the next, and what is refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "dataplane/decide/first_packet.h"
#include "fakes.h"

namespace weir::test {
namespace {

using namespace dataplane;

/// What moves when the domain would route the address otherwise.
struct RouteWatch {
  const Routes& routes;
  RouteCell cell;
  uint32_t version = routes.version(cell);
  bool moved() const { return routes.version(cell) != version; }
};
RouteAnswer route_to(const FileModel& hub, const char* from, const char* address) {
  return find_route(*hub.snapshot, hub.domain(from), ip(address), 0);
}
RouteWatch watch(const FileModel& hub, const char* name, const char* address) {
  return {*hub.routes, route_to(hub, name, address).cell};
}
uint32_t policy_version(const FileModel& hub, const char* from, const char* to) {
  const PolicyTable& policy = *hub.snapshot->policy;
  return policy.version(policy.find(hub.domain(from), hub.domain(to)));
}

const std::string kNewSpoke = R"(
[[attachment]]
name = "cloud-d"
domain = "lonely"
vxlan = { vni = 40, local = "198.18.0.1", remote = "198.18.0.40" }
gateway = ["10.4.0.1/24"]
)";

TEST(FileModel, AttachmentGetsWhatItsPortAndConfigurationSay) {
  FileModel hub;
  hub.use(kTwoClouds);
  const Attachment* a = hub.snapshot->attachment(hub.attachment("cloud-a"));
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->name, "cloud-a");
  EXPECT_EQ(a->mtu, 1450);
  EXPECT_EQ(a->hub_mac, model::default_hub_mac("cloud-a"));
  EXPECT_TRUE((a->hub_mac.bytes[0] & 2) != 0 && !a->hub_mac.is_multicast());
  const uint8_t* outer = a->outer.data() + dataplane::kMaxOuterLength - a->outer_length;
  EXPECT_EQ(a->outer_length, 50);
  EXPECT_EQ(outer[6 + 5], 0x01);      // the port's MAC is the outer source
  EXPECT_EQ(outer[20] & 0x40, 0x40);  // don't fragment
  EXPECT_EQ(outer[36] << 8 | outer[37], 4789);
  EXPECT_EQ(outer[42], 0x08);
  EXPECT_EQ(outer[48], 10);  // VNI, last of three bytes
  EXPECT_EQ(hub.snapshot->tunnels->find(dataplane::keys_of(a->tunnel, 0).front()), a->id);
  EXPECT_EQ(hub.snapshot->udp_tunnels.find(4789), dataplane::KeyKind::vxlan);
  ASSERT_NE(a->underlay, nullptr);
}

TEST(FileModel, UnderlayFactsDecidePortAndMtu) {
  FileModel hub;
  hub.use(kTwoClouds);
  std::vector<config::Problem> warnings;
  const auto retired = hub.live->path_changed({ip("198.18.0.1"), ip("198.18.0.10")}, {0, 1400}, warnings);
  EXPECT_EQ(hub.snapshot->attachment(hub.attachment("cloud-a"))->mtu, 1350);
  EXPECT_EQ(hub.snapshot->attachment(hub.attachment("cloud-b"))->mtu, 1450);
}

TEST(FileModel, NothingChangedMovesAndCopiesNothing) {
  FileModel hub;
  hub.use(kTwoClouds);
  const auto first = std::move(hub.snapshot);
  const Attachment* a = first->attachment(hub.attachment("cloud-a"));
  hub.use(kTwoClouds);
  EXPECT_EQ(hub.snapshot->tunnels, first->tunnels);
  EXPECT_EQ(hub.snapshot->domains, first->domains);
  EXPECT_EQ(hub.snapshot->policy, first->policy);
  EXPECT_EQ(hub.snapshot->attachment(hub.attachment("cloud-a")), a);
  EXPECT_GT(hub.snapshot->version, first->version);
}

TEST(FileModel, NewSpokeKeepsIdsAndMovesNoRouteOfOthers) {
  FileModel hub;
  hub.use(kTwoClouds);
  const RouteWatch others[] = {watch(hub, "prod", "10.2.0.5"), watch(hub, "prod", "10.1.64.1"),
                               watch(hub, "shared", "10.1.64.1"), watch(hub, "lonely", "10.3.0.5")};
  const AttachmentId before[] = {hub.attachment("cloud-a"), hub.attachment("cloud-b"),
                                 hub.attachment("cloud-c")};
  const auto policy = hub.snapshot->policy;
  hub.use(kTwoClouds + kNewSpoke);
  const AttachmentId now[] = {hub.attachment("cloud-a"), hub.attachment("cloud-b"),
                              hub.attachment("cloud-c")};
  EXPECT_TRUE(std::equal(std::begin(before), std::end(before), std::begin(now)));
  for (const RouteWatch& w : others) EXPECT_FALSE(w.moved());
  EXPECT_TRUE(hub.routes->lookup_own(hub.domain("lonely"), ip("10.4.0.9")));
  EXPECT_EQ(hub.snapshot->policy, policy);
}

TEST(FileModel, ARouteThatGoesMovesWhoeverUsesIt) {
  FileModel hub;
  hub.use(kTwoClouds);
  const RouteWatch own = watch(hub, "prod", "10.1.64.1"), exposed = watch(hub, "shared", "10.1.64.1"),
                   other = watch(hub, "shared", "10.2.0.5");
  hub.use(replaced(kTwoClouds, "10.1.64.0/18", "10.1.128.0/18"));
  EXPECT_TRUE(own.moved());
  EXPECT_TRUE(exposed.moved());
  EXPECT_FALSE(other.moved());
  EXPECT_EQ(find_route(*hub.snapshot, hub.domain("shared"), ip("10.1.64.1"), 0).drop, DropReason::no_route);
}

TEST(FileModel, MoreRoutesThanTheHubTakesAreRefused) {
  FileModel hub(one_port(), Routes::create({.routes = 2, .domains = 8}).value());
  const auto refused = hub.try_use(parse(kTwoClouds));
  ASSERT_FALSE(refused.empty());
  EXPECT_NE(refused.front().message.find("no room for so many routes"), std::string::npos);
  EXPECT_EQ(hub.routes->size(), 0u);
}

TEST(FileModel, BlackholeIsOwnAndExposed) {
  FileModel hub;
  hub.use(kTwoClouds);
  const DomainId prod = hub.domain("prod"), shared = hub.domain("shared");
  const auto own = hub.routes->lookup_own(prod, ip("10.66.1.1"));
  ASSERT_TRUE(own);
  EXPECT_TRUE(own.target->members.empty());
  EXPECT_EQ(find_route(*hub.snapshot, shared, ip("10.66.1.1"), 0).drop, DropReason::blackhole);
  const auto exposed = hub.routes->lookup_exposed(shared, ip("10.1.64.9"));
  ASSERT_TRUE(exposed);
  EXPECT_EQ(exposed.target->members.front().domain, prod);
}

TEST(FileModel, ConnectedDomainDoesNotReachAroundABlackhole) {
  FileModel hub;
  hub.use(kTwoClouds + R"(
[[route]]
domain = "shared"
prefix = "10.77.0.0/16"
attachment = "cloud-b"
via = "10.2.0.2"
[[route]]
domain = "shared"
prefix = "10.77.9.0/24"
blackhole = true
)");
  const auto route = [&](const char* from, const char* to) {
    return find_route(*hub.snapshot, hub.domain(from), ip(to), 0);
  };
  for (const char* from : {"shared", "prod"}) {
    EXPECT_EQ(route(from, "10.77.8.1").drop, DropReason::none) << from;
    EXPECT_EQ(route(from, "10.77.9.1").drop, DropReason::blackhole) << from;
    EXPECT_EQ(route(from, "10.77.9.1").exposed, std::string(from) == "prod");
  }
  EXPECT_EQ(route("lonely", "10.77.9.1").drop, DropReason::no_connection);
}

TEST(FileModel, OwnRouteWinsOverAnExposedBlackholeOfTheSamePrefix) {
  FileModel hub;
  hub.use(kTwoClouds + R"(
[[route]]
domain = "shared"
prefix = "10.66.0.0/16"
attachment = "cloud-b"
via = "10.2.0.2"
)");
  const auto drop = [&](const char* from) {
    return find_route(*hub.snapshot, hub.domain(from), ip("10.66.1.1"), 0).drop;
  };
  EXPECT_EQ(drop("shared"), DropReason::none);
  EXPECT_EQ(drop("prod"), DropReason::blackhole);
}

TEST(FileModel, AWithdrawnAttachmentLeavesItsRoutesToOthers) {
  FileModel hub;
  hub.use(kTwoClouds + R"(
[[route]]
domain = "shared"
prefix = "10.0.0.0/8"
attachment = "cloud-b"
via = "10.2.0.2"
[[route]]
domain = "prod"
prefix = "10.1.0.0/17"
blackhole = true
)");
  std::vector<config::Problem> warnings;
  const auto drop_of = [&](const char* to) { return route_to(hub, "prod", to).drop; };
  const auto withdraw = [&](bool withdrawn) {
    hub.live->withdraw(hub.attachment("cloud-a"), withdrawn);
    EXPECT_TRUE(hub.live->settle_withdrawals(100, warnings));
    hub.routes->finish(hub.routes->take_pending());
  };
  EXPECT_EQ(drop_of("10.1.64.1"), DropReason::none);
  const RouteWatch other = watch(hub, "lonely", "10.3.0.9");
  withdraw(true);
  EXPECT_EQ(drop_of("10.1.64.1"), DropReason::blackhole) << "the less specific one";
  EXPECT_EQ(drop_of("10.1.0.9"), DropReason::blackhole) << "what is on-link too";
  EXPECT_FALSE(other.moved());
  withdraw(false);
  EXPECT_EQ(drop_of("10.1.64.1"), DropReason::none);
  EXPECT_TRUE(warnings.empty());
}

TEST(FileModel, SameBlackholeExposedTwiceIsNoContradiction) {
  FileModel hub;
  const std::string connected = kTwoClouds + "[[connection]]\ndomains = [\"lonely\", \"shared\"]\n";
  const std::string route = "[[route]]\ndomain = \"lonely\"\nprefix = \"10.66.0.0/16\"\n";
  hub.use(connected + route + "blackhole = true\n");
  EXPECT_EQ(find_route(*hub.snapshot, hub.domain("shared"), ip("10.66.1.1"), 0).drop, DropReason::blackhole);

  auto both = config::read_config_text(connected + route + "attachment = \"cloud-c\"\nvia = \"10.3.0.2\"\n",
                                       "test.toml");
  const auto contradiction = both ? hub.try_use(std::move(*both)) : both.error();
  ASSERT_FALSE(contradiction.empty());
  EXPECT_NE(contradiction.front().message.find("both expose 10.66.0.0/16"), std::string::npos);
}

TEST(FileModel, RuleChangeMovesOnlyThePairsThatItCanMatch) {
  FileModel hub;
  hub.use(kTwoClouds);
  const auto versions = [&] {
    return std::array{policy_version(hub, "prod", "shared"), policy_version(hub, "shared", "prod"),
                      policy_version(hub, "lonely", "lonely")};
  };
  const auto before = versions();
  const auto domains = hub.snapshot->domains;
  hub.use(replaced(kTwoClouds, "ports = [80]", "ports = [80, 443]"));
  EXPECT_GT(versions()[0], *std::max_element(before.begin(), before.end()));
  EXPECT_EQ(versions()[1], before[1]);
  EXPECT_EQ(versions()[2], before[2]);
  EXPECT_EQ(hub.snapshot->domains, domains);
}

TEST(FileModel, ARulePutBeforeOthersMovesOnlyItsOwnPair) {
  FileModel hub;
  hub.use(kTwoClouds);
  const uint32_t prod_shared = policy_version(hub, "prod", "shared");
  const auto decide = [&](const char* from, const char* to, uint16_t port) {
    const PolicyTable& policy = *hub.snapshot->policy;
    const auto decision = policy.classify(policy.find(hub.domain(from), hub.domain(to)),
                                          dataplane::Tuple{ip("10.3.0.5"), ip("10.3.0.6"), 1000, port, 6});
    return decision.rule == kDefaultDeny ? std::string("default") : policy.rules()[decision.rule].id;
  };
  EXPECT_EQ(decide("lonely", "lonely", 22), "inside");
  const std::string ssh =
      "[[policy]]\nid = \"no-ssh\"\naction = \"deny\"\nfrom = { domains = [\"lonely\"] }\nprotocol = "
      "\"tcp\"\nports = [22]\n";
  hub.use(replaced(kTwoClouds, "[[policy]]\nid = \"web\"", ssh + "[[policy]]\nid = \"web\""));
  EXPECT_EQ(policy_version(hub, "prod", "shared"), prod_shared);
  EXPECT_EQ(decide("lonely", "lonely", 22), "no-ssh");
  EXPECT_EQ(decide("lonely", "lonely", 23), "inside");
  EXPECT_EQ(decide("prod", "shared", 80), "web");
  hub.use(kTwoClouds);  // the place of the one that went is a gap, and taken by the next one
  EXPECT_EQ(decide("lonely", "lonely", 22), "inside");
  hub.use(kTwoClouds + replaced(ssh, "no-ssh", "late"));
  EXPECT_EQ(hub.snapshot->policy->rules().size(), 3u);
  EXPECT_EQ(decide("lonely", "lonely", 22), "inside");
  EXPECT_EQ(policy_version(hub, "prod", "shared"), prod_shared);
}

TEST(FileModel, ConnectionsKeepTheirPlaces) {
  FileModel hub;
  const auto place = [&](const char* a, const char* b) {
    return hub.snapshot->policy->find(hub.domain(a), hub.domain(b));
  };
  hub.use(kTwoClouds);
  const auto prod_shared = std::pair(place("prod", "shared"), policy_version(hub, "prod", "shared"));
  hub.use(kTwoClouds + "[[connection]]\ndomains = [\"lonely\", \"shared\"]\n");
  EXPECT_EQ(std::pair(place("prod", "shared"), policy_version(hub, "prod", "shared")), prod_shared);
  EXPECT_NE(place("lonely", "shared"), PolicyTable::kNotConnected);
  const uint32_t lonely_shared = policy_version(hub, "lonely", "shared");
  hub.use(replaced(kTwoClouds, "[\"prod\", \"shared\"]", "[\"lonely\", \"shared\"]"));
  EXPECT_EQ(place("prod", "shared"), PolicyTable::kNotConnected);
  EXPECT_EQ(policy_version(hub, "lonely", "shared"), lonely_shared);
  EXPECT_EQ(hub.snapshot->policy->connections().size(), 5u);
}

TEST(FileModel, AConnectionExposesWhatItSays) {
  FileModel hub;
  hub.use(replaced(kTwoClouds, "domains = [\"prod\", \"shared\"]",
                   "domains = [\"prod\", \"shared\"]\nexpose = [\"10.1.64.0/18\", \"10.2.0.0/16\"]"));
  EXPECT_TRUE(hub.routes->lookup_exposed(hub.domain("shared"), ip("10.1.64.9")));
  EXPECT_TRUE(hub.routes->lookup_exposed(hub.domain("prod"), ip("10.2.0.9")));
  EXPECT_FALSE(hub.routes->lookup_exposed(hub.domain("shared"), ip("10.1.0.9")));
  hub.use(kTwoClouds);
  EXPECT_TRUE(hub.routes->lookup_exposed(hub.domain("shared"), ip("10.1.0.9")));
}

TEST(FileModel, GenerationsWrapWithoutTheInvalidOne) {
  model::IdPool<AttachmentId> ids(4);
  for (uint32_t i = 0; i <= AttachmentId::kMaxGeneration; ++i) {
    const AttachmentId id = ids.take();
    ASSERT_TRUE(id.valid() && id.index() == 0);
    ids.release(id);
  }
  EXPECT_EQ(ids.take().generation(), 2u);  // 1..4095, then 1, then this
}

TEST(FileModel, SamePrefixExposedTwiceIsRefused) {
  FileModel hub;
  const std::string text = replaced(kTwoClouds, "\"10.3.0.1/24\"", "\"10.1.0.1/24\"") +
                           "[[connection]]\ndomains = [\"lonely\", \"shared\"]\n";
  auto read = config::read_config_text(text, "test.toml");
  const auto refused = read ? hub.try_use(std::move(*read)) : read.error();
  ASSERT_FALSE(refused.empty());
  const std::string message = refused.front().message;
  for (const char* word : {"prod", "lonely", "shared", "10.1.0.0/24"}) {
    EXPECT_NE(message.find(word), std::string::npos) << message;
  }
}

TEST(FileModel, LocalAddressOnNoPortIsRefusedWithItsPlace) {
  model::StartFacts facts = one_port();
  facts.ports[0].addresses = {net::parse_interface_address("198.18.0.2/24").value()};
  FileModel hub(facts);
  const auto refused = hub.try_use(parse(kTwoClouds));
  EXPECT_EQ(refused.size(), 3u);  // all of them at once
  EXPECT_NE(refused.front().where.line, 0u);
  EXPECT_NE(refused.front().message.find("198.18.0.2 on wan0"), std::string::npos);
}

TEST(FileModel, EcmpMembersShareOneTarget) {
  FileModel hub;
  const std::string text =
      replaced(kTwoClouds, "via = \"10.1.0.2\"", "via = \"10.1.0.2\"\necmp = true\nweight = 3") + R"(
[[route]]
domain = "prod"
prefix = "10.1.64.0/18"
attachment = "cloud-a"
via = "10.1.0.3"
ecmp = true
)";
  hub.use(text);
  const auto match = hub.routes->lookup_own(hub.domain("prod"), ip("10.1.64.1"));
  ASSERT_TRUE(match);
  EXPECT_EQ(match.target->members.size(), 2u);
  EXPECT_FALSE(match.target->equal_weights);
}

}  // namespace
}  // namespace weir::test
