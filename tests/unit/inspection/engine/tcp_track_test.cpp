// TCP sessions as a gateway and a watcher see them: order, acknowledgement, overlaps, what the receiver
// discards.
#include <gtest/gtest.h>

#include "inspection/stream/tcp_track.h"
#include "tests/unit/inspection/engine/bytes.h"

namespace weir::inspection {
namespace {

using namespace test;

constexpr uint32_t kClientIsn = 0xffff'fff0;  // so that numbers wrap soon
constexpr uint32_t kServerIsn = 5'000;

class Session {
 public:
  explicit Session(bool is_inline, StreamSettings settings = {})
      : settings_(with(settings, is_inline)), track(pool, settings_) {}
  ~Session() {
    track.release();
    EXPECT_EQ(pool.used(), 0u);
  }

  TcpFate send(Direction way, uint8_t flags, uint32_t seq, uint32_t ack, std::string_view bytes = {},
               uint32_t stamp = 0) {
    payload_ = text(bytes);
    packet = {};
    packet.view.direction = way;
    packet.view.tcp_flags = flags;
    packet.view.seq = seq;
    packet.view.ack = ack;
    packet.view.window = 1'000;
    packet.view.time_ns = ++now_ * 1'000'000;
    packet.view.payload = payload_;
    packet.has_timestamp = stamp != 0;
    packet.timestamp = stamp;
    return track.track(packet);
  }
  void handshake() {
    EXPECT_EQ(send(Direction::to_server, kTcpSyn, kClientIsn, 0), TcpFate::tracked);
    EXPECT_EQ(send(Direction::to_client, kTcpSyn | kTcpAck, kServerIsn, kClientIsn + 1), TcpFate::tracked);
    EXPECT_EQ(send(Direction::to_server, kTcpAck, kClientIsn + 1, kServerIsn + 1), TcpFate::tracked);
    EXPECT_TRUE(track.established());
  }
  /// Bytes of the client at `offset` of its stream.
  TcpFate client(uint32_t offset, std::string_view bytes, uint32_t stamp = 0) {
    return send(Direction::to_server, kTcpAck | kTcpPsh, kClientIsn + 1 + offset, kServerIsn + 1, bytes,
                stamp);
  }
  TcpFate server_acks(uint32_t offset) {
    return send(Direction::to_client, kTcpAck, kServerIsn + 1, kClientIsn + 1 + offset);
  }
  /// What can be handed out of the client's bytes; a gap as "[N]".
  std::string take() {
    std::string out;
    TcpChunk chunk;
    while (track.next_chunk(Direction::to_server, chunk))
      out += chunk.gap != 0 ? "[" + std::to_string(chunk.gap) + "]" : as_text(chunk.bytes);
    return out;
  }

  BytePool pool{1 << 20};

 private:
  static StreamSettings with(StreamSettings settings, bool is_inline) {
    settings.is_inline = is_inline;
    return settings;
  }
  StreamSettings settings_;
  Octets payload_;
  uint64_t now_ = 0;

