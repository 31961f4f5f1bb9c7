// The compiled policy: which rules match a session, without trying them.
//
// Each fact about a session selects a row of bits (rule_rows.h): its pair of domains, the classes of its two
// addresses (address_classes.h), its attachments, its service. A rule's from-side matches where
//     all | (fits & (address rows | attachment row))
// has its bit: `fits` are the rules that name the domain or none, `all` those of them that ask for no
// address. The intersection of both sides and the service has the rules that match. No row is for a pair of
// facts, so the memory is (classes + intervals + domains) x rules / 8, and a look-up is two longest prefixes
// and one walk over the rows.
//
// Bits are not in the order of evaluation: rules with the same ends stand together, so that the rows of an
// address have their bits in few words, and where one end is open those with the same services; within a word
// they are in order, so that a word's first bit is its first rule, and the first of all is the least of
// those. Rules that do not simply decide (they only watch, or ask for a name) come before all others and in
// order, since a look-up has to see each of them.
//
// Immutable; made by control or the builder. Internal to dataplane/policy.
#pragma once

#include <bit>
#include <span>
#include <unordered_map>

#include "dataplane/policy/address_classes.h"
#include "dataplane/policy/service_rows.h"

namespace weir::dataplane {

class RuleVectors {
 public:
  /// `rules` in the order of evaluation. What `before`, which may be null, has compiled of the same sets of
  /// prefixes is shared. Throws std::bad_alloc.
  static std::unique_ptr<const RuleVectors> build(std::span<const PolicyRule* const> rules,
                                                  std::span<const Connection> connections,
                                                  const RuleVectors* before);

  static constexpr uint32_t kNoPlace = ~0u;
  /// The first rule that matches and simply decides, by its place in the order; kNoPlace if there is none.
  /// Before that calls `take(place)`, in order, for those before it that match and do not simply decide,
  /// until that returns true: then that one has decided, and its place is returned.
  template <typename Take>
  uint32_t find_first(size_t connection, const PolicyQuery& query, Take&& take) const;

  size_t bytes() const {
    return rows_.bytes() + packed_.bytes() + (classes_ != nullptr ? classes_->bytes() : 0);
  }

 private:
  static constexpr uint32_t kNoMap = ~0u;

  /// What a domain is on one side.
  struct DomainRows {
    Row all = nullptr;
    Row fits = nullptr;
  };
  struct Pair {
    DomainRows from, to;
    uint32_t from_map = kNoMap, to_map = kNoMap;  // of AddressClasses::of_domains()
  };
  /// Rows of one side; null: no rule.
  struct Side {
    // By AddressClasses' numbers: those of a class itself, and those that it inherits. Of each there are far
    // fewer than classes.
    std::vector<PackedRow> of_own, of_whole;
    std::unordered_map<uint32_t, PackedRow> of_attachment;  // by AttachmentId::value
  };
  /// A set of prefixes as rules name it.
  struct Source {
    std::shared_ptr<const PolicyGroup> group;  // or, if null,
    std::vector<net::Prefix> prefixes;         // a rule's own
  };
  /// The rows of one side of one session. Nearly all have two of addresses; more only if its domain has
  /// prefixes of its own or rules ask for its attachment.
  struct Chosen {
    static constexpr unsigned kUsual = 2, kMost = 5;
    DomainRows domain;
    PackedRow addresses[kMost];
    unsigned count = 0;

    void add(const PackedRow& row) {
      row.prefetch();
      addresses[count++] = row;
    }
  };
  /// Comes along the rows of one side, a word of their summaries at a time.
  template <bool kMore>
  class Along {
   public:
    Along(const Chosen& chosen, const RowShape& shape)
        : chosen_(chosen),
          all_(shape.words_of(chosen.domain.all)),
          fits_(shape.words_of(chosen.domain.fits)) {
      for (unsigned n = 0; n < count(); ++n) words_[n] = chosen.addresses[n].words(shape);
    }
    /// Has to be called for i = 0, 1, 2, ...; gives the words that have a bit.
    Summary look_at(uint32_t i) {
      Summary some = 0;
      for (unsigned n = 0; n < count(); ++n) some |= summaries_[n] = chosen_.addresses[n].summary[i];
      return chosen_.domain.all[i] | (chosen_.domain.fits[i] & some);
    }
    /// `b` of all blocks, which is the `byte`-th of what is looked at.
    RuleBlock block(uint32_t b, unsigned byte) const {
      RuleBlock some{};
      for (unsigned n = 0; n < count(); ++n) some |= PackedRows::block(summaries_[n], words_[n], byte);
      return RowShape::block(all_, b) | (RowShape::block(fits_, b) & some);
    }
    /// What was looked at is done with.
    void pass() {
      for (unsigned n = 0; n < count(); ++n) words_[n] += std::popcount(summaries_[n]);
    }

   private:
    static constexpr unsigned kRows = kMore ? Chosen::kMost : Chosen::kUsual;
    unsigned count() const { return kMore ? chosen_.count : kRows; }
    const Chosen& chosen_;
    const RuleWord *all_, *fits_;
    const RuleWord* words_[kRows];  // that the part of the summary which is looked at stands for
    Summary summaries_[kRows];
  };
  class Compiler;

