// What outlives a loop turn names an attachment by an id with a generation: nothing of an old tenant reaches
// the one that gets its slot.
#include <gtest/gtest.h>

#include "dataplane/decide/owner.h"
#include "tests/packet/fragments.h"
#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using namespace dataplane;

/// The tenant that gets slot 0, once a's: another peer and VNI, another domain, the same inner addresses.
Spoke newcomer() {
  Spoke spoke = kA;
  spoke.name = "newcomer";
  spoke.domain = "green";
  spoke.vni = 99;
  spoke.tunnel_end = "198.18.0.99";
  spoke.host_mac = {{2, 0x99, 0, 0, 0, 5}};
  return spoke;
}

/// `snapshot` with slot 0 given to the newcomer.
std::unique_ptr<Snapshot> with_newcomer(std::unique_ptr<Snapshot> snapshot, const SnapshotBuilder& b) {
  const Spoke spoke = newcomer();
  std::vector<Attachment> slots;
  snapshot->attachments->for_each([&](const Attachment& a) {
    slots.resize(a.id.index() + 1);
    slots.back() = a;
  });
  slots.resize(std::max<size_t>(slots.size(), 2));
  Attachment& a = slots[0];
  a = slots[1];  // all that a test does not name
  a.id = AttachmentId::make(0, 2);
  a.domain = b.domain_id("green");
  a.hub_mac = spoke.hub_mac;
  a.tunnel.id = spoke.vni;
  a.tunnel.remote = *net::parse_ip(spoke.tunnel_end);
  a.gateways = {*net::parse_interface_address("10.1.0.1/24")};
  std::vector<TunnelTable::Entry> entries;
  for (const Attachment& slot : slots) {
    if (slot.id.valid()) entries.push_back({keys_of(slot.tunnel, 0).front(), slot.id});
  }
  snapshot->attachments = std::make_shared<const AttachmentTable>(std::move(slots));
  snapshot->tunnels = std::make_shared<const TunnelTable>(std::move(*TunnelTable::build(entries)));
  return snapshot;
}

Bytes reply() { return from_spoke(kB, kA, udp(2000, 1000)); }

TEST(Generations, AnIdleSessionDoesNotReachTheNewOwnerOfItsSlot) {
  for (const bool purged : {true, false}) {
    SnapshotBuilder b = network();
    TestHub hub(b.build());
    hub.pass_through(from_spoke(kA, kB, udp()));
    expect_forwarded(hub.pass_through(reply()), kB, kA, udp(2000, 1000));
    EXPECT_EQ(hub.moved(), started() + forwarded());

    const AttachmentId old = b.attachment_id("a");
    b.remove_attachment("a");
    hub.publish(b.build());
    if (purged) {
      bool quiet = false, done = false;
      hub.plane().after_quiescence([&] { quiet = true; });
      hub.settle_until(quiet);
      hub.plane().purge({old}, {}, [&] { done = true; });
      hub.settle_until(done);
      EXPECT_EQ(hub.moved(), Counts({{"sessions_expired", 1}, {"sessions_live", -1}}));
    }
    ASSERT_TRUE(b.adjacencies().set(AttachmentId::make(0, 2), *net::parse_ip(kA.host4), newcomer().host_mac));
    hub.publish(with_newcomer(b.build(), b));
    EXPECT_TRUE(hub.pass_through(reply()).empty());
    EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp())).empty()) << "the old peer and VNI";
    const Counts moved = hub.moved();
    EXPECT_FALSE(moved.contains("tx"));
    EXPECT_EQ(moved.contains("drop tunnel_peer"), true);
  }
}

