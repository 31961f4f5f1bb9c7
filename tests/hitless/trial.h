// One run: start the sessions, find the pace, disturb the hub, draw up the account. dips.cpp has the second
// kind of run: not what is lost, but by how much the throughput dips; endure.cpp the third: a spoke floods.
#pragma once

#include <string>
#include <vector>

#include "tests/hitless/churn.h"

namespace weir::hitless {

/// How deep the throughput may dip, and what is changed for it.
struct DipPlan {
  Seconds length{5};  // of each change
  uint32_t routes_per_second = 100'000;
  uint32_t routes_per_transaction = 1'000;
  bool judge_rates = false;  // else only what is counted is judged
};

struct TrialPlan {
  ChurnPlan churn;
  bool dips = false;
  bool floods = false;
  DipPlan dip;
  bool search = false;  // the highest rate first, then 0.7 of it; else as fast as the window allows
  double least_rate = 0;
  Sabotage sabotage = Sabotage::none;
};

class Trial {
 public:
  Trial(const World& world, Rig& rig, const TrialPlan& plan);

  /// On the tester's thread.
  void run();
  /// What is not as it should be, a line each. Empty: nothing was lost.
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  double highest_rate();
  static void say(const char* what, const Flood& flood);
  /// Says it, and what is the hub's or the generator's fault is a problem.
  void judge_pace(const char* what, const Flood& flood);
  void disturb(const Pace& pace);
  void endure_floods(const Pace& pace);
  void expect_reuse(const Churn& churn);
  void wait_for_balance();
  void measure_dips(const Pace& pace);
  void judge_dip(const char* what, const Flood& flood, double allowed, Seconds after);
  void change_routes(const Pace& pace);
  void change_policy(const Pace& pace, bool own_pair);
  uint64_t redecided_by_policy() const;
  uint64_t redecided_by_route() const;
  void account();
  void expect_balance();
  void problem(std::string line) { problems_.push_back(std::move(line)); }

  const World& world_;
  Rig& rig_;
  TrialPlan plan_;
  Checker checker_;
  Traffic traffic_;
  std::vector<std::string> problems_;
};

}  // namespace weir::hitless
