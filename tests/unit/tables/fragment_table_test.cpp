// The fragment table: rows for each rule, and random fragmentations against a slow model.
#include "dataplane/fragment/fragment_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

#include "tests/support/rounds.h"

namespace weir::dataplane {
namespace {

using Kind = FragmentTable::Answer::Kind;
constexpr NanoTime kTimeout = 2 * kNanosPerSecond;

void* packet(uintptr_t number) { return reinterpret_cast<void*>(number); }

Fragment piece(uint32_t offset, uint32_t length, bool more, uintptr_t number = 1,
               FragmentUse use = FragmentUse::inner, uint32_t id = 7, uint32_t share = 0) {
  Fragment f;
  f.key = {.src = {0, 1}, .dst = {0, 2}, .id = id, .scope = share, .protocol = 17, .family = 4, .use = use};
  f.share = share;
  f.offset = offset;
  f.length = length;
  f.room = 65'515;
  f.more = more;
  f.packet = packet(number);
  return f;
}

struct Table : FragmentTable {
  explicit Table(FragmentLimits limits = {.held = 64, .datagrams = 16, .pieces = 8})
      : FragmentTable(limits, 42) {}
  /// offer(), and what a caller does after it; held packets that come out are in `out`.
  Answer put(const Fragment& f, NanoTime now = 0) {
    const Answer answer = offer(f, now);
    const bool first = answer.kind == Kind::pass && f.offset == 0;
    if (answer.kind == Kind::spoil || answer.kind == Kind::whole || first) {
      take(answer.datagram,
           [&](void* p, uint32_t, uint32_t) { out.push_back(reinterpret_cast<uintptr_t>(p)); });
    }
    if (answer.kind != Kind::hold) finish(answer.datagram);
    return answer;
  }
  std::vector<uintptr_t> out;
};

TEST(FragmentTable, InnerOnesGoOnOnceTheFirstCame) {
  Table t;
  EXPECT_EQ(t.put(piece(16, 8, true, 3)).kind, Kind::hold);
  EXPECT_EQ(t.put(piece(8, 8, true, 2)).kind, Kind::hold);
  EXPECT_EQ(t.held(), 2u);
  EXPECT_EQ(t.put(piece(0, 8, true, 1)).kind, Kind::pass);
  EXPECT_EQ(t.out, (std::vector<uintptr_t>{3, 2})) << "in order of arrival";
  EXPECT_EQ(t.put(piece(32, 5, false, 5)).kind, Kind::pass);
  EXPECT_EQ(t.datagrams(), 1u);
  EXPECT_EQ(t.put(piece(24, 8, true, 4)).kind, Kind::pass);
  EXPECT_EQ(t.datagrams(), 0u) << "whole, and forgotten";
  EXPECT_EQ(t.held(), 0u);
}

TEST(FragmentTable, WholeDatagramsComeOutWithTheLastPiece) {
  for (const FragmentUse use : {FragmentUse::inspected, FragmentUse::outer}) {
    Table t;
    EXPECT_EQ(t.put(piece(0, 8, true, 1, use)).kind, Kind::hold);
    EXPECT_EQ(t.put(piece(16, 3, false, 3, use)).kind, Kind::hold);
    const auto answer = t.offer(piece(8, 8, true, 2, use), 0);
    EXPECT_EQ(answer.kind, Kind::whole);
    EXPECT_EQ(t.total(answer.datagram), 19u);
    std::vector<std::pair<uint32_t, uint32_t>> pieces;
    t.take(answer.datagram, [&](void*, uint32_t offset, uint32_t length) {
      pieces.push_back({offset, length});
    });
    EXPECT_EQ(pieces, (std::vector<std::pair<uint32_t, uint32_t>>{{0, 8}, {16, 3}}));
    t.finish(answer.datagram);
    EXPECT_EQ(t.datagrams(), 0u);
  }
}

struct Rule {
  const char* name;
  std::vector<Fragment> good;  // before it
  Fragment bad;
  Kind kind;
  DropReason reason;
};

TEST(FragmentTable, RefusesByName) {
  const FragmentUse whole = FragmentUse::inspected;
  const Rule rules[] = {
      {"empty", {}, piece(8, 0, true), Kind::drop, DropReason::fragment_bad},
      {"no multiple of eight", {}, piece(0, 12, true), Kind::drop, DropReason::fragment_bad},
      {"beyond what a datagram can have",
       {},
       piece(65'512, 4, false),
       Kind::drop,
       DropReason::fragment_too_long},
      {"the same again", {piece(0, 8, true)}, piece(0, 8, true), Kind::drop, DropReason::fragment_duplicate},
      {"overlaps the one before",
       {piece(8, 16, true)},
       piece(16, 16, true),
       Kind::spoil,
       DropReason::fragment_overlap},
      {"overlaps the one behind",
       {piece(16, 16, true)},
       piece(8, 16, true),
       Kind::spoil,
       DropReason::fragment_overlap},
      {"lies in another",
       {piece(8, 32, true)},
       piece(16, 8, true),
       Kind::spoil,
       DropReason::fragment_overlap},
      {"covers another", {piece(16, 8, true)}, piece(8, 32, true), Kind::spoil, DropReason::fragment_overlap},
      {"ends before what came",
       {piece(24, 8, true)},
       piece(8, 8, false),
       Kind::spoil,
       DropReason::fragment_bad},
      {"a second end", {piece(24, 8, false)}, piece(32, 8, false), Kind::spoil, DropReason::fragment_bad},
      {"goes on behind the end",
       {piece(24, 8, false)},
       piece(32, 8, true),
       Kind::spoil,
       DropReason::fragment_bad},
      {"says there is more at the end",
       {piece(8, 8, false, 1, whole)},
       piece(16, 8, true, 1, whole),
       Kind::spoil,
       DropReason::fragment_bad},
  };
  for (const Rule& rule : rules) {
    SCOPED_TRACE(rule.name);
    Table t;
    for (const Fragment& f : rule.good) EXPECT_NE(t.put(f).kind, Kind::drop);
    const auto answer = t.put(rule.bad);
    EXPECT_EQ(answer.kind, rule.kind);
    EXPECT_EQ(answer.reason, rule.reason);
    if (rule.kind != Kind::spoil) continue;
    EXPECT_EQ(t.held(), 0u) << "what waited is dropped with it";
    EXPECT_EQ(t.put(piece(40, 8, true, 9, rule.bad.key.use)).reason, rule.reason)
        << "and so is what comes later";
    t.expire(kTimeout, kTimeout, 9, [](void*) { FAIL(); });
    EXPECT_EQ(t.datagrams(), 0u);
  }
}

TEST(FragmentTable, BoundsThePiecesOfADatagram) {
  Table t;
  for (uint32_t i = 0; i < 8; ++i) EXPECT_EQ(t.put(piece(i * 8, 8, true)).kind, Kind::pass);
  EXPECT_EQ(t.put(piece(64, 8, true)).reason, DropReason::fragment_too_many);
}

TEST(FragmentTable, OneShareLeavesRoomForOthers) {
  Table t;  // 64 packets, 16 datagrams: 16 packets and 4 datagrams a share
  for (uint32_t id = 0; id < 4; ++id) {
    EXPECT_EQ(t.put(piece(8, 8, true, 1, FragmentUse::inner, id, 5)).kind, Kind::hold);
  }
  EXPECT_EQ(t.put(piece(8, 8, true, 1, FragmentUse::inner, 4, 5)).reason, DropReason::fragment_limit);
  EXPECT_EQ(t.put(piece(8, 8, true, 1, FragmentUse::inner, 4, 6)).kind, Kind::hold) << "another share";
  Table packets({.held = 8, .datagrams = 16, .pieces = 8});
  EXPECT_EQ(packets.put(piece(8, 8, true, 1)).kind, Kind::hold);
  EXPECT_EQ(packets.put(piece(16, 8, true, 2)).kind, Kind::hold);
  const auto answer = packets.put(piece(24, 8, true, 3));
  EXPECT_EQ(answer.reason, DropReason::fragment_limit);
  EXPECT_EQ(packets.out, (std::vector<uintptr_t>{1, 2})) << "it can never be whole again";
  packets.expire(kTimeout, kTimeout, 9, [](void*) {});
  EXPECT_EQ(packets.datagrams(), 0u);
}

TEST(FragmentTable, GivesUpInOrderOfAge) {
  Table t;
  t.put(piece(8, 8, true, 1, FragmentUse::inner, 1), 0);
  t.put(piece(8, 8, true, 2, FragmentUse::inner, 2), 10);
  t.put(piece(16, 8, true, 3, FragmentUse::inner, 1), 20);
  std::vector<uintptr_t> out;
  const auto gone = [&](void* p) { out.push_back(reinterpret_cast<uintptr_t>(p)); };
  t.expire(kTimeout - 1, kTimeout, 9, gone);
  EXPECT_TRUE(out.empty());
  t.expire(kTimeout, kTimeout, 9, gone);
  EXPECT_EQ(out, (std::vector<uintptr_t>{1, 3})) << "age counts from the first piece to arrive";
  t.expire(kTimeout + 10, kTimeout, 0, gone);
  EXPECT_EQ(out.size(), 2u) << "within the budget";
  t.clear(gone);
  EXPECT_EQ(out.size(), 3u);
  EXPECT_EQ(t.held() + t.datagrams(), 0u);
}

/// What the table has to answer, kept the slow way: a byte map for each datagram.
class Model {
 public:
  struct Datagram {
    std::map<uint32_t, uint32_t> pieces;  // begin -> end
    std::vector<bool> bytes = std::vector<bool>(65'536);
    uint32_t end = 0;  // 0: unknown
    std::vector<uintptr_t> held;
    bool first = false, spoilt = false;
  };
  struct Said {
    Kind kind;
    std::vector<uintptr_t> out;
  };

  Said put(const Fragment& f) {
    if (f.length == 0 || (f.more && f.length % 8 != 0) || f.offset + f.length > f.room)
      return {Kind::drop, {}};
    Datagram& d = datagrams_[f.key.id];
    if (d.spoilt) return {Kind::drop, {}};
    const uint32_t end = f.offset + f.length;
    if (const auto same = d.pieces.find(f.offset); same != d.pieces.end() && same->second == end)
      return {Kind::drop, {}};
    bool wrong = false;
    for (uint32_t i = f.offset; i < end; ++i) wrong |= d.bytes[i];
    for (uint32_t i = end; i < d.bytes.size(); ++i) wrong |= !f.more && d.bytes[i];
    wrong |= d.end != 0 && (!f.more || end >= d.end);
    wrong |= d.pieces.size() == 8;
    if (wrong) {
      d.spoilt = true;
      return {Kind::spoil, std::exchange(d.held, {})};
    }
    for (uint32_t i = f.offset; i < end; ++i) d.bytes[i] = true;
    d.pieces[f.offset] = end;
    if (!f.more) d.end = end;
    d.first |= f.offset == 0;
    bool whole = d.end != 0;
    for (uint32_t i = 0; i < d.end; ++i) whole &= d.bytes[i];
    const auto number = reinterpret_cast<uintptr_t>(f.packet);
    Said said{Kind::hold, {}};
    if (f.key.use == FragmentUse::inner ? d.first : whole) {
      said.kind = f.key.use == FragmentUse::inner ? Kind::pass : Kind::whole;
      said.out = std::exchange(d.held, {});
    } else {
      d.held.push_back(number);
    }
    if (whole) datagrams_.erase(f.key.id);
    return said;
  }
  size_t held() const {
    size_t n = 0;
    for (const auto& [id, d] : datagrams_) n += d.held.size();
    return n;
  }
  size_t datagrams() const { return datagrams_.size(); }

 private:
  std::map<uint32_t, Datagram> datagrams_;
};

/// A datagram cut at random, in a random order, some pieces lost, repeated, moved or lengthened.
std::vector<Fragment> random_fragments(std::mt19937& random, FragmentUse use, uint32_t id) {
  std::vector<Fragment> out;
  const auto below = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
  const uint32_t size = 1 + below(400);
  for (uint32_t at = 0; at < size;) {
    const uint32_t length = std::min(size - at, 8 * (1 + below(12)));
    out.push_back(piece(at, length, at + length < size, 1 + random() % 100'000, use, id));
    at += length;
  }
  std::shuffle(out.begin(), out.end(), random);
  for (uint32_t damage = below(3); damage-- != 0 && !out.empty();) {
    Fragment f = out[below(static_cast<uint32_t>(out.size()))];
    switch (below(5)) {
      case 0:
        out.pop_back();
        break;
      case 1:
        out.push_back(f);
        break;
      case 2:
        f.offset += 8 * below(4);
        out.push_back(f);
        break;
      case 3:
        f.length += below(20);
        out.push_back(f);
        break;
      case 4:
        f.more = !f.more;
        out.push_back(f);
        break;
    }
  }
  return out;
}

TEST(FragmentTable, AgreesWithTheSlowModel) {
  std::mt19937 random(20'260'711);
  for (int round = 0; round < weir::test::rounds(300); ++round) {
    Table table({.held = 4'096, .datagrams = 64, .pieces = 8});
    Model model;
    const auto use = static_cast<FragmentUse>(random() % 3);
    std::vector<Fragment> all;
    for (uint32_t id = 0; id < 4; ++id) {
      const auto some = random_fragments(random, use, id);
      all.insert(all.end(), some.begin(), some.end());
    }
    if (random() % 2 == 0) std::shuffle(all.begin(), all.end(), random);
    for (const Fragment& f : all) {
      table.out.clear();
      const auto answer = table.put(f);
      const auto said = model.put(f);
      ASSERT_EQ(answer.kind, said.kind)
          << "round " << round << " offset " << f.offset << " length " << f.length;
      ASSERT_EQ(table.out, said.out);
      ASSERT_EQ(table.held(), model.held());
      ASSERT_EQ(table.datagrams(), model.datagrams());
    }
    table.clear([](void*) {});
    ASSERT_EQ(table.held() + table.datagrams(), 0u);
  }
}

}  // namespace
}  // namespace weir::dataplane
