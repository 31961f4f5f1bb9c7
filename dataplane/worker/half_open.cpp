#include "dataplane/worker/half_open.h"

#include <algorithm>

#include "dataplane/worker/session_life.h"

namespace weir::dataplane {

namespace {

/// Sessions looked at for one that is over. Their lines lie behind each other, so a look costs little.
constexpr uint32_t kLooks = 256;

/// Indices are given out in turn, so those that come next have been there for longest.
SessionIndex find_over(WorkerContext& ctx) {
  const SessionTable& sessions = *ctx.sessions;
  for (uint32_t looks = 0; looks < std::min(kLooks, sessions.capacity()); ++looks) {
    const SessionIndex index = ctx.give_way_cursor;
    ctx.give_way_cursor = index + 1 == sessions.capacity() ? 0 : index + 1;
    const Session& session = sessions.at(index);
    if (is_over(session.state) && (session.flags & Session::kDropped) == 0) return index;
  }
  return kNoSession;
}

}  // namespace

SessionBudgets::Origin origin_of(const WorkerContext& ctx, SessionIndex index) {
  return {ctx.sessions->at(index).domain[0], ctx.sessions->cold(index).ingress,
          ctx.sessions->tuple(index).src};
}

bool admit_half_open(WorkerContext& ctx, const SessionBudgets::Origin& origin, bool& untracked) {
  if (ctx.budgets == nullptr) return true;
  const SessionBudgets::Admission admission = ctx.budgets->begin_half_open(origin, ctx.now);
  if (admission.untracked) ctx.counters.hosts_untracked.add();
  untracked = admission.untracked;
  return bool(admission);
}

void begin_half_open(WorkerContext& ctx, SessionIndex index, bool untracked) {
  Session& session = ctx.sessions->at(index);
  session.flags |= Session::kHalfOpen;
  if (untracked) session.flags |= Session::kUntracked;
  ctx.sessions->list_half_open(index);
  ctx.counters.sessions_half_open.set(++ctx.half_open);
}

void end_half_open(WorkerContext& ctx, SessionIndex index) {
  Session& session = ctx.sessions->at(index);
  if ((session.flags & Session::kHalfOpen) == 0) return;
  if (ctx.budgets != nullptr)
    ctx.budgets->end_half_open(origin_of(ctx, index), (session.flags & Session::kUntracked) != 0);
  session.flags = static_cast<uint16_t>(session.flags & ~(Session::kHalfOpen | Session::kUntracked));
  ctx.sessions->unlist_half_open(index);
  ctx.counters.sessions_half_open.set(--ctx.half_open);
}

bool move_half_open(WorkerContext& ctx, SessionIndex index, AttachmentId ingress) {
  const bool half_open = (ctx.sessions->at(index).flags & Session::kHalfOpen) != 0;
  end_half_open(ctx, index);
  ctx.sessions->cold(index).ingress = ingress;
  if (!half_open) return true;
  bool untracked = false;
  if (!admit_half_open(ctx, origin_of(ctx, index), untracked)) return false;
  begin_half_open(ctx, index, untracked);
  return true;
}

/// False: nothing gives way.
static bool give_way(WorkerContext& ctx, bool half_open_only) {
  if (ctx.when_full == WhenFull::refuse) return false;
  SessionIndex found = ctx.sessions->oldest_half_open();
  if (found == kNoSession && !half_open_only) found = find_over(ctx);
  if (found == kNoSession) return false;
  end_session(ctx, found, inspection::FlowEnd::given_way);
  ctx.counters.sessions_given_way.add();
  return true;
}

DropReason make_room(WorkerContext& ctx, bool half_open) {
  if (half_open && ctx.half_open >= ctx.half_open_limit && !give_way(ctx, true))
    return DropReason::half_open_limit;
  if (ctx.sessions->size() == ctx.sessions->capacity() && !give_way(ctx, false))
    return DropReason::session_table_full;
  return DropReason::none;
}

}  // namespace weir::dataplane
