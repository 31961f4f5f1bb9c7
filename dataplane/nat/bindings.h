// The bindings of one worker: which public address and port a host's address and port has for the time being
// (RFC 4787: endpoint-independent mapping; RFC 5382, RFC 5508 for TCP and ICMP).
//
// A binding belongs to all sessions of one address and port to anywhere, and lives as long as one of them.
// All memory is allocated by the constructor. One worker only.
#pragma once

#include <cstdint>
#include "dataplane/core/huge_memory.h"
#include "dataplane/core/tuple.h"
#include "dataplane/nat/nat_table.h"

namespace weir::dataplane {

using BindingIndex = uint32_t;
inline constexpr BindingIndex kNoBinding = ~0u;

struct Binding {
  net::IpAddress inside, outside;
  uint16_t inside_port = 0, outside_port = 0;
  DomainId host;       // the domain of `inside`
  uint16_t realm = 0;  // slot of the domain whose address `outside` is
  uint8_t protocol = 0;
  bool announced = false;  // by an FTP server (publish()), if perhaps also of a pool
};

/// Why there is no binding: nobody can tell who a packet of that protocol is for once its address is shared;
/// the pool has no port left; there are as many bindings as fit.
enum class BindingRefused : uint8_t { no, protocol, exhausted, full };

class Bindings {
 public:
  /// `worker` of them share every pool (block_owner()). `secret`: which ports are given out is not to be
  /// guessed (RFC 6056).
  Bindings(uint32_t capacity, WorkerIndex worker, uint64_t secret);

  struct Answer {
    BindingIndex binding = kNoBinding;
    BindingRefused refused = BindingRefused::no;
  };
  /// The binding of `tuple`'s source, a host of that domain, to the pool `rule`: the one that there
  /// is, else a new one. It is held once more until release(). A host keeps its address of the pool
  /// ("paired", RFC 4787 section 4.1) while that has ports, and its port where that is free.
  Answer hold(const NatTable& nat, uint16_t rule, DomainId host, const Tuple& tuple);
  /// Where something is seen, for publish().
  struct Place {
    uint16_t realm = 0;  // slot of the domain that sees it
    net::IpAddress address;
    uint16_t port = 0;
    bool is_published = false;  // by a rule: there is nothing to hold
  };
  /// For a time, TCP `port` of a server of the domain `host` is to be seen at the published address
  /// `place.address`: at `place.port` if that is free, else at another one, which it is set to. Held until
  /// release(), but where it is published by a rule.
  Answer publish(const NatTable& nat, DomainId host, const net::IpAddress& server, uint16_t port,
                 Place& place);
  /// The binding behind an address and port, as seen in the domain of that slot, which for a pool's address
  /// is the pool's; kNoBinding: none.
  BindingIndex find(uint16_t realm, const net::IpAddress& outside, uint16_t port, uint8_t protocol) const;
  void hold_again(BindingIndex index) { ++entries_[index].holders; }
  /// The last holder's release gives the port back.
  void release(const NatTable* nat, BindingIndex index);
  /// The pool has what the binding has, and would give it to that host.
  static bool fits(const PoolRule& rule, const Binding& binding);
  /// May it stay under `rule`, as the rules are now? Then its port is taken in that pool, which may be a new
  /// one.
  bool keep(const NatTable& nat, uint16_t rule, BindingIndex index);

  const Binding& at(BindingIndex index) const { return entries_[index].binding; }
  uint32_t size() const { return size_; }
  uint32_t capacity() const { return static_cast<uint32_t>(entries_.size()); }

 private:
  struct Entry {
    Binding binding;
    uint32_t holders = 0;
    BindingIndex next_inside = kNoBinding;  // chains; `next_inside` of a free one: the next free one
    BindingIndex next_outside = kNoBinding;
  };
  uint32_t inside_bucket(const net::IpAddress& address, uint16_t port, DomainId host, uint8_t protocol) const;
  uint32_t outside_bucket(const net::IpAddress& address, uint16_t port, uint16_t realm,
                          uint8_t protocol) const;
  BindingIndex find_inside(const PoolRule& rule, DomainId host, const Tuple& tuple) const;
  Answer add(const NatTable& nat, const PoolRule& rule, DomainId host, const Tuple& tuple);
  BindingIndex enter(const Binding& binding);
  static void unlink(BindingIndex& head, BindingIndex index, HugeVector<Entry>& entries,
                     BindingIndex Entry::*next);
  uint32_t random();

  HugeVector<Entry> entries_;
  HugeVector<BindingIndex> inside_, outside_;  // heads
  uint32_t mask_;
  BindingIndex free_ = kNoBinding;
  uint32_t size_ = 0;
  WorkerIndex worker_;
  uint64_t secret_;
  uint64_t random_;
};

}  // namespace weir::dataplane
