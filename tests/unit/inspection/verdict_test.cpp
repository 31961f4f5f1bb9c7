// From findings to verdict: rows of what was found, in the order of rules, and what has to come of it.
#include "inspection/detect/verdict.h"

#include <gtest/gtest.h>

#include <vector>

namespace weir::inspection {
namespace {

using ast::Action;

struct Found {
  uint32_t sid;
  Action action;
  ActionScope scope = ActionScope::packet;
  bool noalert = false;
  Thresholded thresholded = Thresholded::no;
  bool alert_too = false;
};

struct Row {
  const char* name;
  InspectMode mode;
  std::vector<Found> found;
  // expected
  std::vector<uint32_t> alerts;
  bool forward = true, drop_session = false, would_drop = false, pass_session = false;
  RejectTo reject = RejectTo::nobody;
  uint32_t by = 0;
  DropScope drop_scope = DropScope::session;
};

constexpr auto kSession = ActionScope::session;
constexpr auto kPacket = ActionScope::packet;

const std::vector<Row>& rows() {
  static const std::vector<Row> all = {
      {.name = "nothing", .mode = InspectMode::ips, .found = {}, .alerts = {}},
      {.name = "alert", .mode = InspectMode::ips, .found = {{1, Action::alert}}, .alerts = {1}},
      {.name = "drop inline",
       .mode = InspectMode::ips,
       .found = {{1, Action::drop}},
       .alerts = {1},
       .forward = false,
       .drop_session = true,
       .by = 1},
      {.name = "drop, only watched",
       .mode = InspectMode::ids,
       .found = {{1, Action::drop}},
       .alerts = {1},
       .by = 1},
      {.name = "drop, tested",
       .mode = InspectMode::test,
       .found = {{1, Action::drop}},
       .alerts = {1},
       .would_drop = true,
       .by = 1},
      {.name = "reject to both",
       .mode = InspectMode::ips,
       .found = {{1, Action::reject_both}},
       .alerts = {1},
       .forward = false,
       .drop_session = true,
       .reject = RejectTo::both,
       .by = 1},
      {.name = "reject to the destination",
       .mode = InspectMode::ips,
       .found = {{1, Action::reject_dst}},
       .alerts = {1},
       .forward = false,
       .drop_session = true,
       .reject = RejectTo::destination,
       .by = 1},
      {.name = "no reset is sent in test",
       .mode = InspectMode::test,
       .found = {{1, Action::reject}},
       .alerts = {1},
       .would_drop = true,
       .by = 1},
      {.name = "the first one that drops decides how",
       .mode = InspectMode::ips,
       .found = {{1, Action::drop}, {2, Action::reject}},
       .alerts = {1, 2},
       .forward = false,
       .drop_session = true,
       .by = 1},
      {.name = "pass of a packet voids the rest of it",
       .mode = InspectMode::ips,
       .found = {{1, Action::pass, kPacket}, {2, Action::drop}, {3, Action::alert}},
       .alerts = {}},
      {.name = "pass of a session",
       .mode = InspectMode::ips,
       .found = {{1, Action::pass, kSession}, {2, Action::drop}},
       .alerts = {},
       .pass_session = true,
       .by = 1},
      {.name = "drop of a packet alone",
       .mode = InspectMode::ips,
       .found = {{1, Action::drop, kPacket}},
       .alerts = {1},
       .forward = false,
       .by = 1,
       .drop_scope = DropScope::by_rule},
      {.name = "one of several drops is about the session",
       .mode = InspectMode::ips,
       .found = {{1, Action::drop, kPacket}, {2, Action::drop, kSession}},
       .alerts = {1, 2},
       .forward = false,
       .drop_session = true,
       .by = 1,
       .drop_scope = DropScope::by_rule},
      {.name = "a pass that is told",
       .mode = InspectMode::ips,
       .found = {{.sid = 1, .action = Action::pass, .alert_too = true}, {2, Action::drop}},
       .alerts = {1}},
      {.name = "noalert drops all the same",
       .mode = InspectMode::ips,
       .found = {{1, Action::drop, kPacket, true}},
       .alerts = {},
       .forward = false,
       .drop_session = true,
       .by = 1},
      {.name = "a quiet threshold drops all the same",
       .mode = InspectMode::ips,
       .found = {{1, Action::drop, kPacket, false, Thresholded::quiet}},
       .alerts = {},
       .forward = false,
       .drop_session = true,
       .by = 1},
      {.name = "a threshold not reached does nothing",
       .mode = InspectMode::ips,
       .found = {{1, Action::drop, kPacket, false, Thresholded::void_}, {2, Action::alert}},
       .alerts = {2}},
      {.name = "a pass whose threshold is not reached does not pass",
       .mode = InspectMode::ips,
       .found = {{1, Action::pass, kSession, false, Thresholded::void_}, {2, Action::alert}},
       .alerts = {2}},
      {.name = "the limit cuts alerts, not actions",
       .mode = InspectMode::ips,
       .found = {{1, Action::alert}, {2, Action::alert}, {3, Action::alert}, {4, Action::drop}},
       .alerts = {1, 2, 3},
       .forward = false,
       .drop_session = true,
       .by = 4},
  };
  return all;
}

TEST(Verdict, Table) {
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.name);
    std::vector<RuleInfo> infos(row.found.size());
    std::vector<Finding> findings(row.found.size());
    for (size_t i = 0; i < row.found.size(); ++i) {
      infos[i].sid = row.found[i].sid;
      infos[i].action = row.found[i].action;
      findings[i].rule = &infos[i];
      findings[i].action = row.found[i].action;
      findings[i].scope = row.found[i].scope;
      findings[i].noalert = row.found[i].noalert;
      findings[i].alert_too = row.found[i].alert_too;
      findings[i].thresholded = row.found[i].thresholded;
      findings[i].alerts = true;  // has to be set anew
    }
    const Decision decision = decide(findings, row.mode, row.drop_scope, 3);
    std::vector<uint32_t> alerts;
    for (const Finding& finding : findings) {
      if (finding.alerts) alerts.push_back(finding.rule->sid);
    }
    EXPECT_EQ(alerts, row.alerts);
    EXPECT_EQ(decision.alerts, row.alerts.size());
    EXPECT_EQ(decision.verdict.forward, row.forward);
    EXPECT_EQ(decision.verdict.drop_session, row.drop_session);
    EXPECT_EQ(decision.verdict.would_drop, row.would_drop);
    EXPECT_EQ(decision.verdict.pass_session, row.pass_session);
    EXPECT_EQ(decision.verdict.reject, row.reject);
    EXPECT_EQ(decision.verdict.rule != nullptr ? decision.verdict.rule->sid : 0, row.by);
  }
}

TEST(Verdict, CountsWhatTheLimitCut) {
  RuleInfo info;
  std::vector<Finding> findings(5);
  for (Finding& finding : findings) finding.rule = &info;
  const Decision decision = decide(findings, InspectMode::ids, DropScope::session, 2);
  EXPECT_EQ(decision.alerts, 2u);
  EXPECT_EQ(decision.over_limit, 3u);
}

}  // namespace
}  // namespace weir::inspection
