// Which packet of a feed comes next: no two sessions are the same, none is left out, and what a TCP session's
// packets say of each other is what its ends would say.
#include "pktgen-scripts/feed/step.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "pktgen-scripts/feed/control.h"
#include "tests/support/rounds.h"

namespace {

constexpr uint32_t kIsn[2] = {1'000, 500'000};
enum Frame : uint16_t {
  kSyn,
  kSynAck,
  kForwardData,
  kReverseData,
  kForwardFin,
  kReverseFin,
  kForwardLast,
  kReverseLast
};

/// A class of `sessions` whose frames are told apart by their index; the frames' numbers as plan.py makes
/// them.
struct Plan {
  feed_class one{};
  std::array<feed_frame, FEED_MAX_FRAMES> frames{};

  explicit Plan(uint32_t sessions, uint32_t stride, uint32_t life = 0, bool tcp = false, uint32_t lag = 0) {
    one.sessions = sessions;
    one.stride = stride;
    one.life = life;
    one.tcp = tcp;
    one.lag = lag;
    one.seq_step[FEED_FORWARD] = 100;
    one.seq_step[FEED_REVERSE] = 1'000;
    for (uint16_t phase = 0; phase < FEED_PHASES; ++phase) {
      for (uint16_t direction = 0; direction < FEED_DIRECTIONS; ++direction) {
        const auto index = static_cast<uint16_t>(phase * 2 + direction);
        one.frame[phase][direction] = index;
        frames[index].client_base = 0x0a01'0000;
        frames[index].seq = frames[index].ack = 4;
        frames[index].first_seq = kIsn[direction] + (phase == FEED_OPEN ? 0 : 1);
        frames[index].first_ack =
            phase == FEED_OPEN && direction == FEED_FORWARD ? 0 : kIsn[1 - direction] + 1;
      }
    }
  }
};

using Client = std::pair<uint32_t, uint16_t>;

struct Walk {
  const Plan& plan;
  feed_cursor cursor{};

