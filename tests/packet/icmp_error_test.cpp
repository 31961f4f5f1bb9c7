// ICMP errors belong to the session that they quote (RFC 792, RFC 4443, RFC 5508).
#include <gtest/gtest.h>

#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using dataplane::DropReason;

/// What `from`'s host sent to `to`'s, as a router on its way quotes it: TTL lower, cut.
Bytes quote_of(const Spoke& from, const Spoke& to, const Transport& transport, Ip ip, size_t size = 0) {
  const Bytes frame = inner_forwarded(from, to, transport, ip);
  Bytes packet(frame.begin() + 14, frame.end());
  if (size != 0) packet.resize(size);
  return packet;
}

const char* router_of(const Spoke& spoke, Ip ip) {
  if (spoke.vni == kA.vni) return ip == Ip::v4 ? "10.1.0.250" : "2001:db8:1::250";
  return ip == Ip::v4 ? "10.2.0.250" : "2001:db8:2::250";
}

Bytes error_frame(net::Mac dst, net::Mac src, const char* from, const char* to, const Bytes& quote, Ip ip,
                  uint8_t ttl) {
  PacketBuilder b;
  b.ether(dst, src).ip(from, to).ttl(ttl);
  ip == Ip::v4 ? b.icmp_error(3, 4, quote, 1'400) : b.icmp_error(2, 0, quote, 1'400);
  return b.build();
}

struct Row {
  const char* name;
  Transport there, back;
};

const Row kRows[] = {
    {"UDP", udp(1000, 2000), udp(2000, 1000)},
    {"TCP", tcp(kSyn), tcp(kSyn | kAck, 1, 101, "", 80, 1000)},
    {"echo", echo(), echo(77, 1, true)},
};

TEST(IcmpErrors, ReachTheEndWhosePacketTheyQuote) {
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    for (const Row& row : kRows) {
      SCOPED_TRACE(row.name);
      TestHub hub(network().build());
      hub.pass_through(from_spoke(kA, kB, row.there, ip));
      hub.pass_through(from_spoke(kB, kA, row.back, ip));
      hub.moved();
      // About the initiator's packet, from a router behind b; then about the responder's, from behind a.
      struct Way {
        const Spoke *sender, *receiver;
        Transport quoted;
      };
      for (const Way& way : {Way{&kB, &kA, row.there}, Way{&kA, &kB, row.back}}) {
        const Spoke &from = *way.sender, &to = *way.receiver;
        for (const size_t cut : {size_t{0}, ip == Ip::v4 ? size_t{28} : size_t{48}}) {
          const Bytes quote = quote_of(to, from, way.quoted, ip, cut);
          const char *router = router_of(from, ip), *host = host_of(to, ip);
          const auto got = hub.pass_through(
              tunnelled(from, error_frame(from.hub_mac, from.host_mac, router, host, quote, ip, 64)));
          expect_sent(got, to, error_frame(to.host_mac, to.hub_mac, router, host, quote, ip, 63));
          EXPECT_EQ(hub.moved(), forwarded());
        }
      }
    }
  }
}

TEST(IcmpErrors, AreNoPacketsOfTheSession) {
  TestHub hub(network().build(), {.flow_events = true});
  hub.pass_through(from_spoke(kA, kB, udp()));
  const Bytes error = tunnelled(kB, error_frame(kB.hub_mac, kB.host_mac, router_of(kB, Ip::v4), kA.host4,
                                                quote_of(kA, kB, udp(), Ip::v4), Ip::v4, 64));
  hub.pass_seconds(50);
  EXPECT_EQ(hub.pass_through(error).size(), 1u);
  hub.pass_seconds(11);
  hub.settle();
  const auto events = hub.events();
  ASSERT_EQ(events.size(), 1u) << "an error does not keep it alive";
  EXPECT_EQ(events[0].flow_stats.packets_to_server, 1u);
  EXPECT_EQ(events[0].flow_stats.packets_to_client, 0u);
}

