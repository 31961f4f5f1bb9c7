#include "dataplane/policy/address_classes.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <unordered_map>

namespace weir::dataplane {

namespace {

/// One prefix in one set.
struct Member {
  DomainId domain;  // invalid: any
  net::Prefix prefix;
  AddressClasses::SetIndex set = 0;

  auto key() const { return std::tie(domain, prefix.address.family, prefix.address.bits, prefix.length); }
};

std::vector<Member> members_of(std::span<const PrefixSet> sets) {
  std::vector<Member> members;
  for (AddressClasses::SetIndex s = 0; s < sets.size(); ++s) {
    for (const net::Prefix& prefix : *sets[s].prefixes) members.push_back({{}, prefix, s});
    if (sets[s].of_domains == nullptr) continue;
    for (const auto& [domain, prefix] : *sets[s].of_domains) members.push_back({domain, prefix, s});
  }
  // Wider ones stand before what they contain.
  std::sort(members.begin(), members.end(), [](const Member& a, const Member& b) {
    return a.key() != b.key() ? a.key() < b.key() : a.set < b.set;
  });
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
    uint64_t hash = list.size();
    for (const auto set : list) hash = (hash ^ set) * 0x9e37'79b9'7f4a'7c15ULL;
    const auto [first, last] = known_owns_.equal_range(hash);
    for (auto at = first; at != last; ++at) {
      const auto& o = owns_[at->second];
      if (std::equal(list.begin(), list.end(), sets_.begin() + o.begin, sets_.begin() + o.end))
        return at->second;
    }
    const auto begin = static_cast<uint32_t>(sets_.size());
    sets_.insert(sets_.end(), list.begin(), list.end());
    owns_.push_back({begin, static_cast<uint32_t>(sets_.size())});
    known_owns_.emplace(hash, static_cast<uint32_t>(owns_.size() - 1));
    return static_cast<uint32_t>(owns_.size() - 1);
  }

  uint32_t whole(AddressClasses::Whole whole) {
    const uint64_t key = static_cast<uint64_t>(whole.own) << 32 | whole.wider;
    const auto [at, is_new] = known_wholes_.emplace(key, static_cast<uint32_t>(wholes_.size()));
    if (is_new) wholes_.push_back(whole);
    return at->second;
  }

 private:
  std::vector<AddressClasses::Own>& owns_;
  std::vector<AddressClasses::SetIndex>& sets_;
  std::vector<AddressClasses::Whole>& wholes_;
  std::unordered_multimap<uint64_t, uint32_t> known_owns_;
  std::unordered_map<uint64_t, uint32_t> known_wholes_;
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
  std::unordered_map<uint64_t, uint32_t> known_classes;
  known_classes.reserve(members.size());
  built->classes_.push_back({});
  std::vector<Around> around;
  std::vector<PrefixMap::Entry> entries;
  std::vector<SetIndex> list;
  for (size_t i = 0; i < members.size();) {
    const Member& first = members[i];
    list.clear();
    for (; i < members.size() && members[i].key() == first.key(); ++i) {
      if (list.empty() || list.back() != members[i].set) list.push_back(members[i].set);
    }
    while (!around.empty() && !around.back().prefix.contains(first.prefix)) around.pop_back();
    Whole what{numbers.own(list), kNone};
    if (!around.empty()) {
      Around& wider = around.back();
      if (!wider.number) wider.number = numbers.whole(wider.what);
      what.wider = *wider.number;
    }
    around.push_back({first.prefix, what, std::nullopt});
    const uint64_t key = static_cast<uint64_t>(what.own) << 32 | what.wider;
    const auto [at, is_new] = known_classes.emplace(key, static_cast<uint32_t>(built->classes_.size()));
    if (is_new) built->classes_.push_back(what);
    entries.push_back({first.prefix, at->second});

    if (i < members.size() && members[i].domain == first.domain) continue;
    auto map = PrefixMap::build(entries);
    if (first.domain.valid()) {
      built->of_domains_.push_back({first.domain, std::move(map)});
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
