#include "mgmt/config/group_cycles.h"

#include <algorithm>
#include <cstdint>

#include "mgmt/config/problem.h"

namespace weir::config {

namespace {

class Cycles {
 public:
  using Find = std::function<const size_t*(const std::string&)>;
  using Tell = std::function<void(const GroupCycle&)>;
  Cycles(const std::vector<const Group*>& groups, const Find& find, const Tell& tell)
      : groups_(groups), find_(find), tell_(tell), states_(groups.size()) {}

  void run() {
    for (size_t g = 0; g < states_.size(); ++g) visit(g);
  }

 private:
  enum class State : uint8_t { fresh, open, done };
  struct Open {
    size_t group;
    size_t next = 0;  // in its list
  };

  /// Without recursion: they may nest as deep as they like.
  void visit(size_t first) {
    if (states_[first] != State::fresh) return;
    open(first);
    while (!path_.empty()) {
      Open& top = path_.back();
      const auto& inner = groups_[top.group]->groups;
      if (top.next == inner.size()) {
        states_[top.group] = State::done;
        path_.pop_back();
        continue;
      }
      const std::string& name = inner[top.next++];
      const size_t* found = find_(name);
      if (found == nullptr) continue;
      if (states_[*found] == State::open) {
        tell_({top.group, name, message(*found)});
      } else if (states_[*found] == State::fresh) {
        open(*found);
      }
    }
  }
  void open(size_t g) {
    states_[g] = State::open;
    path_.push_back({g});
  }
  std::string message(size_t closes) const {
    std::string names;
    const auto from =
        std::find_if(path_.begin(), path_.end(), [&](const Open& o) { return o.group == closes; });
    for (auto o = from; o != path_.end(); ++o) names += in_quotes(groups_[o->group]->name) + " contains ";
    return "groups contain each other: " + names + in_quotes(groups_[closes]->name);
  }

  const std::vector<const Group*>& groups_;
  const Find& find_;
  const Tell& tell_;
  std::vector<State> states_;
  std::vector<Open> path_;
};

}  // namespace

void find_group_cycles(const std::vector<const Group*>& groups,
                       const std::function<const size_t*(const std::string& name)>& find,
                       const std::function<void(const GroupCycle&)>& tell) {
  Cycles(groups, find, tell).run();
}

}  // namespace weir::config
