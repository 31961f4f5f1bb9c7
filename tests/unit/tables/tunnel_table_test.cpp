#include "dataplane/tunnel/tunnel_table.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/tables/random_input.h"

namespace weir::dataplane {
namespace {

const TunnelKey kKey{{0xc6120001}, {0xc6120010}, {10}, 4789};
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
      {{kKey.local.value + 1}, kKey.remote, kKey.vni, kKey.udp_port},
      {kKey.local, {kKey.remote.value + 1}, kKey.vni, kKey.udp_port},
      {kKey.remote, kKey.local, kKey.vni, kKey.udp_port},
      {kKey.local, kKey.remote, {kKey.vni.value + 1}, kKey.udp_port},
      {kKey.local, kKey.remote, kKey.vni, 4790},
  };
  for (const TunnelKey& other : others) EXPECT_FALSE(table->find(other).valid());
}

TEST(TunnelTable, RefusesTheSameKeyTwice) {
  const auto table = TunnelTable::build({{kKey, kFirst}, {kKey, kSecond}});
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().code, ErrorCode::in_use);
  EXPECT_NE(table.error().message.find("198.18.0.16"), std::string::npos) << table.error().message;
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
      return TunnelKey{{static_cast<uint32_t>(random.below(4))},
                       {static_cast<uint32_t>(random.below(size))},
                       {static_cast<uint32_t>(random.below(64))},
                       static_cast<uint16_t>(4789 + random.below(2))};
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
