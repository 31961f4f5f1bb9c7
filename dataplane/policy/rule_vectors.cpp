#include "dataplane/policy/rule_vectors.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

namespace weir::dataplane {

namespace {

uint64_t hash_of(const std::vector<net::Prefix>& prefixes) {
  uint64_t hash = prefixes.size();
  for (const net::Prefix& p : prefixes) {
    for (const uint64_t word : {p.address.bits.hi, p.address.bits.lo, uint64_t{p.length}}) {
      hash = (hash ^ word) * 0x9e37'79b9'7f4a'7c15ULL;
      hash ^= hash >> 29;
    }
  }
  return hash;
}

}  // namespace

/// Makes the rows. One use.
class RuleVectors::Compiler {
 public:
  Compiler(RuleVectors& out, std::span<const PolicyRule* const> rules) : out_(out), rules_(rules) {}

  void run(std::span<const Connection> connections, const RuleVectors* before) {
    number_sources(before);
    give_bits();
    out_.rows_ = Rows(RowShape(static_cast<uint32_t>(out_.places_.size())));
    out_.pairs_.resize(connections.size());
    compile_side({out_.from_, &PolicyRule::from, &Connection::from, &Pair::from, &Pair::from_map},
                 connections);
    compile_side({out_.to_, &PolicyRule::to, &Connection::to, &Pair::to, &Pair::to_map}, connections);
    out_.services_.build(by_bit_, out_.rows_);
    out_.rows_.summarize();
  }

 private:
  /// One of the two ends of sessions.
  struct Ends {
    Side& side;
    PolicyEnd PolicyRule::*of_rule;
    DomainId Connection::*domain;
    DomainRows Pair::*rows;
    uint32_t Pair::*map;
  };
  /// What is known of the domains on one side.
  struct Domains {
    Row open = nullptr;                    // rules that name no domain
    Row any = nullptr;                     // rules that ask for no address
    std::map<DomainId, Summary*> named;    // rules that name it
    std::map<DomainId, Summary*> members;  // rules with a group that has the domain
    mutable std::map<DomainId, DomainRows> made;
    DomainRows others;
  };

  uint32_t source_of(const std::shared_ptr<const PolicyGroup>& group) const {
    return groups_.at(group.get());
  }
  uint32_t source_of(const std::vector<net::Prefix>& prefixes) const {
    const auto [first, last] = lists_.equal_range(hash_of(prefixes));
    const auto at = std::find_if(first, last,
                                 [&](const auto& e) { return out_.sources_[e.second].prefixes == prefixes; });
    return at != last ? at->second : ~0u;
  }
  void know(const Source& source, uint32_t number) {
    if (source.group != nullptr) {
      groups_.emplace(source.group.get(), number);
    } else {
      lists_.emplace(hash_of(source.prefixes), number);
    }
  }

  /// Takes over the numbers of `before`, and its classes, if it knows all that is needed now.
  bool take_over(const RuleVectors* before) {
    if (before == nullptr) return false;
    out_.sources_ = before->sources_;
    for (uint32_t s = 0; s < out_.sources_.size(); ++s) know(out_.sources_[s], s);
    const auto known = [&](const PolicyEnd& end) {
      return (end.prefixes.empty() || source_of(end.prefixes) != ~0u) &&
             std::all_of(end.groups.begin(), end.groups.end(),
                         [&](const auto& group) { return groups_.contains(group.get()); });
    };
    if (std::all_of(rules_.begin(), rules_.end(),
                    [&](const PolicyRule* r) { return known(r->from) && known(r->to); })) {
      out_.classes_ = before->classes_;
      return true;
    }
    out_.sources_.clear();
    groups_.clear();
    lists_.clear();
    return false;
  }

  void number_sources(const RuleVectors* before) {
    if (take_over(before)) return;
    const auto enter = [&](Source source) {
      know(source, static_cast<uint32_t>(out_.sources_.size()));
      out_.sources_.push_back(std::move(source));
    };
    for (const PolicyRule* rule : rules_) {
      for (const PolicyEnd* end : {&rule->from, &rule->to}) {
        for (const auto& group : end->groups) {
          if (!groups_.contains(group.get())) enter({group, {}});
        }
        if (!end->prefixes.empty() && source_of(end->prefixes) == ~0u) enter({nullptr, end->prefixes});
      }
    }
    std::vector<PrefixSet> sets;
    for (const Source& s : out_.sources_) {
      sets.push_back(s.group != nullptr ? PrefixSet{&s.group->prefixes, &s.group->of_domains}
                                        : PrefixSet{&s.prefixes, nullptr});
    }
    out_.classes_ = AddressClasses::build(sets);
  }

