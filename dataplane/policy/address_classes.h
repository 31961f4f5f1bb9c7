// Address -> which of many sets of prefixes it lies in, by longest prefix.
//
// An address's class is that of the longest prefix around it. A class has two parts: the sets that have just
// this prefix (`own`), and what is true of the next wider prefix as a whole (`inherited`). So the classes are
// as many as the prefixes at most, however deep they nest and however many sets each is in, and nothing is
// the product of anything. Immutable; made by control or the builder, shared by all versions of the policy
// that have the same sets. Internal to dataplane/policy.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "dataplane/core/ids.h"
#include "dataplane/fib/prefix_map.h"

namespace weir::dataplane {

/// A set of prefixes, by reference: those that count in any domain, and those of one domain.
struct PrefixSet {
  const std::vector<net::Prefix>* prefixes = nullptr;
  const std::vector<std::pair<DomainId, net::Prefix>>* of_domains = nullptr;  // may be null
};

class AddressClasses {
 public:
  using SetIndex = uint32_t;
  static constexpr uint32_t kNone = 0;  // an Own or Whole without sets

  /// By number: lists of sets.
  struct Own {
    uint32_t begin = 0, end = 0;  // in sets()
  };
  /// All that is true of a prefix: its own sets, and those of the wider ones.
  struct Whole {
    uint32_t own = kNone;    // an Own
    uint32_t wider = kNone;  // a Whole of a lower number
  };

  /// Throws std::bad_alloc.
  static std::shared_ptr<const AddressClasses> build(std::span<const PrefixSet> sets);

  /// The addresses' classes in no particular domain: their numbers in classes().
  std::array<uint32_t, 2> find(const net::IpAddress& a, const net::IpAddress& b) const {
    if (any_ == nullptr) return {0, 0};
    const auto [first, second] = any_->find(a, b);
    return {first != PrefixMap::kNone ? first : 0, second != PrefixMap::kNone ? second : 0};
  }
  /// Domains that have prefixes of their own.
  struct OfDomain {
    DomainId domain;
    std::unique_ptr<const PrefixMap> map;
  };
  const std::vector<OfDomain>& of_domains() const { return of_domains_; }  // in the order of their ids
  /// The same among the prefixes of one domain only.
  uint32_t find_in(size_t of_domain, const net::IpAddress& address) const {
    const uint32_t c = of_domains_[of_domain].map->find(address);
    return c != PrefixMap::kNone ? c : 0;
  }
  /// The first is that of addresses that no set has.
  const std::vector<Whole>& classes() const { return classes_; }
  const std::vector<Own>& owns() const { return owns_; }
  const std::vector<SetIndex>& sets() const { return sets_; }
  /// Those that some class inherits; each behind its `wider`.
  const std::vector<Whole>& wholes() const { return wholes_; }
  size_t bytes() const;

 private:
  std::unique_ptr<const PrefixMap> any_;  // null: there are none
  std::vector<OfDomain> of_domains_;
  std::vector<Whole> classes_;
  std::vector<Own> owns_;
  std::vector<SetIndex> sets_;
  std::vector<Whole> wholes_;
};

}  // namespace weir::dataplane
