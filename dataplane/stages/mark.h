// The DSCP that a policy rule gives the packets of its sessions. Worker only.
//
// Off the way of other sessions: Worker::forward_owned() asks by the session's flags, together with what it
// asks anyway.
#pragma once

#include "dataplane/worker/context.h"

namespace weir::dataplane {

/// Writes the DSCP of the packet's session (Session::kMarked) into the inner header; ECN stays (RFC 3168).
/// The outer header follows it as the egress attachment says (RFC 2983). Before encapsulation; once done, it
/// may be done again. (mark.cpp)
void mark(WorkerContext& ctx, rte_mbuf* mbuf);

}  // namespace weir::dataplane