 public:
  EnginePacket packet;
  TcpTrack track;
};

TEST(TcpTrackInline, BytesComeAsSoonAsTheyAreInOrder) {
  Session s(true);
  s.handshake();
  s.client(0, "abc");
  EXPECT_EQ(s.take(), "abc");
  s.client(6, "ghi");
  EXPECT_EQ(s.take(), "") << "after a gap: recorded";
  s.client(3, "def");
  EXPECT_EQ(s.take(), "defghi") << "what fills the gap comes with all behind it";
}

TEST(TcpTrackIds, BytesComeWhenTheyAreAcknowledged) {
  Session s(false);
  s.handshake();
  s.client(0, "abcdef");
  EXPECT_EQ(s.take(), "");
  s.server_acks(3);
  EXPECT_EQ(s.take(), "abc");
  s.server_acks(6);
  EXPECT_EQ(s.take(), "def");
}

TEST(TcpTrackIds, WhatTheReceiverHasAndWeDoNotIsAGap) {
  Session s(false);
  s.handshake();
  s.client(4, "efgh");
  s.server_acks(8);
  EXPECT_EQ(s.take(), "[4]efgh");
}

TEST(TcpTrackIds, AtTheEndAllIsHandedOut) {
  Session s(false);
  s.handshake();
  s.client(0, "abc");
  s.track.flush();
  EXPECT_EQ(s.take(), "abc");
}

struct OverlapRow {
  TcpOverlap policy;
  const char* expected;  // after EFGH at 4, then abcdefgh at 0
};

TEST(TcpTrackIds, OverlapsAreTheReceivers) {
  for (const OverlapRow& row :
       {OverlapRow{TcpOverlap::first, "abcdEFGH"}, OverlapRow{TcpOverlap::bsd, "abcdefgh"},
        OverlapRow{TcpOverlap::linux_, "abcdefgh"}, OverlapRow{TcpOverlap::last, "abcdefgh"}}) {
    StreamSettings settings;
    settings.overlap = row.policy;
    Session s(false, settings);
    s.handshake();
    s.client(4, "EFGH");
    s.client(0, "abcdefgh");
    s.server_acks(8);
    EXPECT_EQ(s.take(), row.expected) << static_cast<int>(row.policy);
  }
}

TEST(TcpTrackInline, TheFirstDataWinsAndAContradictionIsTold) {
  Session s(true);
  s.handshake();
  s.client(0, "good");
  EXPECT_EQ(s.take(), "good");
  s.client(6, "tail");
  EXPECT_EQ(s.take(), "");
  const Octets history = text("good");
  Octets again = text("evil");
  EnginePacket packet = s.packet;
  packet.view.seq = kClientIsn + 1;
  packet.view.payload = again;
  EXPECT_TRUE(s.track.contradicts(packet, history));
  s.track.rewrite(Direction::to_server, packet.view.seq, again, history);
  EXPECT_EQ(as_text(again), "good");
  packet.view.payload = history;
  EXPECT_FALSE(s.track.contradicts(packet, history)) << "equal bytes again are no contradiction";
  Octets recorded = text("TAIL");
  packet.view.seq = kClientIsn + 1 + 6;
  packet.view.payload = recorded;
  EXPECT_TRUE(s.track.contradicts(packet, history)) << "nor may what is recorded be contradicted";
}

TEST(TcpTrack, WhatTheReceiverDiscardsIsNotTaken) {
  Session s(true);
  s.handshake();
  EXPECT_EQ(s.client(0, "a", 100), TcpFate::tracked);
  EXPECT_EQ(s.client(1, "b", 50), TcpFate::bad_timestamp) << "RFC 7323 section 5.3";
  EXPECT_EQ(s.client(5'000, "x", 101), TcpFate::out_of_window);
  EXPECT_EQ(s.send(Direction::to_server, kTcpAck, kClientIsn + 2, kServerIsn + 90'000, "y", 102),
            TcpFate::bad_ack);
  EXPECT_EQ(s.send(Direction::to_server, 0, kClientIsn + 2, 0, "y"), TcpFate::bad_flags) << "without an ACK";
  EXPECT_EQ(s.send(Direction::to_server, kTcpRst, kClientIsn + 1 + 400'000, 0), TcpFate::bad_reset);
  EXPECT_FALSE(s.track.closed());
  EXPECT_EQ(s.send(Direction::to_server, kTcpSyn | kTcpFin, kClientIsn, 0), TcpFate::bad_flags);
}

TEST(TcpTrack, DataAfterAResetIsStillFollowed) {
  Session s(true);
  s.handshake();
  s.client(0, "abc");
  EXPECT_EQ(s.take(), "abc");
  EXPECT_EQ(s.send(Direction::to_server, kTcpRst, kClientIsn + 4, 0), TcpFate::tracked);
  EXPECT_TRUE(s.track.closed());
  EXPECT_EQ(s.client(3, "def"), TcpFate::tracked);
  EXPECT_EQ(s.take(), "def") << "whoever forged the reset gains nothing by it";
}

TEST(TcpTrack, ClosesAndIsReused) {
  Session s(false);
  s.handshake();
  s.send(Direction::to_server, kTcpFin | kTcpAck, kClientIsn + 1, kServerIsn + 1);
  EXPECT_EQ(s.track.state(), TcpState::close_wait);
  s.send(Direction::to_client, kTcpFin | kTcpAck, kServerIsn + 1, kClientIsn + 2);
  EXPECT_EQ(s.track.state(), TcpState::last_ack);
  s.send(Direction::to_server, kTcpAck, kClientIsn + 2, kServerIsn + 2);
  EXPECT_EQ(s.track.state(), TcpState::closed);
  EXPECT_EQ(s.send(Direction::to_server, kTcpSyn, kClientIsn + 100'000, 0), TcpFate::reuse);
}

TEST(TcpTrack, WithoutAHandshakeOnlyWhereConfigured) {
  Session strict(false);
  EXPECT_EQ(strict.client(0, "abc"), TcpFate::untracked);
  StreamSettings settings;
  settings.midstream = true;
  Session s(false, settings);
  EXPECT_EQ(s.client(0, "abc"), TcpFate::tracked);
  EXPECT_TRUE(s.track.midstream());
  s.server_acks(3);
  EXPECT_EQ(s.take(), "abc");
}

TEST(TcpTrack, OneDirectionAloneWhereConfigured) {
  StreamSettings settings;
  settings.async_oneside = true;
  Session s(false, settings);
  EXPECT_EQ(s.send(Direction::to_server, kTcpSyn, kClientIsn, 0), TcpFate::tracked);
  EXPECT_EQ(s.client(0, "abc"), TcpFate::tracked);
  EXPECT_EQ(s.take(), "abc") << "nobody is seen to acknowledge it";
}

TEST(TcpTrack, DepthAndRecordsAreBounded) {
  StreamSettings settings;
  settings.depth = 4;
  Session s(true, settings);
  s.handshake();
  s.client(0, "abcdef");
  EXPECT_EQ(s.take(), "abcd");
  s.client(6, "gh");
  EXPECT_EQ(s.take(), "");
  EXPECT_TRUE(s.track.side(Direction::to_server).depth_reached);
  settings.depth = 0;
  settings.session_records = TcpTrack::kLeastRecord;
  Session small(true, settings);
  small.handshake();
  EXPECT_EQ(small.client(10, "12345678"), TcpFate::tracked);
  EXPECT_EQ(small.client(30, "x"), TcpFate::no_memory) << "it could not be recorded, so it is not to be sent";
}

}  // namespace
}  // namespace weir::inspection
