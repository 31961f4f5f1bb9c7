// The traffic of the inspection benchmark: real messages, and other bytes on every pass.
#include "bench/inspection/http_traffic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "inspection/engine/parsers.h"

namespace weir::bench {
namespace {

using namespace inspection;

using Kind = HttpTraffic::Kind;

struct Segment {
  Direction direction;
  std::string bytes;
  auto operator<=>(const Segment&) const = default;
};

/// Takes all segments, in their order.
struct Recorder {
  std::vector<std::vector<Segment>> streams;
  std::vector<size_t> ended;
  explicit Recorder(size_t count) : streams(count), ended(count) {}
  void begin(size_t s) { EXPECT_TRUE(streams[s].empty()); }
  void segment(size_t s, Direction direction, std::span<const uint8_t> bytes) {
    streams[s].push_back({direction, {bytes.begin(), bytes.end()}});
  }
  void end(size_t s) { ++ended[s]; }
};

std::vector<std::vector<Segment>> segments_of(HttpTraffic& traffic, uint64_t pass) {
  Recorder recorder(traffic.streams().size());
  traffic.pass(pass, recorder);
  for (const size_t times : recorder.ended) EXPECT_EQ(times, 1U);
  return recorder.streams;
}

class HttpTrafficOf : public testing::TestWithParam<Kind> {};

TEST_P(HttpTrafficOf, IsMadeOfWholeMessages) {
  const bool answered = GetParam() == Kind::exchanges;
  HttpTraffic traffic(1, 3, 100'000, GetParam());
  const auto streams = segments_of(traffic, 0);
  uint64_t bytes = 0;
  for (size_t s = 0; s < streams.size(); ++s) {
    BytePool pool(8 << 20);
    ParserShared shared;
    shared.http.transactions = 4'096;
    AppParser* const parser = make_parser(pool, shared, AppProtocol::http1, true, 0, net::Ipv4{});
    ASSERT_NE(parser, nullptr);
    for (const auto& [direction, segment] : streams[s]) {
      EXPECT_LE(segment.size(), HttpTraffic::kSegmentBytes);
      bytes += segment.size();
      std::span<const uint8_t> rest(reinterpret_cast<const uint8_t*>(segment.data()), segment.size());
      Advance step;
      do {
        step = parser->advance(direction, rest, 0);
        ASSERT_EQ(step.error, AppError::none);
        rest = rest.subspan(step.consumed);
      } while (step.next == Next::again);
    }
    size_t requests = 0, complete = 0, answers = 0;
    for (const Transaction* const transaction : parser->transactions()) {
      ++requests;
      complete += transaction->progress(Direction::to_server) == HttpStep::complete;
      answers += transaction->progress(Direction::to_client) == HttpStep::complete;
    }
    parser->destroy();
    EXPECT_EQ(requests, traffic.streams()[s].requests);
    EXPECT_EQ(complete, requests);
    EXPECT_EQ(answers, answered ? requests : 0);
  }
  EXPECT_EQ(bytes, traffic.bytes());
  EXPECT_GE(bytes, 3 * 100'000U);
}

TEST_P(HttpTrafficOf, EverySegmentIsNewOnEveryPass) {
  HttpTraffic traffic(1, 8, 100'000, GetParam());
  std::vector<Segment> seen;
  for (uint64_t pass = 0; pass < 4; ++pass) {
    for (const auto& stream : segments_of(traffic, pass)) {
      for (const Segment& segment : stream) {
        // The last one of a message may be too short to have a field of its own.
        if (segment.bytes.size() == HttpTraffic::kSegmentBytes) seen.push_back(segment);
      }
    }
  }
  const size_t all = seen.size();
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  EXPECT_EQ(seen.size(), all);
}

TEST_P(HttpTrafficOf, TheSamePassGivesTheSameBytes) {
  HttpTraffic one(7, 2, 20'000, GetParam()), other(7, 2, 20'000, GetParam());
  segments_of(one, 5);
  EXPECT_EQ(segments_of(one, 3), segments_of(other, 3));
  EXPECT_NE(segments_of(one, 3), segments_of(other, 4));
  HttpTraffic seeded(8, 2, 20'000, GetParam());
  EXPECT_NE(segments_of(one, 3), segments_of(seeded, 3));
}

INSTANTIATE_TEST_SUITE_P(Kinds, HttpTrafficOf, testing::Values(Kind::exchanges, Kind::requests),
                         [](const auto& kind) {
                           return std::string(kind.param == Kind::exchanges ? "exchanges" : "requests");
                         });

}  // namespace
}  // namespace weir::bench
