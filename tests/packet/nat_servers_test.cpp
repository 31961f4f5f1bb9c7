// Several servers behind one published address and port.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/packet/nat_spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using namespace dataplane;
using enum DropReason;

constexpr const char* kPublished = "10.2.0.80";
constexpr uint16_t kFirstPort = 3'000, kSessions = 400;

/// The servers are the hosts of a and d, with these weights.
NatRules servers(const SnapshotBuilder& b, uint32_t a, uint32_t d) {
  NatRules rules = web_rules(b);
  rules.published[0].servers = {{ip_of(kA.host4), a}, {ip_of(kD.host4), d}};
  return rules;
}

class NatServers : public testing::TestWithParam<unsigned> {
 protected:
  uint16_t workers() const { return static_cast<uint16_t>(GetParam()); }
  std::vector<Bytes> pass(TestHub& hub, const Bytes& bytes, unsigned at) {
    return hub.pass_through(bytes, static_cast<uint16_t>(at % workers()));
  }
  /// The client's SYN from that port; the spoke that gets it, null for none.
  const Spoke* ask(TestHub& hub, uint16_t port) {
    const auto got = pass(hub, sent_by(kB, {kB.host4, kPublished}, tcp(kSyn, 1, 0, "", port, 443)), port);
    if (got.empty()) return nullptr;
    const Spoke& server = vni_of(got[0]) == kA.vni ? kA : kD;
    expect_at(got, server, {kB.host4, server.host4}, tcp(kSyn, 1, 0, "", port, 8'443));
    return &server;
  }
  /// Who gets the session of each port.
  std::map<uint16_t, const Spoke*> ask_all(TestHub& hub, uint16_t first = kFirstPort) {
    std::map<uint16_t, const Spoke*> who;
    for (uint16_t i = 0; i < kSessions; ++i) who[first + i] = ask(hub, static_cast<uint16_t>(first + i));
    return who;
  }
  static int count(const std::map<uint16_t, const Spoke*>& who, const Spoke* spoke) {
    return static_cast<int>(
        std::count_if(who.begin(), who.end(), [&](const auto& one) { return one.second == spoke; }));
  }
};
INSTANTIATE_TEST_SUITE_P(Number, NatServers, testing::Values(1, 2, 3));

TEST_P(NatServers, ShareTheSessionsByWeightAndKeepThem) {
  SnapshotBuilder b = open_network(workers());
  TestHub hub(b.nat(servers(b, 3, 1)).build(), {.workers = workers()});
  const auto who = ask_all(hub);
  EXPECT_NEAR(count(who, &kA), 300, 35);
  EXPECT_EQ(count(who, nullptr), 0);
  for (const auto& [port, server] : who) {
    expect_at(pass(hub, sent_by(*server, {server->host4, kB.host4}, tcp(kSyn | kAck, 5, 2, "", 8'443, port)),
                   port + 1u),
              kB, {kPublished, kB.host4}, tcp(kSyn | kAck, 5, 2, "", 443, port));
    expect_at(pass(hub, sent_by(kB, {kB.host4, kPublished}, tcp(kAck, 2, 6, "GET", port, 443)), port + 2u),
              *server, {kB.host4, server->host4}, tcp(kAck, 2, 6, "GET", port, 8'443));
  }
}

TEST_P(NatServers, OneWhoseAttachmentIsDownIsGivenNothingAndTheOthersKeepWhatTheyHave) {
  SnapshotBuilder b = open_network(workers());
  TestHub hub(b.nat(servers(b, 1, 1)).build(), {.workers = workers()});
  const AttachmentId d = b.attachment_id("d");
  const auto before = ask_all(hub);
  ASSERT_GT(count(before, &kD), 150);
  b.board().set_usable(d, false);
  b.adjacencies().remove(b.adjacencies().find(d, ip_of(kD.host4)));
  hub.moved();
  for (const auto& [port, server] : before) {
    EXPECT_EQ(ask(hub, port), server == &kA ? &kA : nullptr) << "it stays where it is";
  }
  EXPECT_EQ(hub.moved()["drop attachment_down"], count(before, &kD));
  const auto meanwhile = ask_all(hub, 20'000);
  EXPECT_EQ(count(meanwhile, &kA), kSessions);

  b.board().set_usable(d, true);
  know_host(b, kD);
  EXPECT_EQ(ask_all(hub), before) << "those that waited go on";
  EXPECT_EQ(ask_all(hub, 20'000), meanwhile) << "and the others stay";
}

TEST_P(NatServers, AnotherOneTakesNoMoreThanItsShareOfWhatBegins) {
  SnapshotBuilder b = open_network(workers());
  NatRules one = servers(b, 1, 1);
  one.published[0].servers.pop_back();
  const auto alone = [&] {
    SnapshotBuilder other = open_network(workers());
    TestHub hub(other.nat(one).build(), {.workers = workers()});
    return ask_all(hub);
  }();
  EXPECT_EQ(count(alone, &kA), kSessions);
  TestHub hub(b.nat(servers(b, 1, 1)).build(), {.workers = workers()});
  const auto both = ask_all(hub);
  EXPECT_NEAR(count(both, &kD), kSessions / 2, 40);
}

TEST_P(NatServers, AWeightOfZeroDrains) {
  SnapshotBuilder b = open_network(workers());
  TestHub hub(b.nat(servers(b, 1, 1)).build(), {.workers = workers()});
  const auto before = ask_all(hub);
  hub.publish(b.nat(servers(b, 1, 0)).build());
  EXPECT_EQ(ask_all(hub), before);
  EXPECT_EQ(count(ask_all(hub, 20'000), &kA), kSessions);
}

TEST_P(NatServers, OneThatIsTakenOutLosesItsSessionsAlone) {
  SnapshotBuilder b = open_network(workers());
  TestHub hub(b.nat(servers(b, 1, 1)).build(), {.workers = workers()});
  const auto before = ask_all(hub);
  NatRules left = servers(b, 1, 1);
  left.published[0].servers.pop_back();
  hub.publish(b.nat(left).build());
  hub.moved();
  for (const auto& [port, server] : before) {
    EXPECT_EQ(ask(hub, port), server == &kA ? &kA : nullptr);
  }
  EXPECT_EQ(hub.moved()["drop nat_changed"], count(before, &kD));
  EXPECT_EQ(count(ask_all(hub), &kA), kSessions) << "they begin anew";
}

TEST_P(NatServers, NoneIsReached) {
  SnapshotBuilder b = open_network(workers());
  for (const char* name : {"a", "d"}) b.board().set_usable(b.attachment_id(name), false);
  TestHub hub(b.nat(servers(b, 1, 1)).build(), {.workers = workers()});
  EXPECT_EQ(ask(hub, kFirstPort), nullptr);
  EXPECT_EQ(hub.moved()["drop attachment_down"], 1);
}

}  // namespace
}  // namespace weir::test
