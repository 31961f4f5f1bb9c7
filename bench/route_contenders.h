// Route tables behind one shape, so that one benchmark times them all: Weir's, and DPDK's for the same job.
//
// Each takes its addresses as it likes them best. Next hops have 4 bytes everywhere. A constructor that fails
// throws std::runtime_error; so do add() and remove(). EAL has to be up for DPDK's.
#pragma once

#include <rte_errno.h>
#include <rte_fib.h>
#include <rte_fib6.h>
#include <rte_lpm.h>
#include <rte_lpm6.h>
#include <rte_malloc.h>

#include <array>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <unordered_set>
#include <vector>

#include "bench/bgp_routes.h"
#include "dataplane/fib/routes.h"

namespace weir::bench {

inline constexpr size_t kBurst = 32;
/// Routes that a table can take beyond those that it is made with.
inline constexpr size_t kSpareRoutes = 64;

/// Throws what DPDK says unless `code` is 0; its functions give a negative errno.
inline void require(int code, const char* what) {
  if (code != 0) throw std::runtime_error(std::string(what) + ": " + rte_strerror(-code));
}
inline void require_made(const void* thing, const char* what) {
  if (thing == nullptr) require(-rte_errno, what);
}

/// What DPDK's heap has grown by since this was made: all that a table asked for, its own bookkeeping
/// included.
class HeapGrowth {
 public:
  double bytes() const { return static_cast<double>(allocated() - before_); }

 private:
  static size_t allocated() {
    rte_malloc_socket_stats stats{};
    require(rte_malloc_get_socket_stats(0, &stats), "rte_malloc_get_socket_stats");
    return stats.heap_allocsz_bytes;
  }
  size_t before_ = allocated();
};

/// Groups of 256 entries that tables with a first level of 24 bits and further levels of 8 bits need, and one
/// for each spare route.
inline uint32_t tbl8_groups(const std::vector<Route>& entries, unsigned levels) {
  std::unordered_set<uint64_t> groups;
  for (const auto& e : entries) {
    for (unsigned depth = 24; depth < e.prefix.length; depth += 8) {
      groups.insert(prefix_key(top_bits(e.prefix.address), depth));
    }
  }
  return static_cast<uint32_t>(groups.size() + kSpareRoutes * levels);
}

/// The groups that rte_fib6 sets aside before it takes a route, more than it then uses: for each route the
/// levels below the route that covers it, unless there is another one in its last level. `entries` as
/// BgpRoutes makes them, so that what covers a route comes before it.
inline uint32_t tbl8_groups_reserved(const std::vector<Route>& entries) {
  const auto levels = [](unsigned length) { return (std::max(length, 24u) + 7) / 8; };
  uint32_t groups = kSpareRoutes * 3;
  std::vector<net::Prefix> covers;
  const net::Prefix* before = nullptr;
  for (const auto& e : entries) {
    while (!covers.empty() && !covers.back().contains(e.prefix)) covers.pop_back();
    const auto last_level = static_cast<uint8_t>(e.prefix.length / 8 * 8);
    const bool shared = before != nullptr && before->length > last_level &&
                        net::masked(before->address, last_level) == net::masked(e.prefix.address, last_level);
    if (!shared) groups += levels(e.prefix.length) - levels(covers.empty() ? 0 : covers.back().length);
    covers.push_back(e.prefix);
    before = &e.prefix;
  }
  return groups;
}

/// One domain of Weir's hub-wide table. It also keeps each route where other domains would find it, which the
/// others here do not do.
template <typename AddressType>
class WeirRoutes {
 public:
  using Address = AddressType;
  using Answer = const dataplane::RouteTarget*;