TEST(IcmpErrors, DroppedUnlessTheyFit) {
  const Bytes quote = quote_of(kA, kB, udp(), Ip::v4), other = quote_of(kA, kB, udp(1001, 2000), Ip::v4);
  const char *router = router_of(kB, Ip::v4), *host = kA.host4;
  const auto from_b = [&](const char* src, const char* dst, const Bytes& q) {
    return tunnelled(kB, error_frame(kB.hub_mac, kB.host_mac, src, dst, q, Ip::v4, 64));
  };
  struct Bad {
    const char* name;
    Bytes frame;
    DropReason reason;
  };
  const Bad rows[] = {
      {"quotes another session", from_b(router, host, other), DropReason::icmp_error_unmatched},
      {"sent to another than the quoted sender", from_b(router, "10.4.0.5", quote),
       DropReason::icmp_error_unmatched},
      {"quotes its own direction", from_b(router, host, quote_of(kB, kA, udp(2000, 1000), Ip::v4)),
       DropReason::icmp_error_unmatched},
      {"from a spoke that has nothing to do with it",
       tunnelled(kC, error_frame(kC.hub_mac, kC.host_mac, kC.host4, host, quote, Ip::v4, 64)),
       DropReason::icmp_error_unmatched},
      {"from the wrong spoke of the domain",
       tunnelled(kD, error_frame(kD.hub_mac, kD.host_mac, kD.host4, kB.host4,
                                 quote_of(kB, kA, udp(2000, 1000), Ip::v4), Ip::v4, 64)),
       DropReason::reverse_path},
  };
  for (const Bad& row : rows) {
    SCOPED_TRACE(row.name);
    TestHub hub(network().build());
    hub.pass_through(from_spoke(kA, kB, udp()));
    hub.moved();
    EXPECT_TRUE(hub.pass_through(row.frame).empty());
    EXPECT_EQ(hub.moved(), dropped(row.reason));
    EXPECT_EQ(hub.pass_through(from_b(router, host, quote)).size(), 1u) << "the good twin";
  }
}

