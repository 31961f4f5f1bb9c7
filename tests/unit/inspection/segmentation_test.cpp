// One attack in every cut and order: always one alert, and the receiver never gets all of it.
#include <algorithm>
#include <random>
#include <set>

#include "support.h"

namespace weir::inspection::test {
namespace {

/// What the receiver can read: the bytes without a gap from the beginning on, first data winning.
class Receiver {
 public:
  explicit Receiver(size_t size) : bytes_(size, '\0'), have_(size, false) {}
  void take(uint32_t at, std::string_view payload) {
    for (size_t i = 0; i < payload.size(); ++i) {
      if (at + i >= bytes_.size() || have_[at + i]) continue;
      bytes_[at + i] = payload[i];
      have_[at + i] = true;
    }
  }
  std::string readable() const {
    const auto gap = std::find(have_.begin(), have_.end(), false);
    return bytes_.substr(0, static_cast<size_t>(gap - have_.begin()));
  }

 private:
  std::string bytes_;
  std::vector<bool> have_;
};

struct Segment {
  uint32_t at;
  std::string bytes;
};

struct Case {
  const char* name;
  const char* rule;  // all but the action
  std::string stream;
  std::string pattern;  // what the receiver must not get
};

const Case kCases[] = {
    {"payload", "tcp any any -> any any (flow:established,to_server; content:\"ATTACK\"; sid:1;)",
     "some bytes and ATTACK in them", "ATTACK"},
    {"chain", "tcp any any -> any any (content:\"AT\"; content:\"CK\"; distance:2; within:2; sid:1;)",
     "AT AT__ ATTACK end", "ATTACK"},
    {"depth", "tcp any any -> any any (content:\"ATTACK\"; depth:9; sid:1;)", "12 ATTACK x", "ATTACK"},
    {"uri", "http any any -> any any (http.uri; content:\"/ev il\"; sid:1;)",
     "GET /a?/ev%20il HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1\r\n"},
    {"host",
     "http any any -> any any (http.method; content:\"GET\"; http.host; content:\"evil.org\"; sid:1;)",
     "GET /a HTTP/1.1\r\nHost: EVIL.org:80\r\n\r\n", "\r\n\r\n"},
};

class Segmentation : public testing::TestWithParam<Case> {
 protected:
  /// Sends the segments, in their order, under the action and checks what has to hold in any case.
  void check(const std::vector<Segment>& segments, uint32_t isn) {
    for (const char* action : {"alert ", "drop "}) {
      SCOPED_TRACE(std::string(action) + describe(segments));
      RecordingSink sink;
      const auto& ruleset = *action == 'a' ? alert_ : drop_;
      Session session(*inspector_, ruleset, sink);
      session.start_at(isn, 77);
      session.handshake();
      Receiver receiver(GetParam().stream.size());
      bool dropped = false;
      for (const Segment& s : segments) {
        const Action verdict = session.client(s.at, s.bytes);
        if (verdict == Action::pass) receiver.take(s.at, s.bytes);
        EXPECT_NE(verdict, Action::drop_packet);
        EXPECT_FALSE(dropped && verdict == Action::pass);
        dropped |= verdict == Action::drop_session;
      }
      const bool blocks = *action == 'd';
      // A packet and the stream may show it both; which signatures alert does not depend on the segments.
      const std::vector<uint32_t> alerts = sink.alerts();
      EXPECT_EQ(std::set<uint32_t>(alerts.begin(), alerts.end()), std::set<uint32_t>{1});
      EXPECT_EQ(sink.count(EventKind::drop), blocks ? 1U : 0U);
      EXPECT_EQ(dropped, blocks);
      EXPECT_EQ(receiver.readable().find(GetParam().pattern) == std::string::npos, blocks);
    }
  }
  static std::string describe(const std::vector<Segment>& segments) {
    std::string text;
    for (const Segment& s : segments)
      text += std::to_string(s.at) + "+" + std::to_string(s.bytes.size()) + " ";
    return text;
  }
  /// The stream cut before each of `cuts`.
  std::vector<Segment> cut(std::vector<size_t> cuts) const {
    const std::string& stream = GetParam().stream;
    cuts.insert(cuts.begin(), 0);
    cuts.push_back(stream.size());
    std::vector<Segment> segments;
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
      if (cuts[i] < cuts[i + 1]) {
        segments.push_back({static_cast<uint32_t>(cuts[i]), stream.substr(cuts[i], cuts[i + 1] - cuts[i])});
      }
    }
    return segments;
  }
  void check_all_orders(std::vector<Segment> segments, uint32_t isn) {
    std::sort(segments.begin(), segments.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
    do {
      check(segments, isn);
    } while (std::next_permutation(segments.begin(), segments.end(),
                                   [](const auto& a, const auto& b) { return a.at < b.at; }));
  }

  void SetUp() override {
    alert_ = compile(std::string("alert ") + GetParam().rule);
    drop_ = compile(std::string("drop ") + GetParam().rule);
    inspector_ = make_inspector({.flows = 2, .stream_window = 1024, .out_of_order_segments = 64});
  }

  std::shared_ptr<const Ruleset> alert_, drop_;
  std::unique_ptr<Inspector> inspector_;
};

TEST_P(Segmentation, Whole) { check(cut({}), 1000); }

TEST_P(Segmentation, CutAtEveryByte) {
  for (size_t i = 1; i < GetParam().stream.size(); ++i) check_all_orders(cut({i}), 1000);
}

TEST_P(Segmentation, SingleBytesForwardsBackwardsAndShuffled) {
  std::vector<size_t> all;
  for (size_t i = 1; i < GetParam().stream.size(); ++i) all.push_back(i);
  std::vector<Segment> segments = cut(all);
  check(segments, 1000);
  std::reverse(segments.begin(), segments.end());
  check(segments, 0xffff'fff0);
  std::mt19937 random(1);
  for (int i = 0; i < 20; ++i) {
    std::shuffle(segments.begin(), segments.end(), random);
    check(segments, 0xffff'fff0);
  }
}

TEST_P(Segmentation, EveryOrderOfThreeAndFour) {
  const size_t size = GetParam().stream.size();
  for (size_t i = 1; i + 2 < size; i += 3) {
    for (size_t j = i + 1; j + 1 < size; j += 4) {
      check_all_orders(cut({i, j}), 1000);
      if (j + 2 < size) check_all_orders(cut({i, j, j + (size - j) / 2}), 0xffff'fffa);
    }
  }
}

TEST_P(Segmentation, RetransmissionsAndOverlaps) {
  std::mt19937 random(2);
  const std::string& stream = GetParam().stream;
  for (int round = 0; round < 200; ++round) {
    std::vector<Segment> segments;
    for (uint32_t at = 0; at < stream.size();) {
      const auto size = static_cast<uint32_t>(1 + random() % 7);
      const auto back = static_cast<uint32_t>(random() % (std::min(at, 5U) + 1));
      segments.push_back({at - back, stream.substr(at - back, size + back)});
      if (random() % 3 == 0) segments.push_back(segments.back());
      at += size;
    }
    if (round % 2 == 1) std::shuffle(segments.begin(), segments.end(), random);
    check(segments, 1000);
  }
}

INSTANTIATE_TEST_SUITE_P(Attacks, Segmentation, testing::ValuesIn(kCases),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace weir::inspection::test
