#include "dataplane/tunnel/tunnel_table.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/tables/random_input.h"

namespace weir::dataplane {
namespace {

constexpr net::Ipv4 kLocal{0xc6120001}, kRemote{0xc6120010};
const TunnelKey kKey = TunnelKey::v4(KeyKind::vxlan, kLocal, kRemote, 10, 4789);
const AttachmentId kFirst = AttachmentId::make(0, 1);
const AttachmentId kSecond = AttachmentId::make(1, 1);

TEST(TunnelTable, EmptyFindsNothing) {
  const auto table = TunnelTable::build({});
  ASSERT_TRUE(table);
  EXPECT_FALSE(table->find(kKey).valid());
  EXPECT_EQ(table->size(), 0u);
}

TEST(TunnelTable, EachPartOfTheKeyCounts) {
  const auto table = TunnelTable::build({{kKey, kFirst}});
  ASSERT_TRUE(table);
  EXPECT_EQ(table->find(kKey), kFirst);
  const TunnelKey others[] = {
      TunnelKey::v4(KeyKind::vxlan, {kLocal.value + 1}, kRemote, 10, 4789),
      TunnelKey::v4(KeyKind::vxlan, kLocal, {kRemote.value + 1}, 10, 4789),
      TunnelKey::v4(KeyKind::vxlan, kRemote, kLocal, 10, 4789),
      TunnelKey::v4(KeyKind::vxlan, kLocal, kRemote, 11, 4789),
      TunnelKey::v4(KeyKind::vxlan, kLocal, kRemote, 10, 4790),
      TunnelKey::v4(KeyKind::geneve, kLocal, kRemote, 10, 4789),
      // The same 16 bytes of addresses, as IPv6.
      TunnelKey::v6(KeyKind::vxlan, 1, {kKey.hi, kKey.lo}, 10, 4789),
      kKey.peer(),
  };
  for (const TunnelKey& other : others) EXPECT_FALSE(table->find(other).valid());
}

TEST(TunnelTable, RefusesTheSameKeyTwice) {
  const auto table = TunnelTable::build({{kKey, kFirst}, {kKey, kSecond}});
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().code, ErrorCode::in_use);
  EXPECT_NE(table.error().message.find("198.18.0.16"), std::string::npos) << table.error().message;
}

TEST(TunnelTable, APeerMayHaveManyTunnels) {
  const auto table = TunnelTable::build({{kKey.peer(), kFirst}, {kKey.peer(), kSecond}, {kKey, kFirst}});
  ASSERT_TRUE(table);
  EXPECT_EQ(table->size(), 2u);
  EXPECT_TRUE(table->find(kKey.peer()).valid());
}

TEST(TunnelKey, OfEachKindOfTunnel) {
  const net::IpAddress v6 = *net::parse_ip("2001:db8::9");
  const auto keys = [&](TunnelKind kind, bool ipv6 = false, InnerFamilies inner = InnerFamilies::any) {
    Tunnel t;
    t.kind = kind;
    t.keyed = true;
    t.inner = inner;
    t.id = 10;
    t.udp_port = 4789;
    t.local = ipv6 ? *net::parse_ip("2001:db8::1") : net::IpAddress(kLocal);
    t.remote = ipv6 ? v6 : net::IpAddress(kRemote);
    return keys_of(t, ipv6 ? 3 : 0);
  };
  using List = std::vector<TunnelKey>;
  EXPECT_EQ(keys(TunnelKind::vxlan), List{kKey});
  EXPECT_EQ(keys(TunnelKind::vxlan, true), List{TunnelKey::v6(KeyKind::vxlan, 3, v6.v6(), 10, 4789)});
  EXPECT_EQ(keys(TunnelKind::gre), List{TunnelKey::v4(KeyKind::gre_keyed, kLocal, kRemote, 10)});
  const TunnelKey four = TunnelKey::v4(KeyKind::ipip4, kLocal, kRemote),
                  six = TunnelKey::v4(KeyKind::ipip6, kLocal, kRemote);
  EXPECT_EQ(keys(TunnelKind::ipip), (List{four, six}));
  EXPECT_EQ(keys(TunnelKind::ipip, false, InnerFamilies::ipv6), List{six});
  EXPECT_EQ(four.peer(), kKey.peer());
  EXPECT_EQ(kKey.kind(), KeyKind::vxlan);
  EXPECT_EQ(kKey.id(), 10u);
  EXPECT_EQ(kKey.port(), 4789);
}

TEST(TunnelTable, RefusesAnInvalidAttachment) {
  const auto table = TunnelTable::build({{kKey, AttachmentId{}}});
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().code, ErrorCode::invalid);
}

TEST(TunnelTable, AgreesWithAMapAtEverySize) {
  test::RandomInput random(1);
  for (const size_t size : {1u, 2u, 3u, 4u, 7u, 8u, 9u, 100u, 10'000u}) {
    std::map<TunnelKey, AttachmentId> model;
    std::vector<TunnelTable::Entry> entries;
    const auto key = [&] {  // few values of each part, so that keys differ in one part only
      const auto remote = static_cast<uint32_t>(random.below(size));
      const auto number = static_cast<uint32_t>(random.below(4));
      const auto id = static_cast<uint32_t>(random.below(64));
      const auto port = static_cast<uint16_t>(4789 + random.below(2));
      const auto kind = static_cast<KeyKind>(1 + random.below(2));
      return random.below(2) == 0
                 ? TunnelKey::v4(kind, {number}, {remote}, id, port)
                 : TunnelKey::v6(kind, static_cast<uint16_t>(1 + number), {remote % 3, remote}, id, port);
    };
    while (entries.size() < size) {
      const AttachmentId id = AttachmentId::make(static_cast<uint32_t>(entries.size()), 1);
      const TunnelKey k = key();
      if (model.emplace(k, id).second) entries.push_back({k, id});
    }
    const auto table = TunnelTable::build(entries);
    ASSERT_TRUE(table);
    EXPECT_EQ(table->size(), size);
    for (const auto& [k, id] : model) ASSERT_EQ(table->find(k), id);
    for (int i = 0; i < 10'000; ++i) {
      const TunnelKey k = key();
      const auto expected = model.find(k);
      ASSERT_EQ(table->find(k), expected == model.end() ? AttachmentId{} : expected->second);
    }
  }
}

}  // namespace
}  // namespace weir::dataplane
