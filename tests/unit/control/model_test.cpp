// The compiler model -> tables: ids, versions and sharing across reloads, and what it refuses.
#include <gtest/gtest.h>

#include "dataplane/decide/first_packet.h"
#include "fakes.h"
#include "mgmt/model/apply_routes.h"

namespace weir::test {
namespace {

using namespace dataplane;
using model::CompiledModel;
using model::Model;

struct Compiler {
  std::shared_ptr<Routes> routes = small_routes();
  model::StartFacts facts = one_port(nullptr, nullptr, routes.get());
  model::PathTable paths;
  model::Rulesets rulesets;
  Model before;
  std::vector<AttachmentId> released_attachments;
  std::vector<DomainId> released_domains;
  std::set<AttachmentId> withdrawn;

  tl::expected<CompiledModel, std::vector<config::Problem>> operator()(const std::string& text) {
    const config::Config config = parse(text);
    return model::compile(
        {config, facts, paths, rulesets, before, released_attachments, released_domains, withdrawn});
  }
  /// Compiles and takes the result over as what is in force.
  CompiledModel next(const std::string& text) {
    auto compiled = (*this)(text);
    if (!compiled) throw std::logic_error(config::to_string(compiled.error().front()));
    model::withdraw_routes(*routes, before, compiled->model);
    if (!model::add_routes(*routes, before, compiled->model)) throw std::logic_error("add_routes");
    routes->finish(routes->take_pending());
    before = compiled->model;
    return std::move(*compiled);
  }
};

AttachmentId attachment(const Model& model, const char* domain, const char* name) {
  return model.ids.attachments.find(model::attachment_key(domain, name)).value();
}
DomainId domain(const Model& model, const char* name) { return model.ids.domains.find(name).value(); }

/// What moves when the domain would route the address otherwise.
struct RouteWatch {
  const Routes& routes;
  RouteCell cell;
  uint32_t version = routes.version(cell);
  bool moved() const { return routes.version(cell) != version; }
};
RouteWatch watch(const CompiledModel& m, const char* name, const char* address) {
  const RouteAnswer answer = find_route(*m.snapshot, domain(m.model, name), ip(address), 0);
  return {*m.snapshot->routes, answer.cell};
}
uint32_t policy_version(const CompiledModel& m, const char* from, const char* to) {
  const PolicyTable& policy = *m.snapshot->policy;
  return policy.version(policy.find(domain(m.model, from), domain(m.model, to)));
}

const std::string kNewSpoke = R"(
[[attachment]]
name = "cloud-d"
domain = "lonely"
vxlan = { vni = 40, local = "198.18.0.1", remote = "198.18.0.40" }
gateway = ["10.4.0.1/24"]
)";

TEST(Compile, AttachmentGetsWhatItsPortAndConfigurationSay) {
  Compiler compile;
  const CompiledModel m = compile.next(kTwoClouds);
  const Attachment* a = m.snapshot->attachment(attachment(m.model, "prod", "cloud-a"));
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
  EXPECT_EQ(m.snapshot->tunnels->find(dataplane::keys_of(a->tunnel, 0).front()), a->id);
  EXPECT_EQ(m.snapshot->udp_tunnels.find(4789), dataplane::KeyKind::vxlan);
  ASSERT_NE(a->underlay, nullptr);
}

TEST(Compile, UnderlayFactsDecidePortAndMtu) {
  Compiler compile;
  compile.paths[{ip("198.18.0.1"), ip("198.18.0.10")}] = {0, 1400};
  const CompiledModel m = compile.next(kTwoClouds);
  EXPECT_EQ(m.snapshot->attachment(attachment(m.model, "prod", "cloud-a"))->mtu, 1350);
  EXPECT_EQ(m.snapshot->attachment(attachment(m.model, "shared", "cloud-b"))->mtu, 1450);
}

TEST(Compile, NothingChangedMovesAndCopiesNothing) {
  Compiler compile;
  const CompiledModel first = compile.next(kTwoClouds);
  const CompiledModel second = compile.next(kTwoClouds);
  EXPECT_EQ(second.snapshot->tunnels, first.snapshot->tunnels);
  EXPECT_EQ(second.snapshot->domains, first.snapshot->domains);
  EXPECT_EQ(second.snapshot->policy, first.snapshot->policy);
  EXPECT_EQ(second.model.ids.last_version, first.model.ids.last_version);
  EXPECT_GT(second.snapshot->version, first.snapshot->version);
}

TEST(Compile, NewSpokeKeepsIdsAndMovesNoRouteOfOthers) {
  Compiler compile;
  const CompiledModel first = compile.next(kTwoClouds);
  const RouteWatch others[] = {watch(first, "prod", "10.2.0.5"), watch(first, "prod", "10.1.64.1"),
                               watch(first, "shared", "10.1.64.1"), watch(first, "lonely", "10.3.0.5")};
  const CompiledModel second = compile.next(kTwoClouds + kNewSpoke);
  for (const auto& [key, id] : first.model.ids.attachments.names()) {
    EXPECT_EQ(second.model.ids.attachments.find(key), id);
  }
  for (const RouteWatch& w : others) EXPECT_FALSE(w.moved());
  EXPECT_TRUE(compile.routes->lookup_own(domain(second.model, "lonely"), ip("10.4.0.9")));
  EXPECT_EQ(second.snapshot->policy, first.snapshot->policy);
}

TEST(Compile, ARouteThatGoesMovesWhoeverUsesIt) {
  Compiler compile;
  const CompiledModel first = compile.next(kTwoClouds);
  const RouteWatch own = watch(first, "prod", "10.1.64.1"), exposed = watch(first, "shared", "10.1.64.1"),
                   other = watch(first, "shared", "10.2.0.5");
  const CompiledModel second = compile.next(replaced(kTwoClouds, "10.1.64.0/18", "10.1.128.0/18"));
  EXPECT_TRUE(own.moved());
  EXPECT_TRUE(exposed.moved());
  EXPECT_FALSE(other.moved());
  EXPECT_EQ(find_route(*second.snapshot, domain(second.model, "shared"), ip("10.1.64.1"), 0).drop,
            DropReason::no_route);
}

TEST(Compile, MoreRoutesThanTheHubTakesAreRefused) {
  Compiler compile;
  const auto small = Routes::create({.routes = 2, .domains = 8}).value();
  compile.facts.routes = small.get();
  const auto refused = compile(kTwoClouds);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().front().message.find("limits.routes"), std::string::npos);
}