  RuleVectors() = default;
  /// Calls `take(bit of the first rule, bits)` for each word of the blocks from `begin` to `end` in which
  /// rules match, in order, until it returns true.
  template <typename Take>
  bool walk(const Chosen& from, const Chosen& to, Row service, uint32_t begin, uint32_t end,
            Take&& take) const {
    const bool more = from.count > Chosen::kUsual || to.count > Chosen::kUsual;
    return more ? walk_rows<true>(from, to, service, begin, end, take)
                : walk_rows<false>(from, to, service, begin, end, take);
  }
  template <bool kMore, typename Take>
  bool walk_rows(const Chosen& from, const Chosen& to, Row service, uint32_t begin, uint32_t end,
                 Take& take) const;
  Chosen choose(const Side& side, const DomainRows& domain, uint32_t map, AttachmentId attachment, uint32_t c,
                const net::IpAddress& address) const;

  Rows rows_{RowShape()};
  PackedRows packed_;  // of addresses and attachments
  std::vector<Source> sources_;
  std::shared_ptr<const AddressClasses> classes_;
  Side from_, to_;
  std::vector<Pair> pairs_;
  ServiceRows services_;
  std::vector<uint32_t> places_;  // by bit; kNoPlace: it stands for none
  uint32_t special_blocks_ = 0;   // of rules that do not simply decide
};

inline RuleVectors::Chosen RuleVectors::choose(const Side& side, const DomainRows& domain, uint32_t map,
                                               AttachmentId attachment, uint32_t c,
                                               const net::IpAddress& address) const {
  Chosen chosen;
  chosen.domain = domain;
  const auto add = [&](const AddressClasses::Whole& what) {
    chosen.add(side.of_own[what.own]);
    chosen.add(side.of_whole[what.wider]);
  };
  add(classes_->classes()[c]);
  if (map != kNoMap) [[unlikely]] {
    add(classes_->classes()[classes_->find_in(map, address)]);
  }
  if (!side.of_attachment.empty()) [[unlikely]] {
    const auto at = side.of_attachment.find(attachment.value);
    if (at != side.of_attachment.end()) chosen.add(at->second);
  }
  return chosen;
}

template <bool kMore, typename Take>
bool RuleVectors::walk_rows(const Chosen& from, const Chosen& to, Row service, uint32_t begin, uint32_t end,
                            Take& take) const {
  constexpr uint32_t kBlocks = kWordsPerSummary / kWordsPerBlock;
  const RowShape& shape = rows_.shape();
  Along<kMore> of_from(from, shape), of_to(to, shape);
  for (uint32_t i = 0; i < shape.summaries(); ++i) {
    Summary somewhere = service[i] & of_from.look_at(i) & of_to.look_at(i);
    while (somewhere != 0) {
      const unsigned byte = static_cast<unsigned>(std::countr_zero(somewhere)) / kWordsPerBlock;
      somewhere &= ~(Summary{0xff} << byte * kWordsPerBlock);
      const uint32_t b = i * kBlocks + byte;
      if (b < begin || b >= end) [[unlikely]]
        continue;
      const RuleBlock found = shape.block_of(service, b) & of_from.block(b, byte) & of_to.block(b, byte);
      for (uint32_t there = words_with_bits(found); there != 0; there &= there - 1) {
        const auto w = static_cast<uint32_t>(std::countr_zero(there));
        if (take((b * kWordsPerBlock + w) * kRulesPerWord, found[w])) return true;
      }
    }
    of_from.pass();
    of_to.pass();
  }
  return false;
}

template <typename Take>
uint32_t RuleVectors::find_first(size_t connection, const PolicyQuery& query, Take&& take) const {
  const Pair& pair = pairs_[connection];
  const Row service = services_.find(query.tuple.protocol, number_of(query));
  for (const Row row : {service, pair.from.all, pair.from.fits, pair.to.all, pair.to.fits})
    __builtin_prefetch(row);
  const auto [src, dst] = classes_->find(query.tuple.src, query.tuple.dst);
  __builtin_prefetch(&classes_->classes()[src]);
  __builtin_prefetch(&classes_->classes()[dst]);
  const Chosen from = choose(from_, pair.from, pair.from_map, query.ingress, src, query.tuple.src);
  const Chosen to = choose(to_, pair.to, pair.to_map, query.egress, dst, query.tuple.dst);
  uint32_t first = kNoPlace;
  walk(from, to, service, special_blocks_, ~0u, [&](uint32_t word, RuleWord bits) {
    first = std::min(first, places_[word + static_cast<uint32_t>(std::countr_zero(bits))]);
    return false;
  });
  if (special_blocks_ == 0) [[likely]]
    return first;
  walk(from, to, service, 0, special_blocks_, [&](uint32_t word, RuleWord bits) {
    for (; bits != 0; bits &= bits - 1) {
      const uint32_t special = places_[word + static_cast<uint32_t>(std::countr_zero(bits))];
      if (special > first) return true;
      if (take(special)) {
        first = special;
        return true;
      }
    }
    return false;
  });
  return first;
}

}  // namespace weir::dataplane
