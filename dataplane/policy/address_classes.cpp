#include "dataplane/policy/address_classes.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <unordered_map>

namespace weir::dataplane {

namespace {

/// One prefix in one set. All of a policy are sorted whenever one comes or goes, so it is small, and compared
/// by few numbers.
struct Member {
  uint64_t hi = 0, lo = 0;
  uint32_t domain = 0;  // 0: any
  net::Family family{};
  uint8_t length = 0;
  AddressClasses::SetIndex set = 0;

  Member(DomainId of, const net::Prefix& prefix, AddressClasses::SetIndex in)
      : hi(prefix.address.bits.hi),
        lo(prefix.address.bits.lo),
        domain(of.value),
        family(prefix.address.family),
        length(prefix.length),
        set(in) {}
  net::Prefix prefix() const {
    net::Prefix whole;
    whole.address.family = family;
    whole.address.bits = {hi, lo};
    whole.length = length;
    return whole;
  }
  bool is_like(const Member& o) const {
    return hi == o.hi && lo == o.lo && length == o.length && domain == o.domain && family == o.family;
  }
  friend bool operator<(const Member& a, const Member& b) {
    if (a.domain != b.domain) return a.domain < b.domain;
    if (a.family != b.family) return a.family < b.family;
    if (a.hi != b.hi) return a.hi < b.hi;
    if (a.lo != b.lo) return a.lo < b.lo;
    return a.length != b.length ? a.length < b.length : a.set < b.set;
  }
};
static_assert(sizeof(Member) == 32);

std::vector<Member> members_of(std::span<const PrefixSet> sets) {
  std::vector<Member> members;
  size_t count = 0;
  for (const PrefixSet& set : sets)
    count += set.prefixes->size() + (set.of_domains != nullptr ? set.of_domains->size() : 0);
  members.reserve(count);
  for (AddressClasses::SetIndex s = 0; s < sets.size(); ++s) {
    for (const net::Prefix& prefix : *sets[s].prefixes) members.emplace_back(DomainId{}, prefix, s);
    if (sets[s].of_domains == nullptr) continue;
    for (const auto& [domain, prefix] : *sets[s].of_domains) members.emplace_back(domain, prefix, s);
  }
  // Wider ones stand before what they contain.
  std::sort(members.begin(), members.end());
  return members;
}

/// Gives equal lists and pairs one number.
class Numbers {
 public:
  Numbers(std::vector<AddressClasses::Own>& owns, std::vector<AddressClasses::SetIndex>& sets,
          std::vector<AddressClasses::Whole>& wholes)
      : owns_(owns), sets_(sets), wholes_(wholes) {
    owns_.push_back({});
    wholes_.push_back({});
  }

  uint32_t own(std::span<const AddressClasses::SetIndex> list) {
    if (list.size() != 1) return known(list);
    if (alone_.size() <= list[0]) alone_.resize(list[0] + 1, AddressClasses::kNone);
    uint32_t& number = alone_[list[0]];
    if (number == AddressClasses::kNone) number = add(list);
    return number;
  }

  uint32_t whole(AddressClasses::Whole whole) {
    const uint64_t key = static_cast<uint64_t>(whole.own) << 32 | whole.wider;
    const auto [at, is_new] = known_wholes_.emplace(key, static_cast<uint32_t>(wholes_.size()));
    if (is_new) wholes_.push_back(whole);
    return at->second;
  }

 private:
  uint32_t known(std::span<const AddressClasses::SetIndex> list) {
    uint64_t hash = list.size();
    for (const auto set : list) hash = (hash ^ set) * 0x9e37'79b9'7f4a'7c15ULL;
    const auto [first, last] = known_owns_.equal_range(hash);
    for (auto at = first; at != last; ++at) {
      const auto& o = owns_[at->second];
      if (std::equal(list.begin(), list.end(), sets_.begin() + o.begin, sets_.begin() + o.end))
        return at->second;
    }
    const uint32_t number = add(list);
    known_owns_.emplace(hash, number);
    return number;
  }
  uint32_t add(std::span<const AddressClasses::SetIndex> list) {
    const auto begin = static_cast<uint32_t>(sets_.size());
    sets_.insert(sets_.end(), list.begin(), list.end());
    owns_.push_back({begin, static_cast<uint32_t>(sets_.size())});
    return static_cast<uint32_t>(owns_.size() - 1);
  }

