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

Decision decide(std::span<Finding> findings, InspectMode mode, uint32_t alert_limit) {
  Decision decision;
  DetectionVerdict& verdict = decision.verdict;
  bool dropped = false;
  bool passed = false;
  for (Finding& finding : findings) {
    finding.alerts = false;
    if (passed || finding.thresholded == Thresholded::void_) continue;
    const ast::Action action = finding.rule->action;
    if (action == ast::Action::pass) {
      // What comes after it in the order is void for this packet, whatever its scope.
      passed = true;
      if (finding.scope == ActionScope::session) {
        verdict.pass_session = true;
        verdict.rule = finding.rule;
      }
      continue;
    }
    if (drops(action) && !dropped) {
      dropped = true;
      verdict.rule = finding.rule;
      verdict.reject = reject_of(action);
    }
    if (finding.noalert || finding.thresholded == Thresholded::quiet) continue;
    if (decision.alerts == alert_limit) {
      ++decision.over_limit;
      continue;
    }
    finding.alerts = true;
    ++decision.alerts;
  }
  if (!dropped) return decision;
  switch (mode) {
    case InspectMode::ips:
      verdict.forward = false;
      verdict.drop_session = true;
      break;
    case InspectMode::test:
      verdict.would_drop = true;
      verdict.reject = RejectTo::nobody;
      break;
    case InspectMode::ids:
      verdict.reject = RejectTo::nobody;
      break;
  }
  return decision;
}

}  // namespace weir::inspection
