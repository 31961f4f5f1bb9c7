#include "dataplane/worker/half_open.h"

#include "dataplane/worker/session_life.h"

namespace weir::dataplane {

namespace {

/// Sessions looked at for one that gives way. Their lines lie behind each other, so a look costs little; in a
/// table that a flood has filled nearly each of them will do, but the established ones that were there before
/// lie together.
constexpr uint32_t kLooks = 256;

bool is_over(SessionState state) { return state == SessionState::closing || state == SessionState::reset; }

}  // namespace

SessionBudgets::Origin origin_of(const WorkerContext& ctx, SessionIndex index) {
  return {ctx.sessions->at(index).domain[0], ctx.sessions->cold(index).ingress,
          ctx.sessions->tuple(index).src};
}

DropReason admit_half_open(WorkerContext& ctx, const SessionBudgets::Origin& origin, bool& untracked) {
  // The budgets first: nobody gives way to one who is over his own.
  if (ctx.budgets != nullptr) {
    const SessionBudgets::Admission admission = ctx.budgets->begin_half_open(origin, ctx.now);
    if (admission.untracked) ctx.counters.hosts_untracked.add();
    if (!admission) return DropReason::half_open_limit;
    untracked = admission.untracked;
  }
  if (ctx.half_open < ctx.half_open_limit || give_way(ctx, true)) return DropReason::none;
  if (ctx.budgets != nullptr) ctx.budgets->end_half_open(origin, untracked);
  return DropReason::half_open_limit;
}

void begin_half_open(WorkerContext& ctx, SessionIndex index, bool untracked) {
  Session& session = ctx.sessions->at(index);
  session.flags |= Session::kHalfOpen;
  if (untracked) session.flags |= Session::kUntracked;
  ctx.counters.sessions_half_open.set(++ctx.half_open);
}

void end_half_open(WorkerContext& ctx, SessionIndex index) {
  Session& session = ctx.sessions->at(index);
  if ((session.flags & Session::kHalfOpen) == 0) return;
  if (ctx.budgets != nullptr)
    ctx.budgets->end_half_open(origin_of(ctx, index), (session.flags & Session::kUntracked) != 0);
  session.flags = static_cast<uint16_t>(session.flags & ~(Session::kHalfOpen | Session::kUntracked));
  ctx.counters.sessions_half_open.set(--ctx.half_open);
}

bool give_way(WorkerContext& ctx, bool half_open_only) {
  if (ctx.when_full == WhenFull::refuse) return false;
  SessionTable& sessions = *ctx.sessions;
  // Packets of this burst that wait for inspect name their sessions by index: it must not have another one
  // when their turn comes. Indices are reused last in line, so with more free ones than packets it has not.
  const bool may_wait = !ctx.snapshot->profiles.empty();
  if (may_wait && sessions.capacity() - sessions.size() <= kMaxRxBurst) return false;
  SessionIndex found = kNoSession;
  // Indices are given out in turn, so those that come next have been there for longest.
  for (uint32_t looks = 0; looks < kLooks; ++looks) {
    const SessionIndex index = ctx.give_way_cursor;
    ctx.give_way_cursor = index + 1 == sessions.capacity() ? 0 : index + 1;
    const Session& session = sessions.at(index);
    if ((session.flags & (Session::kInspected | Session::kDropped)) != 0) continue;
    if (is_half_open(session.state)) {
      found = index;
      break;
    }
    if (!half_open_only && found == kNoSession && is_over(session.state)) found = index;
  }
  if (found == kNoSession) return false;
  end_session(ctx, found, inspection::FlowEnd::given_way);
  ctx.counters.sessions_given_way.add();
  return true;
}

}  // namespace weir::dataplane