  /// Where rules with the same ends stand together, and apart from them those with one end open: so that the
  /// rows of open ends, which every session has, have no bits where only two addresses together decide.
  struct Likeness {
    /// Of rules with an open end, which match that of every session: what else tells them apart.
    std::vector<uint32_t> services;
    std::vector<uint32_t> from, to;  // sources
    const std::vector<DomainId>* domains[2];
    uint32_t place;

    friend bool operator<(const Likeness& a, const Likeness& b) {
      const auto key = [](const Likeness& l) {
        return std::tuple(l.from.empty(), l.to.empty(),
                          std::tie(l.services, l.from, *l.domains[0], l.to, *l.domains[1], l.place));
      };
      return key(a) < key(b);
    }
  };
  std::vector<uint32_t> sources_of(const PolicyEnd& end) const {
    std::vector<uint32_t> sources;
    if (!end.prefixes.empty()) sources.push_back(source_of(end.prefixes));
    for (const auto& group : end.groups) sources.push_back(source_of(group));
    std::sort(sources.begin(), sources.end());
    return sources;
  }

  void give_bits() {
    std::vector<uint32_t>& places = out_.places_;
    std::vector<Likeness> others;
    for (uint32_t p = 0; p < rules_.size(); ++p) {
      const PolicyRule& rule = *rules_[p];
      if (rule.watch || !rule.names.empty()) {
        places.push_back(p);
      } else {
        others.push_back(
            {{}, sources_of(rule.from), sources_of(rule.to), {&rule.from.domains, &rule.to.domains}, p});
        Likeness& l = others.back();
        if (!l.from.empty() && !l.to.empty()) continue;
        for (const ServiceTerm& t : rule.services)
          l.services.push_back(uint32_t{t.protocol} << 16 | t.numbers.first);
        std::sort(l.services.begin(), l.services.end());
      }
    }
    constexpr size_t kRulesPerBlock = kRulesPerWord * kWordsPerBlock;
    places.resize((places.size() + kRulesPerBlock - 1) / kRulesPerBlock * kRulesPerBlock, kNoPlace);
    out_.special_blocks_ = static_cast<uint32_t>(places.size() / kRulesPerBlock);
    std::sort(others.begin(), others.end());
    for (size_t i = 0; i < others.size(); i += kRulesPerWord) {
      const auto word = static_cast<long>(places.size());
      for (size_t n = i; n < std::min(others.size(), i + kRulesPerWord); ++n)
        places.push_back(others[n].place);
      std::sort(places.begin() + word, places.end());
    }
    for (const uint32_t place : places) by_bit_.push_back(place != kNoPlace ? rules_[place] : nullptr);
  }

  /// Rows that become packed ones are made in loose_.
  void compile_side(const Ends& ends, std::span<const Connection> connections) {
    loose_.emplace(out_.rows_.shape());
    Domains domains;
    std::vector<Summary*> of_source(out_.sources_.size(), nullptr);
    Summary* open = out_.rows_.make();
    Summary* any = out_.rows_.make();
    const auto set_in = [&](Summary*& row, uint32_t rule) {
      if (row == nullptr) row = loose_->make();
      loose_->set_bit(row, rule);
    };
    for (uint32_t r = 0; r < by_bit_.size(); ++r) {
      if (by_bit_[r] == nullptr) continue;
      const PolicyEnd& e = by_bit_[r]->*ends.of_rule;
      if (e.domains.empty()) out_.rows_.set_bit(open, r);
      for (const DomainId domain : e.domains) set_in(domains.named[domain], r);
      if (e.any_address()) out_.rows_.set_bit(any, r);
      if (!e.prefixes.empty()) set_in(of_source[source_of(e.prefixes)], r);
      for (const auto& group : e.groups) set_in(of_source[source_of(group)], r);
    }
    domains.open = open;
    domains.any = any;
    domains.others = domain_rows(open, nullptr, any);
    std::unordered_map<uint32_t, Summary*> attachments;
    for (uint32_t s = 0; s < out_.sources_.size(); ++s) {
      if (of_source[s] == nullptr || out_.sources_[s].group == nullptr) continue;
      const auto add = [&](Summary*& row) {
        if (row == nullptr) row = loose_->make();
        loose_->add(row, of_source[s]);
      };
      for (const DomainId domain : out_.sources_[s].group->domains) add(domains.members[domain]);
      for (const AttachmentId id : out_.sources_[s].group->attachments) add(attachments[id.value]);
    }
    for (size_t c = 0; c < connections.size(); ++c) {
      const DomainId domain = connections[c].*ends.domain;
      out_.pairs_[c].*ends.rows = domain_rows(domains, domain);
      out_.pairs_[c].*ends.map = map_of(domain);
    }
    loose_->summarize();
    const auto pack = [&](Row row) {
      return row != nullptr ? out_.packed_.add(out_.rows_.shape(), row) : PackedRow{};
    };
    none_ = pack(out_.rows_.make());
    for (const auto& [id, row] : attachments) ends.side.of_attachment.emplace(id, pack(row));
    std::vector<PackedRow> packed;
    for (const Row row : of_source) packed.push_back(pack(row));
    compile_classes(packed, ends.side);
  }