/// RFC 5927 section 4.1: who has not seen the session cannot know what it has sent.
TEST(IcmpErrors, HaveToFitWhatTheyQuote) {
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    TestHub hub(network().build());
    hub.pass_through(from_spoke(kA, kB, tcp(kSyn, 1'000), ip));
    hub.pass_through(from_spoke(kB, kA, tcp(kSyn | kAck, 0xffff'fff0, 1'001, "", 80, 1000), ip));
    hub.pass_through(from_spoke(kA, kB, tcp(kAck, 1'001, 0xffff'fff1, "request"), ip));
    hub.pass_through(from_spoke(kB, kA, tcp(kAck, 0xffff'fff1, 1'008, std::string(100, 'x'), 80, 1000), ip));
    hub.pass_through(from_spoke(kA, kB, udp(), ip));
    hub.moved();
    const auto about_client = [&](const Transport& quoted, size_t cut = 0) {
      return hub.pass_through(
          tunnelled(kB, error_frame(kB.hub_mac, kB.host_mac, router_of(kB, ip), host_of(kA, ip),
                                    quote_of(kA, kB, quoted, ip, cut), ip, 64)));
    };
    const auto about_server = [&](uint32_t seq) {
      const Transport quoted = tcp(kAck, seq, 1'008, "x", 80, 1000);
      return hub.pass_through(
          tunnelled(kA, error_frame(kA.hub_mac, kA.host_mac, router_of(kA, ip), host_of(kB, ip),
                                    quote_of(kB, kA, quoted, ip), ip, 64)));
    };
    EXPECT_EQ(about_client(tcp(kAck, 1'001, 0, "request")).size(), 1u);
    EXPECT_EQ(about_client(tcp(kAck, 1'001, 0, "request"), ip == Ip::v4 ? 28 : 48).size(), 1u)
        << "eight bytes do";
    EXPECT_EQ(about_server(0xffff'fff1).size(), 1u);
    EXPECT_EQ(about_server(0x10).size(), 1u) << "behind the wrap";
    EXPECT_EQ(about_client(udp()).size(), 1u);
    EXPECT_EQ(hub.moved(), forwarded(5));
    for (const uint32_t seq : {1'008u, 1'009u, 500'000u, 0x8000'0000u, 0xf000'0000u})
      EXPECT_TRUE(about_client(tcp(kAck, seq, 0, "x")).empty()) << seq;
    for (const uint32_t seq : {0x55u, 0x56u, 0xfff0'0000u}) EXPECT_TRUE(about_server(seq).empty()) << seq;
    EXPECT_EQ(hub.moved(), dropped(DropReason::icmp_error_quote, 8));
    const Transport longer = [](PacketBuilder& b) { b.udp(1000, 2000).length(400).payload("hello"); };
    const Transport shorter = [](PacketBuilder& b) { b.udp(1000, 2000).length(7).payload("hello"); };
    EXPECT_TRUE(about_client(longer).empty());
    EXPECT_TRUE(about_client(shorter).empty());
    EXPECT_EQ(hub.moved(), dropped(DropReason::icmp_error_quote, 2));
  }
}

/// An identifier that both hosts use: neither's queries pass on the other's session without a rule.
TEST(IcmpQueries, TheResponderNeedsARuleOfItsOwn) {
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    for (const bool allowed : {false, true}) {
      SnapshotBuilder b = network();
      const uint8_t protocol = ip == Ip::v4 ? 1 : 58;
      if (allowed)
        b.rule({.id = "echo",
                .action = dataplane::PolicyAction::allow,
                .from = {"blue"},
                .to = {"red"},
                .protocol = protocol});
      TestHub hub(b.build());
      EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, echo(1, 1), ip)).size(), 1u);
      EXPECT_EQ(hub.pass_through(from_spoke(kB, kA, echo(1, 1, true), ip)).size(), 1u);
      EXPECT_EQ(hub.moved(), started() + forwarded());
      EXPECT_EQ(hub.pass_through(from_spoke(kB, kA, echo(1, 9), ip)).size(), allowed ? 1u : 0u);
      EXPECT_EQ(hub.moved(), allowed ? forwarded() : dropped(DropReason::policy_default_deny));
      EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, echo(1, 2), ip)).size(), 1u);
      EXPECT_EQ(hub.moved(), forwarded());
    }
  }
}

/// A message with an identifier, of any type. A node information query (RFC 4620) has a nonce and an address
/// in its place.
Transport message(uint8_t type, uint16_t id) {
  return
      [type, id](PacketBuilder& b) { b.icmp(type, 0, uint32_t{id} << 16 | 1).filler(type == 139 ? 24 : 12); };
}

struct Query {
  const char* name;
  Ip ip;
  uint8_t query, reply;
};
const Query kQueries[] = {{"echo", Ip::v4, 8, 0},
                          {"timestamp", Ip::v4, 13, 14},
                          {"information", Ip::v4, 15, 16},
                          {"address mask", Ip::v4, 17, 18},
                          {"ICMPv6 echo", Ip::v6, 128, 129},
                          {"node information", Ip::v6, 139, 140}};

/// Policy lets red ask blue by that type and nothing else.
SnapshotBuilder one_type(const Query& q) {
  SnapshotBuilder b = network_without_rules();
  b.rule({.id = "query",
          .action = dataplane::PolicyAction::allow,
          .from = {"red"},
          .to = {"blue"},
          .protocol = static_cast<uint8_t>(q.ip == Ip::v4 ? 1 : 58),
          .ports = {{q.query, q.query}}});
  return b;
}

TEST(IcmpQueries, OfEachKindAreAnswered) {
  for (const Query& q : kQueries) {
    SCOPED_TRACE(q.name);
    TestHub hub(one_type(q).build(), {.flow_events = true});
    expect_forwarded(hub.pass_through(from_spoke(kA, kB, message(q.query, 7), q.ip)), kA, kB,
                     message(q.query, 7), q.ip);
    expect_forwarded(hub.pass_through(from_spoke(kB, kA, message(q.reply, 7), q.ip)), kB, kA,
                     message(q.reply, 7), q.ip);
    EXPECT_EQ(hub.moved(), started() + forwarded());
    EXPECT_TRUE(hub.pass_through(from_spoke(kB, kA, message(q.query, 7), q.ip)).empty()) << "the other way";
    EXPECT_EQ(hub.moved(), dropped(DropReason::policy_default_deny));
    hub.pass_seconds(40);
    hub.settle();
    const auto events = hub.events();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].flow.src_port, q.query) << "the type";
    EXPECT_EQ(events[0].flow_stats.packets_to_client, 1u);
  }
}

TEST(IcmpQueries, AReplyBeginsNothing) {
  for (const Query& q : kQueries) {
    SCOPED_TRACE(q.name);
    TestHub hub(network().build());
    EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, message(q.reply, 7), q.ip)).empty());
    EXPECT_EQ(hub.moved(), dropped(DropReason::not_a_session_start));
  }
}

/// Whoever may ask by one type has no way for the others: they share a session's key.
TEST(IcmpQueries, OneTypeIsNoWayForAnother) {
  for (const Query& q : kQueries) {
    SCOPED_TRACE(q.name);
    TestHub hub(one_type(q).build());
    // Node information has no identifier, nor have messages of unknown types: all have this key.
    const uint16_t id = 0;
    EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, message(q.query, id), q.ip)).size(), 1u);
    EXPECT_EQ(hub.moved(), started());
    for (const Query& other : kQueries) {
      if (other.ip != q.ip || other.query == q.query) continue;
      EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, message(other.query, id), q.ip)).empty());
      EXPECT_EQ(hub.moved(), dropped(DropReason::policy_default_deny)) << other.name;
      EXPECT_TRUE(hub.pass_through(from_spoke(kB, kA, message(other.reply, id), q.ip)).empty());
      EXPECT_EQ(hub.moved(), dropped(DropReason::not_a_session_start)) << other.name;
    }
    const uint8_t unknown = q.ip == Ip::v4 ? 253 : 200;
    EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, message(unknown, id), q.ip)).empty());
    EXPECT_TRUE(hub.pass_through(from_spoke(kB, kA, message(unknown, id), q.ip)).empty());
    EXPECT_EQ(hub.moved(), dropped(DropReason::policy_default_deny, 2));
  }
}

