// Packets of sessions whose policy rule is not known yet (Session::kPending): shown to the finder of names,
// and held until the rule is known. What happens when is in policy/pending_steps.h. Worker only.
//
// Off the way of other sessions: Worker::forward_owned() asks by the session's flags, together with what it
// asks anyway.
#pragma once

#include "dataplane/decide/first_packet.h"
#include "dataplane/worker/context.h"

namespace weir::dataplane {

/// The session that was just made is pending, since its decision is not final. There is room for it.
void begin_pending(WorkerContext& ctx, SessionIndex index);

/// For bursts that have packets of pending sessions. Takes out those that wait or are refused. As soon as
/// packets that waited may go on, they and all that come behind them are in ctx.pending->released.
void pend(WorkerContext& ctx, Burst& burst);

/// Decides sessions that have waited for long enough without the names that they waited for. What they may
/// send is in ctx.pending->released.
void expire_pending(WorkerContext& ctx);

/// The session ends before it was decided: what waits is dropped.
void end_pending(WorkerContext& ctx, SessionIndex index);

}  // namespace weir::dataplane