  /// Most have few sets, and most of these no rule on this side, so nearly all rows are one that is there
  /// already.
  void compile_classes(const std::vector<PackedRow>& of_source, Side& side) {
    const AddressClasses& classes = *out_.classes_;
    std::vector<PackedRow> parts;
    for (const AddressClasses::Own& own : classes.owns()) {
      parts.clear();
      for (uint32_t i = own.begin; i < own.end; ++i) parts.push_back(of_source[classes.sets()[i]]);
      side.of_own.push_back(united(parts));
    }
    for (const AddressClasses::Whole& whole : classes.wholes()) {
      // A whole's wider one has a lower number, and the first stands for nothing.
      parts.assign(1, side.of_own[whole.own]);
      if (!side.of_whole.empty()) parts.push_back(side.of_whole[whole.wider]);
      side.of_whole.push_back(united(parts));
    }
  }

  /// The bits of all these, which may be null.
  PackedRow united(std::vector<PackedRow>& parts) {
    size_t kept = 0;
    for (const PackedRow& part : parts) {
      const auto is_same = [&](const PackedRow& other) { return other.summary == part.summary; };
      if (part.summary == nullptr || part.summary == none_.summary) continue;
      if (std::none_of(parts.begin(), parts.begin() + static_cast<long>(kept), is_same)) parts[kept++] = part;
    }
    if (kept < 2) return kept == 0 ? none_ : parts[0];
    return out_.packed_.unite(out_.rows_.shape(), {parts.data(), kept});
  }

  DomainRows domain_rows(Row fits, Row members, Row any) {
    Summary* all = out_.rows_.make();
    out_.rows_.add(all, any);
    if (members != nullptr) out_.rows_.add(all, members);
    out_.rows_.keep(all, fits);
    return {all, fits};
  }

  /// Most domains are named by no rule; those share theirs.
  DomainRows domain_rows(const Domains& domains, DomainId id) {
    const auto named = domains.named.find(id), member = domains.members.find(id);
    if (named == domains.named.end() && member == domains.members.end()) return domains.others;
    const auto [at, is_new] = domains.made.emplace(id, DomainRows{});
    if (!is_new) return at->second;
    Summary* fits = out_.rows_.make();
    out_.rows_.add(fits, domains.open);
    if (named != domains.named.end()) out_.rows_.add(fits, named->second);
    at->second = domain_rows(fits, member != domains.members.end() ? member->second : nullptr, domains.any);
    return at->second;
  }

  uint32_t map_of(DomainId domain) const {
    const auto& maps = out_.classes_->of_domains();
    const auto at = std::lower_bound(maps.begin(), maps.end(), domain,
                                     [](const auto& map, DomainId id) { return map.domain < id; });
    return at != maps.end() && at->domain == domain ? static_cast<uint32_t>(at - maps.begin()) : kNoMap;
  }

  RuleVectors& out_;
  std::span<const PolicyRule* const> rules_;
  std::unordered_map<const PolicyGroup*, uint32_t> groups_;
  std::unordered_multimap<uint64_t, uint32_t> lists_;
  std::vector<const PolicyRule*> by_bit_;
  std::optional<Rows> loose_;  // of the side that is being compiled
  PackedRow none_;             // without a bit
};

std::unique_ptr<const RuleVectors> RuleVectors::build(std::span<const PolicyRule* const> rules,
                                                      std::span<const Connection> connections,
                                                      const RuleVectors* before) {
  std::unique_ptr<RuleVectors> vectors(new RuleVectors);
  Compiler(*vectors, rules).run(connections, before);
  return vectors;
}

}  // namespace weir::dataplane
