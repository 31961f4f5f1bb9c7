#include "inspection/events/event_fields.h"

#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "inspection/events/app_fields.h"
#include "inspection/events/eve.h"

namespace weir::inspection {
namespace {

using Json = nlohmann::json;

std::vector<FieldValue> read(std::span<const uint8_t> bytes) {
  std::vector<FieldValue> all;
  FieldReader reader(bytes);
  while (const auto value = reader.next()) all.push_back(*value);
  return all;
}

TEST(EventFields, AreReadAsTheyWereWritten) {
  std::array<uint8_t, 256> room;
  FieldWriter writer(room);
  writer.text(Field::http_url, "/a");
  writer.text_if(Field::http_xff, "");
  writer.number(Field::http_status, 404);
  writer.flag(Field::file_gaps, true);
  const auto all = read(writer.written());
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].field, Field::http_url);
  EXPECT_EQ(all[0].text(), "/a");
  EXPECT_EQ(all[1].number(), 404u);
  EXPECT_EQ(all[2].number(), 1u);
  EXPECT_FALSE(writer.cut());
  writer.clear();
  EXPECT_TRUE(writer.written().empty());
}

TEST(EventFields, AreWrittenAgainFromWhereTheyStood) {
  std::array<uint8_t, 256> room;
  FieldWriter writer(room);
  writer.text(Field::file_name, "before");
  const size_t begin = writer.written().size();
  writer.text(Field::http_url, "/a/rather/long/one");
  writer.number(Field::http_status, 404);
  const auto fields = writer.written().subspan(begin);
  const std::vector<uint8_t> copy(fields.begin(), fields.end());
  writer.clear();
  writer.again(fields);
  EXPECT_EQ(std::vector<uint8_t>(writer.written().begin(), writer.written().end()), copy);
  writer.flag(Field::file_gaps, true);
  EXPECT_EQ(read(writer.written()).size(), 3u) << "more may follow";
}

TEST(EventFields, AreCutAtTheirLimitAndSaySo) {
  std::vector<uint8_t> room(64 * 1'024);
  const std::string longest(info_of(Field::http_url).limit, 'u');
  FieldWriter writer(room);
  writer.text(Field::http_url, longest);
  EXPECT_FALSE(writer.cut());
  writer.text(Field::http_url, longest + "!");
  EXPECT_TRUE(writer.cut());
  const auto all = read(writer.written());
  EXPECT_FALSE(all[0].cut);
  EXPECT_TRUE(all[1].cut);
  EXPECT_EQ(all[1].text(), longest);
  FieldWriter whole(room, FieldWriter::Limits::none);
  whole.text(Field::http_url, longest + "!");
  EXPECT_FALSE(whole.cut());
  EXPECT_EQ(read(whole.written())[0].text(), longest + "!");
}

TEST(EventFields, NothingIsWrittenBeyondTheRoom) {
  for (size_t size = 0; size < 64; ++size) {
    std::vector<uint8_t> room(size);
    FieldWriter writer(room);
    writer.text(Field::http_url, std::string(20, 'u'));
    writer.number(Field::http_status, 1);
    writer.text(Field::http_method, std::string(20, 'm'));
    EXPECT_EQ(writer.cut(), size < (4 + 20) + (4 + 8) + (4 + 20)) << size;
    for (const FieldValue& value : read(writer.written())) {
      if (value.field == Field::http_status) {
        EXPECT_EQ(value.number(), 1u);
      }
    }
  }
}

/// Whatever lies there: a line of JSON, and no byte beyond the end is read (with ASan).
TEST(EventFields, HostileLengths) {
  std::mt19937 random(7);
  EveFormat format;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<uint8_t> bytes(random() % 200);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    // Lengths that a field could have, so that more than the first one is looked at.
    for (size_t at = 0; at + 4 <= bytes.size();) {
      const auto head = static_cast<uint32_t>((random() % 70) << 24 | (random() % 2) << 23 | random() % 40);
      std::memcpy(&bytes[at], &head, 4);
      at += 4 + (head & 0xff);
    }
    Event event;
    event.kind = static_cast<EventKind>(random() % static_cast<unsigned>(EventKind::count_));
    event.app.own = random() % 2 == 0 ? AppProtocol::http1 : AppProtocol::dns;
    const std::string line = format.line(event, bytes, 0);
    EXPECT_TRUE(Json::accept(line)) << line;
  }
}