  explicit WeirRoutes(const std::vector<Route>& entries)
      : routes_(dataplane::Routes::create({.domains = 1}).value()) {
    if (!routes_->add_domain(kDomain)) throw std::runtime_error("Routes::add_domain");
    for (const Route& e : entries) add(e);
    routes_->finish(routes_->take_pending());
  }
  void lookup(const Address* addresses, Answer* answers) const {
    for (size_t i = 0; i < kBurst; ++i) answers[i] = routes_->lookup_own(kDomain, addresses[i]).target;
  }
  static TargetIndex target(Answer answer) {
    return answer == nullptr ? 0 : answer->members.front().attachment.value;
  }
  static Address native(const net::IpAddress& a) {
    if constexpr (std::is_same_v<Address, net::Ipv4>) {
      return a.v4();
    } else {
      return a.v6();
    }
  }
  void add(const Route& entry) {
    dataplane::NextHop hop;
    hop.attachment.value = entry.target;
    if (!routes_->set(kDomain, entry.prefix, std::span(&hop, 1))) throw std::runtime_error("Routes::set");
    settle();
  }
  void remove(const Route& entry) {
    if (!routes_->remove(kDomain, entry.prefix)) throw std::runtime_error("Routes::remove");
    settle();
  }
  double bytes() const { return static_cast<double>(routes_->bytes()); }

 private:
  static constexpr dataplane::DomainId kDomain = dataplane::DomainId::make(0, 1);
  /// As control does, though after more changes at once; no worker is there to wait for.
  void settle() {
    if (++changes_ % 64 == 0) routes_->finish(routes_->take_pending());
  }

  std::unique_ptr<dataplane::Routes> routes_;
  uint64_t changes_ = 0;
};

/// An IPv6 address as DPDK takes it: as it lies in a packet.
using Bytes16 = std::array<uint8_t, 16>;
inline Bytes16 bytes_of(const net::IpAddress& a) {
  Bytes16 bytes;
  a.v6().store(bytes.data());
  return bytes;
}

class LpmRoutes {
 public:
  using Address = uint32_t;
  using Answer = uint32_t;

  explicit LpmRoutes(const std::vector<Route>& entries) {
    rte_lpm_config config{};
    config.max_rules = static_cast<uint32_t>(entries.size() + kSpareRoutes);
    config.number_tbl8s = tbl8_groups(entries, 1);
    lpm_.reset(rte_lpm_create("bench", 0, &config));
    require_made(lpm_.get(), "rte_lpm_create");
    for (const auto& e : entries) add(e);
  }
  void lookup(const Address* addresses, Answer* answers) const {
    rte_lpm_lookup_bulk(lpm_.get(), addresses, answers, kBurst);
  }
  static TargetIndex target(Answer answer) {
    return (answer & RTE_LPM_LOOKUP_SUCCESS) != 0 ? answer & 0x00ff'ffff : 0;
  }
  static Address native(const net::IpAddress& a) { return a.v4().value; }
  void add(const Route& e) {
    require(rte_lpm_add(lpm_.get(), e.prefix.address.v4().value, e.prefix.length, e.target), "rte_lpm_add");
  }
  void remove(const Route& e) {
    require(rte_lpm_delete(lpm_.get(), e.prefix.address.v4().value, e.prefix.length), "rte_lpm_delete");
  }
  double bytes() const { return heap_.bytes(); }

 private:
  struct Free {
    void operator()(rte_lpm* lpm) const { rte_lpm_free(lpm); }
  };
  HeapGrowth heap_;
  std::unique_ptr<rte_lpm, Free> lpm_;
};

class FibRoutes {
 public:
  using Address = uint32_t;
  using Answer = uint64_t;

  explicit FibRoutes(const std::vector<Route>& entries) {
    rte_fib_conf config{};
    config.type = RTE_FIB_DIR24_8;
    config.max_routes = static_cast<int>(entries.size() + kSpareRoutes);
    config.dir24_8.nh_sz = RTE_FIB_DIR24_8_4B;
    config.dir24_8.num_tbl8 = tbl8_groups(entries, 1);
    fib_.reset(rte_fib_create("bench", 0, &config));
    require_made(fib_.get(), "rte_fib_create");
    for (const auto& e : entries) add(e);
  }
  void lookup(const Address* addresses, Answer* answers) const {
    rte_fib_lookup_bulk(fib_.get(), const_cast<Address*>(addresses), answers, kBurst);
  }
  static TargetIndex target(Answer answer) { return static_cast<TargetIndex>(answer); }
  static Address native(const net::IpAddress& a) { return a.v4().value; }
  void add(const Route& e) {
    require(rte_fib_add(fib_.get(), e.prefix.address.v4().value, e.prefix.length, e.target), "rte_fib_add");
  }
  void remove(const Route& e) {
    require(rte_fib_delete(fib_.get(), e.prefix.address.v4().value, e.prefix.length), "rte_fib_delete");
  }
  double bytes() const { return heap_.bytes(); }

