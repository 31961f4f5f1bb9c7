// The rules of address translation as the data path reads them.
//
// Three kinds, each seen from certain domains:
//   static     addresses of one domain have others, one for one, where they are seen from elsewhere: a host
//              (static 1:1) or a whole prefix (mapped; of IPv6 also checksum-neutral, nat/nptv6.h). Both
//              ways, without state.
//   published  an address and port is a server of some domain, or several that share the sessions
//              (destination NAT).
//   pool       sessions from some domains to another one get a source from a pool of its addresses.
//
// Built by control, then immutable but for the pools' ports, of which each worker has its own. Any worker
// reads.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dataplane/core/ids.h"
#include "dataplane/core/tuple.h"
#include "dataplane/nat/nptv6.h"
#include "dataplane/nat/port_pool.h"
#include "dataplane/nat/range_map.h"

namespace weir::dataplane {

struct StaticRule {
  std::string name;
  DomainId domain;
  net::Prefix inside;   // where it is
  net::Prefix outside;  // of the same family and length: how it is seen
  std::vector<DomainId> seen_by;
  bool ftp = false;    // what control connections of FTP (TCP port 21) name is translated, too
  bool nptv6 = false;  // checksum-neutral, of IPv6 and kMaxNptv6Length at most
  friend bool operator==(const StaticRule&, const StaticRule&) = default;
};

struct PublishedRule {
  std::string name;
  std::vector<DomainId> seen_by;
  uint8_t protocol = 0;  // TCP or UDP
  net::IpAddress address;
  uint16_t port = 0;
  DomainId domain;  // the server's
  net::IpAddress server;
  uint16_t server_port = 0;
  bool ftp = false;  // the server speaks FTP: what it names is published, too, while it is needed
  struct Server {
    net::IpAddress address;
    uint32_t weight = 1;  // its share of the sessions that begin; 0: it gets none
    friend bool operator==(const Server&, const Server&) = default;
  };
  /// Not empty: the sessions are shared out over these, of which `server` is one. Without FTP. More than
  /// kMaxServers are left out.
  std::vector<Server> servers = {};
  static constexpr size_t kMaxServers = 64;
  friend bool operator==(const PublishedRule&, const PublishedRule&) = default;
};

struct PoolRule {
  std::string name;
  std::vector<DomainId> from;
  DomainId to;
  std::vector<net::Prefix> sources;       // empty: private ones (private_prefixes())
  std::vector<net::Prefix> destinations;  // empty: all but private ones
  std::shared_ptr<PortPool> pool;         // of addresses of `to`; those of two rules do not overlap
  /// Not 0: deterministic, each of `sources` has so many ports for itself (nat/port_plan.h).
  uint16_t ports_per_host = 0;
  bool ftp = false;  // as of StaticRule
  /// NAT64 (RFC 6146): the sessions are those of IPv6 to an address of this prefix, which has an IPv4 address
  /// inside (nat/nat64_address.h), and leave with IPv4 by a pool of that. `sources` are IPv6 (empty: all),
  /// `destinations` IPv4.
  std::optional<net::Prefix> prefix64 = {};
  friend bool operator==(const PoolRule&, const PoolRule&) = default;
};

struct NatRules {
  std::vector<StaticRule> fixed;
  std::vector<PublishedRule> published;
  std::vector<PoolRule> pools;  // the first that fits counts

  bool empty() const { return fixed.empty() && published.empty() && pools.empty(); }
  friend bool operator==(const NatRules&, const NatRules&) = default;
};

/// RFC 1918, RFC 6598, RFC 4193.
const std::vector<net::Prefix>& private_prefixes();

/// closed: an address that something is published on (`rule` says by whom), by another port or protocol.
/// unmapped: an address that `rule`, a static one or one of NAT64, has no other for.
/// nat64: to an IPv4 address inside an IPv6 one, by that rule of the pools.
enum class NatKind : uint8_t { none, fixed, published, pool, closed, unmapped, nat64 };

class NatTable {
 public:
  /// Of these there may be so many; more are left out, which translates less.
  static constexpr size_t kMaxPools = 64;

  NatTable(NatRules rules, uint16_t workers);

  /// Where a packet to `address` is meant to go.
  struct Destination {
    NatKind kind = NatKind::none;
    uint16_t rule = 0;  // in its list
    /// fixed, published: the new one; of several servers the rule's `server`, whichever the session gets.
    /// pool: as the packet has it, or as it has it inside its own; its binding tells. nat64: the IPv4
    /// address.
    net::IpAddress address;
    uint16_t port = 0;
    DomainId domain;  // fixed, published, nat64: whose address that is; else invalid
  };
  /// Of a packet that arrives in the domain of that slot.
  Destination destination(uint16_t slot, const Tuple& tuple) const;

  /// Is `address`, as seen in the domain of that slot, one that stands for something else? Then the hub has
  /// it there.
  bool stands_for_others(uint16_t slot, const net::IpAddress& address) const {
    const PerDomain* here = find_domain(slot);
    return here != nullptr && here->outside.find(address) != 0;
  }

  /// What a session's source becomes.
  struct Source {
    NatKind kind = NatKind::none;  // fixed, pool, unmapped, or none
    uint16_t rule = 0;
    net::IpAddress address;  // fixed: the new one
  };
  /// Of a session between two domains; `tuple` as its packet has it, `translated` its destination(). Sources
  /// are translated within one domain, too, and between hosts behind one pool, if the destination was, so
  /// that the answers come back through the hub (hairpinning, RFC 4787 section 6).
  Source source(DomainId from, DomainId to, const Tuple& tuple, const Destination& translated) const;

