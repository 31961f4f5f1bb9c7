#include "tests/hitless/churn.h"

#include <algorithm>

namespace weir::hitless {

using config::ChangeVerb;
using config::ModelChange;
using config::ModelChanges;

namespace {

constexpr uint32_t kTalks = 20;     // rounds of packets of a spoke, before it goes
constexpr uint32_t kVolley = 8;     // packets of each of its sessions and directions, when it goes
constexpr size_t kGoneTalking = 2;  // spokes of a slot that talk on after they went
constexpr uint32_t kGoneRests = 8;  // steps between what they say
constexpr uint32_t kLook = 4;       // arrivals between two looks at the ids
/// Control lets so many transactions wait; the rest is for routes, policies and rules.
constexpr size_t kForArrivals = 12;
constexpr uint64_t kRoom = 2'048;  // packets that wait, of the port's 4,096
constexpr auto kPatience = std::chrono::seconds(20);

/// Every other one goes in the midst of a volley; every eighth one of these as soon as it came, with the
/// first packets of its sessions still waiting for their next hops.
constexpr bool goes_at_once(uint32_t generation) { return generation % 2 == 1; }
constexpr bool goes_unresolved(uint32_t generation) { return generation % 16 == 7; }

}  // namespace

Churn::Churn(const World& world, Checker& checker, Traffic& traffic, Rig& rig, const ChurnPlan& plan)
    : world_(world),
      checker_(checker),
      traffic_(traffic),
      rig_(rig),
      plan_(plan),
      transactions_(rig),
      start_(Clock::now()),
      now_(start_),
      spokes_{.first = 0, .total = plan.spokes},
      tenants_{.first = plan.spokes, .total = plan.tenants} {
  slots_.resize(plan.spokes != 0 ? plan.at_once : 0, Slot{.kind = &spokes_});
  const uint32_t tenants_at_once = std::max(1U, plan.at_once / 4);
  slots_.resize(slots_.size() + (plan.tenants != 0 ? tenants_at_once : 0), Slot{.kind = &tenants_});
}

uint32_t Churn::due(uint32_t total) const {
  const double part = std::min(1.0, Seconds(now_ - start_) / plan_.length);
  return static_cast<uint32_t>(part * total);
}

bool Churn::finished() const {
  return spokes_.done() && tenants_.done() && routes_loaded_ == plan_.routes &&
         routes_withdrawn_ == plan_.routes && policies_ >= plan_.policies && rulesets_ >= plan_.rulesets &&
         transactions_.open() == 0;
}

void Churn::step() {
  now_ = Clock::now();
  transactions_.poll();
  // What the port would not take would be no fault of the hub's.
  if (traffic_.waiting() > kRoom) return;
  if (!slots_.empty()) {
    step_slot(slots_[next_slot_]);
    next_slot_ = (next_slot_ + 1) % slots_.size();
  }
  step_routes();
  step_policy();
  step_rules();
  traffic_.flush();
}

void Churn::enter(Slot& slot, Phase phase) {
  slot.phase = phase;
  slot.steps = 0;
  slot.since = now_;
}

void Churn::step_slot(Slot& slot) {
  if (++slot.steps % kGoneRests == 0)
    for (const uint32_t generation : slot.gone) talk(generation);
  switch (slot.phase) {
    case Phase::none:
      if (slot.kind->started < slot.kind->total && slot.kind->started <= due(slot.kind->total)) start(slot);
      break;
    case Phase::talking:
      talk(slot.generation);
      if (slot.steps >= kTalks) enter(slot, Phase::silent);
      break;
    case Phase::silent:
      // Every other one goes when all that it sent and was sent has arrived, the others at once.
      if (goes_at_once(slot.generation) || all_arrived(slot.generation) || now_ - slot.since > kPatience)
        leave(slot);
      break;
    case Phase::adding:
      break;
    case Phase::removing:
      talk(slot.generation);
      break;
  }
}

void Churn::start(Slot& slot) {
  const uint32_t generation = slot.kind->first + slot.kind->started;
  if (transactions_.open() >= kForArrivals ||
      !transactions_.transact(world_.arrival(generation), [this, &slot] { added(slot); }))
    return;
  ++slot.kind->started;
  slot.generation = generation;
  enter(slot, Phase::adding);
}

void Churn::added(Slot& slot) {
  if (++slot.kind->added % kLook == 0) look_at_ids();
  enter(slot, Phase::talking);
  if (!goes_unresolved(slot.generation)) return;
  talk(slot.generation);
  leave(slot);
}

void Churn::look_at_ids() {
  rig_.on_control([ids = ids_, &plane = rig_.hub().dataplane()](control::Control&) {
    const dataplane::Snapshot& now = plane.current();
    now.attachments->for_each([&](const dataplane::Attachment& attachment) {
      ids->attachment = std::max(ids->attachment.load(), attachment.id.index());
    });
    for (const auto& domain : now.domains)
      if (domain != nullptr) ids->domain = std::max(ids->domain.load(), domain->id.index());
  });
}

/// The next packet of each session and direction that is ready for one: its first two go one by one.
void Churn::talk(uint32_t generation) {
  for (uint32_t which = 0; which < kPerSpoke; ++which) {
    const SessionNumber session = passing_session(generation, which);
    if (checker_.sent(session, 0) == 0) {
      traffic_.send(session, 0);
    } else if (checker_.seen(session, 1) != 0) {
      traffic_.send(session, 0);
      traffic_.send(session, 1);
    } else if (checker_.seen(session, 0) != 0 && checker_.sent(session, 1) == 0) {
      traffic_.send(session, 1);
    }
  }
}

bool Churn::all_arrived(uint32_t generation) {
  for (uint32_t which = 0; which < kPerSpoke; ++which) {
    const SessionNumber session = passing_session(generation, which);
    for (unsigned direction = 0; direction < 2; ++direction) {
      if (checker_.sent(session, direction) != checker_.seen(session, direction)) return false;
    }
  }
  return true;
}

void Churn::leave(Slot& slot) {
  if (slot.phase != Phase::silent) enter(slot, Phase::silent);
  if (transactions_.open() >= kForArrivals) return;
  const uint32_t generation = slot.generation;
  const bool quietly = !goes_at_once(generation);
  checker_.about_to_go(generation, quietly);
  if (!quietly && !goes_unresolved(generation)) {
    for (uint32_t i = 0; i < kVolley; ++i) talk(generation);
    traffic_.flush();
  }
  const bool sent = transactions_.transact(world_.departure(generation), [this, &slot] {
    ++slot.kind->removed;
    slot.gone.push_back(slot.generation);
    if (slot.gone.size() > kGoneTalking) slot.gone.erase(slot.gone.begin());
    enter(slot, Phase::none);
  });
  if (sent) enter(slot, Phase::removing);
}

/// Some of them cover others, as in public tables; all lie in the domain of the sessions, but lead none of
/// them.
config::Route Churn::extra_route(uint32_t number) {
  constexpr uint32_t kFirst = 32U << 24;
  const auto length = static_cast<uint8_t>(number % 16 == 0 ? 20 + number / 16 % 4 : 24);
  const uint32_t member = number % kMembers;
  config::Route route;
  route.domain = "west";
  route.prefix = net::Prefix{net::IpAddress(net::Ipv4{kFirst + number * 256}), length};
  route.attachment = "west" + std::to_string(member);
  route.via = net::IpAddress(net::Ipv4{(10U << 24 | 10U << 16 | 2U) + member * 256});
  return route;
}

/// In the first half of the time they are loaded, in the second one withdrawn.
void Churn::step_routes() {
  if (routes_busy_ || plan_.routes == 0) return;
  const uint64_t wanted = due(2 * plan_.routes);
  const bool load = routes_loaded_ < plan_.routes;
  const uint32_t done = load ? routes_loaded_ : routes_withdrawn_;
  const uint32_t first = done, last = std::min(plan_.routes, done + plan_.routes_per_transaction);
  if (first == last || uint64_t{routes_loaded_} + routes_withdrawn_ + (last - first) > wanted) return;
  ModelChanges changes;
  changes.reserve(last - first);
  for (uint32_t i = first; i < last; ++i)
    changes.push_back({load ? ChangeVerb::add : ChangeVerb::remove, extra_route(i)});
  routes_busy_ = transactions_.transact(std::move(changes), [this, load, last] {
    (load ? routes_loaded_ : routes_withdrawn_) = last;
    routes_busy_ = false;
  });
}

/// A rule before the last one comes and the one that came before goes: another policy that allows the same.
void Churn::step_policy() {
  if (policy_busy_ || policies_ >= due(plan_.policies)) return;
  const auto rule = [](uint32_t edition) {
    config::PolicyRule made;
    made.id = "edition" + std::to_string(edition);
    made.action = config::PolicyAction::allow;
    made.protocol = edition % 2 == 0 ? config::Protocol::tcp : config::Protocol::udp;
    return made;
  };
  ModelChanges changes{{ChangeVerb::add, rule(policies_), {config::RulePlace::Side::before, "rest"}}};
  if (policies_ > 0) changes.push_back({ChangeVerb::remove, rule(policies_ - 1)});
  policy_busy_ = transactions_.transact(std::move(changes), [this] {
    ++policies_;
    policy_busy_ = false;
  });
}

void Churn::step_rules() {
  if (rules_busy_ || rulesets_ >= due(plan_.rulesets)) return;
  rig_.write_rules(rulesets_ + 1);
  rules_busy_ = transactions_.reload([this] {
    ++rulesets_;
    rules_busy_ = false;
  });
}

}  // namespace weir::hitless