 private:
  struct Free {
    void operator()(rte_fib* fib) const { rte_fib_free(fib); }
  };
  HeapGrowth heap_;
  std::unique_ptr<rte_fib, Free> fib_;
};

class Lpm6Routes {
 public:
  using Address = Bytes16;
  using Answer = int32_t;

  explicit Lpm6Routes(const std::vector<Route>& entries) {
    rte_lpm6_config config{};
    config.max_rules = static_cast<uint32_t>(entries.size() + kSpareRoutes);
    config.number_tbl8s = tbl8_groups(entries, 3);
    lpm_.reset(rte_lpm6_create("bench", 0, &config));
    require_made(lpm_.get(), "rte_lpm6_create");
    for (const auto& e : entries) add(e);
  }
  void lookup(const Address* addresses, Answer* answers) const {
    rte_lpm6_lookup_bulk_func(lpm_.get(), wire(addresses), answers, kBurst);
  }
  static TargetIndex target(Answer answer) { return answer < 0 ? 0 : static_cast<TargetIndex>(answer); }
  static Address native(const net::IpAddress& a) { return bytes_of(a); }
  void add(const Route& e) {
    require(rte_lpm6_add(lpm_.get(), bytes_of(e.prefix.address).data(), e.prefix.length, e.target),
            "rte_lpm6_add");
  }
  void remove(const Route& e) {
    require(rte_lpm6_delete(lpm_.get(), bytes_of(e.prefix.address).data(), e.prefix.length),
            "rte_lpm6_delete");
  }
  double bytes() const { return heap_.bytes(); }

 private:
  struct Free {
    void operator()(rte_lpm6* lpm) const { rte_lpm6_free(lpm); }
  };
  /// DPDK's functions read only, but do not say so.
  static uint8_t (*wire(const Address* addresses))[16] {
    return reinterpret_cast<uint8_t(*)[16]>(const_cast<Address*>(addresses));
  }
  HeapGrowth heap_;
  std::unique_ptr<rte_lpm6, Free> lpm_;
};

class Fib6Routes {
 public:
  using Address = Bytes16;
  using Answer = uint64_t;

  explicit Fib6Routes(const std::vector<Route>& entries) {
    rte_fib6_conf config{};
    config.type = RTE_FIB6_TRIE;
    config.max_routes = static_cast<int>(entries.size() + kSpareRoutes);
    config.trie.nh_sz = RTE_FIB6_TRIE_4B;
    config.trie.num_tbl8 = tbl8_groups_reserved(entries);
    fib_.reset(rte_fib6_create("bench", 0, &config));
    require_made(fib_.get(), "rte_fib6_create");
    for (const auto& e : entries) add(e);
  }
  void lookup(const Address* addresses, Answer* answers) const {
    rte_fib6_lookup_bulk(fib_.get(), reinterpret_cast<uint8_t(*)[16]>(const_cast<Address*>(addresses)),
                         answers, kBurst);
  }
  static TargetIndex target(Answer answer) { return static_cast<TargetIndex>(answer); }
  static Address native(const net::IpAddress& a) { return bytes_of(a); }
  void add(const Route& e) {
    require(rte_fib6_add(fib_.get(), bytes_of(e.prefix.address).data(), e.prefix.length, e.target),
            "rte_fib6_add");
  }
  void remove(const Route& e) {
    require(rte_fib6_delete(fib_.get(), bytes_of(e.prefix.address).data(), e.prefix.length),
            "rte_fib6_delete");
  }
  double bytes() const { return heap_.bytes(); }

 private:
  struct Free {
    void operator()(rte_fib6* fib) const { rte_fib6_free(fib); }
  };
  HeapGrowth heap_;
  std::unique_ptr<rte_fib6, Free> fib_;
};

}  // namespace weir::bench
