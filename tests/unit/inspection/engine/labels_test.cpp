// Names of Kuma, headers of proxies, labels by fields of HTTP: tables of what is one and what is none.
#include <gtest/gtest.h>

#include "inspection/app/http/parser.h"
#include "inspection/app/labels/app_label.h"
#include "inspection/app/labels/proxy_header.h"
#include "tests/unit/inspection/engine/bytes.h"

namespace weir::inspection {
namespace {

using namespace test;

struct NameRow {
  const char* sni;
  const char* read;  // service|mesh|zone|namespace; null: none of the forms
};
const NameRow kNames[] = {
    {"backend{mesh=demo}", "backend|demo||"},
    {"backend{mesh=demo,version=2}", "backend|demo||"},
    {"backend_demo_svc_80{kuma.io/zone=east,mesh=demo}", "backend_demo_svc_80|demo|east|"},
    {"web.shop{k8s.kuma.io/namespace=shop,mesh=m}", "web.shop|m||shop"},
    {"backend{version=2}", nullptr},  // always carries its mesh
    {"backend{}", nullptr},
    {"{mesh=demo}", nullptr},
    {"backend{mesh=demo", nullptr},
    {"backend{mesh=demo}x", nullptr},
    {"backend{mesh=demo,}", nullptr},
    {"backend{mesh}", nullptr},
    {"backend{mesh={}}", nullptr},
    {"back}end{mesh=demo}", nullptr},
    {"a0123456789abcdef.backend.80.demo.ms", "backend|demo||"},
    {"a0123456789abcdef.redis.kuma-demo.6379.demo.ms", "redis.kuma-demo|demo||"},
    {"affffffffffffffff.out.443.demo.mes", "out|demo||"},
    {"affffffffffffffff.all.443.demo.mzms", "all|demo||"},
    {"affffffffffffffff.all.443.demo.msx", nullptr},
    {"affffffffffffffff.all.port.demo.ms", nullptr},
    {"affffffffffffffff.443.demo.ms", nullptr},
    {"afffffffffffffff.all.443.demo.ms", nullptr},  // 15 digits
    {"aFFFFFFFFFFFFFFFF.all.443.demo.ms", nullptr},
    {"b0123456789abcdef.backend.80.demo.ms", nullptr},
    {"sni.msvc.demo.backend.http", "backend|demo||"},
    {"sni.extsvc.demo.east.backend.http", "backend|demo|east|"},
    {"sni.mzsvc.demo.east.shop.backend.http", "backend|demo|east|shop"},
    {"sni.msvc.demo.east.shop.backend.http.more", nullptr},
    {"sni.msvc.demo.backend", nullptr},
    {"sni.svc.demo.backend.http", nullptr},
    {"sni.msvc.demo..http", nullptr},
    {"sni.msvc.Demo.backend.http", nullptr},
    {"www.example.org", nullptr},
    {"kong_clustering", nullptr},
    {"", nullptr},
};

std::string text_of(const KumaName& name) {
  std::string out(name.service);
  for (const std::string_view part : {name.mesh, name.zone, name.name_space}) out += '|' + std::string(part);
  return out;
}

TEST(KumaName, InThreeForms) {
  for (const NameRow& row : kNames) {
    SCOPED_TRACE(row.sni);
    const auto name = read_kuma_sni(row.sni);
    ASSERT_EQ(name.has_value(), row.read != nullptr);
    if (name) {
      EXPECT_EQ(text_of(*name), row.read);
    }
  }
  // kumahq/kuma#8915: longer than a name of DNS may be.
  const std::string long_name = std::string(300, 'b') + "{mesh=demo}";
  EXPECT_EQ(text_of(read_kuma_sni(long_name).value()), std::string(300, 'b') + "|demo||");
  EXPECT_FALSE(read_kuma_sni("sni.msvc.demo." + std::string(240, 'b') + ".http"));
}

TEST(KumaName, OfCertificates) {
  const NameRow kRows[] = {
      {"spiffe://demo/backend", "backend|demo||"},
      {"spiffe://demo/ns/shop/sa/web", "|demo||"},
      {"spiffe://demo.east.mesh.local/ns/shop/sa/web", "|demo|east|shop"},
      {"spiffe://demo.east.mesh.local/workload/web", "|demo|east|"},
      {"spiffe://demo.mesh.local/workload/web", "|demo||"},
      {"kuma://kuma.io/zone/east", "||east|"},
      {"kuma://k8s.kuma.io/namespace/shop", "|||shop"},
      {"kuma://version/2", "|||"},
      {"kuma://", "|||"},
      {"spiffe://", "|||"},
      {"https://demo/backend", "|||"},
  };
  for (const NameRow& row : kRows) EXPECT_EQ(text_of(read_kuma_uri(row.sni)), row.read) << row.sni;
}

TEST(ProxyHeader, BothVersionsInAnyPortions) {
  using Answer = ProxyHeader::Answer;
  const std::string v2_begin("\r\n\r\n\0\r\nQUIT\n", 12);
  const std::string v2 = v2_begin + std::string("\x21\x11\0\x0c", 4) + std::string(12, 'a');
  struct Row {
    std::string bytes;
    size_t size;  // 0: none
  };
  const Row kRows[] = {
      {"PROXY TCP4 192.0.2.1 192.0.2.2 1024 443\r\n", 41},
      {"PROXY TCP6 2001:db8::1 2001:db8::2 1024 443\r\n", 45},
      {"PROXY UNKNOWN\r\n", 15},
      {"PROXY UNKNOWN " + std::string(100, 'f') + "\r\n", 0},  // longer than it may be
      {"PROXY SCTP 1 2 3 4\r\n", 0},
      {"PROXY /index HTTP/1.1\r\n", 0},
      {"POST / HTTP/1.1\r\n", 0},
      {v2, 28},
      {v2_begin + std::string("\x20\0\0\0", 4), 16},                    // LOCAL
      {v2_begin + std::string("\x31\x11\0\x0c", 4) + "aaaa", 0},        // version 3
      {v2_begin + std::string("\x21\x11\xff\xff", 4) + "aaaaaaaa", 0},  // larger than is read
      {"\r\n\r\nGET", 0},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.bytes);
    const Octets whole = text(row.bytes + "x");
    EXPECT_EQ(read_proxy_header(whole).answer, row.size > 0 ? Answer::yes : Answer::no);
    EXPECT_EQ(read_proxy_header(whole).size, row.size);
    for (size_t size = 0; size < row.size; ++size)
      EXPECT_EQ(read_proxy_header(std::span(whole).first(size)).answer, Answer::more) << size;
  }
}

/// What both directions of one exchange are.
std::string labels(const std::string& request, const std::string& response) {
  BytePool pool(1 << 20);
  HttpLimits limits;
  HttpCounters counters;
  AppParser* const parser = HttpParser::make(pool, limits, counters);
  const Octets first = text(request), second = text(response);
  parser->advance(Direction::to_server, first, 0);
  std::string out = "none";
  if (!second.empty()) parser->advance(Direction::to_client, second, 0);
  if (!parser->transactions().empty()) {
    Transaction& http = *parser->transactions()[0];
    out = std::string(name_of(label_of(http, Direction::to_server))) + '/' +
          std::string(name_of(label_of(http, Direction::to_client)));
  }
  parser->destroy();
  return out;
}

TEST(AppLabel, OfHttp) {
  struct Row {
    const char* request;
    const char* response;
    const char* labels;
  };
  constexpr const char* kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  const Row kRows[] = {
      {"GET /v1/outlet?node_id=1 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
       "", "kong-cluster/"},
      {"GET /v2/outlet HTTP/1.1\r\nHost: h\r\nUpgrade: WebSocket\r\n\r\n", "", "kong-cluster/"},
      {"GET /v1/outlet HTTP/1.1\r\nHost: h\r\n\r\n", "", "/"},  // no WebSocket
      {"GET /v1/outlets HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n", "", "/"},
      {kGet, "HTTP/1.1 200 OK\r\nX-Kong-Admin-Latency: 3\r\nContent-Length: 0\r\n\r\n", "/kong-admin"},
      {kGet, "HTTP/1.1 200 OK\r\nVia: 1.1 kong/3.9.0\r\nContent-Length: 0\r\n\r\n", "/kong"},
      {kGet, "HTTP/1.1 200 OK\r\nvia: kong/3.4.2\r\nx-kong-admin-latency: 1\r\nContent-Length: 0\r\n\r\n",
       "/kong-admin"},
      {kGet, "HTTP/1.1 200 OK\r\nVia: 1.1 varnish\r\nContent-Length: 0\r\n\r\n", "/"},
      {kGet, "HTTP/1.1 200 OK\r\nX-Kong-Upstream-Latency: 1\r\nContent-Length: 0\r\n\r\n", "/kong"},
      {kGet, "HTTP/1.1 200 OK\r\nserver: envoy\r\nContent-Length: 0\r\n\r\n", "/envoy"},
      {"GET / HTTP/1.1\r\nHost: h\r\nX-Envoy-Expected-Rq-Timeout-Ms: 15000\r\n\r\n", "", "envoy/"},
      {"GET / HTTP/1.1\r\nHost: h\r\nX-Kong-Admin-Latency: 1\r\nServer: envoy\r\n\r\n", "",
       "/"},  // of answers
      {kGet, "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 0\r\n\r\n", "/"},
  };
  for (const Row& row : kRows)
    EXPECT_EQ(labels(row.request, row.response), row.labels) << row.request << row.response;
}

}  // namespace
}  // namespace weir::inspection
