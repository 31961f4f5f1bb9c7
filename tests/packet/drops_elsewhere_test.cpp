// Drop reasons that need a certain state rather than a certain frame.
#include <gtest/gtest.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include <cstring>
#include <stdexcept>

#include "dataplane/io/eal.h"
#include "dataplane/stages/encap.h"
#include "dataplane/stages/rewrite.h"
#include "dataplane/worker/context.h"
#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using dataplane::DropReason;
using enum dataplane::DropReason;

/// A buffer as a driver may fill it, and inject() does not.
rte_mbuf* buffer_with(rte_mempool* pool, const Bytes& frame, uint16_t headroom) {
  rte_mbuf* mbuf = rte_pktmbuf_alloc(pool);
  if (mbuf == nullptr) throw std::runtime_error("no buffer");
  mbuf->data_off = headroom;
  char* at = rte_pktmbuf_append(mbuf, static_cast<uint16_t>(frame.size()));
  if (at == nullptr) throw std::runtime_error("the frame does not fit");
  std::memcpy(at, frame.data(), frame.size());
  return mbuf;
}

/// The ring behind a memory port's rx queue 0, by the names that the port gives device and ring.
rte_ring* rx_ring(const dataplane::MemoryPort& port) {
  char device[RTE_ETH_NAME_MAX_LEN];
  rte_eth_dev_get_name_by_port(port.device(), device);
  rte_ring* ring = rte_ring_lookup((std::string(device).substr(std::strlen("net_ring_")) + "r0").c_str());
  if (ring == nullptr) throw std::runtime_error("the rx ring has another name");
  return ring;
}

TEST(DropsElsewhere, ChainedBuffers) {
  TestHub hub(network().build());
  const Bytes frame = from_spoke(kA, kB, udp());
  rte_mbuf* head = buffer_with(hub.pool(), Bytes(frame.begin(), frame.begin() + 60), RTE_PKTMBUF_HEADROOM);
  rte_mbuf* tail = buffer_with(hub.pool(), Bytes(frame.begin() + 60, frame.end()), RTE_PKTMBUF_HEADROOM);
  ASSERT_EQ(rte_pktmbuf_chain(head, tail), 0);
  ASSERT_EQ(rte_ring_enqueue(rx_ring(hub.port()), head), 0);
  hub.settle();
  EXPECT_EQ(hub.moved(), dropped(port_rx_error));
  EXPECT_EQ(hub.pass_through(frame).size(), 1u);
  EXPECT_EQ(hub.moved(), started());
}

TEST(DropsElsewhere, NoRoomToAnswer) {
  // A solicitation without the option is shorter than its answer; here it ends where the buffer ends.
  TestHub hub(network().build());
  const Bytes frame = tunnelled(kA, PacketBuilder()
                                        .ether({{0x33, 0x33, 0xff, 0, 0, 1}}, kA.host_mac)
                                        .ipv6(kA.host6, "ff02::1:ff00:1")
                                        .nd_solicit(kA.gateway6, {})
                                        .build());
  const uint16_t at_the_end = static_cast<uint16_t>(rte_pktmbuf_data_room_size(hub.pool()) - frame.size());
  ASSERT_EQ(rte_ring_enqueue(rx_ring(hub.port()), buffer_with(hub.pool(), frame, at_the_end)), 0);
  hub.settle();
  EXPECT_EQ(hub.moved(), dropped(no_mbuf));
  EXPECT_EQ(hub.pass_through(frame).size(), 1u);
  EXPECT_EQ(hub.moved(), answered());
}

dataplane::WorkerRings ring_of_events() {
  dataplane::WorkerRings rings;
  rings.events = std::make_unique<inspection::EventRing>(inspection::EventRing::kOrdinaryEvent);
  return rings;
}

