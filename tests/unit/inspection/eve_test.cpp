#include "inspection/events/eve.h"

#include <nlohmann/json.hpp>

#include "inspection/events/event_fields.h"
#include "support.h"

namespace weir::inspection {
namespace {

using Json = nlohmann::json;

constexpr int64_t kOffset = 1'767'323'045'000'000'000;  // 2026-01-02T03:04:05Z

Event alert_event() {
  Event event;
  event.kind = EventKind::alert;
  event.time_ns = 678'901'999;
  event.flow = test::flow_info();
  event.flow.from_domain.assign("prod");
  event.flow.policy_rule.assign("web");
  event.alert.sid = 2'000'001;
  event.alert.rev = 4;
  event.alert.priority = 1;
  event.alert.blocked = true;
  event.alert.signature.assign("A \"quoted\" one");
  event.alert.category.assign("Misc Attack");
  return event;
}

/// Fields as a worker writes them.
struct Fields {
  std::array<uint8_t, 4'096> room{};
  FieldWriter writer{room};
};

TEST(Eve, Alert) {
  Fields fields;
  fields.writer.text(Field::http_hostname, "h");
  fields.writer.text(Field::http_url, "/a?b");
  fields.writer.text(Field::http_method, "GET");
  const std::string line = EveFormat().line(alert_event(), fields.writer.written(), kOffset);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const Json json = Json::parse(line);
  EXPECT_EQ(json["timestamp"], "2026-01-02T03:04:05.678901+0000");
  EXPECT_EQ(json["event_type"], "alert");
  EXPECT_EQ(json["flow_id"], 7);
  EXPECT_EQ(json["src_ip"], "10.1.0.5");
  EXPECT_EQ(json["src_port"], 40'000);
  EXPECT_EQ(json["dest_ip"], "10.2.0.80");
  EXPECT_EQ(json["dest_port"], 80);
  EXPECT_EQ(json["proto"], "TCP");
  EXPECT_EQ(json["ip_v"], 4);
  EXPECT_EQ(json["direction"], "to_server");
  EXPECT_EQ(json["alert"], Json::parse(R"({"action":"blocked","gid":1,"signature_id":2000001,"rev":4,
      "signature":"A \"quoted\" one","category":"Misc Attack","severity":1})"));
  EXPECT_EQ(json["http"], Json::parse(R"({"hostname":"h","url":"/a?b","http_method":"GET"})"));
  EXPECT_EQ(json["weir"], Json::parse(R"({"from_domain":"prod","policy_rule":"web"})"));
}

TEST(Eve, AddressesAreThoseOfThePacket) {
  Event event = alert_event();
  event.turned = event.alert.to_client = true;
  const Json json = Json::parse(EveFormat().line(event, {}, kOffset));
  EXPECT_EQ(json["src_ip"], "10.2.0.80");
  EXPECT_EQ(json["src_port"], 80);
  EXPECT_EQ(json["dest_ip"], "10.1.0.5");
  EXPECT_EQ(json["direction"], "to_client");
  EXPECT_EQ(json["flow"]["src_ip"], "10.1.0.5");
}

TEST(Eve, WhatATestingProfileWouldDrop) {
  Event event = alert_event();
  event.alert.blocked = false;
  event.alert.would_block = true;
  const Json json = Json::parse(EveFormat().line(event, {}, kOffset));
  EXPECT_EQ(json["alert"]["action"], "allowed");
  EXPECT_EQ(json["weir"]["verdict"], Json::parse(R"({"would_drop":true})"));
}

TEST(Eve, Overload) {
  Event event;
  event.kind = EventKind::overload;
  event.time_ns = alert_event().time_ns;
  event.overload = {true, 3, 768};
  EXPECT_EQ(Json::parse(EveFormat().line(event, {}, kOffset)),
            Json::parse(R"({"timestamp":"2026-01-02T03:04:05.678901+0000","event_type":"overload",
      "overload":{"worker":3,"state":"begun","waiting":768}})"));
}

TEST(Eve, Drop) {
  Event event = alert_event();
  event.kind = EventKind::drop;
  event.drop_reason.assign("inspect_drop");
  event.packet_length = 99;
  const Json json = Json::parse(EveFormat().line(event, {}, kOffset));
  EXPECT_EQ(json["event_type"], "drop");
  EXPECT_EQ(json["drop"], Json::parse(R"({"len":99,"reason":"inspect_drop"})"));
  EXPECT_EQ(json["alert"]["signature_id"], 2'000'001);
}

TEST(Eve, WhatAPolicyRuleRefusesOrWatches) {
  Event event;
  event.kind = EventKind::drop;
  event.flow = test::flow_info();
  event.flow.flow_id = 0;
  event.flow.policy_rule.assign("no-telnet");
  event.drop_reason.assign("policy_deny");
  event.packet_length = 40;
  event.suppressed = 7;
  Json json = Json::parse(EveFormat().line(event, {}, kOffset));
  EXPECT_EQ(json["event_type"], "drop");
  EXPECT_EQ(json["drop"], Json::parse(R"({"len":40,"reason":"policy_deny"})"));
  EXPECT_EQ(json["weir"]["policy_rule"], "no-telnet");
  EXPECT_EQ(json["weir"]["suppressed"], 7);
  for (const char* key : {"flow_id", "flow", "alert"}) EXPECT_FALSE(json.contains(key)) << key;
  event.kind = EventKind::watch;
  event.policy_action = PolicyWord::reject;
  event.suppressed = 0;
  json = Json::parse(EveFormat().line(event, {}, kOffset));
  EXPECT_EQ(json["event_type"], "watch");
  EXPECT_EQ(json["weir"]["action"], "reject");
  EXPECT_FALSE(json["weir"].contains("suppressed"));
  EXPECT_FALSE(json.contains("drop"));
}

TEST(Eve, Flow) {
  Event event;
  event.kind = EventKind::flow;
  event.flow = test::flow_info();
  event.flow.src = *net::parse_ip("2001:db8::1");
  event.flow.dst = *net::parse_ip("2001:db8::2");
  event.flow_stats = {
      .packets_to_server = 3, .packets_to_client = 2, .bytes_to_server = 300, .bytes_to_client = 200};
  event.flow_stats.end_ns = 2'500'000'000;
  event.flow_stats.end = FlowEnd::reset;
  event.flow_stats.alerted = true;
  event.flow_stats.tcp_flags_to_server = 0x1b;
  event.flow_stats.tcp_flags_to_client = 0x04;
  const Json json = Json::parse(EveFormat().line(event, {}, kOffset));
  EXPECT_EQ(json["ip_v"], 6);
  EXPECT_EQ(json["src_ip"], "2001:0db8:0000:0000:0000:0000:0000:0001") << "as Suricata writes it";
  EXPECT_EQ(json["flow"], Json::parse(R"({"pkts_toserver":3,"pkts_toclient":2,"bytes_toserver":300,
      "bytes_toclient":200,"start":"2026-01-02T03:04:05.000000+0000","end":"2026-01-02T03:04:07.500000+0000",
      "age":2,"state":"closed","reason":"tcp_reset","alerted":true})"));
  EXPECT_EQ(json["tcp"], Json::parse(R"({"tcp_flags":"1f","tcp_flags_ts":"1b","tcp_flags_tc":"04",
      "syn":true,"fin":true,"rst":true,"psh":true,"ack":true})"));
  EXPECT_FALSE(json.contains("weir"));
  EXPECT_FALSE(json.contains("direction"));
}

TEST(Eve, WhyAFlowEnds) {
  const std::pair<FlowEnd, const char*> rows[] = {
      {FlowEnd::timeout, "timeout"}, {FlowEnd::closed, "tcp_close"}, {FlowEnd::reset, "tcp_reset"},
      {FlowEnd::dropped, "dropped"}, {FlowEnd::purged, "forced"},    {FlowEnd::given_way, "given_way"},
      {FlowEnd::none, "active"},     {FlowEnd::begun, "begun"}};
  for (const auto& [end, reason] : rows) {
    Event event;
    event.kind = EventKind::flow;
    event.flow = test::flow_info();
    event.flow_stats.end = end;
    EXPECT_EQ(Json::parse(EveFormat().line(event, {}, kOffset))["flow"]["reason"], reason);
  }
}

TEST(Eve, HowATranslatedSessionLeaves) {
  Event event;
  event.kind = EventKind::flow;
  event.flow = test::flow_info();
  event.flow.translated = true;
  event.flow.leaves = {*net::parse_ip("203.0.113.16"), *net::parse_ip("10.2.0.80"), 50'001, 80};
  EXPECT_EQ(
      Json::parse(EveFormat().line(event, {}, kOffset))["weir"]["nat"],
      Json::parse(R"({"src_ip":"203.0.113.16","src_port":50001,"dest_ip":"10.2.0.80","dest_port":80})"));
  event.flow.protocol = 1;
  EXPECT_EQ(Json::parse(EveFormat().line(event, {}, kOffset))["weir"]["nat"],
            Json::parse(R"({"src_ip":"203.0.113.16","dest_ip":"10.2.0.80"})"));
}

TEST(Eve, IcmpHasTypeAndCode) {
  Event event = alert_event();
  event.flow.protocol = 58;
  event.flow.src_port = 128;
  event.flow.dst_port = 0;
  const Json json = Json::parse(EveFormat().line(event, {}, kOffset));
  EXPECT_EQ(json["proto"], "IPv6-ICMP");
  EXPECT_EQ(json["icmp_type"], 128);
  EXPECT_EQ(json["icmp_code"], 0);
  EXPECT_FALSE(json.contains("src_port"));
}

TEST(Eve, HostileBytesStayValidJson) {
  Event event = alert_event();
  Fields fields;
  fields.writer.text(Field::http_url, std::string_view("/\xff\xc3(\0\x01\n\"\\", 9));
  event.alert.signature.assign("cut in a character: \xe2\x82");
  const std::string line = EveFormat().line(event, fields.writer.written(), kOffset);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const Json json = Json::parse(line);
  EXPECT_EQ(json["http"]["url"], R"(/\xff\xc3(\x00\x01\x0a"\)");
}

TEST(Eve, TimeBeforeTheEpochIsStillAString) {
  Event event = alert_event();
  event.time_ns = 0;
  EXPECT_EQ(Json::parse(EveFormat().line(event, {}, -1))["timestamp"], "1969-12-31T23:59:59.999999+0000");
}

}  // namespace
}  // namespace weir::inspection
