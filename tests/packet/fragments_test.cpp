// Fragments: inner ones go to their session, outer ones are put together; what does not fit is dropped by
// name.
#include "tests/packet/fragments.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <random>

#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using namespace dataplane;

std::string text(size_t size) {
  std::string out;
  for (size_t i = 0; i < size; ++i) out += static_cast<char>('a' + i % 23);
  return out;
}

/// What the hub sent, less the outer headers.
std::vector<Bytes> inner_frames(const std::vector<Bytes>& got) {
  std::vector<Bytes> out;
  for (const Bytes& frame : got) out.push_back(inner_of(frame));
  return out;
}

/// Sends the pieces in the given order and returns what came out.
std::vector<Bytes> pass(TestHub& hub, const std::vector<Bytes>& pieces, const Spoke& from = kA,
                        uint16_t queue = 0) {
  for (const Bytes& piece : pieces) hub.inject(tunnelled(from, piece), queue);
  hub.settle();
  return hub.sent();
}

TEST(Fragments, GoToTheirSessionInAnyOrder) {
  const std::string data = text(300);
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    for (const Transport& transport :
         {udp(1000, 2000, data), Transport([&](PacketBuilder& b) { b.icmp_echo(77, 1).payload(data); })}) {
      const Bytes whole = inner(kA, kB, transport, ip);
      std::vector<size_t> order = {0, 1, 2, 3};
      do {
        TestHub hub(network().build());
        const auto pieces = fragments_of(whole, 80);
        ASSERT_EQ(pieces.size(), 4u);
        for (size_t i = 0; i < order.size(); ++i) {
          hub.inject(tunnelled(kA, pieces[order[i]]));
          hub.settle();
          const auto held = hub.plane().counters(0).fragments_held.get();
          const bool first_came = std::find(order.begin(), order.begin() + static_cast<long>(i) + 1, 0u) !=
                                  order.begin() + static_cast<long>(i) + 1;
          EXPECT_EQ(held, first_came ? 0 : i + 1);
        }
        const auto got = hub.sent();
        ASSERT_EQ(got.size(), 4u);
        EXPECT_EQ(whole_of(inner_frames(got)), inner_forwarded(kA, kB, transport, ip))
            << "each with its headers";
        EXPECT_EQ(outer_source_port(got[0]), outer_source_port(got[3])) << "by one path";
        EXPECT_EQ(hub.moved(), forwarded(4) + Counts({{"sessions_created", 1}, {"sessions_live", 1}}));
      } while (std::next_permutation(order.begin(), order.end()));
    }
  }
}

TEST(Fragments, EachIsHeldToThePolicyOfItsSession) {
  TestHub hub(network().build());
  const auto pieces = fragments_of(inner(kB, kA, udp(1, 8, text(100))), 64);  // no rule for that port
  EXPECT_TRUE(pass(hub, pieces, kB).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::policy_default_deny, 2));
  const auto good = fragments_of(inner(kB, kA, udp(1, 7, text(100))), 64, 2);
  EXPECT_EQ(pass(hub, good, kB).size(), 2u);
}

TEST(Fragments, TheRestOfADeniedEchoRequestBeginsNoSession) {
  SnapshotBuilder b = network_without_rules();
  b.rule({.id = "no-ping", .action = PolicyAction::deny, .protocol = 1, .ports = {{8, 8}}});
  b.rule({.id = "other-icmp", .action = PolicyAction::allow, .protocol = 1});
  TestHub hub(b.build());
  const auto ping = [](PacketBuilder& p) { p.icmp_echo(77, 1).payload(text(100)); };
  EXPECT_TRUE(pass(hub, fragments_of(inner(kA, kB, ping), 64)).empty());
  EXPECT_TRUE(hub.pass_through(from_spoke(kA, kB, echo(77))).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::policy_deny, 3));

  // Of other messages a piece without a header does not tell what they are.
  const auto unknown = [](PacketBuilder& p) { p.icmp(253, 0).payload(text(100)); };
  auto pieces = fragments_of(inner(kA, kB, unknown), 64, 2);
  EXPECT_EQ(pass(hub, pieces).size(), 2u) << "they follow the first one";
  EXPECT_EQ(hub.moved(), started() + forwarded());
  const auto unallowed = fragments_of(inner(kA, kC, unknown), 64, 3);
  EXPECT_TRUE(pass(hub, unallowed).empty());
  EXPECT_EQ(hub.moved(), dropped(DropReason::no_connection) + dropped(DropReason::not_a_session_start));
}

