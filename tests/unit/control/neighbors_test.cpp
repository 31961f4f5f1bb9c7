// Neighbours inside attachments: learning, asking, holding, ageing; time is driven by hand.
#include <gtest/gtest.h>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "fakes.h"
#include "mgmt/control/neighbors.h"

namespace weir::test {
namespace {

using namespace dataplane;
using control::NeighborLimits;
using control::Neighbors;

class NeighborsTest : public ::testing::Test {
 protected:
  static constexpr NanoTime kSecond = kNanosPerSecond;

  NeighborsTest() : adjacencies_(AdjacencyTable::create(16).value()) {
    hub_.use(kTwoClouds);
    hub_.snapshot->adjacencies = adjacencies_.get();
    dataplane_ = std::make_unique<FakeDataplane>(std::move(hub_.snapshot));
    a_ = hub_.attachment("cloud-a");
    neighbors_ = std::make_unique<Neighbors>(*dataplane_, *adjacencies_, NeighborLimits{8, 3, 4});
  }
  void punt(intptr_t packet, const char* target, NanoTime now) {
    Punt p;
    p.attachment = a_;
    p.target = ip(target);
    p.mbuf = reinterpret_cast<void*>(packet);
    neighbors_->on_punt(p, now);
  }
  void note(const char* address, uint64_t from, NanoTime now,
            NeighborNote::Kind kind = NeighborNote::Kind::question) {
    neighbors_->on_note({a_, ip(address), mac(from), 0, kind}, now);
  }
  bool known(const char* address) {
    return adjacencies_->get(adjacencies_->find(a_, ip(address))).has_value();
  }

