// What the stages do with IP fragments: outer ones are put together, inner ones go to their session as they
// are. Out of the ordinary packet's way; dataplane/fragment keeps the books. Worker only.
//
// All fragments of a datagram meet on one worker (decide/owner.h). Inner ones wait there until the first one
// came, which has the ports, and go on to their session's owner; those of an inspected session then wait
// there until the datagram is whole.
#pragma once

#include "dataplane/net/parse.h"
#include "dataplane/worker/context.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

/// An outer fragment for one of the hub's addresses. go_on: the datagram is whole and lies in `mbuf`, from
/// its Ethernet header on, to be parsed anew.
Next gather_outer(WorkerContext& ctx, rte_mbuf* mbuf, uint16_t ip_offset, const net::IpView& ip);

/// An inner fragment whose meta says what it is, as far as it says so itself (`fragment` set, ports only in a
/// first one). go_on: the meta has all. What the first fragment sets free goes to `ctx.released`.
Next gather_inner(WorkerContext& ctx, rte_mbuf* mbuf);

/// The meta of an inner fragment other than the first, then gather_inner().
Next gather_follow_on(WorkerContext& ctx, rte_mbuf* mbuf, const Attachment& attachment,
                      const net::IpView& ip);

/// An inner fragment that another worker handed over to be gathered here. What may go on goes to
/// `ctx.released`.
void gather_handed_over(WorkerContext& ctx, rte_mbuf* mbuf);

/// A datagram as it was before it was cut. Valid until the next one is put together.
struct WholeDatagram {
  net::Bytes ip;           // from the IP header on
  uint16_t transport = 0;  // where its transport header begins
};

/// A fragment of an inspected session: waits until the datagram is whole. go_on: it is, and the other
/// fragments wait for pass_inspected() or drop_inspected().
Next gather_inspected(WorkerContext& ctx, rte_mbuf* mbuf, WholeDatagram& whole);
/// The same for who only watches: the fragment itself waits for nothing, a copy of it does. True: the
/// datagram is whole; drop_inspected() then lets its copies go.
bool watch_fragment(WorkerContext& ctx, rte_mbuf* mbuf, WholeDatagram& whole);
/// After gather_inspected() said go_on: the others go on too, by way of `ctx.cleared`; or none does.
void pass_inspected(WorkerContext& ctx);
void drop_inspected(WorkerContext& ctx, DropReason reason);

/// A fragment of a session whose payload the hub changes: waits until the datagram is whole. go_on: it is,
/// and lies in `mbuf`, as if it had never been cut; the other fragments are gone.
Next gather_whole(WorkerContext& ctx, rte_mbuf* mbuf);

/// Gives up datagrams of which something did not come in time.
void expire_fragments(WorkerContext& ctx);

}  // namespace weir::dataplane
