// Watching attachments: what is sent when, what counts as an answer, what follows; time is driven by hand.
#include "mgmt/control/health.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "fakes.h"
#include "mgmt/control/siphash.h"
#include "mgmt/control/views.h"

namespace weir::test {
namespace {

using namespace dataplane;
using control::Health;
using control::HealthState;
using control::HealthTransition;
using control::Neighbors;

/// One VXLAN attachment after the other, each with 10.1.0.1/24 in a domain of its own.
std::unique_ptr<Snapshot> hub_with(uint32_t attachments, AdjacencyTable& adjacencies, AttachmentBoard& board,
                                   bool ethernet = true) {
  std::vector<Attachment> slots(attachments);
  for (uint32_t i = 0; i < attachments; ++i) {
    slots[i].id = AttachmentId::make(i, 1);
    slots[i].hub_mac = mac(0x020000000001);
    slots[i].ethernet = ethernet;
    slots[i].gateways = {net::parse_interface_address("10.1.0.1/24").value(),
                         net::parse_interface_address("2001:db8::1/64").value()};
  }
  auto snapshot = std::make_unique<Snapshot>();
  snapshot->attachments = std::make_shared<const AttachmentTable>(std::move(slots));
  snapshot->adjacencies = &adjacencies;
  snapshot->board = &board;
  return snapshot;
}

class HealthTest : public ::testing::Test {
 protected:
  static constexpr NanoTime kMilli = kNanosPerMilli;

