// What rules remember of hosts: the table itself, and that it makes no difference how many workers count.
#include "inspection/detect/host_marks.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "inspection/detect/thresholds.h"
#include "tests/unit/inspection/detection_support.h"

namespace weir::inspection::test {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;  // ns
constexpr unsigned kThreads = 4;

MarkedHost host(uint32_t n, uint32_t domain = 0) { return {net::Ipv4{0x0a00'0000 + n}, domain}; }

std::unique_ptr<HostMarks> marks_of(uint32_t entries) { return HostMarks::create(entries, 1).value(); }

TEST(HostMarks, RefusedSizes) {
  EXPECT_EQ(HostMarks::create(0, 1).error().code, ErrorCode::invalid);
  EXPECT_EQ(HostMarks::create(HostMarks::kMost + 1, 1).error().code, ErrorCode::invalid);
  EXPECT_EQ(marks_of(5)->capacity(), 8u);
  EXPECT_EQ(HostMarks::bytes_for(65'536), 1u << 20);
}

TEST(HostMarks, ValuesComeBackAsTheyWereKept) {
  const auto marks = marks_of(1'024);
  const HostMarks::Name name = marks->name_of(HostBits::of_host(7, host(1)));
  EXPECT_FALSE(marks->find(name));
  for (const Mark& mark :
       {Mark{0, true, 1}, Mark{Mark::kMaxCount, false, HostMarks::kForever}, Mark{17, true, 99}}) {
    EXPECT_FALSE(marks->change(name, 0, [&](const Mark&) { return std::optional(mark); }));
    const std::optional<Mark> kept = marks->find(name);
    ASSERT_TRUE(kept);
    EXPECT_EQ(kept->count, mark.count);
    EXPECT_EQ(kept->flag, mark.flag);
    EXPECT_EQ(kept->until_us, mark.until_us);
  }
}

TEST(HostMarks, EachPartOfAKeyMakesAnotherName) {
  const auto marks = marks_of(1);  // one bucket: names differ by their tag alone
  MarkKey key;
  key.one = host(1);
  std::vector<MarkKey> keys(10, key);
  keys[1].what = MarkKey::What::bit;
  keys[2].gid = 1;
  keys[3].sid = 1;
  keys[4].part = 1;
  keys[5].ports = 1;
  keys[6].session = 1;
  keys[7].one = host(1, 5);  // the same address in another domain
  keys[8].other = host(1);
  keys[9] = MarkKey::of_pair(key, host(1), {});
  for (size_t a = 0; a < keys.size(); ++a) {
    for (size_t b = 0; b < a; ++b)
      EXPECT_NE(marks->name_of(keys[a]).tag, marks->name_of(keys[b]).tag) << a << ' ' << b;
  }
  EXPECT_EQ(marks->name_of(MarkKey::of_pair(key, host(1), host(2))).tag,
            marks->name_of(MarkKey::of_pair(key, host(2), host(1))).tag);
  EXPECT_NE(HostMarks::create(1, 2).value()->name_of(key).tag, marks->name_of(key).tag) << "the secret";
}

TEST(HostMarks, InAFullBucketTheOneThatEndsFirstGivesWayAndIsTold) {
  const auto marks = marks_of(4);
  HostBits bits(*marks);
  const auto key = [](uint32_t n) { return HostBits::of_host(1, host(n)); };
  for (uint32_t n = 0; n < 4; ++n) EXPECT_FALSE(bits.set(key(n), kSecond, 10 + n)) << n;
  EXPECT_TRUE(bits.set(key(4), kSecond, 50)) << "10 s are not over";
  EXPECT_FALSE(bits.has(key(0), kSecond));
  for (uint32_t n = 1; n < 5; ++n) EXPECT_TRUE(bits.has(key(n), kSecond)) << n;
  EXPECT_FALSE(bits.set(key(5), 20 * kSecond, 50)) << "the first of the others is over by then";
  EXPECT_FALSE(bits.has(key(1), kSecond)) << "it was overwritten";
}

TEST(HostMarks, ABitHoldsUntilItsTimeOrUntilItIsUnset) {
  const auto marks = marks_of(64);
  HostBits bits(*marks);
  const MarkKey key = HostBits::of_pair(3, host(1), host(2));
  bits.unset(key);
  EXPECT_FALSE(marks->find(marks->name_of(key))) << "nothing is made of what is not there";
  bits.set(key, 0, 5);
  EXPECT_TRUE(bits.has(key, 5 * kSecond - 1'000));
  EXPECT_FALSE(bits.has(key, 5 * kSecond));
  bits.unset(key);
  EXPECT_FALSE(bits.has(key, kSecond));
  bits.toggle(key, kSecond, 5);
  EXPECT_TRUE(bits.has(key, 2 * kSecond));
  bits.toggle(key, 2 * kSecond, 5);
  EXPECT_FALSE(bits.has(key, 3 * kSecond));
  bits.set(key, 3 * kSecond, 5);
  bits.toggle(key, 60 * kSecond, 5);
  EXPECT_TRUE(bits.has(key, 61 * kSecond)) << "it was over, so it is set";
}

/// Whatever the threads' order, the numbers are the same as with one.
TEST(HostMarks, ThreadsCountEachMatchOnce) {
  using Type = ast::Threshold::Type;
  constexpr uint32_t kMatches = 20'000, kHosts = 7;
  struct Row {
    Type type;
    uint32_t count;
    uint64_t alerts;  // of one host
  };
  constexpr uint64_t kAll = uint64_t{kThreads} * kMatches;
  for (const Row& row : {Row{Type::limit, 10, 10}, Row{Type::threshold, 7, kAll / 7}, Row{Type::both, 9, 1},
                         Row{Type::detection_filter, 50, kAll - 50}}) {
    const auto marks = marks_of(1'024);
    ast::Threshold threshold;
    threshold.type = row.type;
    threshold.count = row.count;
    threshold.seconds = 60;
    std::array<std::atomic<uint64_t>, kHosts> alerts{};
    std::atomic<uint64_t> lost_any{0};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        RuleInfo rule;
        PacketView packet;
        packet.time_ns = kSecond;
        const SessionFacts facts;
        bool lost = false;
        for (uint32_t i = 0; i < kMatches * kHosts; ++i) {
          const CountedMatch match{rule, packet, facts, host(i % kHosts), host(99)};
          if (count_match(*marks, threshold, 0, match, lost) == Thresholded::no) ++alerts[i % kHosts];
        }
        lost_any += lost ? 1 : 0;
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const auto& of_host : alerts) EXPECT_EQ(of_host, row.alerts) << static_cast<int>(row.type);
    EXPECT_EQ(lost_any, 0u);
  }
}

TEST(HostMarks, ThreadsThatDriveEachOtherOutLoseCountsAndNothingElse) {
  const auto marks = marks_of(8);
  std::atomic<uint64_t> wrong{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      HostBits bits(*marks);
      for (uint32_t i = 0; i < 50'000; ++i) {
        // Each host's bit has an end of its own: a mark that is a mixture of two would show.
        const auto n = static_cast<uint32_t>(random() % 64);
        const MarkKey key = HostBits::of_host(1, host(n));
        bits.set(key, 0, 100 + n);
        if (random() % 4 == 0) bits.unset(key);
        const std::optional<Mark> mark = marks->find(marks->name_of(key));
        if (mark && mark->until_us != (100 + n) * 1'000'000ULL) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0u);
}

/// Sessions of few hosts, dealt to so many workers, in one order of packets. Which packets alerted, by rule.
std::vector<std::pair<int, uint32_t>> alerts_with(unsigned workers, const std::string& rules,
                                                  bool shared = true) {
  constexpr int kPackets = 600;
  const auto profile = make_profile(rules);
  const auto marks = DetectionBench::few_marks();
  // Every session is a bench of its own; those of one worker share nothing else that rules could see.
  std::vector<std::unique_ptr<DetectionBench>> sessions;
  std::vector<std::shared_ptr<RuleMemory>> by_worker;
  for (unsigned w = 0; w < workers; ++w) by_worker.push_back(shared ? marks : DetectionBench::few_marks());
  for (uint32_t s = 0; s < 24; ++s) {
    auto& session = *sessions.emplace_back(
        std::make_unique<DetectionBench>(profile, DetectorLimits{}, by_worker[s % workers]));
    session.packet.src = host(1 + s / 2 % 3).address;
    session.packet.dst = host(11 + s / 6 % 2).address;
    session.packet.src_port = static_cast<uint16_t>(1'000 + s);
    session.facts.start_ns = s;
  }
  std::mt19937 random(7);
  std::vector<std::pair<int, uint32_t>> alerts;
  for (int i = 0; i < kPackets; ++i) {
    DetectionBench& session = *sessions[random() % sessions.size()];
    session.packet.time_ns = static_cast<uint64_t>(i) * kSecond / 10;
    for (const uint32_t sid : session.datagram(random() % 3 == 0 ? "first" : "second"))
      alerts.emplace_back(i, sid);
  }
  return alerts;
}

TEST(HostMarks, TheNumberOfWorkersMakesNoDifference) {
  const auto udp = [](const std::string& options) {
    return "alert udp any any -> any any (content:\"second\"; " + options + " sid:1;)\n";
  };
  std::vector<std::string> rows;
  for (const std::string type : {"type limit", "type threshold", "type both", ""}) {
    for (const std::string track : {"by_src", "by_dst", "by_both", "by_rule", "by_flow"}) {
      const std::string rest = "track " + track + ", count 3, seconds 7;";
      rows.push_back(udp(type.empty() ? "detection_filter:" + rest : "threshold:" + type + ", " + rest));
    }
  }
  rows.push_back(udp("threshold:type backoff, track by_flow, count 2, multiplier 3;"));
  for (const std::string track : {"ip_src", "ip_dst", "ip_pair"}) {
    rows.push_back("alert udp any any -> any any (content:\"first\"; xbits:set,b,track " + track +
                   ",expire 2; noalert; sid:2;)\n" + udp("xbits:isset,b,track " + track + ";"));
  }
  for (const std::string side : {"src", "dst", "both"}) {
    rows.push_back("alert udp any any -> any any (content:\"first\"; hostbits:toggle,b," + side +
                   "; noalert; sid:2;)\n" + udp("hostbits:isset,b," + side + ";"));
  }
  for (const std::string& rules : rows) {
    const auto one = alerts_with(1, rules);
    EXPECT_FALSE(one.empty()) << rules;
    EXPECT_LT(one.size(), 420u) << "it takes something away: " << rules;
    EXPECT_EQ(alerts_with(2, rules), one) << rules;
    EXPECT_EQ(alerts_with(4, rules), one) << rules;
  }
  EXPECT_NE(alerts_with(4, rows[0], false), alerts_with(1, rows[0]))
      << "each for itself would count otherwise";
}

}  // namespace
}  // namespace weir::inspection::test
