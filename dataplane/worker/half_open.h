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

/// Ends a session that is half open or, unless `half_open_only`, one that is closed, if a few looks find one.
/// Never an inspected one, whose packets may be on their way in this very burst.
bool give_way(WorkerContext& ctx, bool half_open_only);

}  // namespace weir::dataplane
