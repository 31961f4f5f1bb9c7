#include "inspection/app/http_request.h"

#include "support.h"

namespace weir::inspection {
namespace {

using test::bytes_of;

std::string transformed(size_t (*function)(std::string_view, std::span<uint8_t>), std::string_view in) {
  std::vector<uint8_t> out(256);
  const size_t size = function(in, out);
  return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size)};
}

/// What the parser told of a stream: "METHOD URI|" for a request line, then "headers|", "stop".
std::string parse(std::string_view stream, size_t portion, bool from_start = true) {
  auto request = std::make_unique<HttpRequest>();
  request->reset(from_start);
  std::string log;
  while (!stream.empty()) {
    const std::string_view piece = stream.substr(0, portion);
    stream.remove_prefix(piece.size());
    auto bytes = bytes_of(piece);
    while (!bytes.empty()) {
      const HttpRequest::Step step = request->advance(bytes);
      EXPECT_TRUE(step.consumed > 0 || step.point != HttpRequest::Point::none);
      bytes = bytes.subspan(step.consumed);
      if (step.point == HttpRequest::Point::request_line) {
        log += std::string(request->method()) + " " + std::string(request->raw_uri()) + "|";
      } else if (step.point == HttpRequest::Point::headers) {
        std::vector<uint8_t> host(64);
        host.resize(header_values(request->header_lines(), "host", host));
        log += std::string(host.begin(), host.end()) + "|";
      } else if (step.point == HttpRequest::Point::not_http) {
        return log + "stop";
      }
    }
  }
  return log;
}

struct Row {
  const char* name;
  std::string stream;
  const char* log;
  bool from_start = true;
};

class HttpStream : public testing::TestWithParam<Row> {};

