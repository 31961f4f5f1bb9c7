// What a profile says of inspection: its mode, its variables, the least TTL, conflicts, ceilings.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "inspection/engine/engine.h"
#include "inspection/memory/domain_memory.h"
#include "inspection/memory/domain_share.h"
#include "tests/unit/inspection/support.h"

namespace weir::inspection::test {
namespace {

using Sids = std::vector<uint32_t>;

ProfileSpec in_mode(InspectMode mode) {
  ProfileSpec spec;
  spec.settings = hub_settings(mode);
  return spec;
}

constexpr const char* kDrop = "drop tcp any any -> any any (content:\"evil\"; sid:1;)";

TEST(Profile, TestJudgesAsIpsAndSendsAll) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(*inspector, compile(kDrop, 1, in_mode(InspectMode::test)), sink);
  session.handshake();
  EXPECT_EQ(session.client(0, "ev"), Action::pass);
  EXPECT_EQ(session.client(2, "il"), Action::pass) << "the segment that completes the pattern";
  ASSERT_EQ(sink.alerts(), Sids{1});
  EXPECT_FALSE(sink.events[0].alert.blocked);
  EXPECT_TRUE(sink.events[0].alert.would_block);
  EXPECT_EQ(sink.count(EventKind::drop), 0u);
  EXPECT_EQ(inspector->counters().would_drop, 1u);
  EXPECT_EQ(inspector->counters().drops, 0u);
  EXPECT_EQ(session.client(4, " and evil"), Action::pass) << "the session is judged on";
  EXPECT_EQ(sink.alerts(), (Sids{1, 1}));
}

TEST(Profile, TestSendsWhatItsReceiverWouldDiscard) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  ProfileSpec spec = in_mode(InspectMode::test);
  spec.settings.min_ttl = 10;
  Session session(*inspector, compile(kDrop, 1, spec), sink);
  session.handshake();
  session.mends = true;
  EXPECT_EQ(session.client(0, "good"), Action::pass);
  EXPECT_EQ(session.client(0, "evil"), Action::pass) << "it contradicts, and leaves as it came";
  EXPECT_EQ(inspector->counters().rewritten, 0u);
  session.ttl = 9;
  EXPECT_EQ(session.client(4, "more"), Action::pass);
  EXPECT_EQ(inspector->counters().would_drop, 1u);
}

TEST(Profile, IdsJudgesWhatIsAcknowledged) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(*inspector, compile(kDrop, 1, in_mode(InspectMode::ids)), sink);
  session.handshake();
  EXPECT_EQ(session.client(0, "ev"), Action::pass);
  EXPECT_EQ(session.client(2, "il"), Action::pass);
  EXPECT_TRUE(sink.events.empty());
  EXPECT_EQ(session.server(0, "", 4), Action::pass);
  ASSERT_EQ(sink.alerts(), Sids{1});
  EXPECT_FALSE(sink.events[0].alert.blocked);
  EXPECT_FALSE(sink.events[0].alert.would_block);
  EXPECT_FALSE(sink.events[0].alert.to_client);
  EXPECT_EQ(session.client(4, "on it goes"), Action::pass);
  EXPECT_EQ(inspector->counters().would_drop, 0u);
}

