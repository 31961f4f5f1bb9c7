// What files are (`file.magic`): the desk between a worker and libmagic, and sessions whose rules wait for
// it.
#include "inspection/magic/file_magic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "tests/unit/inspection/support.h"

namespace weir::inspection::test {
namespace {

using Sids = std::vector<uint32_t>;
using State = MagicDesk::Asked::State;

/// Says "kind X" of what begins with the letter X; of '!' nothing, as libmagic where it fails.
class FakeTeller final : public MagicTeller {
 public:
  explicit FakeTeller(std::vector<std::string>* seen = nullptr) : seen_(seen) {}
  std::optional<size_t> tell(std::span<const uint8_t> begin, std::span<char> text) override {
    const std::string bytes(begin.begin(), begin.end());
    if (seen_ != nullptr) seen_->push_back(bytes);
    if (bytes.starts_with('!')) return std::nullopt;
    const std::string said =
        bytes.starts_with('L') ? std::string(1'000, 'l') : "kind " + bytes.substr(0, 1) + " document";
    const size_t size = std::min(said.size(), text.size());
    std::copy_n(said.begin(), size, text.begin());
    return size;
  }

 private:
  std::vector<std::string>* seen_;
};

// --- the desk

TEST(MagicDesk, AnswersInOrderAndUsesItsPlacesAgain) {
  MagicDesk desk({.bytes = 8, .queue = 3});
  FakeTeller teller;
  MagicDesk::Asker a{.name = 1}, b{.name = 2};
  for (int round = 0; round < 5; ++round) {
    desk.ask_for(&a);
    const auto first = desk.ask(bytes_of("A"));
    desk.ask_for(&b);
    const auto second = desk.ask(bytes_of("B"));
    ASSERT_EQ(first.state, State::waits);
    ASSERT_EQ(second.state, State::waits);
    EXPECT_NE(first.ticket, second.ticket);
    EXPECT_EQ(desk.next(), nullptr) << "nobody has answered";
    EXPECT_EQ(desk.serve(teller, 1), 1U);
    ASSERT_EQ(desk.next(), &a);
    EXPECT_EQ(desk.next(), &a) << "to look takes nothing";
    auto answer = desk.take();
    EXPECT_EQ(answer.ticket, first.ticket);
    EXPECT_EQ(answer.text, "kind A document");
    EXPECT_EQ(desk.next(), nullptr);
    EXPECT_EQ(desk.serve(teller, 9), 1U);
    ASSERT_EQ(desk.next(), &b);
    answer = desk.take();
    EXPECT_EQ(answer.ticket, second.ticket);
    EXPECT_EQ(answer.text, "kind B document");
    EXPECT_EQ(a.waiting + b.waiting, 0U);
  }
  EXPECT_EQ(desk.counters().asked, 10U);
  EXPECT_EQ(desk.counters().told, 10U);
  EXPECT_EQ(desk.counters().lost, 0U);
}

TEST(MagicDesk, LosesWhatFindsNoPlaceAndNeverWaits) {
  MagicDesk desk({.bytes = 8, .queue = 2});
  FakeTeller teller;
  MagicDesk::Asker a{.name = 1};
  EXPECT_EQ(desk.ask(bytes_of("A")).state, State::lost) << "nobody asks";
  desk.ask_for(&a);
  EXPECT_EQ(desk.ask(bytes_of("A")).state, State::waits);
  EXPECT_EQ(desk.ask(bytes_of("B")).state, State::waits);
  EXPECT_EQ(desk.ask(bytes_of("C")).state, State::lost);
  EXPECT_EQ(desk.serve(teller, 9), 2U);
  EXPECT_EQ(desk.ask(bytes_of("D")).state, State::lost) << "an answer has its place until it is taken";
  ASSERT_NE(desk.next(), nullptr);
  desk.take();
  EXPECT_EQ(desk.ask(bytes_of("E")).state, State::waits);
  EXPECT_EQ(desk.counters().lost, 3U);
}

TEST(MagicDesk, OneSessionHasItsShare) {
  MagicDesk desk({.bytes = 8, .queue = 100});
  MagicDesk::Asker a{.name = 1}, b{.name = 2};
  desk.ask_for(&a);
  for (uint32_t i = 0; i < MagicDesk::kOfOneAsker; ++i)
    EXPECT_EQ(desk.ask(bytes_of("A")).state, State::waits);
  EXPECT_EQ(desk.ask(bytes_of("A")).state, State::lost);
  desk.ask_for(&b);
  EXPECT_EQ(desk.ask(bytes_of("B"), 1).state, State::waits);
  EXPECT_EQ(desk.ask(bytes_of("B"), 1).state, State::lost);
}

/// Also when its sessions end while their files wait, and while others of the queue are free.
TEST(MagicDesk, OneDomainHasItsShare) {
  MagicDesk desk({.bytes = 8, .queue = 4, .domain_share = 75});
  FakeTeller teller;
  MagicDesk::Asker a{.name = 1, .domain = 7}, again{.name = 2, .domain = 7}, other{.name = 3, .domain = 8};
  desk.ask_for(&a);
  EXPECT_EQ(desk.ask(bytes_of("A")).state, State::waits);
  EXPECT_EQ(desk.ask(bytes_of("B")).state, State::waits);
  desk.withdraw(a);
  desk.ask_for(&again);
  EXPECT_EQ(desk.ask(bytes_of("C")).state, State::waits);
  EXPECT_EQ(desk.ask(bytes_of("D")).state, State::lost) << "three of four";
  desk.ask_for(&other);
  EXPECT_EQ(desk.ask(bytes_of("E")).state, State::waits);
  EXPECT_EQ(desk.serve(teller, 9), 4U);
  ASSERT_EQ(desk.next(), &again);
  EXPECT_EQ(desk.counters().late, 2U);
  desk.take();
  ASSERT_EQ(desk.next(), &other);
  desk.take();
  desk.ask_for(&again);
  for (const char* file : {"F", "G", "H"}) EXPECT_EQ(desk.ask(bytes_of(file)).state, State::waits) << file;
  EXPECT_EQ(desk.ask(bytes_of("I")).state, State::lost);
}

TEST(MagicDesk, WhoHasWithdrawnIsToldNothing) {
  MagicDesk desk({.bytes = 8, .queue = 4});
  FakeTeller teller;
  auto a = std::make_unique<MagicDesk::Asker>(MagicDesk::Asker{.name = 1});
  MagicDesk::Asker b{.name = 2};
  desk.ask_for(a.get());
  EXPECT_EQ(desk.ask(bytes_of("A")).state, State::waits);
  desk.ask_for(&b);
  EXPECT_EQ(desk.ask(bytes_of("B")).state, State::waits);
  desk.ask_for(a.get());
  EXPECT_EQ(desk.ask(bytes_of("A")).state, State::waits);
  desk.serve(teller, 1);  // one of them is answered already
  desk.withdraw(*a);
  EXPECT_EQ(a->waiting, 0U);
  a.reset();
  EXPECT_EQ(desk.ask(bytes_of("C")).state, State::lost) << "it asks for nobody now";
  desk.serve(teller, 9);
  ASSERT_EQ(desk.next(), &b);
  desk.take();
  EXPECT_EQ(desk.next(), nullptr);
  EXPECT_EQ(desk.counters().late, 2U);
  EXPECT_EQ(desk.counters().told, 1U);
}

TEST(MagicDesk, ClipsBothBytesAndTextAndTellsOfErrors) {
  std::vector<std::string> seen;
  FakeTeller teller(&seen);
  MagicDesk desk({.bytes = 4, .queue = 4});
  MagicDesk::Asker a{.name = 1};
  desk.ask_for(&a);
  desk.ask(bytes_of("Long file"));
  desk.ask(bytes_of("!"));
  desk.serve(teller, 9);
  EXPECT_EQ(seen, (std::vector<std::string>{"Long", "!"}));
  ASSERT_NE(desk.next(), nullptr);
  EXPECT_EQ(desk.take().text, std::string(MagicDesk::kText, 'l'));
  ASSERT_NE(desk.next(), nullptr);
  EXPECT_EQ(desk.take().text, std::nullopt);
  EXPECT_EQ(desk.counters().failed, 1U);
}

/// For ThreadSanitizer: the two sides at once, as in the hub.
TEST(MagicDesk, TwoThreads) {
  constexpr uint64_t kFiles = 20'000;
  MagicDesk desk({.bytes = 8, .queue = 7});
  std::atomic<bool> stop{false};
  std::thread answers([&] {
    FakeTeller teller;
    while (!stop.load()) desk.serve(teller, 3);
  });
  MagicDesk::Asker a{.name = 1};
  desk.ask_for(&a);
  uint64_t asked = 0, told = 0;
  while (told < kFiles) {
    const char letter = static_cast<char>('A' + asked % 10);
    if (asked < kFiles && desk.ask(bytes_of({&letter, 1})).state == State::waits) ++asked;
    while (desk.next() != nullptr) {
      const std::string_view text = *desk.take().text;
      ASSERT_EQ(text[5], static_cast<char>('A' + told % 10));
      ++told;
    }
  }
  stop = true;
  answers.join();
}

// --- the process

TEST(FileMagic, NothingIsOpenedBeforeARuleAsks) {
  int opened = 0;
  const auto magic = std::make_shared<FileMagic>(
      2, MagicSettings{}, FileMagic::Mode::by_hand, [] {},
      [&]() -> Result<std::unique_ptr<MagicTeller>> {
        ++opened;
        return std::make_unique<FakeTeller>();
      });
  ProfileSpec spec;
  spec.magic = magic;
  auto rules = compile("alert http any any -> any any (file.name; content:\"x\"; sid:1;)", 1, spec);
  EXPECT_EQ(rules->magic(), nullptr);
  EXPECT_EQ(opened, 0);
  EXPECT_EQ(magic->desk(0), nullptr);
  for (int i = 0; i < 2; ++i) {
    rules = compile("alert http any any -> any any (file.magic; content:\"x\"; sid:1;)", 1, spec);
    EXPECT_EQ(rules->magic(), magic);
    EXPECT_EQ(opened, 1);
  }
  EXPECT_NE(magic->desk(0), magic->desk(1));
  EXPECT_EQ(magic->desk(2), nullptr);
}

TEST(FileMagic, ADatabaseThatIsNotThereIsTold) {
  ProfileSpec spec;
  spec.magic = std::make_shared<FileMagic>(
      1, MagicSettings{}, FileMagic::Mode::by_hand, [] {},
      []() -> Result<std::unique_ptr<MagicTeller>> { return fail(ErrorCode::io, "no database"); });
  ast::ParsedRuleset parsed;
  ast::RuleReader().read("test.rules", "alert http any any -> any any (filemagic:\"x\"; sid:1;)", parsed);
  const auto build = compile_rules(parsed, 1, spec);
  ASSERT_TRUE(build.has_value());
  EXPECT_EQ(build->notes,
            std::vector<std::string>{"no database: rules that ask for file.magic do not match"});
  EXPECT_EQ(build->ruleset->magic(), nullptr);
}

/// The real thread, with the real libmagic.
TEST(FileMagic, AThreadAnswers) {
  FileMagic magic(1, {}, FileMagic::Mode::beside);
  const Status started = magic.start();
  ASSERT_TRUE(started.has_value()) << started.error().message;
  MagicDesk& desk = *magic.desk(0);
  MagicDesk::Asker a{.name = 1};
  desk.ask_for(&a);
  ASSERT_EQ(desk.ask(bytes_of("%PDF-1.7\n")).state, State::waits);
  while (desk.next() == nullptr) std::this_thread::yield();
  EXPECT_EQ(desk.take().text, "PDF document, version 1.7");
}

// --- sessions

std::string answer_with(std::string_view file) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(file.size()) + "\r\n\r\n" + std::string(file);
}
const std::string kGet = "GET /file HTTP/1.1\r\nHost: h\r\n\r\n";

class FileMagicSessions : public ::testing::Test {
 protected:
  explicit FileMagicSessions(const MagicSettings& settings = {.bytes = 16, .queue = 8})
      : magic_(std::make_shared<FileMagic>(
            1, settings, FileMagic::Mode::by_hand, [] {},
            []() -> Result<std::unique_ptr<MagicTeller>> { return std::make_unique<FakeTeller>(); })) {}