  feed_step next(unsigned& direction) {
    direction = cursor.direction;
    feed_step step;
    feed_next(&plan.one, &cursor, plan.frames.data(), &step);
    return step;
  }
};

TEST(FeedStep, TenMillionSessionsHaveTenMillionClients) {
  std::vector<uint64_t> clients;
  constexpr uint32_t kSessions = weir::test::rounds(10'000'000);
  clients.reserve(kSessions);
  for (uint32_t id = 0; id < kSessions; ++id) {
    ASSERT_GE(feed_port(id), 0x4000);
    clients.push_back(uint64_t{feed_address_offset(id)} << 16 | feed_port(id));
  }
  std::sort(clients.begin(), clients.end());
  EXPECT_EQ(std::adjacent_find(clients.begin(), clients.end()), clients.end())
      << "two sessions of one client";
}

TEST(FeedStep, EachPassVisitsEachSessionOnceEachWay) {
  constexpr uint32_t kSessions = 1'000, kLag = 64;
  const Plan plan(kSessions, 617, 0, false, kLag);
  Walk walk{plan};
  std::map<std::pair<unsigned, Client>, unsigned> seen;
  std::array<unsigned, 2> count{};
  for (unsigned i = 0; i < 6 * kSessions; ++i) {
    unsigned direction;
    const feed_step step = walk.next(direction);
    ++count[direction];
    ++seen[{direction, {step.client_address, step.client_port}}];
  }
  EXPECT_EQ(count[FEED_FORWARD], 3 * kSessions);
  EXPECT_EQ(seen.size(), 2 * kSessions);
  for (const auto& [key, times] : seen) EXPECT_EQ(times, 3u);
}

TEST(FeedStep, AnswersComeLaterThanQuestions) {
  const Plan plan(100, 61, 0, false, 10);
  Walk walk{plan};
  std::map<Client, unsigned> asked;
  unsigned packets = 0;
  for (unsigned direction = 0; packets < 1'000; ++packets) {
    const feed_step step = walk.next(direction);
    const Client client{step.client_address, step.client_port};
    if (direction == FEED_FORWARD) {
      asked.emplace(client, packets);
    } else {
      ASSERT_TRUE(asked.contains(client));
      EXPECT_GE(packets - asked[client], 10u);
    }
  }
}

TEST(FeedStep, LaterPassesAreInAnotherOrderThanTheFirst) {
  const Plan plan(1'000, 617);
  Walk walk{plan};
  std::vector<uint32_t> order[2];
  for (unsigned direction = 0; order[1].size() < 1'000;) {
    const uint32_t pass = walk.cursor.at[FEED_FORWARD].pass;
    const uint32_t session = walk.cursor.at[FEED_FORWARD].session;
    walk.next(direction);
    if (direction == FEED_FORWARD && pass < 2) order[pass].push_back(session);
  }
  EXPECT_EQ(order[0][1], 1u);
  EXPECT_EQ(order[1][1], 617u);
}

TEST(FeedStep, OneWayTrafficHasNoAnswers) {
  Plan plan(10, 7);
  plan.one.one_way = 1;
  Walk walk{plan};
  for (unsigned i = 0, direction = 0; i < 100; ++i) {
    walk.next(direction);
    EXPECT_EQ(direction, unsigned{FEED_FORWARD});
  }
}

TEST(FeedStep, ALifeEndsAndAnotherClientComes) {
  const Plan plan(50, 31, /*life=*/1);
  Walk walk{plan};
  std::set<Client> clients;
  unsigned forward = 0;
  for (unsigned direction = 0; forward < 5'000;) {
    const feed_step step = walk.next(direction);
    if (direction != FEED_FORWARD) continue;
    ++forward;
    EXPECT_TRUE(clients.insert({step.client_address, step.client_port}).second) << "packet " << forward;
  }
}

/// Both ends of a session, as far as sequence numbers go.
struct Ends {
  uint32_t next[2] = {kIsn[0], kIsn[1]};  // expected from each
  unsigned packets = 0;
  bool opened = false, closed = false;
};

void follow(Ends& ends, const feed_step& step, unsigned direction) {
  const bool reverse = direction == FEED_REVERSE;
  EXPECT_EQ(step.seq, ends.next[direction]) << "frame " << step.frame;
  switch (step.frame) {
    case kSyn:
      EXPECT_EQ(ends.packets, 0u);
      ends.next[FEED_FORWARD] += 1;
      break;
    case kSynAck:
      ends.next[FEED_REVERSE] += 1;
      ends.opened = true;
      break;
    case kForwardData:
    case kReverseData:
      EXPECT_TRUE(ends.opened);
      ends.next[direction] += reverse ? 1'000 : 100;
      break;
    case kForwardFin:
    case kReverseFin:
      ends.next[direction] += 1;
      break;
    default:
      ends.closed = true;
  }
  if (step.frame != kSyn) {
    EXPECT_EQ(step.ack, ends.next[1 - direction]) << "frame " << step.frame;
  }
  ++ends.packets;
}

TEST(FeedStep, TcpSessionsAreConversations) {
  for (const uint32_t life : {0u, 4u, 7u}) {
    SCOPED_TRACE(life);
    const Plan plan(40, 23, life, true, 10);
    Walk walk{plan};
    std::map<Client, Ends> sessions;
    std::set<Client> whole;
    for (unsigned i = 0, direction = 0; i < 8'000; ++i) {
      const feed_step step = walk.next(direction);
      Ends& ends = sessions[{step.client_address, step.client_port}];
      ASSERT_FALSE(ends.closed && step.frame == kSyn) << "the same client again";
      follow(ends, step, direction);
      if (ends.closed) whole.insert({step.client_address, step.client_port});
      if (HasFailure()) return;
    }
    EXPECT_EQ(whole.empty(), life == 0);
    if (life == 0) {
      EXPECT_EQ(sessions.size(), 40u);
    }
  }
}

TEST(FeedStep, NumbersAreWrittenAsHexDigits) {
  for (const uint32_t number : {0u, 1u, 0x9abcdef0u, 0xffffffffu, 0x12345678u}) {
    char expected[9];
    std::snprintf(expected, sizeof expected, "%08x", number);
    uint64_t digits = feed_digits(number);
    std::string text;
    for (int byte = 7; byte >= 0; --byte) text += static_cast<char>(digits >> (8 * byte));
    EXPECT_EQ(text, expected);
  }
}

TEST(FeedControl, StaysFallIntoBucketsInOrder) {
  unsigned before = 0;
  for (uint64_t cycles = 0; cycles < 100'000; ++cycles) {
    const unsigned bucket = weir::feed::stay_bucket(cycles);
    ASSERT_TRUE(bucket == before || bucket == before + 1) << cycles;
    before = bucket;
  }
  EXPECT_EQ(weir::feed::stay_bucket(~0ull), weir::feed::kStayBuckets - 1);
}

}  // namespace
