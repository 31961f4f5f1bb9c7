// The compiled policy: which rules match a session, without trying them.
//
// Each fact about a session selects a row of bits (rule_rows.h): its two domains, the classes of its two
// addresses (address_classes.h), its attachments, its service. A rule's from-side matches where
//     (no domain asked | domain row) & (no address asked | address rows | attachment row)
// has its bit. The intersection of both sides and the service has the rules that match. No row is for a pair
// of facts, so the memory is (classes + intervals + domains) x rules / 8, and a look-up is two longest
// prefixes and one walk over the rows. What is a session's own is packed; what all sessions have, the rows of
// rules that ask for nothing, is plain and stays in the caches.
//
// Bits are not in the order of evaluation. A rule has one for each of its services that many rules have, and
// bits of the same service stand together, so that a look-up has to do with few words of each row; among them
// those of rules that ask for the same facts and the same ends. Within a word they are in order, so that a
// word's first bit is its first rule, and the first of all is the least of those. Rules that do not simply
// decide (they only watch, or ask for a name) come before all others and in order, one bit each, since a
// look-up has to see each of them.
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
  static constexpr uint32_t kNone = ~0u;

  /// What few domains have.
  struct Extra {
    uint32_t map = kNone;  // of AddressClasses::of_domains(): prefixes of its own
    PackedRow member;      // rules that ask for a group that has the domain
  };
  /// The two domains of a connection.
  struct Pair {
    PackedRow from, to;                             // rules that name it
    uint32_t from_extra = kNone, to_extra = kNone;  // of extras_
  };
  /// Rows of one side.
  struct Side {
    // Rules that ask for none. Of rules that simply decide whole words do or do not, so the summary tells
    // all.
    Row any_domain = nullptr, any_address = nullptr;
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
  /// The rows of one side of one session. Nearly all have two of addresses; more only if its domain is an
  /// extra one or rules ask for its attachment.
  struct Chosen {
    static constexpr unsigned kUsual = 2, kMost = 6;
    const Side* side = nullptr;
    PackedRow domain;
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
    Along(const Chosen& chosen, const RowShape& shape, uint32_t special_blocks)
        : chosen_(chosen),
          shape_(shape),
          special_blocks_(special_blocks),
          domain_words_(chosen.domain.words(shape)) {
      for (unsigned n = 0; n < count(); ++n) words_[n] = chosen.addresses[n].words(shape);
    }
    /// Has to be called for i = 0, 1, 2, ...; gives the words that have a bit.
    Summary look_at(uint32_t i) {
      Summary some = any_address_ = chosen_.side->any_address[i];
      for (unsigned n = 0; n < count(); ++n) some |= summaries_[n] = chosen_.addresses[n].summary[i];
      any_domain_ = chosen_.side->any_domain[i];
      domain_ = chosen_.domain.summary[i];
      return some & (any_domain_ | domain_);
    }
    /// The rules that its addresses match, of block `b` of all, which is the `byte`-th of what is looked at.
    RuleBlock by_address(uint32_t b, unsigned byte) const {
      RuleBlock some = any(chosen_.side->any_address, any_address_, b, byte);
      for (unsigned n = 0; n < count(); ++n) some |= PackedRows::block(summaries_[n], words_[n], byte);
      return some;
    }
    RuleBlock by_domain(uint32_t b, unsigned byte) const {
      return any(chosen_.side->any_domain, any_domain_, b, byte) |
             PackedRows::block(domain_, domain_words_, byte);
    }
    /// What was looked at is done with.
    void pass() {
      for (unsigned n = 0; n < count(); ++n) words_[n] += std::popcount(summaries_[n]);
      domain_words_ += std::popcount(domain_);
    }

   private:
    static constexpr unsigned kRows = kMore ? Chosen::kMost : Chosen::kUsual;
    unsigned count() const { return kMore ? chosen_.count : kRows; }
    RuleBlock any(Row row, Summary summary, uint32_t b, unsigned byte) const {
      if (b < special_blocks_) [[unlikely]]
        return shape_.block_of(row, b);
      return whole_words(static_cast<uint32_t>(summary >> byte * kWordsPerBlock));
    }
    const Chosen& chosen_;
    const RowShape& shape_;
    const uint32_t special_blocks_;
    // The words that the part of the summaries which is looked at stands for, and that part.
    const RuleWord *domain_words_, *words_[kRows];
    Summary any_domain_ = 0, any_address_ = 0, domain_ = 0, summaries_[kRows];
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
  Chosen choose(const Side& side, const PackedRow& domain, uint32_t extra, AttachmentId attachment,
                uint32_t c, const net::IpAddress& address) const;

  Rows rows_{RowShape()};
  PackedRows packed_;  // of domains, addresses and attachments
  std::vector<Source> sources_;
  std::shared_ptr<const AddressClasses> classes_;
  Side from_, to_;
  std::vector<Pair> pairs_;
  std::vector<Extra> extras_;
  ServiceRows services_;
  std::vector<uint32_t> places_;  // by bit; kNoPlace: it stands for none
  uint32_t special_blocks_ = 0;   // of rules that do not simply decide
};

inline RuleVectors::Chosen RuleVectors::choose(const Side& side, const PackedRow& domain, uint32_t extra,
                                               AttachmentId attachment, uint32_t c,
                                               const net::IpAddress& address) const {
  Chosen chosen;
  chosen.side = &side;
  chosen.domain = domain;
  const auto add = [&](const AddressClasses::Whole& what) {
    chosen.add(side.of_own[what.own]);
    chosen.add(side.of_whole[what.wider]);
  };
  add(classes_->classes()[c]);
  if (extra != kNone) [[unlikely]] {
    const Extra& more = extras_[extra];
    if (more.member.summary != nullptr) chosen.add(more.member);
    if (more.map != kNone) add(classes_->classes()[classes_->find_in(more.map, address)]);
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
  Along<kMore> of_from(from, shape, special_blocks_), of_to(to, shape, special_blocks_);
  for (uint32_t i = 0; i < shape.summaries(); ++i) {
    Summary somewhere = service[i] & of_from.look_at(i) & of_to.look_at(i);
    while (somewhere != 0) {
      const unsigned byte = static_cast<unsigned>(std::countr_zero(somewhere)) / kWordsPerBlock;
      somewhere &= ~(Summary{0xff} << byte * kWordsPerBlock);
      const uint32_t b = i * kBlocks + byte;
      if (b < begin || b >= end) [[unlikely]]
        continue;
      RuleBlock found = shape.block_of(service, b) & of_from.by_address(b, byte) & of_to.by_address(b, byte);
      if (words_with_bits(found) == 0) continue;
      found &= of_from.by_domain(b, byte) & of_to.by_domain(b, byte);
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
  __builtin_prefetch(service);
  pair.from.prefetch();
  pair.to.prefetch();
  const auto [src, dst] = classes_->find(query.tuple.src, query.tuple.dst);
  __builtin_prefetch(&classes_->classes()[src]);
  __builtin_prefetch(&classes_->classes()[dst]);
  const Chosen from = choose(from_, pair.from, pair.from_extra, query.ingress, src, query.tuple.src);
  const Chosen to = choose(to_, pair.to, pair.to_extra, query.egress, dst, query.tuple.dst);
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
