// What workers see of attachments: counters, and answers to health probes; and what a down attachment means.
#include <gtest/gtest.h>

#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"

namespace weir::test {
namespace {

using dataplane::AttachmentTotals;
using dataplane::DropReason;
using dataplane::ProbeToken;

constexpr ProbeToken kToken = ProbeToken::echo(0x1122334455667788);

Bytes token_bytes(ProbeToken token) {
  Bytes bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<uint8_t>(token.value >> shift));
  return bytes;
}

std::string as_text(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

Bytes echo_reply(const Spoke& spoke, Ip ip, const std::string& payload) {
  return PacketBuilder()
      .ether(spoke.hub_mac, spoke.host_mac)
      .ip(host_of(spoke, ip), gateway_of(spoke, ip))
      .icmp_echo(1, 2, true)
      .payload(payload)
      .build();
}

TEST(Probes, AnAnswerWithTheTokenIsSeen) {
  for (const Ip ip : {Ip::v4, Ip::v6}) {
    SnapshotBuilder b = network();
    TestHub hub(b.build());
    b.board().expect(b.attachment_id("a"), kToken);
    hub.pass_through(tunnelled(kA, echo_reply(kA, ip, as_text(token_bytes(kToken)) + "and more")));
    EXPECT_EQ(hub.moved(), Counts({{"rx", 1}, {"consumed", 1}}));
    EXPECT_EQ(hub.plane().probe_answered(b.attachment_id("a"), kToken), hub.now());
    EXPECT_EQ(hub.plane().probe_answered(b.attachment_id("b"), kToken), std::nullopt);
    EXPECT_EQ(hub.plane().probe_answered(b.attachment_id("a"), ProbeToken::echo(1)), std::nullopt);
  }
}

TEST(Probes, NothingElseIsAnAnswer) {
  const std::string right = as_text(token_bytes(kToken));
  const struct {
    const char* name;
    const Spoke& from;
    std::string payload;
    ProbeToken awaited;
  } rows[] = {
      {"another token", kA, as_text(token_bytes(ProbeToken::echo(1))), kToken},
      {"cut", kA, right.substr(0, 7), kToken},
      {"no payload", kA, "", kToken},
      {"from another spoke", kB, right, kToken},
      {"none awaited", kA, right, ProbeToken{}},
      {"zero, and none awaited", kA, std::string(8, '\0'), ProbeToken{}},
      {"an answer to ARP is awaited", kA,
       as_text(token_bytes(ProbeToken::neighbor(*net::parse_ip(kA.host4), 1))),
       ProbeToken::neighbor(*net::parse_ip(kA.host4), 1)},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.name);
    SnapshotBuilder b = network();
    TestHub hub(b.build());
    b.board().expect(b.attachment_id("a"), row.awaited);
    hub.pass_through(tunnelled(row.from, echo_reply(row.from, Ip::v4, row.payload)));
    EXPECT_EQ(hub.moved(), dropped(DropReason::inner_hub_address));
    EXPECT_EQ(hub.plane().probe_answered(b.attachment_id("a"), kToken), std::nullopt);
  }
}

TEST(Probes, AFloodOfOtherRepliesHidesNone) {
  SnapshotBuilder b = network();
  TestHub hub(b.build());
  b.board().expect(b.attachment_id("a"), kToken);
  hub.inject(tunnelled(kA, echo_reply(kA, Ip::v4, as_text(token_bytes(kToken)))));
  for (int i = 0; i < 20; ++i) hub.inject(tunnelled(kA, echo_reply(kA, Ip::v4, "12345678")));
  hub.settle();
  hub.moved();
  EXPECT_TRUE(hub.plane().probe_answered(b.attachment_id("a"), kToken));
  EXPECT_TRUE(hub.plane().take_punts(8).empty()) << "control is not bothered";
}

TEST(Probes, AnArpAnswerIsSeen) {
  SnapshotBuilder b = network();
  TestHub hub(b.build());
  const auto token = ProbeToken::neighbor(*net::parse_ip(kA.host4), 7);
  const auto reply = [](const char* sender) {
    return tunnelled(kA, PacketBuilder()
                             .ether(kA.hub_mac, kA.host_mac)
                             .arp_reply(kA.host_mac, sender, kA.hub_mac, kA.gateway4)
                             .build());
  };
  b.board().expect(b.attachment_id("a"), token);
  hub.pass_through(reply("10.1.0.77"));
  EXPECT_EQ(hub.plane().probe_answered(b.attachment_id("a"), token), std::nullopt);
  hub.plane().take_notes(8);
  hub.pass_through(reply(kA.host4));
  EXPECT_EQ(hub.plane().probe_answered(b.attachment_id("a"), token), hub.now());
  EXPECT_TRUE(hub.plane().take_notes(8).empty()) << "known, and asked for by the probe";
  hub.pass_through(reply(kA.host4));
  EXPECT_EQ(hub.plane().take_notes(8).size(), 1u) << "a second answer is to somebody else's question";
  hub.moved();
}

TEST(AttachmentCounters, CountInnerPacketsBothWays) {
  SnapshotBuilder b = network();
  TestHub hub(b.build());
  const Bytes inner = PacketBuilder()
                          .ether(kA.hub_mac, kA.host_mac)
                          .ipv4(kA.host4, kB.host4)
                          .udp(1000, 53)
                          .payload("hello")
                          .build();
  ASSERT_EQ(hub.pass_through(tunnelled(kA, inner)).size(), 1u);
  hub.moved();
  const AttachmentTotals a = hub.plane().attachment_totals(b.attachment_id("a"));
  const AttachmentTotals other = hub.plane().attachment_totals(b.attachment_id("b"));
  EXPECT_EQ(a.rx_packets, 1u);
  EXPECT_EQ(a.rx_bytes, inner.size());
  EXPECT_EQ(a.tx_packets, 0u);
  EXPECT_EQ(other.tx_packets, 1u);
  EXPECT_EQ(other.tx_bytes, inner.size());
  EXPECT_EQ(other.rx_packets, 0u);
}

}  // namespace
}  // namespace weir::test