  std::vector<AddressClasses::Own>& owns_;
  std::vector<AddressClasses::SetIndex>& sets_;
  std::vector<AddressClasses::Whole>& wholes_;
  std::vector<uint32_t> alone_;  // lists of one set, by that: nearly all
  std::unordered_multimap<uint64_t, uint32_t> known_owns_;
  std::unordered_map<uint64_t, uint32_t> known_wholes_;
};

/// Numbers of the classes that there are, by what they are. Open addressing, at most half full.
class KnownClasses {
 public:
  KnownClasses(std::vector<AddressClasses::Whole>& classes, size_t most)
      : classes_(classes), slots_(std::bit_ceil(2 * most + 2), kFree) {}

  uint32_t number(const AddressClasses::Whole& what) {
    const uint64_t hash = (static_cast<uint64_t>(what.own) << 32 | what.wider) * 0x9e37'79b9'7f4a'7c15ULL;
    const size_t mask = slots_.size() - 1;
    size_t i = static_cast<size_t>(hash >> 32) & mask;
    for (; slots_[i] != kFree; i = (i + 1) & mask) {
      const AddressClasses::Whole& known = classes_[slots_[i]];
      if (known.own == what.own && known.wider == what.wider) return slots_[i];
    }
    slots_[i] = static_cast<uint32_t>(classes_.size());
    classes_.push_back(what);
    return slots_[i];
  }

 private:
  static constexpr uint32_t kFree = ~0u;
  std::vector<AddressClasses::Whole>& classes_;
  std::vector<uint32_t> slots_;
};

/// The prefixes around the one that is being looked at, from the widest on.
struct Around {
  net::Prefix prefix;
  AddressClasses::Whole what;
  std::optional<uint32_t> number;  // once somebody inherits it
};

}  // namespace

std::shared_ptr<const AddressClasses> AddressClasses::build(std::span<const PrefixSet> sets) {
  auto built = std::make_shared<AddressClasses>();
  const std::vector<Member> members = members_of(sets);
  Numbers numbers(built->owns_, built->sets_, built->wholes_);
  built->classes_.push_back({});
  KnownClasses classes(built->classes_, members.size());
  std::vector<Around> around;
  std::vector<PrefixMap::Entry> entries;
  std::vector<SetIndex> list;
  for (size_t i = 0; i < members.size();) {
    const Member& first = members[i];
    const net::Prefix prefix = first.prefix();
    list.clear();
    for (; i < members.size() && members[i].is_like(first); ++i) {
      if (list.empty() || list.back() != members[i].set) list.push_back(members[i].set);
    }
    while (!around.empty() && !around.back().prefix.contains(prefix)) around.pop_back();
    Whole what{numbers.own(list), kNone};
    if (!around.empty()) {
      Around& wider = around.back();
      if (!wider.number) wider.number = numbers.whole(wider.what);
      what.wider = *wider.number;
    }
    around.push_back({prefix, what, std::nullopt});
    entries.push_back({prefix, classes.number(what)});

    if (i < members.size() && members[i].domain == first.domain) continue;
    auto map = PrefixMap::build(entries);
    if (first.domain != 0) {
      built->of_domains_.push_back({DomainId{first.domain}, std::move(map)});
    } else {
      built->any_ = std::move(map);
    }
    entries.clear();
    around.clear();
  }
  return built;
}

size_t AddressClasses::bytes() const {
  size_t bytes = classes_.size() * sizeof(Whole) + owns_.size() * sizeof(Own) +
                 sets_.size() * sizeof(SetIndex) + wholes_.size() * sizeof(Whole);
  if (any_ != nullptr) bytes += any_->bytes();
  for (const OfDomain& d : of_domains_) bytes += d.map->bytes();
  return bytes;
}

}  // namespace weir::dataplane