TEST(Profile, IdsDropsNothing) {
  const auto inspector = make_inspector({.flows = 4, .out_of_order_segments = 0});
  RecordingSink sink;
  ProfileSpec spec = in_mode(InspectMode::ids);
  spec.settings.min_ttl = 10;
  spec.settings.policies.fill(ExceptionPolicy::drop_flow);
  Session session(*inspector, compile(kDrop, 1, spec), sink);
  session.ttl = 9;
  EXPECT_EQ(session.raw(Direction::to_server, 1000, 0, kSyn, "early"), Action::pass);
  EXPECT_EQ(session.raw(Direction::to_client, 9000, 1001, kSyn | kAck, ""), Action::pass);
  EXPECT_EQ(session.client(100'000, "far away"), Action::pass) << "outside of the window";
  for (uint32_t at = 0; at < 8; ++at)
    EXPECT_EQ(session.client(10 + 1'000 * at, std::string(900, 'x')), Action::pass) << "no room to record";
  EXPECT_EQ(session.server(0, "evil"), Action::pass);
}

TEST(Profile, AChangeOfModeHoldsForLiveSessions) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  const auto ids = compile(kDrop, 1, in_mode(InspectMode::ids)), ips = compile(kDrop);
  Session session(*inspector, ids, sink);
  session.handshake();
  EXPECT_EQ(session.client(0, "harmless"), Action::pass);
  session.use(ips);
  EXPECT_EQ(session.server(0, "fine", 8), Action::pass);
  EXPECT_EQ(session.client(8, "also", 4), Action::pass);
  EXPECT_EQ(session.client(12, " evil", 4), Action::drop_session);
}

TEST(Profile, VariablesAreThoseOfTheSession) {
  constexpr const char* kRule =
      "drop tcp $EXTERNAL_NET any -> $HOME_NET $HTTP_PORTS (content:\"evil\"; sid:1;)";
  const auto inspector = make_inspector();
  const auto with = [&](const char* home, const char* ports) {
    ProfileSpec spec;
    spec.variables.addresses.insert_or_assign("HOME_NET", home);
    spec.variables.ports.insert_or_assign("HTTP_PORTS", ports);
    return compile(kRule, 1, spec);
  };
  const auto verdict_of = [&](const std::shared_ptr<const Ruleset>& ruleset) {
    RecordingSink sink;
    Session session(*inspector, ruleset, sink);  // 10.1.0.5 to 10.2.0.80 port 80
    session.handshake();
    return session.client(0, "evil");
  };
  EXPECT_EQ(verdict_of(with("10.2.0.0/16", "80")), Action::drop_session);
  EXPECT_EQ(verdict_of(with("[10.2.0.0/16,!10.2.0.80]", "80")), Action::pass);
  EXPECT_EQ(verdict_of(with("10.0.0.0/8", "80")), Action::pass) << "the client is not outside then";
  EXPECT_EQ(verdict_of(with("10.2.0.0/16", "[1:79,81:65535]")), Action::pass);
}

TEST(Profile, BelowTheLeastTtlNothingIsSentOrJudged) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  ProfileSpec spec;
  spec.settings.min_ttl = 10;
  Session session(*inspector, compile("alert tcp any any -> any any (content:\"decoy\"; sid:1;)", 1, spec),
                  sink);
  session.handshake();
  session.ttl = 9;
  EXPECT_EQ(session.client(0, "decoy"), Action::drop_packet);
  EXPECT_EQ(session.client(0, "decoy"), Action::drop_packet);
  ASSERT_EQ(sink.events.size(), 1u) << "the first of its direction";
  EXPECT_EQ(sink.events[0].drop_reason.view(), "ttl");
  sink.clear();
  EXPECT_EQ(session.last_why, Refused::ttl);
  EXPECT_EQ(inspector->counters().low_ttl, 2u);
  session.ttl = 10;
  EXPECT_EQ(session.client(0, "right"), Action::pass) << "the decoy is no part of the stream";
  EXPECT_TRUE(sink.events.empty());
}

TEST(Profile, AConflictDropsTheSessionIfItSaysSo) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  ProfileSpec spec;
  spec.settings.stream.on_conflict = OnConflict::drop_session;
  Session session(*inspector, compile(kDrop, 1, spec), sink);
  session.handshake();
  session.mends = true;
  EXPECT_EQ(session.client(0, "good"), Action::pass);
  EXPECT_EQ(session.client(0, "good"), Action::pass);
  EXPECT_EQ(session.client(0, "evil"), Action::drop_session);
  EXPECT_EQ(session.last_why, Refused::stream);
  EXPECT_EQ(session.client(4, "x"), Action::drop_session);
}

TEST(Profile, DepthEndsWhatIsJudged) {
  const auto inspector = make_inspector();
  for (const auto& [depth, found] : {std::pair{8u, false}, {12u, true}, {0u, true}}) {
    RecordingSink sink;
    ProfileSpec spec;
    spec.settings.stream.depth = depth;
    Session session(*inspector, compile(kDrop, 1, spec), sink);
    session.handshake();
    EXPECT_EQ(session.client(0, "eightby"), Action::pass);
    EXPECT_EQ(session.client(7, "tevil"), found ? Action::drop_session : Action::pass) << depth;
  }
}

TEST(Profile, EachCeilingHasItsPolicy) {
  // A pipeline of requests that nobody answers, one more than there may be.
  constexpr const char* kRule = "alert tcp any any -> any any (content:\"/third\"; sid:1;)";
  struct Row {
    ExceptionPolicy policy;
    Action at_ceiling, later;
    bool judged_later;
  };
  const Row rows[] = {
      {ExceptionPolicy::ignore, Action::pass, Action::pass, true},
      {ExceptionPolicy::drop_flow, Action::drop_session, Action::drop_session, false},
      {ExceptionPolicy::reject, Action::drop_session, Action::drop_session, false},
      {ExceptionPolicy::drop_packet, Action::drop_packet, Action::pass, true},
      {ExceptionPolicy::bypass, Action::pass, Action::pass, false},
      {ExceptionPolicy::pass_flow, Action::pass, Action::pass, false},
      {ExceptionPolicy::pass_packet, Action::pass, Action::pass, true},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(name_of(row.policy));
    const auto inspector = make_inspector();
    RecordingSink sink;
    ProfileSpec spec;
    spec.settings.http.transactions = 1;
    spec.settings.policies[static_cast<size_t>(Ceiling::app_transactions)] = row.policy;
    Session session(*inspector, compile(kRule, 1, spec), sink);
    session.handshake();
    constexpr std::string_view kFirst = "GET /first HTTP/1.1\r\nHost: a\r\n\r\n",
                               kSecond = "GET /second HTTP/1.1\r\nHost: a\r\n\r\n";
    EXPECT_EQ(session.client(0, kFirst), Action::pass);
    EXPECT_EQ(session.client(kFirst.size(), kSecond), row.at_ceiling);
    EXPECT_EQ(inspector->counters().exceptions->at(static_cast<size_t>(Ceiling::app_transactions)), 1u);
    EXPECT_EQ(session.client(kFirst.size() + kSecond.size(), "GET /third"), row.later);
    EXPECT_EQ(sink.alerts(), row.judged_later ? Sids{1} : Sids{});
  }
}

/// Whatever a packet may cost at a time, the same is found in it.
TEST(Profile, WorkOverTheBudgetGoesOnInLaterCalls) {
  constexpr const char* kRules =
      "drop http any any -> any any (flow:to_client; file.data; content:\"needle\"; sid:1;)\n"
      "alert http any any -> any any (flow:to_client; http.stat_code; content:\"200\"; sid:2;)\n"
      "alert tcp any any -> any any (flow:to_client; content:\"tail of it\"; sid:3;)";
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n";
  for (const uint64_t budget : {0, 1, 20'000, 1'000'000}) {
    for (const bool bad : {false, true}) {
      SCOPED_TRACE(std::to_string(budget) + (bad ? " bad" : ""));
      const auto inspector = make_inspector();
      RecordingSink sink;
      Session session(*inspector, compile(kRules), sink);
      session.handshake();
      EXPECT_EQ(session.client(0, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Action::pass);
      session.work_budget = budget;
      std::string body(60'000, 'x');
      if (bad) body.replace(50'000, 6, "needle");
      body.replace(59'990, 10, "tail of it");
      EXPECT_EQ(session.server(0, head + body, 27), bad ? Action::drop_session : Action::pass);
      EXPECT_EQ(session.waits > 0, budget == 1 || budget == 20'000);
      std::vector<uint32_t> alerts = sink.alerts();
      std::sort(alerts.begin(), alerts.end());
      EXPECT_EQ(alerts, bad ? (Sids{1, 2, 3}) : (Sids{2, 3}));
      EXPECT_EQ(inspector->counters().packets, 5u);
      // The session goes on where it was.
      if (!bad) {
        EXPECT_EQ(session.server(static_cast<uint32_t>(head.size() + body.size()), head, 27), Action::pass);
      }
    }
  }
}

/// Its session may end meanwhile, or its packet may be lost.
TEST(Profile, APacketThatWaitsMayNeverComeBack) {
  const auto inspector = make_inspector();
  RecordingSink sink;
  const auto rules = compile("alert http any any -> any any (file.data; content:\"needle\"; sid:1;)");
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 120000\r\n\r\n", body(60'000, 'x');
  for (const bool ends : {true, false}) {
    const FlowHandle flow = inspector->open(flow_info());
    std::vector<std::unique_ptr<WholePacket>> packets;
    const auto send = [&](Direction d, uint32_t seq, uint32_t ack, uint8_t flags, const std::string& text) {
      packets.push_back(std::make_unique<WholePacket>(6, flags, text));
      Packet& packet = packets.back()->packet;
      packet.direction = d;
      packet.now_ns = 1;
      packet.seq = seq;
      packet.ack = ack;
      packet.work_budget = 1;
      return inspector->inspect(flow, *rules, packet, sink).action;
    };
    const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n", first = head + body;
    const auto asked = static_cast<uint32_t>(request.size());
    send(Direction::to_server, 0, 0, kSyn, "");
    send(Direction::to_client, 0, 1, kSyn | kAck, "");
    send(Direction::to_server, 1, 1, kAck, "");
    send(Direction::to_server, 1, 1, kAck, request);
    EXPECT_EQ(send(Direction::to_client, 1, 1 + asked, kAck, first), Action::wait);
    if (!ends) {
      EXPECT_NE(send(Direction::to_server, 1 + asked, 1, kAck, ""), Action::wait);
    }
    inspector->close(flow);
  }
}

TEST(Profile, NoMemoryForASessionHasItsPolicy) {
  struct Row {
    InspectMode mode;
    ExceptionPolicy policy;
    Action action;
    uint64_t would_drop;
  };
  const Row rows[] = {
      {InspectMode::ips, ExceptionPolicy::drop_packet, Action::drop_packet, 0},
      {InspectMode::ips, ExceptionPolicy::drop_flow, Action::drop_session, 0},
      {InspectMode::ips, ExceptionPolicy::pass_flow, Action::pass, 0},
      {InspectMode::test, ExceptionPolicy::drop_flow, Action::pass, 1},
      {InspectMode::ids, ExceptionPolicy::drop_flow, Action::pass, 0},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(name_of(row.policy));
    ProfileSpec spec = in_mode(row.mode);
    spec.settings.policies[static_cast<size_t>(Ceiling::session_memory)] = row.policy;
    const auto ruleset = compile(kDrop, 1, spec);
    const auto inspector = make_inspector({.flows = 400, .stream_window = 1'024});
    const InspectorCounters& counters = inspector->counters();
    RecordingSink sink;
    std::vector<std::unique_ptr<Session>> sessions;
    while (counters.memory_limit == 0) {
      sessions.push_back(std::make_unique<Session>(*inspector, ruleset, sink));
      Session& session = *sessions.back();
      ASSERT_TRUE(session.opened());
      const uint64_t before = counters.would_drop;
      const Action action = session.raw(Direction::to_server, 1000, 0, kSyn, "");
      EXPECT_EQ(action, counters.memory_limit == 0 ? Action::pass : row.action);
      EXPECT_EQ(counters.would_drop - before, counters.memory_limit == 0 ? 0u : row.would_drop);
      session.raw(Direction::to_client, 9000, 1001, kSyn | kAck, "");
      session.client(0, "");
      // What lies behind a gap is recorded, and fills the pool.
      for (uint32_t i = 0; i < 16; ++i) session.client(10 + 1'500 * i, std::string(1'400, 'x'));
    }
  }
}

TEST(Profile, EachDropIsToldIfAskedFor) {
  EventSettings settings = alerts_and_drops();
  settings.all_drops = true;
  const auto inspector = make_inspector({.flows = 4}, 0, settings);
  RecordingSink sink;
  ProfileSpec spec;
  spec.settings.min_ttl = 10;
  Session session(*inspector, compile("", 1, spec), sink);
  session.handshake();
  session.ttl = 9;
  for (int i = 0; i < 3; ++i) session.client(0, "low");
  EXPECT_EQ(sink.count(EventKind::drop), 3u);
}

// --- the share of a domain ---

FlowInfo of_domain(uint32_t domain, uint16_t port = 40'000) {
  FlowInfo info = flow_info();
  info.domain = {domain, 99};
  info.src_port = port;
  return info;
}

TEST(Domains, AShareIsRoundedDownButNeverToNothing) {
  struct Row {
    uint64_t whole;
    uint32_t percent;
    uint64_t share;
  };
  constexpr Row kRows[] = {{4, 50, 2},  {256, 75, 192}, {7, 33, 2},
                           {150, 1, 1}, {99, 1, 1},     {1, 1, 1},
                           {9, 100, 9}, {199, 50, 99},  {UINT64_MAX, 100, UINT64_MAX}};
  for (const Row& row : kRows)
    EXPECT_EQ(domain_share(row.whole, row.percent), row.share) << row.whole << ", " << row.percent << " %";
}

TEST(Domains, AsManyAsAHubIsBuiltForAreCountedApart) {
  DomainMemory memory;
  std::set<const DomainMemory::Account*> accounts;
  for (uint32_t domain = 1; domain <= kDomainPlaces / 2; ++domain) {
    DomainMemory::Account& account = memory.of(domain);
    account.sessions = domain;
    accounts.insert(&account);
  }
  EXPECT_EQ(accounts.size(), kDomainPlaces / 2);
  for (uint32_t domain = 1; domain <= kDomainPlaces / 2; ++domain)
    EXPECT_EQ(memory.of(domain).sessions, domain);
}

TEST(Domains, OnesWithoutAPlaceShareAnAccount) {
  DomainMemory memory;
  for (uint32_t domain = 1; domain <= 2 * kDomainPlaces; ++domain) ++memory.of(domain).sessions;
  uint32_t shared = 0;
  for (uint32_t domain = 1; domain <= 2 * kDomainPlaces; ++domain) {
    const uint32_t sessions = memory.of(domain).sessions;
    EXPECT_GE(sessions, 1U);
    shared = std::max(shared, sessions);
  }
  EXPECT_GE(shared, kDomainPlaces);
}

TEST(Domains, OneDoesNotTakeAllSessions) {
  const auto inspector = make_inspector({.flows = 4, .domain_share = 50});
  const FlowHandle a = inspector->open(of_domain(1)), b = inspector->open(of_domain(1));
  EXPECT_TRUE(a.valid() && b.valid());
  EXPECT_FALSE(inspector->open(of_domain(1)).valid());
  EXPECT_EQ(inspector->counters().domain_limit, 1U);
  EXPECT_TRUE(inspector->open(of_domain(2)).valid());
  inspector->close(a);
  EXPECT_TRUE(inspector->open(of_domain(1)).valid());
  EXPECT_EQ(inspector->counters().flow_limit, 0U);
}

TEST(Domains, OneDoesNotTakeAllMemory) {
  const auto inspector = make_inspector({.flows = 400, .domain_share = 25});
  const auto rules = compile("alert http any any -> any any (http.uri; content:\"needle\"; sid:1;)");
  const uint64_t share = inspector->engine().pool().capacity() / 4;
  RecordingSink sink;
  std::vector<std::unique_ptr<Session>> sessions;
  const auto& exceptions = *inspector->counters().exceptions;
  const auto met = [&] { return exceptions[static_cast<size_t>(Ceiling::domain_memory)].get(); };
  const std::string head = "GET /" + std::string(30'000, 'x');
  while (met() == 0 && sessions.size() < 100) {
    const auto port = static_cast<uint16_t>(1'000 + sessions.size());
    sessions.push_back(std::make_unique<Session>(*inspector, rules, sink, of_domain(1, port)));
    sessions.back()->handshake();
    sessions.back()->client(0, head);
  }
  const uint64_t once = met();
  EXPECT_GT(once, 0U);
  EXPECT_LE(inspector->counters().memory, share);
  EXPECT_GT(inspector->counters().memory, share / 2);
  Session other(*inspector, rules, sink, of_domain(2));
  other.handshake();
  EXPECT_EQ(other.client(0, "GET /needle HTTP/1.1\r\n\r\n"), Action::pass);
  EXPECT_EQ(sink.alerts(), std::vector<uint32_t>{1}) << "another domain has what is left";
  sessions.clear();
  Session again(*inspector, rules, sink, of_domain(1, 999));
  again.handshake();
  EXPECT_EQ(again.client(0, head), Action::pass);
  EXPECT_EQ(met(), once) << "what was given back can be had again";
}

// --- ceilings of parsers and rules, with their policies ---

TEST(Profile, ARuleThatIsGivenUpHasAPolicy) {
  ProfileSpec spec;
  spec.settings = hub_settings(InspectMode::ips);
  spec.settings.policies[static_cast<size_t>(Ceiling::rule_work)] = ExceptionPolicy::drop_flow;
  const auto inspector = make_inspector();
  RecordingSink sink;
  Session session(*inspector, compile("alert tcp any any -> any any (pcre:\"/^(a+)+$/\"; sid:1;)", 1, spec),
                  sink);
  session.handshake();
  EXPECT_EQ(session.client(0, std::string(1'000, 'a') + "!"), Action::drop_session);
  EXPECT_EQ((*inspector->counters().exceptions)[static_cast<size_t>(Ceiling::rule_work)], 1U);
}

}  // namespace
}  // namespace weir::inspection::test