TEST(Compile, BlackholeIsOwnAndExposed) {
  Compiler compile;
  const CompiledModel m = compile.next(kTwoClouds);
  const DomainId prod = domain(m.model, "prod"), shared = domain(m.model, "shared");
  const auto own = compile.routes->lookup_own(prod, ip("10.66.1.1"));
  ASSERT_TRUE(own);
  EXPECT_TRUE(own.target->members.empty());
  EXPECT_EQ(find_route(*m.snapshot, shared, ip("10.66.1.1"), 0).drop, DropReason::blackhole);
  const auto exposed = compile.routes->lookup_exposed(shared, ip("10.1.64.9"));
  ASSERT_TRUE(exposed);
  EXPECT_EQ(exposed.target->members.front().domain, prod);
}

TEST(Compile, ConnectedDomainDoesNotReachAroundABlackhole) {
  Compiler compile;
  const CompiledModel m = compile.next(kTwoClouds + R"(
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
    return find_route(*m.snapshot, domain(m.model, from), ip(to), 0);
  };
  for (const char* from : {"shared", "prod"}) {
    EXPECT_EQ(route(from, "10.77.8.1").drop, DropReason::none) << from;
    EXPECT_EQ(route(from, "10.77.9.1").drop, DropReason::blackhole) << from;
    EXPECT_EQ(route(from, "10.77.9.1").exposed, std::string(from) == "prod");
  }
  EXPECT_EQ(route("lonely", "10.77.9.1").drop, DropReason::no_connection);
}

TEST(Compile, OwnRouteWinsOverAnExposedBlackholeOfTheSamePrefix) {
  Compiler compile;
  const CompiledModel m = compile.next(kTwoClouds + R"(
[[route]]
domain = "shared"
prefix = "10.66.0.0/16"
attachment = "cloud-b"
via = "10.2.0.2"
)");
  const auto drop = [&](const char* from) {
    return find_route(*m.snapshot, domain(m.model, from), ip("10.66.1.1"), 0).drop;
  };
  EXPECT_EQ(drop("shared"), DropReason::none);
  EXPECT_EQ(drop("prod"), DropReason::blackhole);
}

