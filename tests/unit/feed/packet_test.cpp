// A packet out of a template and a step: written over a frame whose fields are zero it is the frame that
// another builder makes with these fields, checksums included. And plans that would have a feed write out of
// bounds are refused.
#include "pktgen-scripts/feed/packet.h"

#include <gtest/gtest.h>

#include <memory>

#include "tests/support/packet_builder.h"

namespace weir::feed {
namespace {

using test::Bytes;
using test::PacketBuilder;

constexpr net::Mac kTo{{2, 0, 0, 0, 0, 1}}, kFrom{{2, 0, 0, 0, 0, 2}};

/// The sum of RFC 1071 over big-endian words, not folded.
uint32_t words(const Bytes& data, size_t from, size_t to) {
  uint32_t sum = 0;
  for (size_t i = from; i + 1 < to; i += 2) sum += static_cast<uint32_t>(data[i] << 8 | data[i + 1]);
  if ((to - from) % 2 != 0) sum += static_cast<uint32_t>(data[to - 1] << 8);
  return sum;
}

/// A plain inner frame's template: IPv4 at 14, UDP or TCP at 34.
feed_frame frame_of(const Bytes& bytes, bool tcp) {
  constexpr uint16_t kIp = 14, kL4 = 34;
  feed_frame f{};
  f.length = static_cast<uint16_t>(bytes.size());
  f.client_address = kIp + 12;
  f.client_port = kL4;
  f.ip_checksum = kIp + 10;
  f.l4_checksum = kL4 + (tcp ? 16 : 6);
  if (tcp) {
    f.seq = kL4 + 4;
    f.ack = kL4 + 8;
  }
  std::memcpy(f.bytes, bytes.data(), bytes.size());
  Bytes bare = bytes;
  const auto zero = [&bare](size_t at, size_t count) {
    std::fill_n(bare.begin() + static_cast<long>(at), count, 0);
  };
  zero(f.client_address, 4);
  zero(f.client_port, 2);
  zero(f.ip_checksum, 2);
  zero(f.l4_checksum, 2);
  if (tcp) zero(f.seq, 8);
  f.ip_sum = words(bare, kIp, kL4);
  f.l4_sum = words(bare, kIp + 12, kL4) + static_cast<uint32_t>(bytes.size() - kL4) + (tcp ? 6u : 17u) +
             words(bare, kL4, bytes.size());
  return f;
}

Bytes written(const feed_frame& frame, const feed_step& step) {
  Bytes out(FEED_MAX_LENGTH);
  write_packet(out.data(), frame, step);
  out.resize(frame.length);
  return out;
}

TEST(FeedPacket, IsWhatAnotherBuilderMakes) {
  for (const char* text : {"", "x", "a payload of some length", "odd"}) {
    for (const auto& [address, number, port] : {std::tuple{"10.1.0.0", 0x0a01'0000u, uint16_t{16'384}},
                                                {"10.1.255.255", 0x0a01'ffffu, uint16_t{49'151}},
                                                {"255.255.255.255", 0xffff'ffffu, uint16_t{65'535}}}) {
      SCOPED_TRACE(std::string(text) + " from " + address);
      const auto udp = [&](const char* from, uint16_t from_port) {
        return PacketBuilder()
            .ether(kTo, kFrom)
            .ipv4(from, "10.2.0.10")
            .udp(from_port, 80)
            .payload(text)
            .build();
      };
      feed_step step{};
      step.client_address = number;
      step.client_port = port;
      EXPECT_EQ(written(frame_of(udp("0.0.0.0", 0), false), step), udp(address, port));

      const auto tcp = [&](const char* from, uint16_t from_port, uint32_t seq, uint32_t ack) {
        return PacketBuilder()
            .ether(kTo, kFrom)
            .ipv4(from, "10.2.0.10")
            .tcp(from_port, 80, 0x18, seq, ack)
            .payload(text)
            .build();
      };
      step.seq = 0xffff'fffe;
      step.ack = 0x0102'0304;
      EXPECT_EQ(written(frame_of(tcp("0.0.0.0", 0, 0, 0), true), step),
                tcp(address, port, step.seq, step.ack));
    }
  }
}