TEST(IcmpQueries, MessagesOfOtherKindsPassBothWays) {
  TestHub hub(network().build());
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, message(253, 3))).size(), 1u);
  EXPECT_EQ(hub.pass_through(from_spoke(kB, kA, message(253, 4))).size(), 1u);
  EXPECT_EQ(hub.moved(), started() + forwarded());
}

TEST(IcmpErrors, AboutAQueryReachWhoAsked) {
  TestHub hub(network().build());
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, message(13, 7))).size(), 1u);
  const auto about = [&](uint16_t id) {
    return hub.pass_through(
        tunnelled(kB, error_frame(kB.hub_mac, kB.host_mac, router_of(kB, Ip::v4), kA.host4,
                                  quote_of(kA, kB, message(13, id), Ip::v4, 28), Ip::v4, 64)));
  };
  EXPECT_EQ(about(7).size(), 1u);
  EXPECT_TRUE(about(8).empty());
}

TEST(IcmpErrors, FindTheirSessionsOwner) {
  TestHub hub(network(true, 3).build(), {.workers = 3});
  for (uint16_t port = 1; port < 40; ++port) {
    for (uint16_t queue = 0; queue < 3; ++queue) {
      hub.pass_through(from_spoke(kA, kB, udp(port)));
      EXPECT_EQ(
          hub.pass_through(tunnelled(kB, error_frame(kB.hub_mac, kB.host_mac, router_of(kB, Ip::v4), kA.host4,
                                                     quote_of(kA, kB, udp(port), Ip::v4), Ip::v4, 64)),
                           queue)
              .size(),
          1u);
    }
  }
}

}  // namespace
}  // namespace weir::test