TEST(Compile, AWithdrawnAttachmentLeavesItsRoutesToOthers) {
  const std::string text = kTwoClouds + R"(
[[route]]
domain = "shared"
prefix = "10.0.0.0/8"
attachment = "cloud-b"
via = "10.2.0.2"
[[route]]
domain = "prod"
prefix = "10.1.0.0/17"
blackhole = true
)";
  Compiler compile;
  const auto drop_of = [&](const CompiledModel& m, const char* to) {
    return find_route(*m.snapshot, domain(m.model, "prod"), ip(to), 0).drop;
  };
  const CompiledModel up = compile.next(text);
  EXPECT_EQ(drop_of(up, "10.1.64.1"), DropReason::none);
  const RouteWatch other = watch(up, "lonely", "10.3.0.9");
  compile.withdrawn = {attachment(up.model, "prod", "cloud-a")};
  const CompiledModel down = compile.next(text);
  EXPECT_EQ(drop_of(down, "10.1.64.1"), DropReason::blackhole) << "the less specific one";
  EXPECT_EQ(drop_of(down, "10.1.0.9"), DropReason::blackhole) << "what is on-link too";
  EXPECT_FALSE(other.moved());
  compile.withdrawn.clear();
  EXPECT_EQ(drop_of(compile.next(text), "10.1.64.1"), DropReason::none);
}

TEST(Compile, SameBlackholeExposedTwiceIsNoContradiction) {
  Compiler compile;
  const std::string connected = kTwoClouds + "[[connection]]\ndomains = [\"lonely\", \"shared\"]\n";
  const std::string route = "[[route]]\ndomain = \"lonely\"\nprefix = \"10.66.0.0/16\"\n";
  const CompiledModel m = compile.next(connected + route + "blackhole = true\n");
  EXPECT_EQ(find_route(*m.snapshot, domain(m.model, "shared"), ip("10.66.1.1"), 0).drop,
            DropReason::blackhole);

  const auto contradiction = compile(connected + route + "attachment = \"cloud-c\"\nvia = \"10.3.0.2\"\n");
  ASSERT_FALSE(contradiction);
  EXPECT_NE(contradiction.error().front().message.find("both expose 10.66.0.0/16"), std::string::npos);
}

TEST(Compile, RuleChangeMovesOnlyThePairsThatItCanMatch) {
  Compiler compile;
  const CompiledModel first = compile.next(kTwoClouds);
  const CompiledModel second = compile.next(replaced(kTwoClouds, "ports = [80]", "ports = [80, 443]"));
  EXPECT_GT(policy_version(second, "prod", "shared"), first.model.ids.last_version);
  EXPECT_EQ(policy_version(second, "shared", "prod"), policy_version(first, "shared", "prod"));
  EXPECT_EQ(policy_version(second, "lonely", "lonely"), policy_version(first, "lonely", "lonely"));
  EXPECT_EQ(second.snapshot->domains, first.snapshot->domains);
}

TEST(Compile, ConnectionsKeepTheirPlaces) {
  Compiler compile;
  const CompiledModel first = compile.next(kTwoClouds);
  const CompiledModel second =
      compile.next(kTwoClouds + "[[connection]]\ndomains = [\"lonely\", \"shared\"]\n");
  const auto place = [](const CompiledModel& m, const char* a, const char* b) {
    return m.snapshot->policy->find(domain(m.model, a), domain(m.model, b));
  };
  EXPECT_EQ(place(second, "prod", "shared"), place(first, "prod", "shared"));
  EXPECT_EQ(policy_version(second, "prod", "shared"), policy_version(first, "prod", "shared"));
  EXPECT_NE(place(second, "lonely", "shared"), PolicyTable::kNotConnected);
  const CompiledModel third =
      compile.next(replaced(kTwoClouds, "[\"prod\", \"shared\"]", "[\"lonely\", \"shared\"]"));
  EXPECT_EQ(place(third, "prod", "shared"), PolicyTable::kNotConnected);
  EXPECT_EQ(policy_version(third, "lonely", "shared"), policy_version(second, "lonely", "shared"));
  EXPECT_EQ(third.snapshot->policy->connections().size(), 5u);
}

