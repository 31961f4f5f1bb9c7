#include "tests/hitless/transactions.h"

#include <utility>

namespace weir::hitless {

std::function<void(control::ChangeView)> Transactions::reply(std::shared_ptr<Answers> answers, Done done) {
  return [answers = std::move(answers), done = std::move(done)](control::ChangeView view) {
    const std::lock_guard lock(answers->mutex);
    answers->waiting.push_back({std::move(view.problems), done});
  };
}

bool Transactions::transact(config::ModelChanges changes, Done done) {
  const bool sent = rig_.on_control(
      [changes = std::move(changes), reply = reply(answers_, std::move(done))](
          control::Control& control) mutable { control.transact(std::move(changes), std::move(reply)); });
  open_ += sent;
  return sent;
}

bool Transactions::reload(Done done) {
  const bool sent = rig_.on_control(
      [reply = reply(answers_, std::move(done))](control::Control& control) { control.reload(reply); });
  open_ += sent;
  return sent;
}

void Transactions::poll() {
  if (open_ == 0) return;
  std::vector<Answer> answered;
  {
    const std::lock_guard lock(answers_->mutex);
    answered.swap(answers_->waiting);
  }
  open_ -= answered.size();
  for (Answer& answer : answered) {
    if (!answer.problems.empty()) {
      if (problems_.size() < 8)
        problems_.insert(problems_.end(), answer.problems.begin(), answer.problems.end());
      continue;
    }
    ++made_;
    answer.done();
  }
}

}  // namespace weir::hitless