TEST(EventFields, WhatWasCutIsNamed) {
  std::vector<uint8_t> room(16 * 1'024);
  FieldWriter writer(room);
  writer.text(Field::http_url, std::string(3'000, 'u'));
  writer.text(Field::http_method, "GET");
  Event event;
  event.kind = EventKind::http;
  event.cut = writer.cut();
  const Json json = Json::parse(EveFormat().line(event, writer.written(), 0));
  EXPECT_EQ(json["weir"]["truncated"], Json::parse(R"(["url"])"));
  EXPECT_EQ(json["http"]["url"].get<std::string>().size(), info_of(Field::http_url).limit);
}

/// The end of a message that was cut is not there, its beginning is.
TEST(EventFields, ADnsMessageIsReadAgain) {
  const std::vector<uint8_t> query = {0x12, 0x34, 0x01, 0,   0,   1, 0,   0,   0,   0, 0, 0, 7, 'e', 'x',
                                      'a',  'm',  'p',  'l', 'e', 3, 'o', 'r', 'g', 0, 0, 1, 0, 1};
  Event event;
  event.kind = EventKind::dns;
  event.tx_id = 3;
  EveFormat format;
  for (const bool from_server : {false, true}) {
    std::array<uint8_t, 256> room;
    FieldWriter writer(room);
    writer.flag(Field::dns_from_server, from_server);
    writer.bytes(Field::dns_message, query);
    const Json dns = Json::parse(format.line(event, writer.written(), 0))["dns"];
    EXPECT_EQ(dns["type"], from_server ? "response" : "request");
    EXPECT_EQ(dns["id"], 0x1234);
    EXPECT_EQ(dns["tx_id"], 3);
    EXPECT_EQ(dns["queries"][0]["rrname"], "example.org");
  }
  for (size_t size = 0; size < query.size(); ++size) {
    std::array<uint8_t, 256> room;
    FieldWriter writer(room);
    writer.bytes(Field::dns_message, std::span(query).first(size));
    EXPECT_TRUE(Json::accept(format.line(event, writer.written(), 0)));
  }
}

TEST(ForwardedFor, FirstAndLast) {
  struct Row {
    const char *list, *first, *last;
  };
  for (const Row& row :
       {Row{"10.0.0.1", "10.0.0.1", "10.0.0.1"}, Row{" 10.0.0.1 ,\t10.0.0.2 ", "10.0.0.1", "10.0.0.2"},
        Row{"a,,", "a", ""}, Row{"", "", ""}, Row{" ", "", ""}}) {
    EXPECT_EQ(forwarded_for(row.list, false), row.first) << row.list;
    EXPECT_EQ(forwarded_for(row.list, true), row.last) << row.list;
  }
}

TEST(EveFormat, AddressThatAProxyNames) {
  std::array<uint8_t, 64> room;
  FieldWriter writer(room);
  writer.text(Field::alert_xff, "203.0.113.9");
  Event event;
  event.flow.src = *net::parse_ip("10.0.0.1");
  event.flow.dst = *net::parse_ip("10.0.0.2");
  event.flow.protocol = 6;
  using Xff = EveOptions::Xff;
  const auto with = [&](Xff xff) {
    return Json::parse(EveFormat({.xff = xff}).line(event, writer.written(), 0));
  };
  EXPECT_FALSE(with(Xff::none)["alert"].contains("xff"));
  EXPECT_EQ(with(Xff::extra_data)["alert"]["xff"], "203.0.113.9");
  EXPECT_EQ(with(Xff::extra_data)["src_ip"], "10.0.0.1");
  EXPECT_EQ(with(Xff::overwrite)["src_ip"], "203.0.113.9");
  event.turned = true;
  EXPECT_EQ(with(Xff::overwrite)["dest_ip"], "203.0.113.9") << "the client's place in this event";
}

TEST(EveFormat, CommunityId) {
  Event event;
  event.kind = EventKind::flow;
  event.flow.flow_id = 1;
  event.flow.src = *net::parse_ip("128.232.110.120");
  event.flow.dst = *net::parse_ip("66.35.250.204");
  event.flow.src_port = 34'855;
  event.flow.dst_port = 80;
  event.flow.protocol = 6;
  // The specification's own example.
  EXPECT_EQ(Json::parse(EveFormat({.community_id = true}).line(event, {}, 0))["community_id"],
            "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
  EXPECT_FALSE(Json::parse(EveFormat().line(event, {}, 0)).contains("community_id"));
}

}  // namespace
}  // namespace weir::inspection
