#include "mgmt/api/source.h"

#include <chrono>

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

Result<std::vector<control::DomainRoutesView>> ControlSource::routes(
    const std::optional<std::string>& domain) {
  return call<std::vector<control::DomainRoutesView>>(
      mailbox_, kAnswerIn, [this, domain](auto reply) { reply(control_.routes(domain)); });
}

Result<control::PathAnswer> ControlSource::path(const control::PathQuery& query) {
  return call<control::PathAnswer>(mailbox_, kAnswerIn,
                                   [this, query](auto reply) { reply(control_.path(query)); });
}

Result<control::ChangeView> ControlSource::reload() {
  return call<control::ChangeView>(mailbox_, kReloadIn, [this](auto reply) {
    control_.reload([reply](control::ChangeView view) { reply(std::move(view)); });
  });
}

}  // namespace weir::api