  FileModel hub_;
  std::unique_ptr<AdjacencyTable> adjacencies_;
  std::unique_ptr<FakeDataplane> dataplane_;
  AttachmentId a_;
  std::unique_ptr<Neighbors> neighbors_;
};

TEST_F(NeighborsTest, AsksOnceHoldsAndResumesInOrder) {
  punt(1, "10.1.0.9", 0);
  punt(2, "10.1.0.9", 1);
  ASSERT_EQ(dataplane_->sent.size(), 1u);
  EXPECT_EQ(neighbors_->held(), 2u);
  note("10.1.0.9", 0x02000000aaaa, 2);
  EXPECT_EQ(neighbors_->held(), 0u);
  EXPECT_EQ(dataplane_->resumed,
            (std::vector<void*>{reinterpret_cast<void*>(1), reinterpret_cast<void*>(2)}));
  EXPECT_EQ(adjacencies_->get(adjacencies_->find(a_, ip("10.1.0.9")))->mac(), mac(0x02000000aaaa));
}

TEST_F(NeighborsTest, ArpRequestIsRight) {
  punt(1, "10.1.0.9", 0);
  const auto& frame = dataplane_->sent.at(0).second;
  ASSERT_EQ(frame.size(), sizeof(net::EthHeader) + sizeof(net::ArpPacket));
  net::EthHeader eth;
  net::ArpPacket arp;
  std::memcpy(&eth, frame.data(), sizeof eth);
  std::memcpy(&arp, frame.data() + sizeof eth, sizeof arp);
  EXPECT_TRUE(eth.dst.is_broadcast());
  EXPECT_EQ(eth.type.host(), net::kEtherArp);
  EXPECT_EQ(eth.src, model::default_hub_mac("cloud-a"));
  EXPECT_EQ(arp.operation.host(), net::ArpPacket::kRequest);
  EXPECT_EQ(arp.sender_mac, eth.src);
  EXPECT_EQ(arp.sender_ip.host(), ip("10.1.0.1").v4().value);
  EXPECT_EQ(arp.target_ip.host(), ip("10.1.0.9").v4().value);
}

TEST_F(NeighborsTest, SolicitationIsRight) {
  punt(1, "2001:db8:1::12:3456", 0);
  const auto& f = dataplane_->sent.at(0).second;
  ASSERT_EQ(f.size(), 14u + 40 + 24 + 8);
  EXPECT_EQ(std::vector<uint8_t>(f.begin(), f.begin() + 6),
            (std::vector<uint8_t>{0x33, 0x33, 0xff, 0x12, 0x34, 0x56}));
  EXPECT_EQ(f[14 + 7], 255);  // hop limit
  EXPECT_EQ(net::IpAddress(net::Ipv6::load(&f[14 + 24])), ip("ff02::1:ff12:3456"));
  EXPECT_EQ(f[54], 135);
  EXPECT_EQ(net::IpAddress(net::Ipv6::load(&f[62])), ip("2001:db8:1::12:3456"));
  EXPECT_EQ(f[78], 1);  // source link-layer address
  EXPECT_EQ(f[79], 1);
  const uint64_t pseudo = net::pseudo_header_sum({&f[22], 32}, 58, 32);
  EXPECT_EQ(net::checksum_finish(net::checksum_add(pseudo, {&f[54], 32})), 0);
}

TEST_F(NeighborsTest, ThreeTriesThenGivesUp) {
  punt(1, "10.1.0.9", 0);
  for (const NanoTime t : {kSecond - 1, kSecond, 2 * kSecond, 3 * kSecond - 1}) neighbors_->tick(t);
  EXPECT_EQ(dataplane_->sent.size(), 3u);
  EXPECT_TRUE(dataplane_->discarded.empty());
  neighbors_->tick(3 * kSecond);
  ASSERT_EQ(dataplane_->discarded.size(), 1u);
  EXPECT_EQ(dataplane_->discarded[0].second, DropReason::neighbor_unresolved);
  EXPECT_EQ(neighbors_->held(), 0u);
  EXPECT_EQ(neighbors_->counters().unresolved, 1u);
}

TEST_F(NeighborsTest, HoldIsBoundedPerNeighborPerAttachmentAndInAll) {
  for (intptr_t i = 1; i <= 4; ++i) punt(i, "10.1.0.9", 0);  // three fit
  punt(5, "10.1.0.10", 0);                                   // the attachment's share is max(8 / 4, 3)
  ASSERT_EQ(dataplane_->discarded.size(), 2u);
  EXPECT_EQ(dataplane_->discarded[0], (std::pair{reinterpret_cast<void*>(4), DropReason::hold_full}));
  EXPECT_EQ(dataplane_->discarded[1], (std::pair{reinterpret_cast<void*>(5), DropReason::hold_full}));
  neighbors_->set_limits({3, 16, 4});
  punt(6, "10.1.0.9", 0);
  EXPECT_EQ(dataplane_->discarded.back(), (std::pair{reinterpret_cast<void*>(6), DropReason::hold_full}));
}

TEST_F(NeighborsTest, BelievesOnlyWhatCanBeTrue) {
  struct Row {
    const char* name;
    const char* address;
    uint64_t from;
    bool believed;
  };
  const Row rows[] = {
      {"off-link", "10.9.0.9", 0x02000000aaaa, false},
      {"another attachment's subnet", "10.2.0.9", 0x02000000aaaa, false},
      {"the hub's own address", "10.1.0.1", 0x02000000aaaa, false},
      {"multicast MAC", "10.1.0.9", 0x03000000aaaa, false},
      {"zero MAC", "10.1.0.9", 0, false},
      {"the hub's own MAC", "10.1.0.9", model::default_hub_mac("cloud-a").to_u64(), false},
      {"IPv4 host", "10.1.0.9", 0x02000000aaaa, true},
      {"IPv6 host", "2001:db8:1::9", 0x02000000aaaa, true},
  };
  for (const Row& row : rows) {
    note(row.address, row.from, 0);
    EXPECT_EQ(known(row.address), row.believed) << row.name;
  }
  EXPECT_EQ(neighbors_->counters().refused, 6u);
}

TEST_F(NeighborsTest, OneAttachmentCannotFillTheTable) {
  for (int i = 2; i < 12; ++i) note(("10.1.0." + std::to_string(i)).c_str(), 0x02000000aaaa, 0);
  EXPECT_EQ(adjacencies_->size(), 4u);  // a quarter of 16
}

TEST_F(NeighborsTest, OldNeighborIsProbedAndKeptOrDropped) {
  note("10.1.0.9", 0x02000000aaaa, 0);
  neighbors_->tick(60 * kSecond - 1);
  EXPECT_TRUE(dataplane_->sent.empty());
  neighbors_->tick(60 * kSecond);
  ASSERT_EQ(dataplane_->sent.size(), 1u);
  EXPECT_EQ(dataplane_->sent[0].second[5], 0xaa);  // to the host itself, not to everybody
  note("10.1.0.9", 0x02000000aaaa, 60 * kSecond + 1);
  neighbors_->tick(119 * kSecond);
  EXPECT_EQ(dataplane_->sent.size(), 1u);

  for (int i = 0; i <= 3; ++i) neighbors_->tick((121 + static_cast<NanoTime>(i)) * kSecond);
  EXPECT_EQ(dataplane_->sent.size(), 4u);
  EXPECT_FALSE(known("10.1.0.9"));
  EXPECT_EQ(neighbors_->counters().lost, 1u);
  EXPECT_EQ(dataplane_->adjacency_purges, 1);
}

TEST_F(NeighborsTest, AdjacencyIndexIsFreeOnlyAfterThePurge) {
  note("10.1.0.9", 0x02000000aaaa, 0);
  const AdjacencyId old = adjacencies_->find(a_, ip("10.1.0.9"));
  for (int i = 0; i <= 3; ++i) neighbors_->tick((60 + static_cast<NanoTime>(i)) * kSecond);
  note("10.1.0.9", 0x02000000bbbb, 70 * kSecond);
  EXPECT_NE(adjacencies_->find(a_, ip("10.1.0.9")).index(), old.index());
  EXPECT_FALSE(adjacencies_->get(old));
  // Everything but the reserved index is taken: there is room again only once the purge is acknowledged.
  const AttachmentId other = hub_.attachment("cloud-b");
  for (uint32_t i = 0; i < 14; ++i) {
    ASSERT_TRUE(adjacencies_->set(other, net::Ipv4{0x0a020010 + i}, mac(0x02000000cccc)));
  }
  EXPECT_FALSE(adjacencies_->set(other, ip("10.2.0.200"), mac(0x02000000cccc)));
  dataplane_->acknowledge();
  const auto reused = adjacencies_->set(other, ip("10.2.0.200"), mac(0x02000000cccc));
  ASSERT_TRUE(reused);
  EXPECT_EQ(reused->index(), old.index());
  EXPECT_NE(*reused, old);
}

TEST_F(NeighborsTest, ForgottenNeighborsArePurgedTogetherAndOnePurgeAtATime) {
  for (int i = 2; i < 5; ++i) note(("10.1.0." + std::to_string(i)).c_str(), 0x02000000aaaa, 0);
  for (int i = 0; i <= 3; ++i) neighbors_->tick((60 + static_cast<NanoTime>(i)) * kSecond);
  EXPECT_EQ(adjacencies_->size(), 0u);
  EXPECT_EQ(dataplane_->adjacency_purges, 1);

  note("10.1.0.9", 0x02000000bbbb, 70 * kSecond);
  const AdjacencyId late = adjacencies_->find(a_, ip("10.1.0.9"));
  for (int i = 0; i <= 3; ++i) neighbors_->tick((130 + static_cast<NanoTime>(i)) * kSecond);
  EXPECT_FALSE(known("10.1.0.9"));
  EXPECT_EQ(dataplane_->adjacency_purges, 1) << "one is under way";
  dataplane_->acknowledge();  // of the first three, not of the one that was forgotten after it was sent
  const AttachmentId other = hub_.attachment("cloud-b");
  for (uint32_t i = 0; i < 15; ++i) {
    const auto id = adjacencies_->set(other, net::Ipv4{0x0a020010 + i}, mac(0x02000000cccc));
    ASSERT_TRUE(id);
    EXPECT_NE(id->index(), late.index());
  }
  EXPECT_FALSE(adjacencies_->set(other, ip("10.2.0.200"), mac(0x02000000cccc)));
  neighbors_->tick(134 * kSecond);
  EXPECT_EQ(dataplane_->adjacency_purges, 2);
  dataplane_->acknowledge();
  EXPECT_TRUE(adjacencies_->set(other, ip("10.2.0.200"), mac(0x02000000cccc)));
}

TEST_F(NeighborsTest, ChangedMacIsTakenOverInPlace) {
  note("10.1.0.9", 0x02000000aaaa, 0);
  const AdjacencyId id = adjacencies_->find(a_, ip("10.1.0.9"));
  note("10.1.0.9", 0x02000000bbbb, 1);
  EXPECT_EQ(adjacencies_->find(a_, ip("10.1.0.9")), id);
  EXPECT_EQ(adjacencies_->get(id)->mac(), mac(0x02000000bbbb));
}

TEST_F(NeighborsTest, KnownNeighborIsNotHeldAndOffLinkIsRefused) {
  note("10.1.0.9", 0x02000000aaaa, 0);
  punt(1, "10.1.0.9", 1);
  EXPECT_EQ(dataplane_->resumed.size(), 1u);
  punt(2, "10.77.0.1", 1);
  EXPECT_EQ(dataplane_->discarded.at(0).second, DropReason::neighbor_unresolved);
  EXPECT_TRUE(dataplane_->sent.empty());
}

TEST_F(NeighborsTest, AttachmentThatGoesTakesItsNeighborsAlong) {
  note("10.1.0.9", 0x02000000aaaa, 0);
  punt(1, "10.1.0.10", 0);
  hub_.use(replaced(replaced(kTwoClouds, "name = \"cloud-a\"", "name = \"cloud-x\""),
                    "attachment = \"cloud-a\"", "attachment = \"cloud-x\""));
  neighbors_->attachment_changed(a_);
  EXPECT_FALSE(known("10.1.0.9"));
  EXPECT_EQ(dataplane_->discarded.at(0).second, DropReason::stale_attachment);
  EXPECT_EQ(neighbors_->held(), 0u);
}

TEST_F(NeighborsTest, OnlyAQuestionOrAnAnswerThatWasAskedForAddsAnEntry) {
  using Kind = NeighborNote::Kind;
  note("10.1.0.9", 0x02000000aaaa, 0, Kind::announcement);
  note("10.1.0.10", 0x02000000aaaa, 0, Kind::answer);
  EXPECT_FALSE(known("10.1.0.9"));
  EXPECT_FALSE(known("10.1.0.10"));
  EXPECT_EQ(neighbors_->counters().ignored, 2u);
  punt(1, "10.1.0.10", 0);
  note("10.1.0.10", 0x02000000aaaa, 0, Kind::answer);
  EXPECT_TRUE(known("10.1.0.10"));
  note("10.1.0.10", 0x02000000bbbb, 0, Kind::announcement);
  EXPECT_EQ(adjacencies_->get(adjacencies_->find(a_, ip("10.1.0.10")))->mac(), mac(0x02000000bbbb))
      << "what is known may change";
}

TEST_F(NeighborsTest, WhoDoesNotAnswerIsLeftAloneForAWhileThatGrows) {
  std::vector<intptr_t> unreachable;
  neighbors_->on_unreachable(
      [&](const Punt& p) { unreachable.push_back(reinterpret_cast<intptr_t>(p.mbuf)); });
  std::vector<int> asked_at;
  size_t asked = 0;
  for (int second = 0; second < 40; ++second) {  // somebody sends to it all the time
    const NanoTime now = static_cast<NanoTime>(second) * kSecond;
    neighbors_->tick(now);
    punt(second + 1, "10.1.0.9", now);
    if (dataplane_->sent.size() != asked) asked_at.push_back(second);
    asked = dataplane_->sent.size();
  }
  // Three tries, 2 s of rest, one try, 4 s, 8 s, 16 s.
  EXPECT_EQ(asked_at, (std::vector<int>{0, 1, 2, 5, 10, 19, 36}));
  EXPECT_EQ(unreachable.size(), 40u) << "none waits for longer than three seconds";
  EXPECT_EQ(neighbors_->held(), 0u);
  note("10.1.0.9", 0x02000000aaaa, 40 * kSecond, NeighborNote::Kind::announcement);
  EXPECT_TRUE(known("10.1.0.9"));
}

TEST_F(NeighborsTest, AScanLeavesRoomForHostsThatExist) {
  neighbors_->set_limits({8, 3, 8});
  for (int i = 10; i < 60; ++i) {
    const NanoTime now = static_cast<NanoTime>(i) * 4 * kSecond;
    for (int t = 0; t <= 3; ++t) neighbors_->tick(now + static_cast<NanoTime>(t) * kSecond);
    punt(i, ("10.1.0." + std::to_string(i)).c_str(), now + 3 * kSecond);
  }
  note("10.1.0.9", 0x02000000aaaa, 300 * kSecond);
  EXPECT_TRUE(known("10.1.0.9"));
}

TEST_F(NeighborsTest, InAFullTableTheLargestAttachmentGivesWay) {
  neighbors_->set_limits({8, 3, 100});
  for (int i = 0; i < 16; ++i) {
    note(("10.1.0." + std::to_string(i + 2)).c_str(), 0x02000000aaaa, static_cast<NanoTime>(i) + 1);
  }
  ASSERT_EQ(adjacencies_->size(), 16u);
  const AttachmentId other = hub_.attachment("cloud-b");
  const auto note_other = [&](NanoTime now) {
    neighbors_->on_note({other, ip("10.2.0.9"), mac(0x02000000bbbb), 0, NeighborNote::Kind::question}, now);
    return adjacencies_->find(other, ip("10.2.0.9")).valid();
  };
  EXPECT_FALSE(note_other(kSecond));
  EXPECT_FALSE(known("10.1.0.2")) << "the one that was confirmed longest ago";
  EXPECT_EQ(neighbors_->counters().evicted, 1u);
  EXPECT_FALSE(note_other(kSecond + 1)) << "its index is not free before the purge";
  EXPECT_EQ(neighbors_->counters().evicted, 1u) << "and one at a time is enough";
  neighbors_->tick(kSecond + 2);
  dataplane_->acknowledge();
  EXPECT_TRUE(note_other(kSecond + 3));
}

TEST_F(NeighborsTest, AnUnusableAttachmentHasNoNextHopsButIsStillKnown) {
  note("10.1.0.9", 0x02000000aaaa, 0);
  punt(1, "10.1.0.10", 0);
  neighbors_->set_usable(a_, false);
  EXPECT_FALSE(known("10.1.0.9"));
  EXPECT_EQ(dataplane_->discarded.at(0).second, DropReason::attachment_down);
  EXPECT_EQ(neighbors_->mac_of(a_, ip("10.1.0.9")), mac(0x02000000aaaa));
  punt(2, "10.1.0.9", 0);
  EXPECT_EQ(dataplane_->discarded.at(1).second, DropReason::attachment_down);
  EXPECT_TRUE(dataplane_->resumed.empty()) << "it would come back at once";
  note("10.1.0.11", 0x02000000cccc, 1);
  EXPECT_FALSE(known("10.1.0.11"));
  neighbors_->tick(2);
  EXPECT_EQ(dataplane_->adjacency_purges, 1);
  neighbors_->set_usable(a_, true);
  EXPECT_TRUE(known("10.1.0.9"));
  EXPECT_TRUE(known("10.1.0.11"));
}

TEST_F(NeighborsTest, GivesBackWhatItHoldsAtTheEnd) {
  punt(1, "10.1.0.9", 0);
  neighbors_.reset();
  EXPECT_EQ(dataplane_->discarded.size(), 1u);
}

}  // namespace
}  // namespace weir::test
