// First lines, fields and where messages begin and end.
#include <gtest/gtest.h>

#include "tests/unit/inspection/http/reading.h"

namespace weir::inspection::test {
namespace {

using namespace std::string_literals;

struct RequestRow {
  const char* name;
  std::string request;
  std::map<std::string, std::string> buffers;
  std::string events;
};

class Requests : public testing::TestWithParam<RequestRow> {};

TEST_P(Requests, AreReadInAnyPortions) {
  for (const size_t portion : {size_t{0}, size_t{1}, size_t{3}}) {
    Reading reading;
    reading.client(GetParam().request, portion).close();
    ASSERT_GE(reading.done.size(), 1U);
    for (const auto& [buffer, value] : GetParam().buffers) {
      EXPECT_EQ(reading.done[0][buffer], value) << buffer << " in portions of " << portion;
    }
    EXPECT_EQ(reading.done[0].events, GetParam().events);
  }
}

const std::string kHost = " HTTP/1.1\r\nHost: h\r\n\r\n";

INSTANTIATE_TEST_SUITE_P(
    Table, Requests,
    testing::Values(
        RequestRow{
            "plain",
            "GET /a/b?c=%41#d HTTP/1.1\r\nHost: WWW.Example.com:8080\r\nUser-Agent: x y \r\nCookie: "
            "c=1\r\n\r\n",
            {{"http.method", "GET"},
             {"http.uri", "/a/b?c=A#d"},
             {"http.uri.raw", "/a/b?c=%41#d"},
             {"http.request_line", "GET /a/b?c=%41#d HTTP/1.1"},
             {"http.protocol", "HTTP/1.1"},
             {"http.host", "www.example.com"},
             {"http.host.raw", "WWW.Example.com:8080"},
             {"http.user_agent", "x y"},
             {"http.cookie", "c=1"},
             {"http.header", "Host: WWW.Example.com:8080\r\nUser-Agent: x y\r\n"},
             {"http.header.raw", "Host: WWW.Example.com:8080\r\nUser-Agent: x y \r\nCookie: c=1\r\n\r\n"},
             {"http.header_names", "\r\nHost\r\nUser-Agent\r\nCookie\r\n\r\n"},
             {"http.request_header", "Host: WWW.Example.com:8080|User-Agent: x y|Cookie: c=1"},
             {"http.start",
              "GET /a/b?c=%41#d HTTP/1.1\r\nHost: WWW.Example.com:8080\r\nUser-Agent: x y\r\nCookie: "
              "c=1\r\n\r\n"},
             {"http.referer", "(none)"},
             {"http.request_body", "(none)"}},
            ""},
        RequestRow{
            "line feeds alone", "GET /a HTTP/1.1\nHost: h\n\n", {{"http.uri", "/a"}, {"http.host", "h"}}, ""},
        RequestRow{"empty lines before", "\r\n\n\r\nGET /a" + kHost, {{"http.method", "GET"}}, ""},
        RequestRow{"white space before",
                   "  GET /a" + kHost,
                   {{"http.method", "GET"}, {"http.request_line", "  GET /a HTTP/1.1"}},
                   "request_line_leading_whitespace"},
        RequestRow{"tab between",
                   "GET\t/a" + kHost,
                   {{"http.method", "GET"}, {"http.uri", "/a"}},
                   "method_delim_non_compliant"},
        RequestRow{"tab behind the target",
                   "GET /a\tHTTP/1.1\r\nHost: h\r\n\r\n",
                   {{"http.uri", "/a"}, {"http.protocol", "HTTP/1.1"}},
                   "uri_delim_non_compliant"},
        RequestRow{"wrong version",
                   "GET /a HTTP/3.7\r\nHost: h\r\n\r\n",
                   {{"http.protocol", "HTTP/3.7"}},
                   "request_line_invalid"},
        RequestRow{"no version, but fields",
                   "GET /a\r\nHost: h\r\n\r\n",
                   {{"http.uri", "/a"}, {"http.host", "h"}},
                   "request_line_missing_protocol"},
        RequestRow{"HTTP/0.9", "GET /a\r\n", {{"http.uri", "/a"}, {"http.protocol", "(none)"}}, ""},
        RequestRow{"method alone",
                   "GET\r\n\r\n",
                   {{"http.method", "GET"}, {"http.uri", "(none)"}},
                   "request_line_incomplete request_line_missing_protocol"},
        RequestRow{"folded",
                   "GET /a HTTP/1.1\r\nHost: h\r\nX-A: one\r\n  two\r\n\tthree \r\nX-B: b\r\n\r\n",
                   {{"http.header", "Host: h\r\nX-A: one two three\r\nX-B: b\r\n"}},
                   ""},
        RequestRow{"folded before any field",
                   "GET /a HTTP/1.1\r\n X: y\r\nHost: h\r\n\r\n",
                   {{"http.host", "h"}},
                   "request_header_invalid invalid_request_field_folding"},
        RequestRow{"space before the colon",
                   "GET /a HTTP/1.1\r\nHost : h\r\n\r\n",
                   {{"http.host", "h"}, {"http.header", "Host: h\r\n"}},
                   "request_header_invalid"},
        RequestRow{"no colon",
                   "GET /a HTTP/1.1\r\nHost: h\r\nnonsense\r\n\r\n",
                   {{"http.host", "h"}},
                   "request_field_missing_colon"},
        RequestRow{"repeated",
                   "GET /a HTTP/1.1\r\nHost: h\r\nUser-Agent: a\r\nX: x\r\nuser-agent: b\r\n\r\n",
                   {{"http.user_agent", "a, b"},
                    {"http.header", "Host: h\r\nUser-Agent: a, b\r\nX: x\r\n"},
                    {"http.header_names", "\r\nHost\r\nUser-Agent\r\nX\r\n\r\n"}},
                   ""},
        RequestRow{"absolute target",
                   "GET http://User@Other.com:80/x?y HTTP/1.1\r\nHost: h\r\n\r\n",
                   {{"http.host", "other.com"}, {"http.host.raw", "Other.com"}, {"http.uri", "/x?y"}},
                   "host_header_ambiguous"},
        RequestRow{
            "no host", "GET / HTTP/1.1\r\nA: b\r\n\r\n", {{"http.host", "(none)"}}, "missing_host_header"},
        RequestRow{"bad host",
                   "GET / HTTP/1.1\r\nHost: a..b\r\n\r\n",
                   {{"http.host", "a..b"}},
                   "request_header_host_invalid"},
        RequestRow{"unknown authorization",
                   "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: magic x\r\n\r\n",
                   {},
                   "request_auth_unrecognized"},
        RequestRow{"an empty field",
                   "GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: \r\n\r\n",
                   {{"http.user_agent", ""}},
                   ""},
        RequestRow{"encoded twice", "GET /%2541" + kHost, {{"http.uri", "/%41"}}, "double_encoded_uri"},
        RequestRow{"cut in the fields",
                   "GET /a HTTP/1.1\r\nHost: h\r\nUser-Agent: u",
                   {{"http.user_agent", "u"}},
                   ""}),
    [](const auto& row) {
      std::string name = row.param.name;
      std::replace_if(
          name.begin(), name.end(), [](char c) { return !isalnum(static_cast<unsigned char>(c)); }, '_');
      return name;
    });

struct ResponseRow {
  const char* name;
  std::string response;
  std::map<std::string, std::string> buffers;
  std::string events;
};

class Responses : public testing::TestWithParam<ResponseRow> {};

TEST_P(Responses, AreReadInAnyPortions) {
  for (const size_t portion : {size_t{0}, size_t{1}, size_t{3}}) {
    Reading reading;
    reading.client(kGet).server(GetParam().response, portion).close();
    ASSERT_GE(reading.done.size(), 1U);
    for (const auto& [buffer, value] : GetParam().buffers) {
      EXPECT_EQ(reading.done[0][buffer + "<"], value) << buffer << " in portions of " << portion;
    }
    EXPECT_EQ(reading.done[0].events, GetParam().events);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, Responses,
    testing::Values(
        ResponseRow{"plain",
                    "HTTP/1.1 200 All right\r\nServer: s\r\nContent-Type: text/html\r\nContent-Length: "
                    "3\r\nSet-Cookie: a\r\n"
                    "Set-Cookie: b\r\n\r\nabc",
                    {{"http.stat_code", "200"},
                     {"http.stat_msg", "All right"},
                     {"http.response_line", "HTTP/1.1 200 All right"},
                     {"http.protocol", "HTTP/1.1"},
                     {"http.server", "s"},
                     {"http.content_type", "text/html"},
                     {"http.content_len", "3"},
                     {"http.cookie", "a, b"},
                     {"http.header", "Server: s\r\nContent-Type: text/html\r\nContent-Length: 3\r\n"},
                     {"http.response_body", "abc"},
                     {"file.data", "abc"},
                     {"file.name", "/a"}},
                    ""},
        ResponseRow{"no message",
                    "HTTP/1.0 200\r\n\r\nabc",
                    {{"http.stat_code", "200"}, {"http.stat_msg", "(none)"}, {"file.data", "abc"}},
                    ""},
        ResponseRow{"no code",
                    "HTTP/1.1\r\nContent-Length: 1\r\n\r\nabc",
                    {{"http.stat_code", "(none)"}, {"file.data", "a"}},
                    "response_invalid_status"},
        ResponseRow{"odd code",
                    "HTTP/1.1 20a x\r\n\r\nabc",
                    {{"http.stat_code", "20a"}, {"file.data", "abc"}},
                    "response_invalid_status"},
        ResponseRow{
            "odd protocol", "http/2.7 200 x\r\n\r\nabc", {{"file.data", "abc"}}, "response_invalid_protocol"},
        ResponseRow{"carriage returns alone",
                    "HTTP/1.1 200 x\rServer: s\rContent-Length: 1\r\n\nabc",
                    {{"http.server", "s"}, {"file.data", "a"}},
                    ""},
        ResponseRow{"white lines before", " \r\n\t\r\nHTTP/1.1 200 x\r\n\r\nabc", {{"file.data", "abc"}}, ""},
        ResponseRow{"a line of junk before",
                    "foobar\r\nHTTP/1.1 200 x\r\n\r\nabc",
                    {{"http.stat_code", "200"}, {"file.data", "abc"}},
                    ""},
        ResponseRow{"no head",
                    "<html>hello",
                    {{"http.stat_code", "(none)"}, {"file.data", "<html>hello"}},
                    "response_invalid_protocol"},
        ResponseRow{"white line ends the head",
                    "HTTP/1.1 200 x\r\nContent-Length: 2\n \nab",
                    {{"file.data", "ab"}},
                    ""},
        ResponseRow{"white line and an empty one",
                    "HTTP/1.1 200 x\r\nContent-Length: 2\n \n\nab",
                    {{"file.data", "ab"}},
                    ""},
        ResponseRow{"white line, then what is no field",
                    "HTTP/1.1 200 x\r\nContent-Length: 4\r\n \r\n\x1f\x8b\x01\x02"s,
                    {{"file.data", "\x1f\x8b\x01\x02"s}},
                    ""},
        ResponseRow{"white line, then a field",
                    "HTTP/1.1 200 x\r\nA: b\r\n \r\nContent-Length: 2\r\n\r\nabc",
                    {{"file.data", "ab"}},
                    ""},
        ResponseRow{
            "disposition",
            "HTTP/1.1 200 x\r\nContent-Disposition: attachment; size=1; filename=\"a b.exe\"\r\n\r\nx",
            {{"file.name", "a b.exe"}},
            ""},
        ResponseRow{"disposition without quotes",
                    "HTTP/1.1 200 x\r\nContent-Disposition: attachment; FileName = c.exe ; a=b\r\n\r\nx",
                    {{"file.name", "c.exe"}},
                    ""}),
    [](const auto& row) {
      std::string name = row.param.name;
      std::replace_if(
          name.begin(), name.end(), [](char c) { return !isalnum(static_cast<unsigned char>(c)); }, '_');
      return name;
    });

TEST(HttpMessages, PipelinedResponsesGoToTheirRequests) {
  Reading reading;
  reading.client(
      "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: h\r\n\r\nGET /3 HTTP/1.1\r\nHost: "
      "h\r\n\r\n");
  reading.server(
      "HTTP/1.1 200 x\r\nContent-Length: 1\r\n\r\na"
      "HTTP/1.1 200 x\r\nContent-Length: 100\r\n\r\n"
      "HTTP/1.1 200 x\r\nContent-Length: 1\r\n\r\nc");
  ASSERT_EQ(reading.done.size(), 3U);
  EXPECT_EQ(reading.done[0]["http.uri"] + reading.done[0]["file.data<"], "/1a");
  EXPECT_EQ(reading.done[1]["http.uri"] + reading.done[1]["file.data<"], "/2(none)");
  EXPECT_EQ(reading.done[2]["http.uri"] + reading.done[2]["file.data<"], "/3c");
  EXPECT_EQ(reading.done[2].id, 2U);
}

TEST(HttpMessages, AnInterimResponseIsLookedOver) {
  Reading reading;
  reading.client(kGet).server(
      "HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 201 x\r\nContent-Length: 1\r\n\r\na");
  ASSERT_EQ(reading.done.size(), 1U);
  EXPECT_EQ(reading.done[0]["http.stat_code<"], "201");
  EXPECT_EQ(reading.done[0]["http.header<"], "Content-Length: 1\r\n");
  EXPECT_EQ(reading.done[0].events, "");
}

TEST(HttpMessages, ASecondContinueIsTold) {
  Reading reading;
  reading.client(kGet).server("HTTP/1.1 100 x\r\n\r\nHTTP/1.1 100 x\r\n\r\nHTTP/1.1 204 x\r\n\r\n");
  ASSERT_EQ(reading.done.size(), 1U);
  EXPECT_EQ(reading.done[0].events, "100_continue_already_seen");
}

TEST(HttpMessages, NoBodyBehind204UnlessItIsThere) {
  Reading without, with;
  without.client(kGet + kGet)
      .server("HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 x\r\nContent-Length: 1\r\n\r\na");
  ASSERT_EQ(without.done.size(), 2U);
  EXPECT_EQ(without.done[0]["file.data<"], "(none)");
  EXPECT_EQ(without.done[1]["file.data<"], "a");
  with.client(kGet).server("HTTP/1.1 204 x\r\nContent-Length: 3\r\n\r\n").server("abc");
  ASSERT_EQ(with.done.size(), 1U);
  EXPECT_EQ(with.done[0]["file.data<"], "abc");
}

TEST(HttpMessages, AResponseWithoutRequestIsInspected) {
  Reading reading;
  reading.server("HTTP/1.1 200 x\r\nContent-Length: 3\r\n\r\nabc");
  ASSERT_EQ(reading.done.size(), 1U);
  EXPECT_EQ(reading.done[0]["file.data<"], "abc");
  EXPECT_EQ(reading.done[0]["http.method"], "(none)");
  EXPECT_TRUE(reading.done[0].has("unable_to_match_response_to_request"));
}

TEST(HttpMessages, ATunnelBelongsToAnotherProtocol) {
  Reading reading;
  reading.client("CONNECT a.b:443 HTTP/1.1\r\nHost: a.b\r\n\r\n")
      .server("HTTP/1.1 200 ok\r\n\r\n\x16\x03\x01");
  EXPECT_EQ(reading.last.next, Next::other);
  EXPECT_EQ(reading.rest, "\x16\x03\x01");
  ASSERT_EQ(reading.done.size(), 1U);
  EXPECT_EQ(reading.done[0]["http.uri"], "a.b:443");
  EXPECT_EQ(reading.counters.tunnels, 1U);
  EXPECT_EQ(reading.parser().advance(Direction::to_server, http::as_bytes("\x16"), 0).next, Next::other);
}

TEST(HttpMessages, ATunnelToAPathHasNoHost) {
  Reading reading;
  reading.client("CONNECT / HTTP/1.1\r\nA: b\r\n\r\n").close();
  EXPECT_EQ(reading.done.at(0)["http.host"], "(none)");
  EXPECT_EQ(reading.done.at(0)["http.uri"], "/");
}

TEST(HttpMessages, ARefusedTunnelGoesOn) {
  Reading reading;
  reading.client("CONNECT a.b:443 HTTP/1.1\r\nHost: a.b\r\n\r\n")
      .server("HTTP/1.1 407 no\r\nContent-Length: 1\r\n\r\nx");
  reading.client(kGet).server("HTTP/1.1 200 x\r\nContent-Length: 1\r\n\r\na");
  ASSERT_EQ(reading.done.size(), 2U);
  EXPECT_EQ(reading.done[1]["file.data<"], "a");
}

TEST(HttpMessages, AnUpgradeBelongsToAnotherProtocol) {
  Reading reading;
  reading.client("GET /a HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n")
      .server("HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n\x81");
  EXPECT_EQ(reading.last.next, Next::other);
  EXPECT_EQ(reading.rest, "\x81");
  EXPECT_EQ(reading.done.at(0).events, "");
}

TEST(HttpMessages, SwitchingThatNobodyAskedForIsTold) {
  Reading reading;
  reading.client(kGet).server("HTTP/1.1 101 x\r\n\r\n");
  EXPECT_EQ(reading.done.at(0).events, "failed_protocol_change");
}

TEST(HttpMessages, AGapInABodyIsStepped) {
  Reading reading;
  reading.client(kGet)
      .server("HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\nabc")
      .gap(Direction::to_client, 3)
      .server("ghi");
  reading.client(kGet).server("HTTP/1.1 200 x\r\nContent-Length: 1\r\n\r\na");
  ASSERT_EQ(reading.done.size(), 2U);
  EXPECT_EQ(reading.done[0]["file.data<"], "abcghi");
  EXPECT_EQ(reading.done[0].files.at(0), "/a:9:truncated:gaps");
  EXPECT_EQ(reading.done[1]["file.data<"], "a");
}

TEST(HttpMessages, AfterAGapTheNextFirstLineIsFound) {
  Reading reading;
  reading.client(kGet)
      .server("HTTP/1.1 200 x\r\nContent-Le")
      .gap(Direction::to_client, 100)
      .server("er: x\r\n\r\nabc\r\n");
  reading.client("GET /b HTTP/1.1\r\nHost: h\r\n\r\n").server("HTTP/1.1 200 x\r\nContent-Length: 1\r\n\r\na");
  ASSERT_EQ(reading.done.size(), 2U);
  EXPECT_EQ(reading.done[1]["http.uri"], "/b");
  EXPECT_EQ(reading.done[1]["file.data<"], "a");
}

TEST(HttpMessages, AfterAGapInRequestsTheNextOneIsFound) {
  for (const size_t portion : {size_t{0}, size_t{1}}) {
    Reading reading;
    reading.client("GET /a HTTP/1.1\r\nHo").gap(Direction::to_server, 10);
    reading.client("rest: of it\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n", portion).close();
    ASSERT_EQ(reading.done.size(), 2U) << portion;
    EXPECT_EQ(reading.done[1]["http.uri"], "/b");
  }
}

}  // namespace
}  // namespace weir::inspection::test
