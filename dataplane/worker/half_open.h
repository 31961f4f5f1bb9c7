// Sessions that are half open, and what gives way when there is no room. Worker only.
#pragma once

#include "dataplane/worker/context.h"

namespace weir::dataplane {

/// Whose budgets a session counts for.
SessionBudgets::Origin origin_of(const WorkerContext& ctx, SessionIndex index);

/// A first packet that may begin a half-open session: is there room for one more? One that is half open gives
/// way to it if so configured. On `none` it is counted in the budgets, and the caller either hands
/// `untracked` on to begin_half_open() or takes it back by budgets->end_half_open().
DropReason admit_half_open(WorkerContext& ctx, const SessionBudgets::Origin& origin, bool& untracked);
/// The session that it made.
void begin_half_open(WorkerContext& ctx, SessionIndex index, bool untracked);
/// It is established, or ends. Nothing happens if it is not half open.
void end_half_open(WorkerContext& ctx, SessionIndex index);
/// Its initiator's packets come by `ingress` from now on, and it counts for that. False: that is bound.
bool move_half_open(WorkerContext& ctx, SessionIndex index, AttachmentId ingress);

/// Ends the session that has been half open for longest or, if there is none and unless `half_open_only`, one
/// that is over and not dropped, if a few looks find one. Packets of it may wait in this very burst: they
/// find it gone (is_session_there()). False: nothing gives way.
bool give_way(WorkerContext& ctx, bool half_open_only);

}  // namespace weir::dataplane
