#include "inspection/detect/verdict.h"

namespace weir::inspection {

namespace {

bool drops(ast::Action action) { return action != ast::Action::alert && action != ast::Action::pass; }

RejectTo reject_of(ast::Action action) {
  switch (action) {
    case ast::Action::reject:
      return RejectTo::source;
    case ast::Action::reject_dst:
      return RejectTo::destination;
    case ast::Action::reject_both:
      return RejectTo::both;
    default:
      return RejectTo::nobody;
  }
}

}  // namespace

Decision decide(std::span<Finding> findings, InspectMode mode, DropScope drop_scope, uint32_t alert_limit) {
  Decision decision;
  DetectionVerdict& verdict = decision.verdict;
  bool dropped = false, whole_session = false, passed = false;
  const auto tell = [&](Finding& finding) {
    if (finding.noalert || finding.thresholded == Thresholded::quiet) return;
    if (decision.alerts == alert_limit) {
      ++decision.over_limit;
      return;
    }
    finding.alerts = true;
    ++decision.alerts;
  };
  for (Finding& finding : findings) {
    finding.alerts = false;
    if (passed || finding.thresholded == Thresholded::void_) continue;
    verdict.bypass_session |= finding.bypass;
    if (finding.action == ast::Action::pass) {
      // What comes after it in the order is void for this packet, whatever its scope.
      passed = true;
      if (finding.scope == ActionScope::session) {
        verdict.pass_session = true;
        verdict.rule = finding.rule;
      }
      if (finding.alert_too) tell(finding);
      continue;
    }
    if (drops(finding.action)) {
      if (!dropped) {
        verdict.rule = finding.rule;
        verdict.reject = reject_of(finding.action);
        verdict.by_rate_filter = finding.by_rate_filter;
      }
      dropped = true;
      whole_session |= finding.scope == ActionScope::session || drop_scope == DropScope::session;
    }
    tell(finding);
  }
  if (!dropped) return decision;
  if (mode == InspectMode::ips) {
    verdict.forward = false;
    verdict.drop_session = whole_session;
    return decision;
  }
  verdict.would_drop = mode == InspectMode::test;
  verdict.reject = RejectTo::nobody;
  return decision;
}

}  // namespace weir::inspection
