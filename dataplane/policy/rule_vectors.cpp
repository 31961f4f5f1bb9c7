#include "dataplane/policy/rule_vectors.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <unordered_set>

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
    none_ = out_.packed_.add(out_.rows_.shape(), out_.rows_.make());
    compile_side({out_.from_, &PolicyRule::from, &Connection::from, &Pair::from, &Pair::from_extra},
                 connections);
    compile_side({out_.to_, &PolicyRule::to, &Connection::to, &Pair::to, &Pair::to_extra}, connections);
    out_.services_.build(by_bit_, out_.rows_);
    out_.rows_.summarize();
  }

 private:
  /// One of the two ends of sessions.
  struct Ends {
    Side& side;
    PolicyEnd PolicyRule::*of_rule;
    DomainId Connection::*domain;
    PackedRow Pair::*row;
    uint32_t Pair::*extra;
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

  std::vector<uint32_t> sources_of(const PolicyEnd& end) const {
    std::vector<uint32_t> sources;
    if (!end.prefixes.empty()) sources.push_back(source_of(end.prefixes));
    for (const auto& group : end.groups) sources.push_back(source_of(group));
    std::sort(sources.begin(), sources.end());
    return sources;
  }

  /// A service as a number; not for rules without.
  static uint64_t key_of(const ServiceTerm& term) {
    return uint64_t{term.protocol} << 32 | uint64_t{term.numbers.first} << 16 | term.numbers.last;
  }

  /// Services by which bits are put together: those of so many rules that a service's rows have whole words
  /// for them, and of so many that there are few of them.
  class Sections {
   public:
    explicit Sections(std::span<const PolicyRule* const> rules) {
      std::unordered_map<uint64_t, size_t> users;
      for (const PolicyRule* rule : rules) {
        for (const ServiceTerm& term : rule->services) ++users[key_of(term)];
      }
      const size_t enough = std::max<size_t>(kRulesPerWord, rules.size() / kMost);
      for (const auto& [key, count] : users) {
        if (count >= enough) common_.insert(key);
      }
    }
    /// Whether all services of a rule are such, and few.
    bool split(const PolicyRule& rule) const {
      return !rule.services.empty() && rule.services.size() <= kMostBits &&
             std::all_of(rule.services.begin(), rule.services.end(),
                         [&](const ServiceTerm& term) { return common_.contains(key_of(term)); });
    }

   private:
    static constexpr size_t kMost = 64;
    static constexpr size_t kMostBits = 4;  // of one rule
    std::unordered_set<uint64_t> common_;
  };

  /// A rule that simply decides, as far as order goes.
  struct Likeness {
    std::vector<uint32_t> from, to;  // sources
    const std::vector<DomainId>* domains[2];
    uint32_t place;

    /// Which facts it asks for.
    unsigned asks() const {
      return unsigned{!from.empty()} << 3 | unsigned{!to.empty()} << 2 | unsigned{!domains[0]->empty()} << 1 |
             unsigned{!domains[1]->empty()};
    }
    friend bool operator<(const Likeness& a, const Likeness& b) {
      const auto key = [](const Likeness& l) {
        return std::tuple(l.asks(), std::tie(*l.domains[0], *l.domains[1], l.from, l.to, l.place));
      };
      return key(a) < key(b);
    }
  };

  void give_bits() {
    std::vector<Likeness> others;
    for (uint32_t p = 0; p < rules_.size(); ++p) {
      const PolicyRule& rule = *rules_[p];
      if (rule.watch || !rule.names.empty()) {
        give_bit(p, rule.services);
      } else {
        others.push_back(
            {sources_of(rule.from), sources_of(rule.to), {&rule.from.domains, &rule.to.domains}, p});
      }
    }
    fill_up(kRulesPerWord * kWordsPerBlock);
    out_.special_blocks_ = static_cast<uint32_t>(out_.places_.size() / (kRulesPerWord * kWordsPerBlock));
    std::sort(others.begin(), others.end());
    // By service, and of one service in the order that they have now.
    std::map<uint64_t, std::vector<std::pair<const Likeness*, std::span<const ServiceTerm>>>> sections;
    const Sections by_service(rules_);
    for (const Likeness& l : others) {
      const auto& services = rules_[l.place]->services;
      if (!by_service.split(*rules_[l.place])) {
        sections[0].emplace_back(&l, services);
      } else {
        for (const ServiceTerm& term : services) sections[key_of(term)].emplace_back(&l, std::span(&term, 1));
      }
    }
    unsigned asks = 0;
    for (const auto& [key, section] : sections) {
      for (const auto& [l, services] : section) {
        if (l->asks() != asks) fill_up(kRulesPerWord);
        asks = l->asks();
        give_bit(l->place, services);
      }
    }
    put_words_in_order();
  }

  void give_bit(uint32_t place, std::span<const ServiceTerm> services) {
    out_.places_.push_back(place);
    by_bit_.push_back({rules_[place], services});
  }
  /// Goes on at a multiple of so many bits.
  void fill_up(size_t multiple) {
    const size_t size = (by_bit_.size() + multiple - 1) / multiple * multiple;
    out_.places_.resize(size, kNoPlace);
    by_bit_.resize(size);
  }
  void put_words_in_order() {
    const auto is_before = [](const auto& a, const auto& b) { return a.first < b.first; };
    std::vector<std::pair<uint32_t, RuleBit>> word;
    const size_t first = size_t{out_.special_blocks_} * kWordsPerBlock * kRulesPerWord;
    for (size_t i = first; i < by_bit_.size(); i += kRulesPerWord) {
      word.clear();
      for (size_t n = i; n < std::min(by_bit_.size(), i + kRulesPerWord); ++n)
        word.emplace_back(out_.places_[n], by_bit_[n]);
      std::sort(word.begin(), word.end(), is_before);
      for (size_t n = 0; n < word.size(); ++n) std::tie(out_.places_[i + n], by_bit_[i + n]) = word[n];
    }
  }

  /// Rows that become packed ones are made in loose_.
  void compile_side(const Ends& ends, std::span<const Connection> connections) {
    loose_.emplace(out_.rows_.shape());
    std::vector<Summary*> of_source(out_.sources_.size(), nullptr);
    std::map<DomainId, Summary*> named, members;
    Summary* any_domain = out_.rows_.make();
    Summary* any_address = out_.rows_.make();
    const auto set_in = [&](Summary*& row, uint32_t rule) {
      if (row == nullptr) row = loose_->make();
      loose_->set_bit(row, rule);
    };
    for (uint32_t r = 0; r < by_bit_.size(); ++r) {
      if (by_bit_[r].rule == nullptr) continue;
      const PolicyEnd& e = by_bit_[r].rule->*ends.of_rule;
      if (e.domains.empty()) out_.rows_.set_bit(any_domain, r);
      for (const DomainId domain : e.domains) set_in(named[domain], r);
      if (e.any_address()) out_.rows_.set_bit(any_address, r);
      if (!e.prefixes.empty()) set_in(of_source[source_of(e.prefixes)], r);
      for (const auto& group : e.groups) set_in(of_source[source_of(group)], r);
    }
    ends.side.any_domain = any_domain;
    ends.side.any_address = any_address;
    std::unordered_map<uint32_t, Summary*> attachments;
    for (uint32_t s = 0; s < out_.sources_.size(); ++s) {
      if (of_source[s] == nullptr || out_.sources_[s].group == nullptr) continue;
      const auto add = [&](Summary*& row) {
        if (row == nullptr) row = loose_->make();
        loose_->add(row, of_source[s]);
      };
      for (const DomainId domain : out_.sources_[s].group->domains) add(members[domain]);
      for (const AttachmentId id : out_.sources_[s].group->attachments) add(attachments[id.value]);
    }
    loose_->summarize();
    for (const auto& [id, row] : attachments) ends.side.of_attachment.emplace(id, pack(row));
    compile_domains(ends, connections, named, members);
    std::vector<PackedRow> packed;
    for (const Row row : of_source) packed.push_back(row != nullptr ? pack(row) : PackedRow{});
    compile_classes(packed, ends.side);
  }

  PackedRow pack(Row row) { return out_.packed_.add(out_.rows_.shape(), row); }

  /// Most domains are named by no rule.
  void compile_domains(const Ends& ends, std::span<const Connection> connections,
                       const std::map<DomainId, Summary*>& named,
                       const std::map<DomainId, Summary*>& members) {
    struct Known {
      PackedRow row;
      uint32_t extra = kNone;
    };
    std::map<DomainId, Known> known;
    for (size_t c = 0; c < connections.size(); ++c) {
      const DomainId domain = connections[c].*ends.domain;
      const auto [at, is_new] = known.emplace(domain, Known{none_});
      if (is_new) {
        if (const auto names = named.find(domain); names != named.end()) at->second.row = pack(names->second);
        Extra extra{map_of(domain), {}};
        if (const auto in = members.find(domain); in != members.end()) extra.member = pack(in->second);
        if (extra.map != kNone || extra.member.summary != nullptr) {
          at->second.extra = static_cast<uint32_t>(out_.extras_.size());
          out_.extras_.push_back(extra);
        }
      }
      out_.pairs_[c].*ends.row = at->second.row;
      out_.pairs_[c].*ends.extra = at->second.extra;
    }
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

  uint32_t map_of(DomainId domain) const {
    const auto& maps = out_.classes_->of_domains();
    const auto at = std::lower_bound(maps.begin(), maps.end(), domain,
                                     [](const auto& map, DomainId id) { return map.domain < id; });
    return at != maps.end() && at->domain == domain ? static_cast<uint32_t>(at - maps.begin()) : kNone;
  }

  RuleVectors& out_;
  std::span<const PolicyRule* const> rules_;
  std::unordered_map<const PolicyGroup*, uint32_t> groups_;
  std::unordered_multimap<uint64_t, uint32_t> lists_;
  std::vector<RuleBit> by_bit_;
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
