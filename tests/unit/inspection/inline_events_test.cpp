// What the hub tells of inspected sessions: events of transactions, with bounded fields.
#include <nlohmann/json.hpp>

#include "inspection/events/eve.h"
#include "support.h"

namespace weir::inspection::test {
namespace {

using Json = nlohmann::json;

constexpr const char* kSome =
    "alert http any any -> any any (msg:\"m\"; http.uri; content:\"/x\"; "
    "metadata:policy a, policy b; sid:1; rev:2;)";

class InlineEvents : public testing::Test {
 protected:
  InlineEvents() : inspector(make_inspector({.flows = 4}, 0, {})) {}

  Json json(size_t i) const {
    return Json::parse(EveFormat().line(sink.events.at(i), sink.fields.at(i), 1'767'323'045'000'000'000));
  }
  std::vector<Json> all(EventKind kind) const {
    std::vector<Json> found;
    for (size_t i = 0; i < sink.events.size(); ++i) {
      if (sink.events[i].kind == kind) found.push_back(json(i));
    }
    return found;
  }

  std::unique_ptr<Inspector> inspector;
  RecordingSink sink;
};

TEST_F(InlineEvents, AnExchangeAndItsFile) {
  Session session(*inspector, compile(kSome), sink);
  session.handshake();
  const std::string request =
      "POST /x?a HTTP/1.1\r\nHost: H.org:81\r\nUser-Agent: ua\r\nReferer: r\r\n"
      "X-Forwarded-For: 203.0.113.9\r\nContent-Length: 0\r\n\r\n";
  const std::string answer =
      "HTTP/1.1 301 Moved\r\nLocation: /y\r\nContent-Type: text/html; charset=x\r\n"
      "Content-Length: 5\r\n\r\nhello";
  session.client(0, request);
  EXPECT_TRUE(all(EventKind::http).empty()) << "not over";
  session.server(0, answer, static_cast<uint32_t>(request.size()));
  session.client(static_cast<uint32_t>(request.size()), "", static_cast<uint32_t>(answer.size()));
  const auto http = all(EventKind::http);
  ASSERT_EQ(http.size(), 1u);
  EXPECT_EQ(http[0]["http"],
            Json::parse(R"({"hostname":"h.org","http_port":81,"url":"/x?a","http_user_agent":"ua",
      "xff":"203.0.113.9","http_content_type":"text/html","http_refer":"r","http_method":"POST",
      "protocol":"HTTP/1.1","status":301,"redirect":"/y","length":5})"));
  EXPECT_EQ(http[0]["tx_id"], 0);
  EXPECT_EQ(http[0]["src_ip"], "10.1.0.5");
  const auto files = all(EventKind::fileinfo);
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0]["fileinfo"],
            Json::parse(R"({"filename":"/x","gaps":false,"state":"CLOSED","stored":false,
      "size":5,"tx_id":0})"));
  EXPECT_EQ(files[0]["src_ip"], "10.2.0.80") << "who sent it";
  EXPECT_EQ(files[0]["http"]["url"], "/x?a");
  const auto alerts = all(EventKind::alert);
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0]["alert"]["metadata"], Json::parse(R"({"policy":["a","b"]})"));
  EXPECT_EQ(alerts[0]["app_proto"], "http");
  EXPECT_EQ(alerts[0]["tx_id"], 0);
  EXPECT_EQ(inspector->counters().events_cut, 0u);
}

/// What is written once for two events is of the right transaction, in whatever order events come.
TEST_F(InlineEvents, ATransactionIsToldTheSameWithItsFileAndOfItself) {
  const auto ruleset = compile(kSome);
  std::vector<std::unique_ptr<Session>> sessions;
  std::array<uint32_t, 2> sent{}, answered{};
  for (size_t s = 0; s < 2; ++s) {
    sessions.push_back(std::make_unique<Session>(*inspector, ruleset, sink));
    sessions[s]->handshake();
  }
  for (int i = 0; i < 6; ++i) {
    const size_t s = static_cast<size_t>(i / 2 % 2);
    const std::string request =
        "GET /u" + std::to_string(i) + " HTTP/1.1\r\nHost: h" + std::to_string(i) + "\r\n\r\n";
    // Every third one has no file.
    const std::string answer =
        i % 3 == 2 ? "HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n"
                   : "HTTP/1.1 20" + std::to_string(i) + " OK\r\nContent-Length: 4\r\n\r\nbody";
    sessions[s]->client(sent[s], request, answered[s]);
    sent[s] += static_cast<uint32_t>(request.size());
    sessions[s]->server(answered[s], answer, sent[s]);
    answered[s] += static_cast<uint32_t>(answer.size());
    sessions[s]->client(sent[s], "", answered[s]);
  }
  const auto http = all(EventKind::http), files = all(EventKind::fileinfo);
  ASSERT_EQ(http.size(), 6u);
  ASSERT_EQ(files.size(), 4u);
  size_t file = 0;
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(http[i]["http"]["url"], "/u" + std::to_string(i));
    EXPECT_EQ(http[i]["http"]["hostname"], "h" + std::to_string(i));
    if (i % 3 == 2) continue;
    EXPECT_EQ(files[file]["http"], http[i]["http"]);
    ++file;
  }
}

