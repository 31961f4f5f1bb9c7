// What random and hostile traffic makes of sessions and bindings: nothing wrong, nothing for other domains,
// nothing beyond the ceilings. Fixed seeds; time is driven by hand. What the hub sends is not kept for the
// judge, since it is much.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <map>

#include "tests/packet/nat_spokes.h"
#include "tests/packet/test_hub.h"
#include "tests/unit/tables/random_input.h"

namespace weir::test {
namespace {

using namespace dataplane;

std::vector<Bytes> pass(TestHub& hub, const Bytes& bytes, uint16_t queue = 0) {
  hub.inject(bytes, queue);
  hub.settle();
  return hub.port().collect();
}

/// A pool that many hosts use up, in random order and with random pauses.
class Churn {
 public:
  static constexpr uint16_t kFirst = 1'024, kLast = 1'151;  // two blocks of ports
  static constexpr double kTimeout = 20;

  Churn(uint16_t workers, uint32_t bindings)
      : workers_(workers),
        bindings_(bindings),
        builder_(open_network(workers)),
        rules_(pool_rules(builder_, workers, "10.2.0.100", "10.2.0.100", kFirst, kLast)),
        random_(workers + bindings) {
    Timeouts t;
    t.udp = t.udp_unanswered = Tick::duration(static_cast<NanoTime>(kTimeout) * kNanosPerSecond);
    builder_.timeouts(t).nat(rules_);
    for (uint32_t host = 0; host < kHosts; ++host) {
      EXPECT_TRUE(
          builder_.adjacencies().set(builder_.attachment_id("a"), ip_of(address_of(host)), kA.host_mac));
    }
    hub_.emplace(builder_.build(), HubOptions{.workers = workers, .nat_bindings = bindings});
  }

  void step() {
    if (random_.one_in(50)) {
      const double pause = random_.one_in(4) ? 30 : 3;
      now_ += pause;
      hub_->pass_seconds(pause);
      for (int i = 0; i < 10; ++i) hub_->settle();  // they expire in slices
    }
    random_.one_in(3) && !owners_.empty() ? answer() : send();
    const uint64_t taken = pool().use().taken;
    ASSERT_LE(taken, std::min<uint64_t>(kLast - kFirst + 1, bindings_));
  }
  /// Nobody speaks any more: all is given back.
  void end() {
    hub_->pass_seconds(60);
    for (int i = 0; i < 100; ++i) hub_->settle();
    hub_->port().collect();
    EXPECT_EQ(pool().use().taken, 0u);
    for (unsigned w = 0; w < workers_; ++w) {
      EXPECT_EQ(hub_->plane().counters(static_cast<WorkerIndex>(w)).sessions_live.get(), 0u);
    }
  }
  uint64_t refused() const { return refused_; }

 private:
  static constexpr uint32_t kHosts = 40;
  struct Owner {
    uint32_t host;
    uint16_t port;
    double spoke;  // when
  };
  static std::string address_of(uint32_t host) { return "10.1.0." + std::to_string(20 + host); }
  PortPool& pool() { return *rules_.pools[0].pool; }
  bool lives(const Owner& owner) const { return now_ - owner.spoke < kTimeout - 1; }
  bool is_gone(const Owner& owner) const { return now_ - owner.spoke > kTimeout + 2; }
  uint16_t queue() { return static_cast<uint16_t>(random_.below(workers_)); }

