// What the hub answers for its own addresses, by turning the request into the reply in place: ARP (RFC 826),
// neighbour discovery (RFC 4861), echo (RFC 792, RFC 4443). Worker only.
#pragma once

#include "dataplane/net/parse.h"
#include "dataplane/worker/context.h"
#include "dataplane/worker/leave.h"

namespace weir::dataplane {

/// ARP on a port that DPDK owns: requests for the hub's addresses are answered, replies go to control.
Next answer_underlay_arp(WorkerContext& ctx, rte_mbuf* mbuf, uint16_t arp_offset);

/// A neighbour solicitation or advertisement, as far as it can be told without checking it.
bool is_neighbor_discovery(net::Bytes packet);

/// The same by neighbour discovery: `mbuf` has an IPv6 packet at `ip_offset` that is_neighbor_discovery().
Next answer_underlay_discovery(WorkerContext& ctx, rte_mbuf* mbuf, uint16_t ip_offset);

/// ARP inside an attachment: requests for its gateway are answered, and the sender is noted.
Next answer_inner_arp(WorkerContext& ctx, rte_mbuf* mbuf, const Attachment& attachment, uint16_t arp_offset);

/// Neighbour solicitations for a gateway address are answered; advertisements are noted. go_on: it is
/// neither.
Next answer_neighbor_discovery(WorkerContext& ctx, rte_mbuf* mbuf, const Attachment& attachment,
                               uint16_t ip_offset, const net::IpView& ip);

/// Turns an unfragmented echo request into its reply, Ethernet addresses included if there are any
/// (`ip_offset` is not 0). False: it is none.
bool answer_echo(rte_mbuf* mbuf, uint16_t ip_offset, const net::IpView& ip);

/// An echo reply to the hub: notes that the attachment's probe was answered if the payload carries its token.
/// False: it answers no probe that is awaited.
bool take_probe_answer(WorkerContext& ctx, AttachmentId attachment, net::Bytes payload);

}  // namespace weir::dataplane