TEST_F(InlineEvents, WhatIsUnderWayIsToldWhenTheSessionEnds) {
  const auto ruleset = compile(kSome);
  const FlowHandle flow = inspector->open(flow_info());
  const auto send = [&](Direction d, uint32_t seq, uint32_t ack, uint8_t flags, std::string_view payload) {
    WholePacket whole(6, flags, payload);
    Packet& packet = whole.packet;
    packet.direction = d;
    packet.seq = seq;
    packet.ack = ack;
    return inspector->inspect(flow, *ruleset, packet, sink).action;
  };
  send(Direction::to_server, 100, 0, kSyn, "");
  send(Direction::to_client, 500, 101, kSyn | kAck, "");
  send(Direction::to_server, 101, 501, kAck, "GET /waits HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(sink.events.empty());
  EXPECT_EQ(inspector->protocols(flow).own, AppProtocol::http1);
  inspector->finish(flow, 77, sink);
  ASSERT_EQ(sink.events.size(), 1u);
  EXPECT_EQ(sink.events[0].time_ns, 77u);
  EXPECT_EQ(json(0)["http"]["url"], "/waits");
  EXPECT_FALSE(json(0)["http"].contains("status"));
  inspector->finish(flow, 78, sink);
  EXPECT_EQ(sink.events.size(), 1u) << "once";
  inspector->close(flow);
}

TEST_F(InlineEvents, LongFieldsAreCutNamedAndCounted) {
  Session session(*inspector, compile(kSome), sink);
  session.handshake();
  const std::string url = "/x" + std::string(6'000, 'u');
  session.client(0, "GET " + url + " HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_EQ(sink.events.size(), 1u);
  EXPECT_EQ(json(0)["weir"]["truncated"], Json::parse(R"(["url"])"));
  EXPECT_EQ(json(0)["http"]["url"], url.substr(0, 2'048));
  EXPECT_EQ(inspector->counters().events_cut, 1u);
}

TEST_F(InlineEvents, OnlyTheKindsThatAreAskedFor) {
  EventSettings settings;
  settings.kinds = EventKinds().set(EventKind::http);
  inspector = make_inspector({.flows = 4}, 0, settings);
  Session session(*inspector, compile(kSome), sink);
  session.handshake();
  const std::string request = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
  session.client(0, request);
  session.server(0, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", static_cast<uint32_t>(request.size()));
  session.client(static_cast<uint32_t>(request.size()), "", 39);
  ASSERT_EQ(sink.events.size(), 1u);
  EXPECT_EQ(sink.events[0].kind, EventKind::http);
  EXPECT_EQ(inspector->counters().alerts, 1u) << "counted all the same";
}

TEST_F(InlineEvents, ADatagramsMessage) {
  FlowInfo info = flow_info(17);
  info.dst_port = 53;
  Session session(*inspector, compile(kSome), sink, info);
  const std::string query("\x12\x34\1\0\0\1\0\0\0\0\0\0\7example\3org\0\0\1\0\1", 29);
  session.raw(Direction::to_server, 0, 0, 0, query);
  const auto dns = all(EventKind::dns);
  ASSERT_EQ(dns.size(), 1u);
  EXPECT_EQ(dns[0]["dns"]["type"], "request");
  EXPECT_EQ(dns[0]["dns"]["queries"], Json::parse(R"([{"rrname":"example.org","rrtype":"A"}])"));
}

TEST_F(InlineEvents, WhatIsWrongWithARequest) {
  Session session(*inspector, compile(kSome), sink);
  session.handshake();
  const std::string request = "GET /y HTTP/1.1\r\n\r\n";
  session.client(0, request);
  session.server(0, "HTTP/1.1 204 No\r\n\r\n", static_cast<uint32_t>(request.size()));
  const auto wrong = all(EventKind::anomaly);
  ASSERT_EQ(wrong.size(), 1u);
  EXPECT_EQ(wrong[0]["anomaly"], Json::parse(R"({"app_proto":"http","type":"applayer",
      "event":"missing_host_header","layer":"proto_parser"})"));
  EXPECT_EQ(wrong[0]["tx_id"], 0);
}

TEST_F(InlineEvents, WhichPacketWasNotSent) {
  Session session(*inspector, compile("drop tcp any any -> any any (content:\"evil\"; sid:7;)"), sink);
  session.handshake();
  EXPECT_EQ(session.client(0, "evil"), Action::drop_session);
  const auto drops = all(EventKind::drop);
  ASSERT_EQ(drops.size(), 1u);
  const Json& drop = drops[0]["drop"];
  EXPECT_EQ(drop["reason"], "rules");
  EXPECT_EQ(drop["len"], 44);
  EXPECT_EQ(drop["ttl"], 64);
  EXPECT_EQ(drop["tcpseq"], 1001);
  EXPECT_EQ(drop["ack"], true);
  EXPECT_EQ(drop["syn"], false);
  EXPECT_EQ(drops[0]["alert"]["signature_id"], 7);
}

}  // namespace
}  // namespace weir::inspection::test