TEST(Generations, TheNewOwnerWorks) {
  // The positive twin: the slot's new owner is reached once it is connected, routed and allowed.
  SnapshotBuilder b = network();
  b.rule({.id = "inside", .action = PolicyAction::allow, .from = {"green"}, .to = {"green"}});
  b.remove_attachment("a");
  TestHub hub(with_newcomer(b.build(), b));
  const Bytes request = PacketBuilder()
                            .ether({{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}, newcomer().host_mac)
                            .arp_request(newcomer().host_mac, kA.host4, kA.gateway4)
                            .build();
  EXPECT_EQ(hub.pass_through(tunnelled(newcomer(), request)).size(), 1u);
  EXPECT_EQ(hub.moved(), answered());
}

TEST(Generations, FragmentsOfTheOldTenantDoNotJoinThoseOfTheNewOne) {
  // Both have the same inner addresses, and their datagrams the same id: pieces of one and the other would
  // fit.
  const auto pieces = fragments_of(inner(kA, kB, udp(1000, 2000, std::string(100, 'x'))), 64);
  ASSERT_EQ(pieces.size(), 2u);
  for (const bool old_one_began : {true, false}) {
    SnapshotBuilder b = network();
    b.rule({.id = "inside", .action = PolicyAction::allow, .from = {"green"}, .to = {"green"}});
    TestHub hub(b.build());
    hub.pass_through(tunnelled(kA, pieces[old_one_began ? 0 : 1]));
    EXPECT_EQ(hub.moved(), old_one_began ? started() : Counts({{"rx", 1}, {"fragments_held", 1}}));

    b.remove_attachment("a");
    hub.publish(with_newcomer(b.build(), b));
    EXPECT_TRUE(hub.pass_through(tunnelled(newcomer(), pieces[old_one_began ? 1 : 0])).empty());
    if (old_one_began) {
      // What the old tenant's first piece said is no answer for the new one's second.
      EXPECT_EQ(hub.moved(), Counts({{"rx", 1}, {"fragments_held", 1}}));
    } else {
      // The new tenant's first piece sets none of the old one's free, and has a decision of its own.
      EXPECT_EQ(hub.moved(), dropped(DropReason::reverse_path)) << "it has no route there";
    }
    hub.pass_seconds(2.2);
    hub.settle();
    EXPECT_EQ(hub.moved(), Counts({{"fragments_held", -1}, {"drop fragment_timeout", 1}}));
    EXPECT_TRUE(hub.sent().empty());
  }
}

/// A source port for which `owner` owns the session from a to b.
uint16_t port_owned_by(WorkerIndex owner, const Snapshot& snapshot) {
  for (uint16_t port = 1; port != 0; ++port) {
    const Tuple tuple{*net::parse_ip(kA.host4), *net::parse_ip(kB.host4), port, 2000, 17};
    if (owner_of(OwnerQuery{.tuple = tuple}, snapshot) == owner) return port;
  }
  throw std::logic_error("one worker owns all");
}

TEST(Generations, APacketWaitsWhileItsAttachmentGoes) {
  SnapshotBuilder b = network(true, 2);
  TestHub hub(b.build(), {.workers = 2});
  const uint16_t port = port_owned_by(1, hub.plane().current());
  hub.inject(from_spoke(kA, kB, udp(port)), 0);
  hub.turn(0);
  EXPECT_EQ(hub.moved(), Counts({{"rx", 1}, {"handed_over", 1}}));
  b.remove_attachment("a");
  hub.plane().publish(b.build());
  hub.turn(1);
  EXPECT_EQ(hub.moved(), Counts({{"taken_over", 1}, {"drop stale_attachment", 1}}));
  EXPECT_TRUE(hub.sent().empty());
}

TEST(Generations, APacketOfALiveSessionWaitsWhileItsAttachmentGoes) {
  // The session is there still, and nothing tells it to decide again: what came from the old tenant does not
  // pass.
  SnapshotBuilder b = network(true, 2);
  TestHub hub(b.build(), {.workers = 2});
  const uint16_t port = port_owned_by(1, hub.plane().current());
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(port)), 0).size(), 1u);
  hub.inject(from_spoke(kA, kB, udp(port)), 0);
  hub.turn(0);
  hub.moved();
  b.remove_attachment("a");
  auto next = b.build();
  next->policy = hub.plane().current().policy;
  next->domains = hub.plane().current().domains;
  hub.plane().publish(std::move(next));
  hub.turn(1);
  EXPECT_EQ(hub.moved(), Counts({{"taken_over", 1}, {"drop stale_attachment", 1}}));
}

TEST(Generations, AHeldPacketIsResumedAfterItsAttachmentWent) {
  SnapshotBuilder b = network(false);
  TestHub hub(b.build());
  hub.pass_through(from_spoke(kA, kB, udp()));
  const auto punts = hub.plane().take_punts(8);
  ASSERT_EQ(punts.size(), 1u);
  b.remove_attachment("a");
  hub.publish(b.build());
  hub.moved();
  hub.plane().resume(punts[0]);
  hub.settle();
  EXPECT_EQ(hub.moved(), Counts({{"resumed", 1}, {"drop stale_attachment", 1}}));
}

TEST(Generations, PurgeOfADomain) {
  SnapshotBuilder b = network();
  b.connection("red", "green");
  b.rule({.id = "green", .action = PolicyAction::allow, .from = {"red"}, .to = {"green"}});
  TestHub hub(b.build());
  hub.pass_through(from_spoke(kA, kB, udp()));
  hub.pass_through(from_spoke(kA, kC, udp()));
  EXPECT_EQ(hub.moved(), started(2));
  bool done = false;
  hub.plane().purge({}, {b.domain_id("green")}, [&] { done = true; });
  hub.settle_until(done);
  EXPECT_EQ(hub.moved(), Counts({{"sessions_expired", 1}, {"sessions_live", -1}}));
}

TEST(Generations, PurgeOfANextHopMakesSessionsLookAgain) {
  SnapshotBuilder b = network();
  TestHub hub(b.build());
  hub.pass_through(from_spoke(kA, kB, udp()));
  hub.moved();
  AdjacencyTable& table = b.adjacencies();
  const AdjacencyId old = table.find(b.attachment_id("b"), *net::parse_ip(kB.host4));
  table.remove(old);
  bool done = false;
  hub.plane().purge_stale_adjacencies([&] { done = true; });
  hub.settle_until(done);
  table.release(old);
  EXPECT_EQ(hub.moved(), Counts()) << "no session ends";

  hub.pass_through(from_spoke(kA, kB, udp()));
  auto punts = hub.plane().take_punts(8);
  ASSERT_EQ(punts.size(), 1u) << "it waits for the next hop again";
  EXPECT_EQ(punts[0].reason, PuntReason::resolve);
  Spoke moved_host = kB;
  moved_host.host_mac = {{2, 0x0b, 0, 0, 0, 0x77}};
  know_host(b, moved_host);
  hub.plane().resume(punts[0]);
  hub.settle();
  expect_forwarded(hub.sent(), kA, moved_host, udp());
}

}  // namespace
}  // namespace weir::test