  /// A host's port says something: it leaves by a port that is nobody else's.
  void send() {
    const auto host = static_cast<uint32_t>(random_.below(kHosts));
    const auto port = static_cast<uint16_t>(2'000 + random_.below(8));
    const auto sent = pass(*hub_, sent_by(kA, {address_of(host), kB.host4}, udp(port, 53)), queue());
    if (sent.empty()) {
      ++refused_;
      for (const auto& [outside, owner] : owners_) {
        EXPECT_FALSE(owner.host == host && owner.port == port && lives(owner)) << "its binding is there";
      }
      return;
    }
    ASSERT_EQ(sent.size(), 1u);
    ASSERT_EQ(vni_of(sent[0]), kB.vni);
    ASSERT_EQ(source_address(sent[0]), "10.2.0.100");
    const uint16_t outside = source_port(sent[0]);
    ASSERT_TRUE(outside >= kFirst && outside <= kLast) << outside;
    if (const auto known = owners_.find(outside); known != owners_.end()) {
      const bool same = known->second.host == host && known->second.port == port;
      ASSERT_TRUE(same || !lives(known->second)) << outside << " is another's";
    }
    for (const auto& [other, owner] : owners_) {
      ASSERT_FALSE(other != outside && owner.host == host && owner.port == port && lives(owner))
          << "a host's port has one binding";
    }
    owners_[outside] = {host, port, now_};
  }
  /// From outside to some port of the pool: it reaches whose it is, or nobody.
  void answer() {
    const auto outside = static_cast<uint16_t>(kFirst + random_.below(kLast - kFirst + 1));
    const auto sent = pass(*hub_, sent_by(kB, {kB.host4, "10.2.0.100"}, udp(53, outside)), queue());
    const auto known = owners_.find(outside);
    if (sent.empty()) {
      ASSERT_TRUE(known == owners_.end() || !lives(known->second)) << outside << " lost its answer";
      return;
    }
    ASSERT_EQ(sent.size(), 1u);
    ASSERT_EQ(vni_of(sent[0]), kA.vni);
    ASSERT_TRUE(known != owners_.end() && !is_gone(known->second)) << outside << " is nobody's";
    ASSERT_EQ(destination_address(sent[0]), address_of(known->second.host));
    ASSERT_EQ(port_at(inner_of(sent[0]), 36), known->second.port);
    known->second.spoke = now_;
  }

  uint16_t workers_;
  uint32_t bindings_;
  SnapshotBuilder builder_;
  NatRules rules_;
  RandomInput random_;
  std::optional<TestHub> hub_;
  double now_ = 0;
  std::map<uint16_t, Owner> owners_;  // by outside port
  uint64_t refused_ = 0;
};

TEST(HostileSessions, APoolUsedUpUnderChurn) {
  for (const uint16_t workers : {uint16_t{1}, uint16_t{2}, uint16_t{3}}) {
    for (const uint32_t bindings : {4'096u, 48u}) {
      SCOPED_TRACE(std::to_string(workers) + " workers, " + std::to_string(bindings) + " bindings");
      Churn churn(workers, bindings);
      for (int i = 0; i < 4'000 && !HasFatalFailure(); ++i) churn.step();
      EXPECT_GT(churn.refused(), 0u) << "there was less than was wanted";
      churn.end();
    }
  }
}

uint32_t tuples_of_a_scan() {
  const char* wanted = std::getenv("WEIR_SCAN");  // `make test-long`: a million
  return wanted == nullptr ? 20'000 : static_cast<uint32_t>(std::strtoul(wanted, nullptr, 10));
}

/// TCP and UDP to every port of many hosts, most of which policy lets through: no more sessions than there
/// is room for, and whoever has one keeps it.
TEST(HostileSessions, AScanOfManyTuples) {
  TestHub hub(network().build(), {.sessions = 3'000, .half_open = 500});
  const auto other = [&](size_t i) { return udp(static_cast<uint16_t>(60'000 + i), 9); };
  const auto answer = [&](size_t i) { return udp(9, static_cast<uint16_t>(60'000 + i)); };
  for (size_t i = 0; i < 100; ++i) {
    ASSERT_EQ(pass(hub, from_spoke(kA, kB, other(i))).size(), 1u);
    ASSERT_EQ(pass(hub, from_spoke(kB, kA, answer(i))).size(), 1u);
  }
  const uint32_t tuples = tuples_of_a_scan();
  for (uint32_t i = 0; i < tuples; ++i) {
    const auto src = static_cast<uint16_t>(i >> 16), dst = static_cast<uint16_t>(i);
    hub.inject(from_spoke(kD, kB, i % 3 == 0 ? udp(src, dst) : tcp(kSyn, i, 0, "", src, dst)));
    if (i % 64 != 63) continue;
    hub.settle();
    hub.port().collect();
    ASSERT_LE(hub.plane().counters(0).sessions_live.get(), 3'000u);
    ASSERT_LE(hub.plane().counters(0).sessions_half_open.get(), 500u);
    if (i % 4'096 != 4'095) continue;
    hub.pass_seconds(1);
    hub.settle();
    hub.port().collect();
    for (size_t k = 0; k < 100; ++k) {
      ASSERT_EQ(pass(hub, from_spoke(kA, kB, other(k))).size(), 1u);
      ASSERT_EQ(pass(hub, from_spoke(kB, kA, answer(k))).size(), 1u);
    }
  }
  hub.pass_seconds(4'000);
  for (int i = 0; i < 200; ++i) hub.turn();
  hub.port().collect();
  EXPECT_EQ(hub.plane().counters(0).sessions_live.get(), 0u);
  EXPECT_EQ(hub.plane().counters(0).sessions_half_open.get(), 0u);
}

/// Errors with quotes that are right, or wrong in one place: they reach the end whose packet they quote, or
/// nobody, and change nothing.
TEST(HostileSessions, CraftedErrorsReachNobodyElseAndChangeNothing) {
  RandomInput random(7);
  SnapshotBuilder b = open_network(1);
  TestHub hub(b.build());
  pass(hub, from_spoke(kA, kB, tcp(kSyn, 100)));
  pass(hub, from_spoke(kB, kA, tcp(kSyn | kAck, 500, 101, "", 80, 1'000)));
  pass(hub, from_spoke(kA, kB, tcp(kAck, 101, 501)));
  pass(hub, from_spoke(kA, kB, udp(7, 8)));
  hub.moved();
  uint32_t seq = 101;
  int arrived = 0;
  for (int i = 0; i < 6'000; ++i) {
    const bool of_tcp = random.one_in(2);
    Bytes quote =
        of_tcp ? inner_forwarded(kA, kB, tcp(kAck, seq - 1, 501, "x")) : inner_forwarded(kA, kB, udp(7, 8));
    quote.erase(quote.begin(), quote.begin() + 14);
    // Anything but the length of the IP header, which would make it another packet altogether.
    const bool damaged = random.one_in(2);
    if (damaged) {
      const size_t at = 1 + random.below(quote.size() - 1);
      quote[at] = static_cast<uint8_t>(quote[at] ^ (1 + random.below(255)));
    }
    if (random.one_in(3)) quote.resize(28);
    const std::array<uint8_t, 5> types = {3, 4, 5, 11, 12};
    const uint8_t type = random.pick(types);
    const Spoke& from = *random.pick(std::vector<const Spoke*>{&kB, &kB, &kC, &kA});
    const std::string source = random.one_in(4) ? kB.host4 : from.host4;
    PacketBuilder p;
    p.ether(from.hub_mac, from.host_mac).ip(source, random.one_in(5) ? kC.host4 : kA.host4);
    p.icmp_error(type, static_cast<uint8_t>(random.below(16)), quote);
    const auto sent = pass(hub, tunnelled(from, p.build()));
    for (const Bytes& frame : sent) {
      ASSERT_EQ(vni_of(frame), kA.vni) << "whose packet it quotes";
      ASSERT_EQ(destination_address(frame), kA.host4);
      ++arrived;
    }
    if (i % 100 != 0) continue;
    // The session is where it was.
    ASSERT_EQ(pass(hub, from_spoke(kA, kB, tcp(kAck, seq, 501, "x"))).size(), 1u);
    ++seq;
  }
  EXPECT_GT(arrived, 500);
  Counts counts = hub.moved();
  EXPECT_EQ(counts["sessions_created"], 0);
  EXPECT_EQ(counts["sessions_expired"], 0);
  EXPECT_EQ(counts["tcp_ignored"], 0);
}

}  // namespace
}  // namespace weir::test