  /// Of a static rule: where an outside address is, how an inside one is seen. Nothing: NatKind::unmapped.
  std::optional<net::IpAddress> inside_of(uint16_t rule, const net::IpAddress& address) const;
  std::optional<net::IpAddress> outside_of(uint16_t rule, const net::IpAddress& address) const;

  /// A port of a pool that is published, which nobody else may get.
  bool is_published(DomainId seen_by, const net::IpAddress& address, uint16_t port, uint8_t protocol) const {
    return published_.find({address, port, static_cast<uint16_t>(seen_by.index()), protocol}) != nullptr;
  }

  /// Which ends of a packet its owner is found by, once its destination is translated: both, or only the one
  /// that other packets share something by. Symmetric: for the tuple turned around the same end. src_host,
  /// dst_host: by its address alone, whatever its port, since one session of FTP announces another. neither:
  /// both are servers that stand for others, and which of them it is is not known before the session is.
  enum class Ends : uint8_t { both, src, dst, src_host, dst_host, neither };
  Ends ends_of(const Tuple& translated) const;
  /// The worker whose block `port` lies in.
  WorkerIndex port_owner(uint16_t port) const { return block_owners_[port / kPortsPerBlock]; }

  const NatRules& rules() const { return rules_; }
  /// May a host of that domain have a port of that pool?
  bool may_use_pool(uint16_t rule, DomainId host, const net::IpAddress& address) const;
  /// Is `server`, an FTP server of the domain `host`, published at `address` in the domain of that slot?
  bool publishes_ftp(uint16_t seen_by, const net::IpAddress& address, DomainId host,
                     const net::IpAddress& server) const;
  /// The pool that has `address` in the domain of that slot; null: none.
  const PoolRule* pool_of(uint16_t realm, const net::IpAddress& address) const;

 private:
  /// What is looked up exactly: an address and port, as seen in a domain or (kAnywhere) by itself.
  struct Place {
    net::IpAddress address;
    uint16_t port = 0;
    uint16_t domain = 0;
    uint8_t protocol = 0;
    friend bool operator==(const Place&, const Place&) = default;
  };
  static constexpr uint16_t kAnywhere = UINT16_MAX;
  /// Place -> rule. Open addressing, half empty.
  class Places {
   public:
    void build(const std::vector<std::pair<Place, uint16_t>>& all);
    const uint16_t* find(const Place& place) const;

   private:
    struct Slot {
      Place place;
      uint16_t rule = 0;
      bool used = false;
    };
    static uint32_t hash(const Place& place);
    std::vector<Slot> slots_;
    uint32_t mask_ = 0;
  };
  /// kind above, rule below; 0: nothing.
  using Entry = uint32_t;
  static constexpr Entry entry_of(NatKind kind, size_t rule) {
    return static_cast<Entry>(kind) << 16 | static_cast<Entry>(rule);
  }
  struct PerDomain {
    AddressMap<Entry> outside;  // what stands for something else here
    AddressMap<Entry> inside;   // its own addresses that are static
    uint64_t pools = 0;         // that its sources may use, by bit
    bool publishes = false;
  };
  /// What pools say of an address, by bit.
  struct Classes {
    uint64_t source = 0, no_source = 0;  // `source` but not `no_source`
    uint64_t destination = 0, no_destination = 0;
    uint64_t sources() const { return source & ~no_source; }
    uint64_t destinations() const { return destination & ~no_destination; }
    friend bool operator==(const Classes&, const Classes&) = default;
  };

  struct Server {
    bool any = false;        // something is published there
    bool all_ports = false;  // of one that speaks FTP, or shares sessions with one that does
    bool several = false;    // one of several that share sessions
  };
  Server server_at(const net::IpAddress& address, uint16_t port, uint8_t protocol) const;
  PerDomain& domain(DomainId id);
  const PerDomain* find_domain(uint16_t slot) const {
    return slot < domains_.size() ? &domains_[slot] : nullptr;
  }
  /// To an address of the prefix of that rule of NAT64.
  Destination nat64_destination(uint16_t rule, const Tuple& tuple) const;
  void build_nat64();
  void build_domains();
  void build_places();
  /// Those of which all TCP ports are found by the peer's address alone (Server::all_ports).
  std::set<net::IpAddress> ftp_hosts() const;
  void build_classes();

  NatRules rules_;
  std::array<WorkerIndex, kPortBlocks> block_owners_{};
  struct BothWays {
    Nptv6 in, out;
  };
  std::vector<std::optional<BothWays>> nptv6_;  // by static rule
  struct Nat64 {
    AddressMap<uint8_t> sources, destinations;  // 1: they may
  };
  std::vector<std::optional<Nat64>> nat64_;  // by pool
  std::vector<PerDomain> domains_;           // by slot
  Places published_;
  Places servers_;  // with port 0: all ports of a host (Server::all_ports), where it is and is published
  bool has_servers_ = false, has_ftp_servers_ = false;
  uint64_t ftp_pools_ = 0;               // by bit
  std::vector<uint16_t> ftp_published_;  // rules
  AddressMap<Classes> classes_;
};

}  // namespace weir::dataplane