TEST(Compile, RemovedIndexWaitsForThePurge) {
  Compiler compile;
  const CompiledModel first = compile.next(kTwoClouds + kNewSpoke);
  const AttachmentId gone = attachment(first.model, "lonely", "cloud-d");
  const CompiledModel second = compile.next(kTwoClouds);
  ASSERT_EQ(second.removed_attachments, std::vector{gone});
  EXPECT_EQ(second.snapshot->attachment(gone), nullptr);
  const CompiledModel third = compile.next(kTwoClouds + replaced(kNewSpoke, "cloud-d", "cloud-e"));
  EXPECT_NE(attachment(third.model, "lonely", "cloud-e").index(), gone.index());

  compile.released_attachments = {gone};
  const CompiledModel fourth = compile.next(kTwoClouds + replaced(kNewSpoke, "cloud-d", "cloud-e") + R"(
[[attachment]]
name = "cloud-f"
domain = "lonely"
vxlan = { vni = 50, local = "198.18.0.1", remote = "198.18.0.50" }
gateway = ["10.5.0.1/24"]
)");
  const AttachmentId reused = attachment(fourth.model, "lonely", "cloud-f");
  EXPECT_EQ(reused.index(), gone.index());
  EXPECT_EQ(reused.generation(), gone.generation() + 1);
  EXPECT_EQ(fourth.snapshot->attachment(gone), nullptr);
}

TEST(Compile, AttachmentThatMovesToAnotherDomainIsAnotherOne) {
  Compiler compile;
  const CompiledModel first = compile.next(kTwoClouds);
  const AttachmentId old = attachment(first.model, "lonely", "cloud-c");
  const CompiledModel second = compile.next(replaced(kTwoClouds, "name = \"cloud-c\"\ndomain = \"lonely\"",
                                                     "name = \"cloud-c\"\ndomain = \"shared\""));
  EXPECT_EQ(second.removed_attachments, std::vector{old});
  EXPECT_NE(attachment(second.model, "shared", "cloud-c"), old);
}

TEST(Compile, GenerationsWrapWithoutTheInvalidOne) {
  model::IdRegistry<AttachmentId> ids;
  for (uint32_t i = 0; i <= AttachmentId::kMaxGeneration; ++i) {
    const auto id = ids.acquire("x");
    ASSERT_TRUE(id && id->valid() && id->index() == 0);
    ids.release(*ids.retire("x"));
  }
  EXPECT_EQ(ids.acquire("x")->generation(), 2u);  // 1..4095, then 1, then this
}

TEST(Compile, SamePrefixExposedTwiceIsRefused) {
  Compiler compile;
  std::string text = replaced(kTwoClouds, "\"10.3.0.1/24\"", "\"10.1.0.1/24\"");
  text += "[[connection]]\ndomains = [\"lonely\", \"shared\"]\n";
  const auto read = config::read_config_text(text, "test.toml");
  if (!read) {  // the reader may see it first
    EXPECT_NE(config::to_string(read.error().front()).find("10.1.0.0/24"), std::string::npos);
    return;
  }
  const auto compiled =
      model::compile({*read, compile.facts, compile.paths, compile.rulesets, compile.before});
  ASSERT_FALSE(compiled);
  const std::string message = compiled.error().front().message;
  for (const char* word : {"prod", "lonely", "shared", "10.1.0.0/24"}) {
    EXPECT_NE(message.find(word), std::string::npos) << message;
  }
}

TEST(Compile, LocalAddressOnNoPortIsRefusedWithItsPlace) {
  Compiler compile;
  compile.facts.ports[0].addresses = {net::parse_interface_address("198.18.0.2/24").value()};
  const auto compiled = compile(kTwoClouds);
  ASSERT_FALSE(compiled);
  EXPECT_EQ(compiled.error().size(), 3u);  // all of them at once
  EXPECT_NE(compiled.error().front().where.line, 0u);
  EXPECT_NE(compiled.error().front().message.find("198.18.0.2 on wan0"), std::string::npos);
}

TEST(Compile, EcmpMembersShareOneTarget) {
  Compiler compile;
  const std::string text =
      replaced(kTwoClouds, "via = \"10.1.0.2\"", "via = \"10.1.0.2\"\necmp = true\nweight = 3") + R"(
[[route]]
domain = "prod"
prefix = "10.1.64.0/18"
attachment = "cloud-a"
via = "10.1.0.3"
ecmp = true
)";
  const CompiledModel m = compile.next(text);
  const auto match = compile.routes->lookup_own(domain(m.model, "prod"), ip("10.1.64.1"));
  ASSERT_TRUE(match);
  EXPECT_EQ(match.target->members.size(), 2u);
  EXPECT_FALSE(match.target->equal_weights);
}

}  // namespace
}  // namespace weir::test
