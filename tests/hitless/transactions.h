// Transactions on their way to the hub's control thread and back. Belongs to the tester's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "mgmt/config/change.h"
#include "tests/hitless/rig.h"

namespace weir::hitless {

class Transactions {
 public:
  using Done = std::function<void()>;

  explicit Transactions(Rig& rig) : rig_(rig), answers_(std::make_shared<Answers>()) {}

  /// `done` is called in a later poll(), when the transaction has been made. False: control takes no more
  /// now.
  bool transact(config::ModelChanges changes, Done done);
  /// The hub reads its file again.
  bool reload(Done done);
  void poll();

  /// Sent and not answered.
  size_t open() const { return open_; }
  uint64_t made() const { return made_; }
  /// Of those that the hub refused; none is meant to be.
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  struct Answer {
    std::vector<std::string> problems;
    Done done;
  };
  struct Answers {  // outlives a hub that stops meanwhile
    std::mutex mutex;
    std::vector<Answer> waiting;
  };
  static std::function<void(control::ChangeView)> reply(std::shared_ptr<Answers> answers, Done done);

  Rig& rig_;
  std::shared_ptr<Answers> answers_;
  size_t open_ = 0;
  uint64_t made_ = 0;
  std::vector<std::string> problems_;
};

}  // namespace weir::hitless
