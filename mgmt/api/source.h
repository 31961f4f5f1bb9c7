// What the API asks the hub for. Called by API threads, which wait for the answer; the answer is made by the
// control thread. Only alerts are looked up at once.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mgmt/control/control.h"
#include "mgmt/events/recent_alerts.h"

namespace weir::api {

class Source {
 public:
  virtual ~Source() = default;
  virtual Result<control::StatusView> status() = 0;
  virtual Result<control::TopView> top() = 0;
  virtual Result<std::vector<control::DropView>> drops() = 0;
  virtual Result<control::SessionsView> sessions(size_t max) = 0;
  virtual Result<control::RoutesView> routes(const control::RoutesQuery& query) = 0;
  virtual Result<control::PathAnswer> path(const control::PathQuery& query) = 0;
  virtual Result<std::vector<control::NatMapping>> nat_map(const control::NatMapQuery& query) = 0;
  virtual Result<control::ChangeView> reload() = 0;
  virtual Result<control::RulesView> rules() = 0;
  virtual Result<control::RulesInForce> rules_in_force() = 0;
  virtual Result<control::ChangeView> reload_rules() = 0;
  /// From number `from` on; without it the latest ones.
  virtual Result<events::AlertsView> alerts(std::optional<uint64_t> from, size_t max) = 0;
  /// `dry_run`: tells what would change.
  virtual Result<control::ChangeView> change(config::ModelChanges changes, bool dry_run) = 0;
  /// What is in force, changes at run time included.
  virtual Result<std::shared_ptr<const control::Configured>> configured(control::ConfiguredParts parts) = 0;
};

/// Asks a Control through its mailbox. Each call waits a bounded time and fails with `unavailable` after
/// that.
class ControlSource final : public Source {
 public:
  ControlSource(control::Control& control, control::Mailbox& mailbox, const events::RecentAlerts& alerts)
      : control_(control), mailbox_(mailbox), alerts_(alerts) {}
  Result<control::StatusView> status() override;
  Result<control::TopView> top() override;
  Result<std::vector<control::DropView>> drops() override;
  Result<control::SessionsView> sessions(size_t max) override;
  Result<control::RoutesView> routes(const control::RoutesQuery& query) override;
  Result<control::PathAnswer> path(const control::PathQuery& query) override;
  Result<std::vector<control::NatMapping>> nat_map(const control::NatMapQuery& query) override;
  Result<control::ChangeView> reload() override;
  Result<control::RulesView> rules() override;
  Result<control::RulesInForce> rules_in_force() override;
  Result<control::ChangeView> reload_rules() override;
  Result<events::AlertsView> alerts(std::optional<uint64_t> from, size_t max) override;
  Result<control::ChangeView> change(config::ModelChanges changes, bool dry_run) override;
  Result<std::shared_ptr<const control::Configured>> configured(control::ConfiguredParts parts) override;

 private:
  control::Control& control_;
  control::Mailbox& mailbox_;
  const events::RecentAlerts& alerts_;
};

}  // namespace weir::api
