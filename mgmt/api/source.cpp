#include "mgmt/api/source.h"

#include <chrono>
#include <memory>
#include <utility>

namespace weir::api {

using namespace std::chrono_literals;

namespace {

constexpr auto kAnswerIn = 3s;
constexpr auto kReloadIn = 120s;  // compiling tens of thousands of rules takes a while

/// Lets control compute a Result<T> and waits for it.
template <typename T, typename Ask>
Result<T> call(control::Mailbox& mailbox, std::chrono::milliseconds timeout, Ask ask) {
  auto answer =
      mailbox.call<Result<T>>(std::function<void(std::function<void(Result<T>)>)>(std::move(ask)), timeout);
  if (answer) return std::move(*answer);
  return fail(ErrorCode::unavailable, "the hub did not answer in time");
}

}  // namespace

Result<control::StatusView> ControlSource::status() {
  return call<control::StatusView>(mailbox_, kAnswerIn, [this](auto reply) { reply(control_.status()); });
}

Result<control::TopView> ControlSource::top() {
  return call<control::TopView>(mailbox_, kAnswerIn, [this](auto reply) { reply(control_.top()); });
}

Result<std::vector<control::DropView>> ControlSource::drops() {
  return call<std::vector<control::DropView>>(mailbox_, kAnswerIn,
                                              [this](auto reply) { reply(control_.drops()); });
}

Result<control::SessionsView> ControlSource::sessions(size_t max) {
  return call<control::SessionsView>(mailbox_, kAnswerIn, [this, max](auto reply) {
    control_.sessions(max, [reply](control::SessionsView view) { reply(std::move(view)); });
  });
}

Result<control::RoutesView> ControlSource::routes(const control::RoutesQuery& query) {
  return call<control::RoutesView>(mailbox_, kReloadIn,
                                   [this, query](auto reply) { control_.routes(query, std::move(reply)); });
}

Result<control::PathAnswer> ControlSource::path(const control::PathQuery& query) {
  return call<control::PathAnswer>(mailbox_, kAnswerIn,
                                   [this, query](auto reply) { reply(control_.path(query)); });
}

Result<std::vector<control::NatMapping>> ControlSource::nat_map(const control::NatMapQuery& query) {
  return call<std::vector<control::NatMapping>>(
      mailbox_, kAnswerIn, [this, query](auto reply) { reply(control_.nat_map(query)); });
}

Result<control::ChangeView> ControlSource::reload() {
  return call<control::ChangeView>(mailbox_, kReloadIn, [this](auto reply) {
    control_.reload([reply](control::ChangeView view) { reply(std::move(view)); });
  });
}

Result<control::RulesView> ControlSource::rules() {
  return call<control::RulesView>(mailbox_, kAnswerIn, [this](auto reply) { reply(control_.rules()); });
}

Result<control::RulesInForce> ControlSource::rules_in_force() {
  return call<control::RulesInForce>(mailbox_, kAnswerIn,
                                     [this](auto reply) { reply(control_.rules_in_force()); });
}

Result<control::ChangeView> ControlSource::reload_rules() {
  return call<control::ChangeView>(mailbox_, kReloadIn, [this](auto reply) {
    control_.reload_rules([reply](control::ChangeView view) { reply(std::move(view)); });
  });
}

Result<events::AlertsView> ControlSource::alerts(std::optional<uint64_t> from, size_t max) {
  return from ? alerts_.since(*from, max) : alerts_.latest(max);
}

Result<std::shared_ptr<const control::Configured>> ControlSource::configured(control::ConfiguredParts parts) {
  return call<std::shared_ptr<const control::Configured>>(
      mailbox_, kReloadIn, [this, parts](auto reply) { control_.configured(parts, std::move(reply)); });
}

Result<control::ChangeView> ControlSource::change(config::ModelChanges changes, bool dry_run) {
  // A std::function is copied on its way, a million changes should not be.
  const auto shared = std::make_shared<config::ModelChanges>(std::move(changes));
  return call<control::ChangeView>(mailbox_, kReloadIn, [this, shared, dry_run](auto reply) {
    const auto answer = [reply](control::ChangeView view) { reply(std::move(view)); };
    if (dry_run) return control_.try_out(std::move(*shared), answer);
    control_.transact(std::move(*shared), answer);
  });
}

}  // namespace weir::api