TEST(Fragments, OfAnIcmpErrorFollowTheSessionThatItQuotes) {
  TestHub hub(network().build());
  EXPECT_EQ(hub.pass_through(from_spoke(kA, kB, udp(1000, 2000, text(200)))).size(), 1u);
  Bytes quote = inner_forwarded(kA, kB, udp(1000, 2000, text(200)));
  quote.erase(quote.begin(), quote.begin() + 14);
  const Bytes error =
      PacketBuilder().ether(kB.hub_mac, kB.host_mac).ip(kB.host4, kA.host4).icmp_error(3, 3, quote).build();
  auto pieces = fragments_of(error, 96);
  std::reverse(pieces.begin(), pieces.end());
  hub.moved();
  EXPECT_EQ(pass(hub, pieces, kB).size(), pieces.size());
  EXPECT_EQ(hub.moved(), forwarded(static_cast<int64_t>(pieces.size())));
}

TEST(Fragments, AnAtomicFragmentIsAWholePacket) {
  const Transport atomic = [](PacketBuilder& b) {
    b.fragment6(0, false, 9).udp(1000, 2000).payload("hello");
  };
  TestHub hub(network().build());
  for (int i = 0; i < 2; ++i) {  // the same id twice: they are no fragments of one datagram (RFC 6946)
    expect_forwarded(hub.pass_through(from_spoke(kA, kB, atomic, Ip::v6)), kA, kB, atomic, Ip::v6);
  }
}

TEST(Fragments, ManyWorkersGatherAtOnePlace) {
  std::mt19937 random(4);
  for (const unsigned workers : {2u, 3u, 4u}) {
    TestHub hub(network(true, static_cast<uint16_t>(workers)).build(), {.workers = workers});
    for (const Ip ip : {Ip::v4, Ip::v6}) {
      for (uint16_t n = 1; n <= 60; ++n) {
        const Transport transport = udp(static_cast<uint16_t>(n + 1000), 2000, text(200));
        auto pieces = fragments_of(inner(kA, kB, transport, ip), 56, n);
        std::shuffle(pieces.begin(), pieces.end(), random);
        std::vector<Bytes> got;
        for (const Bytes& piece : pieces) {
          const auto more = pass(hub, {piece}, kA, static_cast<uint16_t>(random() % workers));
          got.insert(got.end(), more.begin(), more.end());
        }
        ASSERT_EQ(whole_of(inner_frames(got)), inner_forwarded(kA, kB, transport, ip));
      }
    }
    const Counts moved = hub.moved();
    EXPECT_EQ(moved.at("sessions_created"), 120);
    EXPECT_FALSE(moved.contains("fragments_held"));
  }
}

