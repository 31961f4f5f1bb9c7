// What the first packet of a session may do: the whole of it, by linear search, in the order in which the
// documentation tells it. The second, obvious answer to what dataplane/decide, fib, policy and nat compute.
#pragma once

#include "tests/model/network.h"

namespace weir::model {

/// The ends of a conversation as one packet of it carries them. Of ICMP echo both ports are the identifier;
/// other ICMP and other protocols have none.
struct Ends {
  Address src, dst;
  uint16_t src_port = 0, dst_port = 0;
  uint8_t protocol = 0;
  Ends reversed() const { return {dst, src, dst_port, src_port, protocol}; }
  friend auto operator<=>(const Ends&, const Ends&) = default;
};
Ends ends_of(const Packet& packet);
std::string to_string(const Ends& ends);

/// A pool's address and port, and whose they are for the time being.
struct Binding {
  Domain realm = 0;  // whose address `outside` is
  Address outside;
  uint16_t outside_port = 0;
  uint8_t protocol = 0;
  Domain host = 0;  // whose address `inside` is
  Address inside;
  uint16_t inside_port = 0;
  int worker = 0;  // that gave it out
  int sessions = 0;
};
/// The pool would give that host that address and port.
bool fits(const Pool& pool, const Binding& binding);

struct FirstQuery {
  Attachment ingress = 0;
  Ends ends;
  uint8_t icmp_type = 0;               // of ICMP
  const Binding* sent_to = nullptr;    // the binding of its destination; null: there is none
  std::optional<Address> server = {};  // that its session has, or is to get; nothing: the first that may be
};

/// One way to the destination, and what policy says of it: a rule may name attachments.
struct Way {
  Hop hop;
  std::string refused;         // the reason; empty: it is allowed
  std::optional<size_t> rule;  // that decided
  std::vector<size_t> watched;
  bool inspected = false;
  size_t timeouts = 0;          // of the rule
  std::optional<uint8_t> dscp;  // of the rule
};

enum class Source { as_is, fixed, pool };

struct Decision {
  std::string refused;  // before policy was asked
  Domain from = 0, to = 0;
  std::vector<Way> there;        // any of these is right, but a session keeps the one that it has
  std::vector<Hop> back;         // to the initiator, the same
  Ends leaves;                   // how the packet leaves, but for what a pool gives its source
  bool meant_for_other = false;  // the destination was translated
  Source source = Source::as_is;
  size_t pool = 0;
  bool translated() const { return meant_for_other || source != Source::as_is; }
};
/// The steps of docs/architecture.md: reverse path, destination translation, route, source translation,
/// connection, policy.
Decision decide(const Network& net, const FirstQuery& query);

/// Hops of the domain's own route to `source` that lead through `ingress`; with attachment.reverse_path off
/// any, if there is none.
std::vector<Hop> reverse_hops(const Network& net, Domain domain, const Address& source, Attachment ingress);

/// Those of several servers that a session to there may get; nothing: it is no service of several.
std::optional<std::vector<Address>> servers_for(const Network& net, Domain domain, const Ends& ends);

/// The pool that a destination is an address of, as seen in `domain`, and that address; of NAT64 it may lie
/// inside the destination.
struct PoolMeant {
  size_t pool = 0;
  Address address;
};
std::optional<PoolMeant> pool_meant(const Network& net, Domain domain, const Ends& ends);
bool is_published(const Network& net, Domain seen_in, const Address& address, uint16_t port,
                  uint8_t protocol);

bool never_routed(const Address& address);
/// How the hub says that it refused a packet for this reason: who is rejected is told by control.
std::string as_told(const std::string& reason);

}  // namespace weir::model
