#include "inspection/stream/tcp_stream.h"

#include "support.h"

namespace weir::inspection {
namespace {

using test::bytes_of;

/// One direction with its carry-over.
struct Stream {
  explicit Stream(uint32_t first_seq, uint32_t window = 8, uint32_t records = 4, uint32_t slots = 8)
      : assembler(window, records, slots), carry_over(window) {
    assembler.on_syn(state, first_seq - 1);
    assembler.confirm(state, first_seq);
  }
  SegmentFate push(uint32_t seq, std::string_view payload) {
    const SegmentFate fate = assembler.accept(state, carry_over.data(), seq, bytes_of(payload), also_unknown);
    if (fate == SegmentFate::new_data) {
      const auto fresh = assembler.block().fresh();
      seen.append(fresh.begin(), fresh.end());
      const auto bytes = assembler.block().bytes;
      block.assign(bytes.begin(), bytes.end());
      assembler.commit(state, carry_over.data());
    }
    return fate;
  }
  StreamAssembler assembler;
  StreamState state;
  std::vector<uint8_t> carry_over;
  std::string seen;   // all that was judged
  std::string block;  // the last block
  bool also_unknown = false;
};

TEST(TcpStream, BlockIsCarryOverAndNewBytes) {
  Stream s(100);
  EXPECT_EQ(s.push(100, "0123456789"), SegmentFate::new_data);
  EXPECT_EQ(s.push(110, "ab"), SegmentFate::new_data);
  EXPECT_EQ(s.block, "23456789ab");
  EXPECT_EQ(s.assembler.block().old_size, 8U);
  EXPECT_EQ(s.assembler.block().base, 2U);
}

TEST(TcpStream, SequenceNumbersWrap) {
  for (uint32_t first : {0xffff'fffeU, 0xffff'ffffU, 0U, 0x7fff'ffffU, 0x8000'0000U}) {
    Stream s(first);
    EXPECT_EQ(s.push(first + 4, "ef"), SegmentFate::recorded);
    EXPECT_EQ(s.push(first + 2, "cd"), SegmentFate::recorded);
    EXPECT_EQ(s.push(first, "ab"), SegmentFate::new_data);
    EXPECT_EQ(s.push(first + 3, "defg"), SegmentFate::new_data);
    EXPECT_EQ(s.seen, "abcdefg") << first;
  }
}

TEST(TcpStream, FirstDataWins) {
  Stream s(100);
  s.push(100, "abcd");
  EXPECT_EQ(s.push(100, "abcd"), SegmentFate::nothing_new);
  EXPECT_EQ(s.push(102, "XX"), SegmentFate::conflict);
  EXPECT_EQ(s.push(102, "cXef"), SegmentFate::conflict);
  EXPECT_EQ(s.push(102, "cdef"), SegmentFate::new_data);
  EXPECT_EQ(s.seen, "abcdef");
}

TEST(TcpStream, RecordedDataWins) {
  Stream s(100);
  EXPECT_EQ(s.push(102, "cd"), SegmentFate::recorded);
  EXPECT_EQ(s.push(101, "bXd"), SegmentFate::conflict);
  EXPECT_EQ(s.push(100, "abXd"), SegmentFate::conflict);
  EXPECT_EQ(s.push(103, "de"), SegmentFate::recorded);
  EXPECT_EQ(s.push(100, "ab"), SegmentFate::new_data);
  EXPECT_EQ(s.seen, "abcde");
  EXPECT_EQ(s.state.record_count, 0U);
}

TEST(TcpStream, ASegmentOfAJumboPacketTakesSeveralRecords) {
  std::string jumbo;
  for (int i = 0; jumbo.size() < 9'000; ++i) jumbo += std::to_string(i);
  Stream s(100, 8, 5, 16);
  EXPECT_EQ(s.push(101, jumbo), SegmentFate::recorded);
  EXPECT_EQ(s.state.record_count, 5U);
  EXPECT_EQ(s.push(100, "a"), SegmentFate::new_data);
  EXPECT_EQ(s.seen, "a" + jumbo);
  EXPECT_EQ(s.state.record_count, 0U);
  Stream tight(100, 8, 4, 16);
  EXPECT_EQ(tight.push(101, jumbo), SegmentFate::unrecordable);
  EXPECT_EQ(tight.state.record_count, 0U);
}

TEST(TcpStream, RecordsAreBounded) {
  Stream s(100, 8, 2);
  EXPECT_EQ(s.push(110, "a"), SegmentFate::recorded);
  EXPECT_EQ(s.push(110, "a"), SegmentFate::recorded);  // the same again takes no room
  EXPECT_EQ(s.push(120, "b"), SegmentFate::recorded);
  EXPECT_EQ(s.push(130, "c"), SegmentFate::unrecordable);
  EXPECT_EQ(s.state.record_count, 2U);
}

TEST(TcpStream, PoolIsBoundedAndGivenBack) {
  Stream s(100, 8, 16, 2);
  EXPECT_EQ(s.push(200, std::string(SegmentPool::kSlotBytes + 1, 'x')), SegmentFate::recorded);
  EXPECT_EQ(s.push(9000, "b"), SegmentFate::unrecordable);
  s.assembler.release(s.state);
  EXPECT_EQ(s.push(9000, "b"), SegmentFate::recorded);
}

TEST(TcpStream, OldBytesThatAreAcknowledgedMayBeAnything) {
  Stream s(100);
  s.push(100, "abcd");
  EXPECT_EQ(s.push(103, "X"), SegmentFate::conflict);
  s.assembler.on_ack(s.state, 104);
  EXPECT_EQ(s.push(103, "X"), SegmentFate::nothing_new);  // a keep-alive probe
}

TEST(TcpStream, AcknowledgementsOfUnsentBytesCountForNothing) {
  Stream s(100);
  s.push(100, "abcd");
  s.assembler.on_ack(s.state, 105);
  EXPECT_EQ(s.push(103, "X"), SegmentFate::conflict);
}

TEST(TcpStream, OldBytesOutOfTheWindowAreUnknown) {
  Stream s(100);
  s.push(100, "0123456789");
  EXPECT_EQ(s.push(100, "01"), SegmentFate::unknown_old);
  EXPECT_EQ(s.push(100, "0123"), SegmentFate::unknown_old);
  EXPECT_EQ(s.push(100, "01X3"), SegmentFate::conflict);
  EXPECT_EQ(s.push(100, "0123456789ab"), SegmentFate::new_data);
  EXPECT_TRUE(s.also_unknown);
}

TEST(TcpStream, NothingMayStandBeforeTheBeginning) {
  Stream s(100);
  EXPECT_EQ(s.push(98, "xy"), SegmentFate::conflict);
  EXPECT_EQ(s.push(98, "xyab"), SegmentFate::conflict);
  EXPECT_EQ(s.push(99, "x"), SegmentFate::nothing_new);  // a keep-alive probe before any data
  EXPECT_EQ(s.push(100, "ab"), SegmentFate::new_data);
}

TEST(TcpStream, SynMovesTheBeginningOnlyUntilItIsConfirmed) {
  StreamAssembler assembler(8, 4, 8);
  StreamState state;
  assembler.on_syn(state, 99);
  EXPECT_FALSE(state.confirmed);
  assembler.on_syn(state, 499);
  EXPECT_EQ(state.next_seq, 500U);
  assembler.confirm(state, 100);  // the receiver took the first one
  EXPECT_EQ(state.next_seq, 100U);
  EXPECT_TRUE(state.confirmed);
  assembler.on_syn(state, 499);
  assembler.confirm(state, 500);
  EXPECT_EQ(state.next_seq, 100U);
}

TEST(TcpStream, AcknowledgementBehindAGapIsTold) {
  Stream s(100);
  s.push(100, "ab");
  s.push(104, "efgh");
  EXPECT_EQ(s.assembler.on_ack(s.state, 102), AckFate::known);
  EXPECT_EQ(s.assembler.on_ack(s.state, 109), AckFate::known);  // nobody sent that
  EXPECT_EQ(s.assembler.on_ack(s.state, 103), AckFate::past_gap);
  EXPECT_EQ(s.assembler.on_ack(s.state, 108), AckFate::past_gap);
  ASSERT_TRUE(s.assembler.skip_gap(s.state, s.carry_over.data(), 106));
  const auto fresh = s.assembler.block().fresh();
  EXPECT_EQ(std::string(fresh.begin(), fresh.end()), "efgh");
  EXPECT_EQ(s.assembler.block().old_size, 0U);
  EXPECT_EQ(s.assembler.block().base, 4U);
  s.assembler.commit(s.state, s.carry_over.data());
  EXPECT_EQ(s.assembler.on_ack(s.state, 108), AckFate::known);
  EXPECT_EQ(s.push(108, "i"), SegmentFate::new_data);
  EXPECT_EQ(s.block, "efghi");
}

TEST(TcpStream, BlockStaysUntilCommit) {
  Stream s(100);
  bool unknown = false;
  EXPECT_EQ(s.assembler.accept(s.state, s.carry_over.data(), 100, bytes_of("ab"), unknown),
            SegmentFate::new_data);
  EXPECT_EQ(s.push(100, "ab"), SegmentFate::new_data);  // was not committed: it is new again
  EXPECT_EQ(s.seen, "ab");
}

}  // namespace
}  // namespace weir::inspection