TEST(Fragments, OuterOnesArePutTogether) {
  std::mt19937 random(5);
  for (const unsigned workers : {1u, 3u}) {
    TestHub hub(network(true, static_cast<uint16_t>(workers)).build(), {.workers = workers});
    for (uint16_t n = 1; n <= 30; ++n) {
      const Transport transport = udp(static_cast<uint16_t>(n + 1000), 2000, text(1'000));
      auto pieces = fragments_of(from_spoke(kA, kB, transport), 400, n);
      ASSERT_EQ(pieces.size(), 3u);
      pieces[0].resize(pieces[0].size() + n % 5);  // padding is no part of it
      std::shuffle(pieces.begin(), pieces.end(), random);
      for (const Bytes& piece : pieces) hub.inject(piece, static_cast<uint16_t>(random() % workers));
      hub.settle();
      expect_forwarded(hub.sent(), kA, kB, transport);
    }
    const Counts moved = hub.moved();
    EXPECT_EQ(moved.at("reassembled"), 30);
    EXPECT_EQ(moved.at("consumed"), 60);
    EXPECT_EQ(moved.at("forwarded"), 30);
  }
}

TEST(Fragments, OfADatagramThatDoesNotFitABuffer) {
  TestHub hub(network().build());
  const auto pieces = fragments_of(from_spoke(kA, kB, udp(1, 2, text(3'000))), 1'400);
  for (const Bytes& piece : pieces) hub.inject(piece);
  hub.settle();
  EXPECT_TRUE(hub.sent().empty());
  EXPECT_EQ(hub.moved(), Counts({{"rx", 3}, {"consumed", 2}, {"drop fragment_no_room", 1}}));
}

/// Pieces by offset and length of one datagram of 200 bytes of UDP.
Bytes piece(uint16_t offset, size_t length, bool more, uint16_t id = 7) {
  PacketBuilder b = PacketBuilder().ether(kA.hub_mac, kA.host_mac).ipv4(kA.host4, kB.host4).ip_id(id);
  b.fragment(offset, more).type(17);
  Bytes data(length, 'x');
  if (offset == 0 && length >= 8)
    data[0] = 3, data[1] = 0xe8, data[2] = 7, data[3] = 0xd0, data[4] = 0, data[5] = 200,
    data[6] = data[7] = 0;
  return tunnelled(kA, b.payload(data).build());
}

TEST(Fragments, HostileOnesAreDroppedByName) {
  struct Row {
    const char* name;
    std::vector<Bytes> frames;
    Counts moved;
  };
  const auto counts = [](int64_t rx, int64_t sent, const char* reason, int64_t dropped, bool session) {
    Counts c = {{"rx", rx}, {std::string("drop ") + reason, dropped}};
    if (sent != 0) c = c + Counts{{"tx", sent}, {"forwarded", sent}};
    if (session) c = c + Counts{{"sessions_created", 1}, {"sessions_live", 1}};
    return c;
  };
  const Bytes tcp_first = [] {
    PacketBuilder b = PacketBuilder().ether(kA.hub_mac, kA.host_mac).ipv4(kA.host4, kB.host4);
    return tunnelled(kA, b.fragment(0, true).type(6).filler(16).build());
  }();
  const Bytes tcp_second = [] {
    PacketBuilder b = PacketBuilder().ether(kA.hub_mac, kA.host_mac).ipv4(kA.host4, kB.host4);
    return tunnelled(kA, b.fragment(8, false).type(6).filler(24).build());
  }();
  const Row rows[] = {
      {"overlap after the first",
       {piece(0, 40, true), piece(32, 40, true)},
       counts(2, 1, "fragment_overlap", 1, true)},
      {"overlap while they wait",
       {piece(40, 40, true), piece(72, 40, true)},
       counts(2, 0, "fragment_overlap", 2, false)},
      {"twice", {piece(0, 40, true), piece(0, 40, true)}, counts(2, 1, "fragment_duplicate", 1, true)},
      {"empty", {piece(40, 0, true)}, counts(1, 0, "fragment_bad", 1, false)},
      {"odd", {piece(40, 13, true)}, counts(1, 0, "fragment_bad", 1, false)},
      {"ends twice", {piece(40, 8, false), piece(80, 8, false)}, counts(2, 0, "fragment_bad", 2, false)},
      {"beyond the end", {piece(65'504, 40, false)}, counts(1, 0, "fragment_too_long", 1, false)},
      {"the ping of death",
       {piece(0, 40, true), piece(65'528, 100, false)},
       counts(2, 1, "fragment_too_long", 1, true)},
      {"a tiny first one (RFC 1858)", {tcp_first}, counts(1, 0, "fragment_tiny", 1, false)},
      {"over the TCP header (RFC 3128)", {tcp_second}, counts(1, 0, "fragment_tiny", 1, false)},
      {"to the hub itself",
       {tunnelled(kA, PacketBuilder()
                          .ether(kA.hub_mac, kA.host_mac)
                          .ipv4(kA.host4, kA.gateway4)
                          .fragment(8, false)
                          .type(1)
                          .filler(24)
                          .build())},
       counts(1, 0, "inner_hub_address", 1, false)},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    TestHub hub(network().build());
    for (const Bytes& frame : row.frames) hub.pass_through(frame);
    EXPECT_EQ(hub.moved(), row.moved);
  }
}

TEST(Fragments, OuterHostileOnes) {
  const Bytes whole = from_spoke(kA, kB, udp(1, 2, text(400)));
  const auto wide = fragments_of(whole, 240), narrow = fragments_of(whole, 80);
  TestHub hub(network().build());
  hub.pass_through(wide[0]);
  hub.pass_through(narrow[2]);  // bytes 160 to 240 again
  EXPECT_EQ(hub.moved(), dropped(DropReason::fragment_overlap, 2));
  hub.pass_through(wide[1]);
  EXPECT_EQ(hub.moved(), dropped(DropReason::fragment_overlap, 1)) << "none of it any more";
}

TEST(Fragments, TooManyOfOneDatagram) {
  TestHub hub(network().build(), {.fragments = {.held = 128, .datagrams = 32, .pieces = 4}});
  for (uint16_t i = 0; i < 6; ++i) hub.inject(piece(static_cast<uint16_t>(i * 8), 8, true));
  hub.settle();
  EXPECT_EQ(hub.moved().at("drop fragment_too_many"), 2);
}

TEST(Fragments, OneSpokeCannotTakeThePlaceOfOthers) {
  TestHub hub(network().build(), {.fragments = {.held = 128, .datagrams = 128, .pieces = 4}});
  for (uint16_t id = 1; id <= 40; ++id) hub.inject(piece(40, 8, true, id));
  hub.settle();
  EXPECT_EQ(hub.moved(), Counts({{"rx", 40}, {"fragments_held", 16}, {"drop fragment_limit", 24}}));
  const Transport other = udp(1, 7, text(100));
  auto pieces = fragments_of(inner(kB, kA, other), 64);
  std::reverse(pieces.begin(), pieces.end());
  EXPECT_EQ(whole_of(inner_frames(pass(hub, pieces, kB))), inner_forwarded(kB, kA, other));
  hub.pass_seconds(2.2);
  hub.settle();
  EXPECT_EQ(hub.moved().at("drop fragment_timeout"), 16);
  EXPECT_EQ(hub.plane().counters(0).fragments_held.get(), 0u);
}

TEST(Fragments, AreForgottenInTime) {
  TestHub hub(network().build());
  hub.pass_through(piece(40, 8, true));
  hub.pass_seconds(1.9);
  hub.settle();
  EXPECT_EQ(hub.moved(), Counts({{"rx", 1}, {"fragments_held", 1}}));
  hub.pass_seconds(0.3);
  hub.settle();
  EXPECT_EQ(hub.moved(), Counts({{"fragments_held", -1}, {"drop fragment_timeout", 1}}));
  EXPECT_EQ(pass(hub, fragments_of(inner(kA, kB, udp(1000, 2000, text(192))), 40, 7)).size(), 5u)
      << "the id is free again";
}

TEST(Fragments, AreHeldWhenTheHubStops) {
  TestHub hub(network().build());
  hub.pass_through(piece(40, 8, true));
  hub.pass_through(fragments_of(from_spoke(kA, kB, udp(1, 2, text(400))), 240)[1]);
  EXPECT_EQ(hub.plane().counters(0).fragments_held.get(), 2u);  // the hub gives the buffers back when it goes
}

// --- inspected sessions ---

SnapshotBuilder inspected_network(
    uint16_t workers = 1,
    const std::string& rule =
        "drop udp any any -> any any (msg:\"bad\"; content:\"attack\"; sid:1; rev:1;)\n",
    bool watches = false) {
  const std::string path = testing::TempDir() + "weir_fragments.rules";
  std::ofstream(path) << rule;
  auto built = inspection::build_ruleset({path}, workers);
  if (!built || built->loaded != 1) throw std::runtime_error("the rules do not compile");
  SnapshotBuilder b = network_without_rules(true, workers);
  b.profile({.name = "ips", .watches = watches, .enforces = !watches, .ruleset = built->ruleset});
  b.rule({.id = "inspect", .action = PolicyAction::inspect, .from = {"red"}, .to = {"blue"}, .profile = 0});
  return b;
}

TEST(Fragments, OfInspectedSessionsAreHeldUntilWhole) {
  for (const unsigned workers : {1u, 3u}) {
    for (const Ip ip : {Ip::v4, Ip::v6}) {
      TestHub hub(inspected_network(static_cast<uint16_t>(workers)).build(), {.workers = workers});
      const Transport transport = udp(1000, 2000, text(300));
      const auto pieces = fragments_of(inner(kA, kB, transport, ip), 80);
      EXPECT_TRUE(pass(hub, {pieces[1], pieces[0], pieces[3]}).empty());
      const auto got = pass(hub, {pieces[2]}, kA, static_cast<uint16_t>(workers - 1));
      EXPECT_EQ(whole_of(inner_frames(got)), inner_forwarded(kA, kB, transport, ip));
      const Counts moved = hub.moved();
      EXPECT_EQ(moved.at("inspected_packets"), 1);
      EXPECT_EQ(moved.at("forwarded"), 4);
      EXPECT_FALSE(moved.contains("fragments_held"));
    }
  }
}

TEST(Fragments, AnAttackThatIsCutIntoPiecesIsFound) {
  TestHub hub(inspected_network().build());
  const auto pieces = fragments_of(inner(kA, kB, udp(1000, 2000, text(12) + "attack" + text(100))), 24);
  ASSERT_GT(pieces.size(), 4u);
  EXPECT_TRUE(pass(hub, pieces).empty()) << "no piece of it passes";
  const Counts moved = hub.moved();
  EXPECT_EQ(moved.at("drop inspect_drop"), static_cast<int64_t>(pieces.size()));
  EXPECT_EQ(hub.events().size(), 2u) << "one alert, one drop";
  EXPECT_TRUE(pass(hub, fragments_of(inner(kA, kB, udp(1000, 2000, text(100))), 24, 2)).empty());
  EXPECT_EQ(hub.moved().at("drop session_dropped"), 5);
}

/// Pieces go on at once; copies of them wait.
TEST(Fragments, OfWatchedSessionsAreNotHeld) {
  TestHub hub(
      inspected_network(1, "alert udp any any -> any any (content:\"attack\"; sid:1;)", true).build());
  const auto pieces = fragments_of(inner(kA, kB, udp(1000, 2000, text(40) + "attack" + text(100))), 48);
  ASSERT_EQ(pieces.size(), 4u);
  EXPECT_EQ(pass(hub, {pieces[0], pieces[2], pieces[3]}).size(), 3u);
  EXPECT_TRUE(hub.events().empty());
  EXPECT_EQ(hub.plane().counters(0).fragments_held.get(), 3u) << "the copies";
  EXPECT_EQ(pass(hub, {pieces[1]}).size(), 1u);
  EXPECT_EQ(hub.events().size(), 1u);
  const Counts moved = hub.moved();
  EXPECT_EQ(moved.at("forwarded"), 4);
  EXPECT_EQ(moved.at("generated"), 4);
  EXPECT_EQ(moved.at("consumed"), 4);
  EXPECT_FALSE(moved.contains("fragments_held"));
}

/// Rules see the datagram as if it had never been cut, and that it was.
TEST(Fragments, RulesSeeTheHeadersOfTheWholeDatagram) {
  const struct {
    Ip ip;
    const char* rule;
  } rows[] = {
      {Ip::v4,
       "alert udp any any -> any any (flow:only_frag; fragbits:!M; fragoffset:0; ipv4-csum:valid; "
       "udpv4-csum:valid; dsize:300; flow.bytes_toserver:=328; sid:1;)"},
      {Ip::v6,
       "alert udp any any -> any any (flow:only_frag; ipv6.hdr; bsize:40; content:\"|11|\"; "
       "offset:6; depth:1; udpv6-csum:valid; flow.bytes_toserver:=348; sid:1;)"},
  };
  for (const auto& row : rows) {
    TestHub hub(inspected_network(1, row.rule).build());
    const auto pieces = fragments_of(inner(kA, kB, udp(1000, 2000, text(300)), row.ip), 80);
    EXPECT_EQ(pass(hub, {pieces[1], pieces[0], pieces[3], pieces[2]}).size(), 4u);
    EXPECT_EQ(hub.events().size(), 1u) << row.rule;
  }
}

}  // namespace
}  // namespace weir::test