TEST(FeedPacket, AUdpChecksumIsNeverZero) {
  // Of all clients one makes the sum come out as all ones, whose complement would say "no checksum".
  const feed_frame frame =
      frame_of(PacketBuilder().ether(kTo, kFrom).ipv4("0.0.0.0", "10.2.0.10").udp(0, 80).build(), false);
  bool met = false;
  for (uint32_t port = 0; port < 65'536; ++port) {
    feed_step step{};
    step.client_address = 0x0a01'0000;
    step.client_port = static_cast<uint16_t>(port);
    const uint16_t checksum = feed_l4_checksum(&frame, &step);
    ASSERT_NE(checksum, 0);
    met |= checksum == 0xffff;
  }
  EXPECT_TRUE(met);
}

std::unique_ptr<feed_plan> good_plan() {
  auto plan = std::make_unique<feed_plan>();
  plan->magic = FEED_MAGIC;
  plan->version = FEED_VERSION;
  plan->frames = plan->classes = plan->schedule_length = 1;
  plan->classes_[0].sessions = plan->classes_[0].stride = 1;
  plan->frames_[0].length = 60;
  plan->frames_[0].client_address = 26;
  plan->frames_[0].client_port = 34;
  return plan;
}

struct BadPlan {
  const char* what;
  void (*spoil)(feed_plan&);
  const char* says;
};

TEST(FeedPlan, WhatCannotBeRunIsRefused) {
  EXPECT_EQ(plan_fault(*good_plan()), "");
  const BadPlan rows[] = {
      {"magic", [](feed_plan& p) { p.magic = 0; }, "no plan of this version"},
      {"version", [](feed_plan& p) { p.version = 2; }, "no plan of this version"},
      {"no frames", [](feed_plan& p) { p.frames = 0; }, "out of range"},
      {"too many frames", [](feed_plan& p) { p.frames = FEED_MAX_FRAMES + 1; }, "out of range"},
      {"too many classes", [](feed_plan& p) { p.classes = FEED_MAX_CLASSES + 1; }, "out of range"},
      {"no schedule", [](feed_plan& p) { p.schedule_length = 0; }, "out of range"},
      {"schedule", [](feed_plan& p) { p.schedule[0] = 1; }, "names a class"},
      {"too long", [](feed_plan& p) { p.frames_[0].length = FEED_MAX_LENGTH + 1; }, "lies outside"},
      {"address behind the end", [](feed_plan& p) { p.frames_[0].client_address = 57; }, "lies outside"},
      {"checksum behind the end", [](feed_plan& p) { p.frames_[0].l4_checksum = 59; }, "lies outside"},
      {"number behind the end", [](feed_plan& p) { p.frames_[0].number = 53; }, "lies outside"},
      {"sequence without acknowledgement", [](feed_plan& p) { p.frames_[0].seq = 38; }, "lies outside"},
      {"no sessions", [](feed_plan& p) { p.classes_[0].sessions = 0; }, "not possible"},
      {"stride", [](feed_plan& p) { p.classes_[0].stride = 2; }, "not possible"},
      {"frame of a class", [](feed_plan& p) { p.classes_[0].frame[FEED_LAST][0] = 1; }, "not possible"},
      {"short TCP life", [](feed_plan& p) { p.classes_[0].tcp = 1, p.classes_[0].life = 3; }, "not possible"},
      {"data before the handshake", [](feed_plan& p) { p.classes_[0].tcp = p.classes_[0].lag = 1; },
       "not possible"},
  };
  for (const BadPlan& row : rows) {
    SCOPED_TRACE(row.what);
    const auto plan = good_plan();
    row.spoil(*plan);
    EXPECT_NE(plan_fault(*plan).find(row.says), std::string::npos) << plan_fault(*plan);
  }
}

}  // namespace
}  // namespace weir::feed
