// What happens to the hub meanwhile: a script of transactions, stepped by the tester between its packets.
//
// Spokes and tenants come and go, each with sessions of its own that are never ended. Half of them go in the
// midst of a volley, so that packets of theirs lie in every ring and queue, some before the hub knows their
// next hops, so that control holds packets of theirs; and what they had goes on talking while their
// successors live. As the hub gives out an index again when it may, a packet that follows an index instead of
// its owner comes out at a spoke whose it is not; so does one of a tenant that finds a session of the one
// before, since all tenants have the same addresses and ports.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "tests/hitless/traffic.h"
#include "tests/hitless/transactions.h"

namespace weir::hitless {

struct ChurnPlan {
  Seconds length{60};
  uint32_t spokes = 10'000;     // added, and removed again
  uint32_t tenants = 1'000;     // likewise
  uint32_t at_once = 64;        // spokes; and a quarter as many tenants
  uint32_t routes = 1'000'000;  // loaded, and withdrawn again
  uint32_t routes_per_transaction = 1'000;
  uint32_t policies = 60;  // the policy is replaced so many times
  uint32_t rulesets = 30;  // and the rules of inspection
};

class Churn {
 public:
  Churn(const World& world, Checker& checker, Traffic& traffic, Rig& rig, const ChurnPlan& plan);

  /// Does what is due. Call about every 100 us.
  void step();
  /// All of the plan was done, and was answered.
  bool finished() const;

  uint32_t added() const { return spokes_.added; }
  uint32_t removed() const { return spokes_.removed; }
  uint32_t tenants_added() const { return tenants_.added; }
  uint32_t tenants_removed() const { return tenants_.removed; }
  uint32_t routes_loaded() const { return routes_loaded_; }
  uint32_t routes_withdrawn() const { return routes_withdrawn_; }
  uint32_t policies() const { return policies_; }
  uint32_t rulesets() const { return rulesets_; }
  const Transactions& transactions() const { return transactions_; }
  /// As seen now and then: the highest index of an attachment and of a domain, 0 if nobody looked.
  uint32_t highest_attachment() const { return ids_->attachment; }
  uint32_t highest_domain() const { return ids_->domain; }

  /// A route of the sessions' own domain that leads none of them; there are 2^20.
  static config::Route extra_route(uint32_t number);

 private:
  enum class Phase : uint8_t { none, adding, talking, silent, removing };
  /// Spokes, or tenants: generations from `first` on.
  struct Kind {
    uint32_t first = 0, total = 0;
    uint32_t started = 0, added = 0, removed = 0;
    bool done() const { return added == total && removed == total; }
  };
  struct Slot {
    Kind* kind = nullptr;
    Phase phase = Phase::none;
    uint32_t generation = 0;
    uint32_t steps = 0;  // in this phase
    Clock::time_point since = {};
    std::vector<uint32_t> gone = {};  // generations that still talk
  };

  void enter(Slot& slot, Phase phase);
  void look_at_ids();
  void step_slot(Slot& slot);
  void start(Slot& slot);
  void talk(uint32_t generation);
  void leave(Slot& slot);
  void added(Slot& slot);
  bool all_arrived(uint32_t generation);
  void step_routes();
  void step_policy();
  void step_rules();
  /// How much of `total` is due by now.
  uint32_t due(uint32_t total) const;

  struct Ids {  // written by the control thread
    std::atomic<uint32_t> attachment{0}, domain{0};
  };

  const World& world_;
  Checker& checker_;
  Traffic& traffic_;
  Rig& rig_;
  ChurnPlan plan_;
  Transactions transactions_;
  std::shared_ptr<Ids> ids_ = std::make_shared<Ids>();
  Clock::time_point start_, now_;
  std::vector<Slot> slots_;
  size_t next_slot_ = 0;
  Kind spokes_, tenants_;
  bool routes_busy_ = false, policy_busy_ = false, rules_busy_ = false;
  uint32_t routes_loaded_ = 0, routes_withdrawn_ = 0;
  uint32_t policies_ = 0, rulesets_ = 0;
};

}  // namespace weir::hitless