/// A context for a stage alone, without rings but for events: what leaves by one cannot be tested by it.
class OneStage {
 public:
  OneStage() : snapshot(network().build()), ctx(0, dataplane::DataplaneSettings{}, ring_of_events()) {
    start_eal();
    pool = dataplane::make_packet_pool(63, dataplane::Dataplane::mbuf_private_size()).value();
    ctx.snapshot = snapshot.get();
  }
  ~OneStage() {
    EXPECT_EQ(rte_mempool_avail_count(pool), pool->size);
    rte_mempool_free(pool);
  }
  /// A packet of a session from a to b, as it is after the session lookup.
  rte_mbuf* packet(uint16_t headroom) {
    const Bytes frame = inner(kA, kB, udp());
    rte_mbuf* mbuf = buffer_with(pool, frame, headroom);
    auto& meta = *new (&dataplane::meta_of(mbuf)) dataplane::PacketMeta();
    meta.egress = dataplane::AttachmentId::make(1, 1);
    meta.adjacency = snapshot->adjacencies->find(meta.egress, *net::parse_ip(kB.host4));
    meta.ip_offset = 14;
    meta.ip_length = static_cast<uint16_t>(frame.size() - 14);
    meta.ttl = 64;
    return mbuf;
  }
  uint64_t drops(DropReason reason) const {
    const uint64_t count = ctx.counters.dropped[static_cast<size_t>(reason)].get();
    if (count != 0) note_drop(reason);
    return count;
  }

  std::unique_ptr<dataplane::Snapshot> snapshot;
  dataplane::WorkerContext ctx;
  rte_mempool* pool = nullptr;
};

TEST(DropsElsewhere, NoRoomForTheOuterHeader) {
  // Not with VXLAN on both sides, where the header that went made the room.
  OneStage stage;
  dataplane::Burst burst;
  burst.push(stage.packet(dataplane::kMaxOuterLength - 1));
  const dataplane::Attachment& egress = *stage.snapshot->attachment(dataplane::AttachmentId::make(1, 1));
  dataplane::for_each_packet(stage.ctx, burst,
                             [&](rte_mbuf* mbuf) { return dataplane::encap(stage.ctx, mbuf, egress); });
  EXPECT_EQ(burst.size, 0);
  EXPECT_EQ(stage.drops(no_headroom), 1u);
}

TEST(DropsElsewhere, TheNextHopGoesWithinTheBurst) {
  // Control takes it away between a worker's lookup and its rewriting, while the packet is inspected.
  OneStage stage;
  dataplane::Burst burst;
  burst.push(stage.packet(RTE_PKTMBUF_HEADROOM));
  const auto find_all = [&] {
    dataplane::for_each_packet(stage.ctx, burst, [&](rte_mbuf* mbuf) {
      dataplane::AdjacencyTable::View next_hop;
      return dataplane::find_next_hop(stage.ctx, mbuf, next_hop);
    });
  };
  find_all();
  EXPECT_EQ(burst.size, 1) << "the good twin";
  rte_mbuf* mbuf = burst.packets[0];
  stage.snapshot->adjacencies->remove(dataplane::meta_of(mbuf).adjacency);
  find_all();
  EXPECT_EQ(burst.size, 0);
  EXPECT_EQ(stage.drops(neighbor_unresolved), 1u);
}

TEST(DropsElsewhere, NoMemberOfTheRouteIsLeft) {
  SnapshotBuilder b = network();
  TestHub hub(b.build());
  b.remove_attachment("b");
  hub.publish(b.build());
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp())).empty());
  EXPECT_EQ(hub.moved(), dropped(attachment_down));
}

TEST(DropsElsewhere, TheUnderlayHopIsUnresolved) {
  SnapshotBuilder b = network();
  TestHub hub(b.build());
  b.underlay("b").clear();
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, udp())).empty());
  EXPECT_EQ(hub.moved(),
            dropped(underlay_unresolved) + Counts({{"sessions_created", 1}, {"sessions_live", 1}}));
  b.underlay("b").set(kB.underlay_mac);
  expect_forwarded(hub.pass_through(from_spoke(kA, kB, udp())), kA, kB, udp());
  EXPECT_EQ(hub.moved(), forwarded());
}

TEST(DropsElsewhere, ThePortTakesNoMore) {
  TestHub hub(network().build());
  const unsigned depth = dataplane::MemoryPort::kDepth;  // one entry of a ring stays free
  for (unsigned i = 0; i < depth + 9; ++i) {
    hub.inject(from_spoke(kA, kB, udp()));
    if (i % 512 == 0) hub.settle();
  }
  hub.settle();
  const int64_t sent = depth - 1, lost = 10;
  EXPECT_EQ(hub.moved(), Counts({{"rx", sent + lost},
                                 {"tx", sent},
                                 {"forwarded", sent},
                                 {"drop tx_full", lost},
                                 {"sessions_created", 1},
                                 {"sessions_live", 1}}));
  EXPECT_EQ(hub.port().collect().size(), static_cast<size_t>(sent));
}

}  // namespace
}  // namespace weir::test
