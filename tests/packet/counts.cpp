#include "tests/packet/counts.h"

namespace weir::test {

using dataplane::Counter;
using dataplane::WorkerCounters;

namespace {

struct Named {
  const char* name;
  Counter WorkerCounters::*counter;
};

constexpr Named kNamed[] = {
    {"rx", &WorkerCounters::rx},
    {"taken_over", &WorkerCounters::taken_over},
    {"resumed", &WorkerCounters::resumed},
    {"generated", &WorkerCounters::generated},
    {"tx", &WorkerCounters::tx},
    {"forwarded", &WorkerCounters::forwarded},
    {"answered", &WorkerCounters::answered},
    {"punted", &WorkerCounters::punted},
    {"handed_over", &WorkerCounters::handed_over},
    {"consumed", &WorkerCounters::consumed},
    {"fragments_held", &WorkerCounters::fragments_held},
    {"inspect_held", &WorkerCounters::inspect_held},
    {"inspect_waited", &WorkerCounters::inspect_waited},
    {"inspect_unseen", &WorkerCounters::inspect_unseen},
    {"inspect_full", &WorkerCounters::inspect_full},
    {"overloads", &WorkerCounters::overloads},
    {"overload_refused", &WorkerCounters::overload_refused},
    {"pending_sessions", &WorkerCounters::pending_sessions},
    {"pending_held", &WorkerCounters::pending_held},
    {"pending_full", &WorkerCounters::pending_full},
    {"pending_given_up", &WorkerCounters::pending_given_up},
    {"pending_timed_out", &WorkerCounters::pending_timed_out},
    {"reassembled", &WorkerCounters::reassembled},
    {"sessions_created", &WorkerCounters::sessions_created},
    {"sessions_expired", &WorkerCounters::sessions_expired},
    {"sessions_live", &WorkerCounters::sessions_live},
    {"sessions_given_way", &WorkerCounters::sessions_given_way},
    {"hosts_untracked", &WorkerCounters::hosts_untracked},
    {"redecided_policy", &WorkerCounters::redecided_policy},
    {"redecided_route", &WorkerCounters::redecided_route},
    {"redecided_nat", &WorkerCounters::redecided_nat},
    {"cut_policy", &WorkerCounters::cut_policy},
    {"cut_route", &WorkerCounters::cut_route},
    {"cut_nat", &WorkerCounters::cut_nat},
    {"ftp_controls", &WorkerCounters::ftp_controls},
    {"ftp_rewritten", &WorkerCounters::ftp_rewritten},
    {"ftp_gathered", &WorkerCounters::ftp_gathered},
    {"ftp_untracked", &WorkerCounters::ftp_untracked},
    {"tcp_ignored", &WorkerCounters::tcp_ignored},
    {"resets_sent", &WorkerCounters::resets_sent},
    {"inspected_packets", &WorkerCounters::inspected_packets},
    {"events_lost", &WorkerCounters::events_lost},
    {"notes_lost", &WorkerCounters::notes_lost},
    {"rule_events_suppressed", &WorkerCounters::rule_events_suppressed},
    {"drop_events_suppressed", &WorkerCounters::drop_events_suppressed},
};
// turns, idle_turns, bursts, sessions_half_open, nat_bindings and events_lost by kind are left out; a new
// counter has to be named above.
static_assert(sizeof(WorkerCounters) ==
              (std::size(kNamed) + 5 + dataplane::kDropReasonCount + inspection::kEventKinds) *
                  sizeof(Counter));

}  // namespace

Counts read_counts(const WorkerCounters& counters) {
  Counts counts;
  for (const Named& named : kNamed)
    counts[named.name] = static_cast<int64_t>((counters.*named.counter).get());
  for (size_t i = 0; i < dataplane::kDropReasonCount; ++i) {
    counts["drop " + std::string(dataplane::kDropReasons[i].name)] =
        static_cast<int64_t>(counters.dropped[i].get());
  }
  return counts;
}

Counts moved(const Counts& before, const Counts& after) {
  Counts delta = after;
  for (const auto& [name, value] : before) delta[name] -= value;
  std::erase_if(delta, [](const auto& entry) { return entry.second == 0; });
  return delta;
}

Counts operator+(Counts a, const Counts& b) {
  for (const auto& [name, value] : b) {
    if ((a[name] += value) == 0) a.erase(name);
  }
  return a;
}

int64_t imbalance(const WorkerCounters& c) {
  const uint64_t in = c.rx.get() + c.taken_over.get() + c.resumed.get() + c.generated.get();
  uint64_t out = c.tx.get() + c.punted.get() + c.handed_over.get() + c.consumed.get() +
                 c.fragments_held.get() + c.pending_held.get() + c.inspect_held.get();
  for (const Counter& dropped : c.dropped) out += dropped.get();
  return static_cast<int64_t>(in - out);
}

Counts forwarded(int64_t packets) { return {{"rx", packets}, {"tx", packets}, {"forwarded", packets}}; }

Counts started(int64_t sessions) {
  return forwarded(sessions) + Counts{{"sessions_created", sessions}, {"sessions_live", sessions}};
}

Counts dropped(dataplane::DropReason reason, int64_t packets) {
  return {{"rx", packets}, {"drop " + std::string(dataplane::info(reason).name), packets}};
}

Counts answered(int64_t packets) { return {{"rx", packets}, {"tx", packets}, {"answered", packets}}; }

Counts punted(int64_t packets) { return {{"rx", packets}, {"punted", packets}}; }

}  // namespace weir::test
