// Sessions that are half open, and what gives way when there is no room. Worker only.
#pragma once

#include "dataplane/worker/context.h"

namespace weir::dataplane {

/// Whose budgets a session counts for.
SessionBudgets::Origin origin_of(const WorkerContext& ctx, SessionIndex index);

/// A session that is to be half open: do its budgets allow one more? On true it is counted in them, and the
/// caller either hands `untracked` on to begin_half_open() or takes it back by budgets->end_half_open().
bool admit_half_open(WorkerContext& ctx, const SessionBudgets::Origin& origin, bool& untracked);
/// The session that it made.
void begin_half_open(WorkerContext& ctx, SessionIndex index, bool untracked);
/// It is established, or ends. Nothing happens if it is not half open.
void end_half_open(WorkerContext& ctx, SessionIndex index);
/// Its initiator's packets come by `ingress` from now on, and it counts for that. False: that is bound.
bool move_half_open(WorkerContext& ctx, SessionIndex index, AttachmentId ingress);

/// Is there room in the worker's table, and among what may be half open, for one more session?
inline bool has_room(const WorkerContext& ctx, bool half_open) {
  return ctx.sessions->size() != ctx.sessions->capacity() &&
         (!half_open || ctx.half_open < ctx.half_open_limit);
}
/// Makes it, if so configured: what gives way is the session that has been half open for longest or, where
/// the table is full and there is none, one that is over and not dropped, if a few looks find one. Packets of
/// it may wait in this very burst: they find it gone (is_session_there()). Else why there is none.
DropReason make_room(WorkerContext& ctx, bool half_open);

}  // namespace weir::dataplane