TEST_P(HttpStream, IsTheSameInAllPortions) {
  for (size_t portion : {size_t{1}, size_t{2}, size_t{3}, size_t{7}, size_t{100'000}}) {
    EXPECT_EQ(parse(GetParam().stream, portion, GetParam().from_start), GetParam().log) << portion;
  }
}

const std::string kNext = "GET /next HTTP/1.1\r\nHost: n\r\n\r\n";

INSTANTIATE_TEST_SUITE_P(
    Rows, HttpStream,
    testing::Values(
        Row{"simple", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a|h|"},
        Row{"bare_line_feeds", "GET /a HTTP/1.1\nHost: h\n\n", "GET /a|h|"},
        Row{"pipelined", "GET /a HTTP/1.1\r\n\r\n\r\n" + kNext, "GET /a||GET /next|n|"},
        Row{"content_length", "POST /a HTTP/1.1\r\nContent-Length: 20\r\n\r\nGET /x HTTP/1.1\r\nab\n" + kNext,
            "POST /a||GET /next|n|"},
        Row{"chunked",
            "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nGET /\r\n11\r\nGET /x "
            "HTTP/1.1\r\n\r\n0\r\n"
            "Trailer: x\r\n\r\n" +
                kNext,
            "POST /a||GET /next|n|"},
        // Where the length is in doubt, requests are looked for at every line.
        Row{"length_and_chunked",
            "POST /a HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + kNext,
            "POST /a||GET /next|n|"},
        Row{"two_lengths", "POST /a HTTP/1.1\r\nContent-Length: 9\r\nContent-Length: 0\r\n\r\n" + kNext,
            "POST /a||GET /next|n|"},
        Row{"length_not_a_number", "POST /a HTTP/1.1\r\nContent-Length: 1x\r\n\r\nab\r\n" + kNext,
            "POST /a||GET /next|n|"},
        Row{"folded_length", "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n , x\r\n\r\nzz\r\n" + kNext,
            "POST /a||GET /next|n|"},
        Row{"bad_chunk", "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + kNext,
            "POST /a||GET /next|n|"},
        Row{"length_behind_long_headers",
            "POST /a HTTP/1.1\r\nX: " + std::string(16'000, 'x') + "\r\nY: " + std::string(600, 'y') +
                "\r\nContent-Length: 3\r\n\r\nabc" + kNext,
            "POST /a||GET /next|n|"},
        Row{"connect", "CONNECT h:443 HTTP/1.1\r\n\r\n\x16\x03\x01\n" + kNext, "CONNECT h:443||GET /next|n|"},
        Row{"upgrade", "GET /a HTTP/1.1\r\nUpgrade: websocket\r\n\r\n\x81\x05\n" + kNext,
            "GET /a||GET /next|n|"},
        Row{"junk_between", "GET /a HTTP/1.1\r\n\r\n\x01\x02\n" + kNext, "GET /a||GET /next|n|"},
        Row{"no_version", "GET /a\r\n\r\n", "GET /a||"},
        Row{"uri_with_blanks", "GET /a b HTTP/1.1\r\n\r\n", "GET /a b||"},
        Row{"own_method", "PROPFIND /a HTTP/1.1\r\n\r\n", "PROPFIND /a||"},
        Row{"tls", std::string("\x16\x03\x01\x02\x00", 5), "stop"},
        Row{"http2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "stop"},
        Row{"http2_by_upgrade", "PRI * HTTP/1.1\r\n\r\n", "PRI *||"},
        // A first line that is odd, but no other protocol's: requests are looked for behind it.
        Row{"smtp", "EHLO example.org\r\n" + kNext, "GET /next|n|"},
        Row{"long_word", std::string(40, 'A'), ""},
        Row{"long_method", std::string(40, 'A') + " /a HTTP/1.1\r\n\r\n" + kNext, "GET /next|n|"},
        Row{"blank_after_version", "PROPFIND /a HTTP/1.1 \r\n\r\n" + kNext, "PROPFIND /a||GET /next|n|"},
        // In doubt, no length is believed again.
        Row{"false_request_in_doubt",
            "POST /a HTTP/1.1\r\nUpgrade: x\r\nContent-Length: 51\r\n\r\n"
            "POST /b HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" +
                kNext,
            "POST /a||POST /b||GET /next|n|"},
        Row{"false_request_without_end",
            "POST /a HTTP/1.1\r\nUpgrade: x\r\nContent-Length: 18\r\n\r\nPOST /b HTTP/1.1\r\nHost: f\r\n" +
                kNext,
            "POST /a||POST /b|f|GET /next|n|"},
        Row{"picked_up_in_body", "rest of a body\r\n" + kNext, "GET /next|n|", false}),
    [](const auto& row) { return row.param.name; });

TEST(HttpRequest, LongUriIsCutAndSaysSo) {
  auto request = std::make_unique<HttpRequest>();
  request->reset(true);
  const std::string stream = "GET /" + std::string(HttpRequest::kMaxLine, 'a') + " HTTP/1.1\r\n\r\n";
  const auto step = request->advance(bytes_of(stream));
  EXPECT_EQ(step.point, HttpRequest::Point::request_line);
  EXPECT_TRUE(request->uri_cut());
  EXPECT_EQ(request->raw_uri().size(), HttpRequest::kMaxLine - 4);
  EXPECT_EQ(request->advance(bytes_of(stream).subspan(step.consumed)).point, HttpRequest::Point::headers);
}

TEST(HttpFields, UriIsDecodedOnce) {
  const std::vector<std::pair<std::string, std::string>> rows = {{"/a%20b", "/a b"},
                                                                 {"/%2561", "/%61"},
                                                                 {"/%2e%2E/", "/../"},
                                                                 {"/%zz%4", "/%zz%4"},
                                                                 {"/a?x=%3Cscript", "/a?x=<script"},
                                                                 {"http://h.org/p?q", "/p?q"},
                                                                 {"http://h.org", "/"},
                                                                 {"/r?u=http://h/", "/r?u=http://h/"},
                                                                 {"/%00", std::string("/\0", 2)},
                                                                 {"/a+b", "/a+b"},
                                                                 {"*", "*"},
                                                                 {"", ""}};
  for (const auto& [raw, uri] : rows) EXPECT_EQ(transformed(normalise_uri, raw), uri) << raw;
}

TEST(HttpFields, HeadersByName) {
  const std::string_view lines = "Host: A\r\nCookie: c=1\r\nX-Y:1\r\nhost : B \r\nnone\r\n";
  std::vector<uint8_t> out(64);
  out.resize(header_values(lines, "host", out));
  EXPECT_EQ(std::string(out.begin(), out.end()), "A, B");
  EXPECT_EQ(transformed(headers_without_cookies, lines), "Host: A\r\nX-Y:1\r\nhost : B \r\nnone\r\n");
}

TEST(HttpFields, EmptyValuesAreEmpty) {
  std::vector<uint8_t> out(64);
  EXPECT_EQ(header_values("Host:\r\nHost: \r\n", "host", out), 0U);
  out.resize(header_values("Host:\r\nHost: a\r\n", "host", out));
  EXPECT_EQ(std::string(out.begin(), out.end()), "a");
}

TEST(HttpFields, HostIsLowerCaseWithoutPort) {
  const std::vector<std::pair<std::string, std::string>> rows = {{"Example.ORG:8080", "example.org"},
                                                                 {"[2001:DB8::1]:80", "[2001:db8::1]"},
                                                                 {"2001:db8::1", "2001:db8::1"},
                                                                 {"h", "h"},
                                                                 {":80", ""}};
  for (auto [raw, host] : rows) {
    std::vector<uint8_t> bytes(raw.begin(), raw.end());
    bytes.resize(normalise_host(bytes));
    EXPECT_EQ(std::string(bytes.begin(), bytes.end()), host) << raw;
  }
}

}  // namespace
}  // namespace weir::inspection