  explicit HealthTest(uint32_t attachments = 1)
      : adjacencies_(AdjacencyTable::create(16'384).value()),
        board_(attachments),
        dataplane_(hub_with(attachments, *adjacencies_, board_)),
        neighbors_(dataplane_, *adjacencies_, {}),
        health_(dataplane_, board_, neighbors_, 1,
                [this](const HealthTransition& transition) { changes_.push_back(transition); }) {}

  static config::Health probing(config::HealthProbe probe, const char* address = "10.1.0.2") {
    config::Health settings;
    settings.probe = probe;
    settings.address = ip(address);
    settings.interval_ms = 1'000;
    settings.jitter = 0;
    settings.flap_half_life = 0;
    return settings;
  }
  void learn(AttachmentId id, const char* address) {
    neighbors_.on_note({id, ip(address), mac(0x02000000aaaa), 0, NeighborNote::Kind::question}, now_);
  }
  /// Turns every millisecond; `each` after each.
  template <typename Each>
  void run(NanoTime time, Each&& each) {
    for (const NanoTime end = now_ + time; now_ < end;) {
      now_ += kMilli;
      while (health_.tick(now_)) {
      }
      each();
    }
  }
  void run(NanoTime time) {
    run(time, [] {});
  }
  /// The host answers each probe at once.
  void answer_all() {
    for (const auto& [id, frame] : dataplane_.sent) dataplane_.answers[id] = {board_.expected(id), now_};
    dataplane_.sent.clear();
  }
  HealthState state(uint32_t slot = 0) { return health_.view(AttachmentId::make(slot, 1)).state; }

  std::unique_ptr<AdjacencyTable> adjacencies_;
  AttachmentBoard board_;
  FakeDataplane dataplane_;
  Neighbors neighbors_;
  std::vector<HealthTransition> changes_;
  Health health_;
  NanoTime now_ = 0;
  const AttachmentId a_ = AttachmentId::make(0, 1);
};

TEST(SipHash, IsThePublishedOne) {
  // Test vector of the authors for 16 bytes 00 01 .. 0f under the key 00 01 .. 0f: 3f2acc7f57c29bdb.
  const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
  EXPECT_EQ(control::siphash(key, 0x0706050403020100, 0x0f0e0d0c0b0a0908), 0x3f2acc7f57c29bdbULL);
}

TEST_F(HealthTest, UpAfterAnswersDownAfterSilenceUpAgain) {
  learn(a_, "10.1.0.2");
  health_.add(a_, probing(config::HealthProbe::icmp), now_);
  EXPECT_EQ(state(), HealthState::unknown);
  run(3'500 * kMilli, [&] { answer_all(); });
  EXPECT_EQ(state(), HealthState::up);
  ASSERT_EQ(changes_.size(), 1u);
  EXPECT_TRUE(board_.usable(a_));
  EXPECT_TRUE(adjacencies_->find(a_, ip("10.1.0.2")).valid());

  run(4'000 * kMilli);  // nobody answers: three intervals, and one that had been answered already
  EXPECT_EQ(state(), HealthState::down);
  ASSERT_EQ(changes_.size(), 2u);
  EXPECT_EQ(changes_[1].change.from, HealthState::up);
  EXPECT_EQ(changes_[1].change.reason, control::HealthReason::probe_unanswered);
  EXPECT_FALSE(board_.usable(a_));
  EXPECT_FALSE(adjacencies_->find(a_, ip("10.1.0.2")).valid()) << "sessions have to look for another way";

  run(4'000 * kMilli, [&] { answer_all(); });
  EXPECT_EQ(state(), HealthState::up);
  EXPECT_TRUE(board_.usable(a_));
  EXPECT_TRUE(adjacencies_->find(a_, ip("10.1.0.2")).valid());
  EXPECT_EQ(health_.view(a_).flaps, 1u);
  EXPECT_EQ(health_.counters().changes, 3u);
}

TEST_F(HealthTest, WhatCarriesNoEthernetIsProbedWithoutANeighborAndLosesItsPeerWhileDown) {
  dataplane_.publish(hub_with(1, *adjacencies_, board_, false));
  ASSERT_TRUE(neighbors_.add_peer(a_));
  const auto has_peer = [&] { return adjacencies_->find(a_, net::IpAddress{}).valid(); };
  health_.add(a_, probing(config::HealthProbe::icmp), now_);
  run(3'500 * kMilli, [&] { answer_all(); });
  EXPECT_EQ(state(), HealthState::up);
  EXPECT_EQ(health_.counters().no_neighbor, 0u);
  EXPECT_TRUE(has_peer());

  run(4'000 * kMilli);
  EXPECT_EQ(state(), HealthState::down);
  EXPECT_FALSE(has_peer()) << "sessions have to look for another way";
  ASSERT_TRUE(neighbors_.add_peer(a_));
  EXPECT_FALSE(has_peer()) << "a reload meanwhile does not bring it back";

  run(4'000 * kMilli, [&] { answer_all(); });
  EXPECT_EQ(state(), HealthState::up);
  EXPECT_TRUE(has_peer());
}

TEST_F(HealthTest, EchoRequestIsRight) {
  learn(a_, "10.1.0.2");
  health_.add(a_, probing(config::HealthProbe::icmp), now_);
  run(1'000 * kMilli);
  ASSERT_EQ(dataplane_.sent.size(), 1u);
  const auto& frame = dataplane_.sent[0].second;
  ASSERT_EQ(frame.size(), 14u + 20 + 32);
  EXPECT_EQ(frame[5], 0xaa);
  EXPECT_EQ(net::checksum({frame.data() + 14, 20}), 0);
  EXPECT_EQ(net::checksum({frame.data() + 34, 32}), 0);
  EXPECT_EQ(frame[34], 8);
  uint64_t token = 0;
  std::memcpy(&token, &frame[42], 8);
  EXPECT_EQ(net::be64::raw(token).host(), board_.expected(a_).value);
  EXPECT_TRUE(board_.expected(a_).is_echo());
}

TEST_F(HealthTest, EchoRequestOfIpv6IsRight) {
  learn(a_, "2001:db8::2");
  health_.add(a_, probing(config::HealthProbe::icmp, "2001:db8::2"), now_);
  run(1'000 * kMilli);
  ASSERT_EQ(dataplane_.sent.size(), 1u);
  const auto& frame = dataplane_.sent[0].second;
  ASSERT_EQ(frame.size(), 14u + 40 + 32);
  EXPECT_EQ(frame[54], 128);
  const uint64_t pseudo = net::pseudo_header_sum({&frame[22], 32}, 58, 32);
  EXPECT_EQ(net::checksum_finish(net::checksum_add(pseudo, {&frame[54], 32})), 0);
}

TEST_F(HealthTest, TokensDifferFromProbeToProbeAndHubToHub) {
  std::set<uint64_t> tokens;
  learn(a_, "10.1.0.2");
  health_.add(a_, probing(config::HealthProbe::icmp), now_);
  run(10'000 * kMilli, [&] { tokens.insert(board_.expected(a_).value); });
  EXPECT_EQ(tokens.size(), 11u) << "ten, and none before the first";
  Health other(dataplane_, board_, neighbors_, 2, [](const HealthTransition&) {});
  other.add(a_, probing(config::HealthProbe::icmp), now_);
  other.tick(now_ + 1'000 * kMilli);
  EXPECT_FALSE(tokens.contains(board_.expected(a_).value));
}

TEST_F(HealthTest, AnAnswerToAnEarlierProbeDoesNotCount) {
  learn(a_, "10.1.0.2");
  health_.add(a_, probing(config::HealthProbe::icmp), now_);
  ProbeToken previous;
  run(8'000 * kMilli, [&] {
    if (dataplane_.sent.empty()) return;
    dataplane_.answers[a_] = {previous, now_};
    previous = board_.expected(a_);
    dataplane_.sent.clear();
  });
  EXPECT_EQ(state(), HealthState::down);
  EXPECT_EQ(health_.counters().answered, 0u);
}

TEST_F(HealthTest, AHostWithoutAMacIsAskedForFirst) {
  health_.add(a_, probing(config::HealthProbe::icmp), now_);
  run(2'000 * kMilli);
  ASSERT_FALSE(dataplane_.sent.empty());
  EXPECT_EQ(dataplane_.sent[0].second[13], 0x06) << "ARP";
  EXPECT_EQ(health_.counters().sent, 0u);
  EXPECT_GT(health_.counters().no_neighbor, 0u);
  run(2'500 * kMilli);
  EXPECT_EQ(state(), HealthState::down) << "who has no MAC does not answer";
  learn(a_, "10.1.0.2");
  run(4'000 * kMilli, [&] { answer_all(); });
  EXPECT_EQ(state(), HealthState::up);
}

TEST_F(HealthTest, NeighborProbeGoesToTheHostThenToAll) {
  learn(a_, "10.1.0.2");
  health_.add(a_, probing(config::HealthProbe::neighbor), now_);
  run(1'000 * kMilli);
  ASSERT_EQ(dataplane_.sent.size(), 1u);
  EXPECT_EQ(dataplane_.sent[0].second[0], 0x02);
  EXPECT_TRUE(board_.expected(a_).awaits(ip("10.1.0.2")));
  EXPECT_FALSE(board_.expected(a_).awaits(ip("10.1.0.3")));
  run(1'000 * kMilli);
  ASSERT_EQ(dataplane_.sent.size(), 2u);
  EXPECT_EQ(dataplane_.sent[1].second[0], 0xff) << "it may have a new MAC";
  run(1'000 * kMilli, [&] { answer_all(); });
  run(2'000 * kMilli, [&] { answer_all(); });
  EXPECT_EQ(state(), HealthState::up);
}

TEST_F(HealthTest, WithoutProbesTrafficTellsAndSilenceIsNotDown) {
  config::Health settings;
  settings.jitter = 0;
  health_.add(a_, settings, now_);
  run(3'000 * kMilli, [&] { ++dataplane_.totals[a_].rx_packets; });
  EXPECT_EQ(state(), HealthState::up);
  run(6'000 * kMilli);
  EXPECT_EQ(state(), HealthState::unknown);
  EXPECT_TRUE(board_.usable(a_));
  EXPECT_EQ(health_.view(a_).reason, "nothing received");
  EXPECT_EQ(attachment_health_view(health_.view(a_), now_).reason, "nothing received for 5 s")
      << "since a look found some";
  run(60'000 * kMilli);
  EXPECT_EQ(attachment_health_view(health_.view(a_), now_).reason, "nothing received for 65 s");
  EXPECT_TRUE(dataplane_.sent.empty());
}

TEST_F(HealthTest, TrafficCountsAsAnAnswerOnlyWhereItMay) {
  for (const bool counts : {false, true}) {
    config::Health settings = probing(config::HealthProbe::icmp);
    settings.traffic = counts;
    learn(a_, "10.1.0.2");
    health_.add(a_, settings, now_);
    run(6'000 * kMilli, [&] { ++dataplane_.totals[a_].rx_packets; });
    EXPECT_EQ(state(), counts ? HealthState::up : HealthState::down);
  }
}

TEST_F(HealthTest, CountersBeginWithTheAttachment) {
  dataplane_.totals[a_] = {100, 1'000, 200, 2'000};
  health_.add(a_, {}, now_);
  dataplane_.totals[a_] = {101, 1'100, 202, 2'200};
  const auto totals = health_.view(a_).totals;
  EXPECT_EQ(totals.rx_packets, 1u);
  EXPECT_EQ(totals.rx_bytes, 100u);
  EXPECT_EQ(totals.tx_packets, 2u);
  EXPECT_EQ(totals.tx_bytes, 200u);
}

TEST_F(HealthTest, TheSameSettingsAgainChangeNothingOthersBeginAnew) {
  learn(a_, "10.1.0.2");
  health_.add(a_, probing(config::HealthProbe::icmp), now_);
  run(6'000 * kMilli);
  ASSERT_EQ(state(), HealthState::down);
  health_.add(a_, probing(config::HealthProbe::icmp), now_);
  EXPECT_EQ(state(), HealthState::down);
  health_.add(a_, {}, now_);
  EXPECT_EQ(state(), HealthState::unknown);
  EXPECT_TRUE(board_.usable(a_));
  EXPECT_TRUE(adjacencies_->find(a_, ip("10.1.0.2")).valid());
}

TEST_F(HealthTest, WhatIsRemovedIsNotLookedAtAndItsSuccessorIsUsable) {
  learn(a_, "10.1.0.2");
  health_.add(a_, probing(config::HealthProbe::icmp), now_);
  run(6'000 * kMilli);
  ASSERT_FALSE(board_.usable(a_));
  health_.remove(a_);
  dataplane_.sent.clear();
  run(5'000 * kMilli);
  EXPECT_TRUE(dataplane_.sent.empty());
  EXPECT_TRUE(board_.usable(AttachmentId::make(0, 2)));
  EXPECT_EQ(board_.expected(a_), ProbeToken{});
}

class ManyAttachments : public HealthTest {
 protected:
  static constexpr uint32_t kCount = 10'000;
  ManyAttachments() : HealthTest(kCount) {
    config::Health settings = probing(config::HealthProbe::neighbor);
    settings.jitter = 20;
    for (uint32_t i = 0; i < kCount; ++i) health_.add(AttachmentId::make(i, 1), settings, now_);
  }
};

TEST_F(ManyAttachments, ATurnHasABoundAndProbesAreSpread) {
  std::vector<size_t> per_turn;
  for (int turn = 0; turn < 10'000; ++turn) {
    now_ += kMilli;
    const size_t before = dataplane_.sent.size();
    health_.tick(now_);  // once in a turn, as control does
    per_turn.push_back(dataplane_.sent.size() - before);
  }
  const size_t total = dataplane_.sent.size();
  // An interval lasts 900 ms on average.
  EXPECT_GT(total, 10 * kCount * 10 / 10);
  EXPECT_LT(total, kCount * 10 * 10 / 8);
  EXPECT_LE(*std::max_element(per_turn.begin(), per_turn.end()), Health::kPerTurn);
  EXPECT_EQ(health_.counters().late, 0u);
  // Per 100 ms about a tenth of a second's worth, with no burst of all.
  for (size_t i = 1'000; i + 100 <= per_turn.size(); i += 100) {
    const size_t sum = std::accumulate(per_turn.begin() + i, per_turn.begin() + i + 100, size_t{0});
    EXPECT_GT(sum, 700u) << i;
    EXPECT_LT(sum, 1'700u) << i;
  }
  std::map<AttachmentId, int> probes;
  for (const auto& [id, frame] : dataplane_.sent) ++probes[id];
  EXPECT_EQ(probes.size(), kCount);
  for (const auto& [id, count] : probes) {
    EXPECT_GE(count, 9) << id.index();
    EXPECT_LE(count, 13) << id.index();
  }
}

TEST_F(ManyAttachments, AHubThatWasAwayCatchesUpTurnByTurn) {
  now_ += 5'000 * kMilli;
  unsigned turns = 1;
  while (health_.tick(now_)) {
    ++turns;
    EXPECT_LE(dataplane_.sent.size(), turns * Health::kPerTurn);
  }
  EXPECT_EQ(dataplane_.sent.size(), kCount) << "each once, not five times";
  EXPECT_GE(turns, kCount / Health::kPerTurn);
  EXPECT_GT(health_.counters().late, kCount * 9 / 10);
}

}  // namespace
}  // namespace weir::test