  std::shared_ptr<const Ruleset> rules(std::string_view text, InspectMode mode = InspectMode::ips) const {
    ProfileSpec spec;
    spec.magic = magic_;
    spec.settings = hub_settings(mode);
    return compile(text, 1, spec);
  }
  /// One exchange, behind those before it.
  Action exchange(Session& session, std::string_view file) {
    session.client(client_, kGet, server_);
    client_ += static_cast<uint32_t>(kGet.size());
    const std::string answer = answer_with(file);
    const Action action = session.server(server_, answer, client_);
    server_ += static_cast<uint32_t>(answer.size());
    return action;
  }
  Action acknowledge(Session& session) { return session.client(client_, "", server_); }
  /// What the worker does in each turn. How many answers there were.
  size_t take(const RulesInUse* rules) {
    size_t taken = 0;
    for (Inspector::Told told = inspector_->told_magic(); told.flow.valid();
         told = inspector_->told_magic()) {
      flow_ids_.push_back(told.flow_id);
      inspector_->take_magic(told, rules, 1'000, 0, sink_);
      ++taken;
    }
    return taken;
  }
  size_t serve_and_take(const RulesInUse* rules) {
    magic_->serve(100);
    return take(rules);
  }
  const InspectorCounters& counters() const { return inspector_->counters(); }

  std::shared_ptr<FileMagic> magic_;
  std::unique_ptr<Inspector> inspector_ = [] {
    EventSettings settings = alerts_and_drops();
    settings.kinds.set(EventKind::fileinfo).set(EventKind::http);
    return make_inspector({.flows = 4}, 0, settings);
  }();
  RecordingSink sink_;
  std::vector<uint64_t> flow_ids_;
  uint32_t client_ = 0, server_ = 0;
};

TEST_F(FileMagicSessions, ARuleAlertsWhenTheAnswerIsThere) {
  Session session(
      *inspector_,
      rules("alert http any any -> any any (file.magic; content:\"kind P\"; sid:1;)\n"
            "alert http any any -> any any (filemagic:\"KIND p\"; sid:2;)\n"
            "alert http any any -> any any (filemagic:\"kind Q\"; sid:3;)\n"
            "alert http any any -> any any (filemagic:!\"kind Q\"; sid:4;)\n"
            "alert http any any -> any any (http.uri; content:\"/file\"; sid:5;)\n"
            "alert http any any -> any any (file.name; content:\"file\"; filemagic:\"kind P\"; sid:6;)\n"
            "alert http any any -> any any (filemagic:\"kind P\"; filesize:4; sid:7;)\n"
            "alert smtp any any -> any any (filemagic:\"kind P\"; sid:8;)"),
      sink_);
  session.handshake();
  EXPECT_EQ(exchange(session, "Pabc"), Action::pass);
  EXPECT_EQ(sink_.alerts(), Sids{5}) << "nothing waits for libmagic but the rules that ask";
  EXPECT_EQ(sink_.count(EventKind::fileinfo), 0U) << "the event waits for what it can tell";
  EXPECT_EQ(counters().magic_asked, 1U);
  EXPECT_EQ(take(&session.rules), 0U);
  sink_.clear();

  EXPECT_EQ(serve_and_take(&session.rules), 1U);
  EXPECT_EQ(sink_.alerts(), (Sids{1, 2, 4, 6, 7}));
  EXPECT_EQ(flow_ids_, std::vector<uint64_t>{7});
  for (const Event& event : sink_.events) EXPECT_EQ(event.flow.flow_id, 7U);
  ASSERT_EQ(sink_.count(EventKind::fileinfo), 1U);
  EXPECT_EQ(sink_.count(EventKind::http), 1U);
  for (size_t i = 0; i < sink_.events.size(); ++i) {
    if (sink_.events[i].kind == EventKind::fileinfo) {
      EXPECT_EQ(sink_.text(i, Field::file_magic), "kind P document");
    }
    if (sink_.events[i].kind == EventKind::alert) {
      EXPECT_TRUE(sink_.events[i].alert.to_client);
    }
  }
  EXPECT_EQ(counters().magic_told, 1U);
  EXPECT_EQ(counters().in_transaction[0], 0U) << "the transaction is over";

  sink_.clear();
  EXPECT_EQ(acknowledge(session), Action::pass);
  EXPECT_EQ(sink_.alerts(), Sids{}) << "once";
  EXPECT_EQ(exchange(session, "Qabc"), Action::pass);
  EXPECT_EQ(serve_and_take(&session.rules), 1U);
  EXPECT_EQ(sink_.alerts(), (Sids{5, 3})) << "the next one is another";
}

TEST_F(FileMagicSessions, IsAskedAsSoonAsEnoughBytesHaveCome) {
  Session session(*inspector_, rules("alert http any any -> any any (filemagic:\"kind P\"; sid:1;)"), sink_);
  session.handshake();
  session.client(0, kGet);
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
  auto at = static_cast<uint32_t>(head.size());
  session.server(0, head);
  session.server(at, "P23456789012345");
  EXPECT_EQ(counters().magic_asked, 0U);
  session.server(at + 15, "6");
  EXPECT_EQ(counters().magic_asked, 1U);
  session.server(at + 16, "more");
  EXPECT_EQ(serve_and_take(&session.rules), 1U);
  EXPECT_EQ(sink_.alerts(), Sids{1}) << "in the midst of it";
  session.server(at + 20, "still more");
  EXPECT_EQ(sink_.alerts(), Sids{1});
  EXPECT_EQ(counters().magic_asked, 1U);
}

TEST_F(FileMagicSessions, ADropHoldsFromTheAnswerOn) {
  Session session(*inspector_,
                  rules("drop http any any -> any any (msg:\"no\"; filemagic:\"kind P\"; sid:9;)"), sink_);
  session.handshake();
  EXPECT_EQ(exchange(session, "P"), Action::pass) << "these bytes have passed";
  EXPECT_EQ(acknowledge(session), Action::pass);
  EXPECT_EQ(serve_and_take(&session.rules), 1U);
  EXPECT_EQ(sink_.alerts(), Sids{9});
  for (const Event& event : sink_.events) {
    if (event.kind == EventKind::alert) {
      EXPECT_TRUE(event.alert.blocked);
    }
  }
  EXPECT_EQ(sink_.count(EventKind::drop), 0U);
  EXPECT_EQ(counters().drops, 0U);
  EXPECT_EQ(acknowledge(session), Action::drop_session);
  EXPECT_EQ(session.last_sid, 9U);
  EXPECT_EQ(session.last_why, Refused::rule);
  EXPECT_EQ(sink_.count(EventKind::drop), 1U);
  EXPECT_EQ(counters().drops, 1U);
}

TEST_F(FileMagicSessions, AModeThatOnlyTestsDropsNothing) {
  Session session(*inspector_,
                  rules("drop http any any -> any any (filemagic:\"kind P\"; sid:9;)", InspectMode::test),
                  sink_);
  session.handshake();
  exchange(session, "P");
  EXPECT_EQ(serve_and_take(&session.rules), 1U);
  EXPECT_EQ(sink_.alerts(), Sids{9});
  EXPECT_EQ(counters().would_drop, 1U);
  EXPECT_EQ(acknowledge(session), Action::pass);
}

TEST_F(FileMagicSessions, AnAnswerForASessionThatIsGoneReachesNobody) {
  const auto all = rules("drop http any any -> any any (filemagic:\"kind P\"; sid:9;)");
  {
    Session session(*inspector_, all, sink_);
    session.handshake();
    exchange(session, "P");
    EXPECT_EQ(counters().magic_asked, 1U);
    session.end();
  }
  // The next session has the same place in the inspector, and the same ends.
  client_ = server_ = 0;
  Session next(*inspector_, all, sink_);
  next.handshake();
  exchange(next, "Q");
  EXPECT_EQ(serve_and_take(&next.rules), 1U) << "its own";
  EXPECT_EQ(sink_.alerts(), Sids{});
  EXPECT_EQ(acknowledge(next), Action::pass);
  EXPECT_EQ(counters().magic_late, 1U);
  EXPECT_EQ(counters().magic_told, 1U);
}

TEST_F(FileMagicSessions, WhatFindsNoRoomDoesNotMatchAndPasses) {
  const auto all = rules(
      "drop http any any -> any any (filemagic:\"kind P\"; sid:1;)\n"
      "drop http any any -> any any (filemagic:!\"kind Q\"; sid:2;)");
  Session session(*inspector_, all, sink_);
  session.handshake();
  for (int i = 0; i < 8; ++i) exchange(session, "Q");
  EXPECT_EQ(counters().magic_lost, 0U);
  EXPECT_EQ(exchange(session, "P"), Action::pass);
  EXPECT_EQ(counters().magic_lost, 1U);
  EXPECT_EQ(serve_and_take(&session.rules), 8U);
  EXPECT_EQ(acknowledge(session), Action::pass);
  EXPECT_EQ(sink_.alerts(), Sids{});
  EXPECT_EQ(counters().in_transaction[0], 0U) << "nothing waits for ever";
  EXPECT_EQ(exchange(session, "P"), Action::pass);
  EXPECT_EQ(serve_and_take(&session.rules), 1U);
  EXPECT_EQ(sink_.alerts(), (Sids{1, 2})) << "there is room again";
}

class FileMagicShares : public FileMagicSessions {
 protected:
  FileMagicShares() : FileMagicSessions({.bytes = 16, .queue = 8, .domain_share = 50}) {}
};

TEST_F(FileMagicShares, OneDomainLeavesRoomForAnother) {
  const auto all = rules("alert http any any -> any any (filemagic:\"kind P\"; sid:1;)");
  FlowInfo info = flow_info();
  info.domain = {1, 3};
  Session greedy(*inspector_, all, sink_, info);
  greedy.handshake();
  for (int i = 0; i < 4; ++i) exchange(greedy, "Q");
  EXPECT_EQ(counters().magic_lost, 0U);
  exchange(greedy, "Q");
  EXPECT_EQ(counters().magic_lost, 1U) << "half of eight";
  info.domain = {2, 3};
  ++info.src_port;
  client_ = server_ = 0;
  Session other(*inspector_, all, sink_, info);
  other.handshake();
  exchange(other, "P");
  EXPECT_EQ(counters().magic_lost, 1U);
  EXPECT_EQ(serve_and_take(&other.rules), 5U);
  EXPECT_EQ(sink_.alerts(), Sids{1});
}

TEST_F(FileMagicSessions, WhereLibmagicFailsNoRuleMatches) {
  Session session(*inspector_,
                  rules("alert http any any -> any any (filemagic:\"kind\"; sid:1;)\n"
                        "alert http any any -> any any (filemagic:!\"kind\"; sid:2;)"),
                  sink_);
  session.handshake();
  exchange(session, "!");
  EXPECT_EQ(serve_and_take(&session.rules), 1U);
  EXPECT_EQ(sink_.alerts(), Sids{});
  EXPECT_EQ(counters().magic_failed, 1U);
  EXPECT_EQ(sink_.count(EventKind::fileinfo), 1U);
  exchange(session, "");
  EXPECT_EQ(counters().magic_asked, 1U) << "of no bytes nothing can be said";
}

TEST_F(FileMagicSessions, AReloadMeanwhile) {
  const auto old = rules("alert http any any -> any any (filemagic:\"kind P\"; sid:1;)");
  const auto others = rules("alert http any any -> any any (filemagic:\"kind P\"; sid:2;)");
  const auto none = rules("alert http any any -> any any (http.uri; content:\"/file\"; sid:3;)");
  struct Row {
    const char* what;
    std::shared_ptr<const Ruleset> now;
    bool both;
    Sids alerts;
  };
  for (const Row& row : {Row{"the rules before are there still", others, true, {1}},
                         Row{"their time is over", others, false, {2}},
                         Row{"nobody asks any more, the rules before are there", none, true, {1}},
                         Row{"nobody asks any more", none, false, {}}}) {
    sink_.clear();
    client_ = server_ = 0;
    Session session(*inspector_, old, sink_);
    session.handshake();
    exchange(session, "P");
    const RulesInUse moved{*row.now, row.both ? old.get() : nullptr, 1};
    EXPECT_EQ(serve_and_take(&moved), 1U);
    EXPECT_EQ(sink_.alerts(), row.alerts) << row.what;
    session.rules = moved;
    EXPECT_EQ(acknowledge(session), Action::pass);
  }
}

TEST_F(FileMagicSessions, WithoutRulesItIsJudgedWithTheNextPacket) {
  Session session(*inspector_, rules("alert http any any -> any any (filemagic:\"kind P\"; sid:1;)"), sink_);
  session.handshake();
  session.client(0, kGet);
  const std::string answer = answer_with("P");
  session.server(0, answer, static_cast<uint32_t>(kGet.size()));
  EXPECT_EQ(serve_and_take(nullptr), 1U);
  EXPECT_EQ(sink_.alerts(), Sids{});
  session.server(static_cast<uint32_t>(answer.size()), "", static_cast<uint32_t>(kGet.size()));
  EXPECT_EQ(sink_.alerts(), Sids{1});
}

TEST_F(FileMagicSessions, NameAndKindAreThoseOfOneFile) {
  const auto part = [](std::string_view name, std::string_view bytes) {
    return "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"" + std::string(name) +
           "\"\r\n\r\n" + std::string(bytes) + "\r\n";
  };
  const std::string body = part("one.txt", "P1") + part("two.txt", "Q2") + "--b--\r\n";
  const std::string post =
      "POST /form HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body;
  Session session(*inspector_,
                  rules("alert http any any -> any any (filename:\"one\"; filemagic:\"kind P\"; sid:1;)\n"
                        "alert http any any -> any any (filename:\"one\"; filemagic:\"kind Q\"; sid:2;)\n"
                        "alert http any any -> any any (filename:\"two\"; filemagic:\"kind Q\"; sid:3;)"),
                  sink_);
  session.handshake();
  session.client(0, post);
  EXPECT_EQ(serve_and_take(&session.rules), 2U);
  session.server(0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", static_cast<uint32_t>(post.size()));
  EXPECT_EQ(sink_.alerts(), (Sids{1, 3}));
  for (const Event& event : sink_.events) {
    if (event.kind == EventKind::alert) {
      EXPECT_FALSE(event.alert.to_client);
    }
  }
}

TEST_F(FileMagicSessions, AnAnswerMayComeBehindTheLastPacket) {
  const auto all = rules("alert http any any -> any any (filemagic:\"kind P\"; sid:1;)");
  Session session(*inspector_, all, sink_);
  session.handshake();
  session.client(0, kGet);
  const std::string answer = answer_with("P");
  session.server(0, answer, static_cast<uint32_t>(kGet.size()));
  session.send(Direction::to_server, static_cast<uint32_t>(kGet.size()), "",
               static_cast<uint32_t>(answer.size()), kFin | kAck);
  session.send(Direction::to_client, static_cast<uint32_t>(answer.size()), "",
               static_cast<uint32_t>(kGet.size()) + 1, kFin | kAck);
  EXPECT_EQ(serve_and_take(&session.rules), 1U);
  EXPECT_EQ(sink_.alerts(), Sids{1}) << "after its last packet, before it is closed";
}

// --- real files, and the real libmagic

std::string little(uint64_t value, size_t bytes) {
  std::string out;
  for (; bytes > 0; --bytes, value >>= 8) out += static_cast<char>(value & 0xff);
  return out;
}

std::string pe_file() {
  return "MZ" + std::string(58, '\0') + little(64, 4) + std::string("PE\0\0", 4) + little(0x14c, 2) +
         std::string(14, '\0') + little(0xe0, 2) + little(0x102, 2) + little(0x10b, 2) +
         std::string(66, '\0') + little(2, 2) + std::string(500, '\0');
}

std::string elf_file() {
  return std::string("\177ELF\2\1\1", 7) + std::string(9, '\0') + little(2, 2) + little(62, 2) +
         little(1, 4) + std::string(40, '\0');
}

TEST(FileMagicAtOnce, RealFilesAreTold) {
  ProfileSpec spec;
  spec.magic = std::make_shared<FileMagic>(1, MagicSettings{.queue = 1}, FileMagic::Mode::at_once);
  const std::pair<std::string, const char*> rows[] = {
      {"%PDF-1.4\nsome", "PDF document, version 1.4"},
      {pe_file(), "PE32 executable (GUI) Intel 80386"},
      {elf_file(), "ELF 64-bit LSB executable, x86-64"},
      {"PK\3\4\24" + std::string(60, '\0'), "Zip archive data"},
      {std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\2\x8\0\0\0\0", 29), "PNG image data, 1 x 2"},
      {std::string(40, 'x'), "ASCII text"}};
  for (const auto& [file, kind] : rows) {
    const auto inspector = make_inspector();
    RecordingSink sink;
    std::string quoted(kind);
    Session session(*inspector,
                    compile("drop http any any -> any any (filemagic:\"" + quoted + "\"; sid:1;)", 1, spec),
                    sink);
    session.handshake();
    session.client(0, kGet);
    EXPECT_EQ(session.server(0, answer_with(file), static_cast<uint32_t>(kGet.size())), Action::drop_session)
        << kind << ": whoever asks at once knows before the packet goes";
    EXPECT_EQ(sink.alerts(), Sids{1}) << kind;
  }
}

}  // namespace
}  // namespace weir::inspection::test
