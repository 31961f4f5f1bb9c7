// Frames to packets: layers, tunnels, fragments by policy, what is wrong by its name.
#include <gtest/gtest.h>
#include <pcap/dlt.h>

#include "dataplane/net/checksum.h"
#include "inspection/offline/decode.h"
#include "tests/unit/inspection/engine/bytes.h"

namespace weir::inspection::offline {
namespace {

using namespace test;

Octets ipv4(uint8_t protocol, const Octets& payload, uint16_t fragment = 0, uint16_t id = 7) {
  Octets out = {0x45, 0};
  put16(out, 20 + payload.size());
  put16(out, id);
  put16(out, fragment);
  put(out, {64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2});
  const uint16_t sum = net::checksum(out);
  std::memcpy(&out[10], &sum, 2);
  put(out, payload);
  return out;
}

Octets udp(uint16_t src, uint16_t dst, const Octets& payload) {
  Octets out;
  put16(out, src);
  put16(out, dst);
  put16(out, 8 + payload.size());
  put16(out, 0);  // no checksum
  put(out, payload);
  return out;
}

Octets ethernet(const Octets& packet, const Octets& tags = {}, uint16_t type = 0x0800) {
  Octets out(12, 2);
  put(out, tags);
  put16(out, type);
  put(out, packet);
  return out;
}

struct Seen {
  PacketSource source;
  uint8_t level;
  uint16_t dst_port;
  std::string payload;
  std::vector<uint16_t> vlans;
  PacketEvents events;
  bool fragment, invalid, broken;
};

class Taker final : public PacketTaker {
 public:
  void take(EnginePacket& packet) override {
    seen.push_back({packet.source,
                    packet.level,
                    packet.view.dst_port,
                    as_text(packet.view.payload),
                    {packet.view.vlans, packet.view.vlans + packet.view.vlan_count},
                    packet.view.events,
                    packet.fragment,
                    packet.view.invalid,
                    packet.l4_broken});
  }
  std::vector<Seen> seen;
};

std::vector<Seen> decode(const std::vector<Octets>& frames, int link = DLT_EN10MB,
                         OverlapPolicy policy = OverlapPolicy::bsd) {
  const DecodeSettings settings;
  Defragmenter defragmenter(policy);
  Taker taker;
  Decoder decoder(settings, defragmenter, taker);
  uint64_t number = 0;
  for (const Octets& bytes : frames)
    decoder.decode({bytes, static_cast<uint32_t>(bytes.size()), ++number * 1'000, number}, link);
  return taker.seen;
}

TEST(Decode, VlanTagsAreKeptOutermostFirst) {
  const auto seen = decode({ethernet(ipv4(17, udp(1, 2, text("x"))), {0x88, 0xa8, 0, 5, 0x81, 0, 0, 6})});
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].vlans, (std::vector<uint16_t>{5, 6}));
  EXPECT_EQ(seen[0].payload, "x");
}

TEST(Decode, LinkLayers) {
  const Octets packet = ipv4(17, udp(1, 2, text("x")));
  const auto behind = [&](Octets header) {
    put(header, packet);
    return header;
  };
  EXPECT_EQ(decode({packet}, DLT_RAW).size(), 1u);
  EXPECT_EQ(decode({behind({2, 0, 0, 0})}, DLT_NULL).size(), 1u);
  EXPECT_EQ(decode({behind({0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0})}, DLT_LINUX_SLL).size(), 1u);
  EXPECT_EQ(decode({behind({0xff, 3, 0, 0x21})}, DLT_PPP).size(), 1u);
}

TEST(Decode, TunnelsInnerFirst) {
  const Octets inner = ipv4(17, udp(1, 99, text("inner")));
  Octets vxlan = {8, 0, 0, 0, 0, 0, 1, 0};
  put(vxlan, ethernet(inner));
  Octets geneve = {0, 0, 0x65, 0x58, 0, 0, 1, 0};
  put(geneve, ethernet(inner));
  Octets gre = {0, 0, 8, 0};
  put(gre, inner);
  struct Row {
    Octets outer;
    PacketSource source;
  };
  for (const Row& row :
       {Row{ipv4(17, udp(1, 4'789, vxlan)), PacketSource::vxlan},
        Row{ipv4(17, udp(1, 6'081, geneve)), PacketSource::geneve}, Row{ipv4(47, gre), PacketSource::gre},
        Row{ipv4(4, inner), PacketSource::ipv4_in_ip}}) {
    const auto seen = decode({ethernet(row.outer)});
    ASSERT_EQ(seen.size(), 2u) << static_cast<int>(row.source);
    EXPECT_EQ(seen[0].source, row.source);
    EXPECT_EQ(seen[0].level, 1);
    EXPECT_EQ(seen[0].payload, "inner");
    EXPECT_EQ(seen[1].level, 0);
  }
}

TEST(Decode, ATunnelInATunnelEnds) {
  Octets packet = ipv4(17, udp(1, 2, text("x")));
  for (int i = 0; i < 40; ++i) packet = ipv4(4, packet);
  EXPECT_LE(decode({ethernet(packet)}).size(), Decoder::kMaxLevel + 1u);
}

TEST(Decode, FragmentsByPolicy) {
  const Octets whole = udp(1, 2, text("AAAAAAAABBBBBBBBCCCCCCCC"));  // 32 bytes
  const auto piece = [&](size_t from, size_t size, bool more, uint8_t fill = 0) {
    Octets bytes(whole.begin() + static_cast<std::ptrdiff_t>(from),
                 whole.begin() + static_cast<std::ptrdiff_t>(from + size));
    if (fill != 0) std::fill(bytes.begin(), bytes.end(), fill);
    return ethernet(ipv4(17, bytes, static_cast<uint16_t>(from / 8 | (more ? 0x2000 : 0))));
  };
  const auto rebuilt = [](const std::vector<Seen>& seen) {
    for (const Seen& one : seen) {
      if (!one.fragment) return one.payload;
    }
    return std::string("(none)");
  };
  EXPECT_EQ(rebuilt(decode({piece(16, 16, false), piece(0, 16, true)})), "AAAAAAAABBBBBBBBCCCCCCCC")
      << "in any order";
  EXPECT_EQ(rebuilt(decode({piece(0, 16, true)})), "(none)");
  const std::vector<Octets> overlap = {piece(0, 16, true), piece(8, 8, true, 'x'), piece(16, 16, false)};
  EXPECT_EQ(rebuilt(decode(overlap, DLT_EN10MB, OverlapPolicy::first)), "AAAAAAAABBBBBBBBCCCCCCCC");
  EXPECT_EQ(rebuilt(decode(overlap, DLT_EN10MB, OverlapPolicy::last)), "xxxxxxxxBBBBBBBBCCCCCCCC");
  EXPECT_TRUE(decode(overlap)[1].events.has(PacketEvent::ipv4_frag_overlap));
}

TEST(Decode, WhatIsWrongHasAName) {
  const Octets good = ipv4(17, udp(1, 2, text("x")));
  struct Row {
    Octets packet;
    PacketEvent event;
    bool invalid;
  };
  Octets cut(good.begin(), good.end() - 1), small(good.begin(), good.begin() + 12),
      short_header = good, version = good, length = good;
  short_header[0] = 0x44;
  version[0] = 0x55;
  length[25] = 3;
  for (const Row& row :
       {Row{cut, PacketEvent::ipv4_trunc_pkt, true}, Row{small, PacketEvent::ipv4_pkt_too_small, true},
        Row{short_header, PacketEvent::ipv4_hlen_too_small, true},
        Row{version, PacketEvent::ipv4_wrong_ip_version, true},
        Row{length, PacketEvent::udp_len_invalid, false}}) {
    const auto seen = decode({ethernet(row.packet)});
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_TRUE(seen[0].events.has(row.event)) << name_of(row.event);
    EXPECT_EQ(seen[0].invalid, row.invalid) << name_of(row.event);
  }
  EXPECT_FALSE(decode({ethernet(good)})[0].events.any());
}

TEST(Decode, EveryTruncationIsHarmless) {
  Octets vxlan = {8, 0, 0, 0, 0, 0, 1, 0};
  put(vxlan, ethernet(ipv4(17, udp(1, 99, text("inner")))));
  const Octets frame = ethernet(ipv4(17, udp(1, 4'789, vxlan)), {0x81, 0, 0, 6});
  for (size_t size = 0; size <= frame.size(); ++size)
    decode({{frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size)}});
}

}  // namespace
}  // namespace weir::inspection::offline
