// Keywords that name a buffer: what it holds, and that it holds nothing else.
#include <gtest/gtest.h>

#include "inspection/rules/keyword.h"
#include "tests/unit/inspection/engine/keyword_outcomes.h"

namespace weir::inspection::test {
namespace {

struct BufferRow {
  const char* name;
  const char* header;
  Frames (*traffic)();
  const char* value;  // what the buffer holds, as a content is written
  bool whole = true;  // nothing else; otherwise it begins so
};

Frames plain_tls() { return tls(); }
Frames plain_ssh() { return ssh(); }
Frames plain_quic() { return quic(); }
Frames plain_names() { return names(); }
Frames one_datagram() { return datagram("abc"); }
Frames six() {
  return {PacketBuilder().ether({}, {}).ipv6("2001:db8::1", "2001:db8::2").icmp_echo(7, 9).build()};
}
Frames greeted() { return ftp("10,0,0,1,200,10"); }

/// The handshake behind what a proxy is told, or tells.
Frames behind(std::vector<Turn> turns) {
  turns.push_back({true, tls_bytes(true)});
  turns.push_back({false, tls_bytes(false)});
  return conversation(turns, {40'004, 443});
}
Frames behind_v1() { return behind({{true, "PROXY TCP4 192.0.2.1 192.0.2.2 10"}, {true, "24 443\r\n"}}); }
Frames behind_v2() {
  using namespace std::string_literals;
  return behind({{true, "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"s + "sourdest\4\0\1\xbb"s}});
}
Frames behind_connect() {
  return behind({{true, "CONNECT www.example.org:443 HTTP/1.1\r\nHost: www.example.org:443\r\n\r\n"},
                 {false, "HTTP/1.1 200 OK\r\n\r\n"}});
}

Frames behind_stls() {
  return behind({{false, "+OK hi\r\n"},
                 {true, "CAPA\r\n"},
                 {false, "+OK\r\nSTLS\r\n.\r\n"},
                 {true, "STLS\r\n"},
                 {false, "+OK begin\r\n"}});
}
Frames behind_starttls() {
  return behind({{false, "* OK hi\r\n"}, {true, "a1 STARTTLS\r\n"}, {false, "a1 OK begin\r\n"}});
}

constexpr const char* kRandom =
    "|20 21 22 23 24 25 26 27 28 29 2a 2b 2c 2d 2e 2f 30 31 32 33 34 35 36 37 38 39 3a 3b 3c 3d 3e 3f|";
constexpr const char* kRandomBytes =
    "|24 25 26 27 28 29 2a 2b 2c 2d 2e 2f 30 31 32 33 34 35 36 37 38 39 3a 3b 3c 3d 3e 3f|";
constexpr bool kBegins = false;

constexpr BufferRow kBuffers[] = {
    {"http.accept", kHttp, web, "text/html"},
    {"http_accept", kHttp, web, "text/html"},
    {"http.accept_enc", kHttp, web, "gzip"},
    {"http_accept_enc", kHttp, web, "gzip"},
    {"http.accept_lang", kHttp, web, "en"},
    {"http_accept_lang", kHttp, web, "en"},
    {"http.connection", kHttp, web, "keep-alive"},
    {"http_connection", kHttp, web, "keep-alive"},
    {"http.content_len", kHttp, web, "11"},
    {"http_content_len", kHttp, web, "11"},
    {"http.content_type", kHttp, web, "text/plain"},
    {"http_content_type", kHttp, web, "text/plain"},
    {"http.cookie", kHttp, web, "id=7"},
    {"http_cookie", kHttp, web, "s=9"},
    {"http.header", kHttp, web, "Host: www.Example.com:8080|0d 0a|User-Agent: weir/1|0d 0a|", kBegins},
    {"http_header", kHttp, web, "Host: www.Example.com:8080|0d 0a|User-Agent: weir/1|0d 0a|", kBegins},
    {"http.header.raw", kHttp, web, "Host: www.Example.com:8080|0d 0a|", kBegins},
    {"http_raw_header", kHttp, web, "Server: weirhttp|0d 0a|", kBegins},
    {"http.header_names", kHttp, web, "|0d 0a|Host|0d 0a|User-Agent|0d 0a|Referer|0d 0a|", kBegins},
    {"http_header_names", kHttp, web, "|0d 0a|Server|0d 0a|Location|0d 0a|", kBegins},
    {"http.host", kHttp, web, "www.example.com"},
    {"http_host", kHttp, web, "www.example.com"},
    {"http.host.raw", kHttp, web, "www.Example.com:8080"},
    {"http_raw_host", kHttp, web, "www.Example.com:8080"},
    {"http.location", kHttp, web, "/else"},
    {"http_location", kHttp, web, "/else"},
    {"http.method", kHttp, web, "POST"},
    {"http_method", kHttp, web, "POST"},
    {"http.protocol", kHttp, web, "HTTP/1.1"},
    {"http_protocol", kHttp, web, "HTTP/1.1"},
    {"http.referer", kHttp, web, "http|3a|//r.example/"},
    {"http_referer", kHttp, web, "http|3a|//r.example/"},
    {"http.request_body", kHttp, web, "--B|0d 0a|Content-Disposition", kBegins},
    {"http_client_body", kHttp, web, "--B|0d 0a|Content-Disposition", kBegins},
    {"http.request_header", kHttp, web, "Accept: text/html"},
    {"http.request_line", kHttp, web, "POST /dir/a%20b.php?q=One HTTP/1.1"},
    {"http_request_line", kHttp, web, "POST /dir/a%20b.php?q=One HTTP/1.1"},
    {"http.response_body", kHttp, web, "resp body 2"},
    {"http_server_body", kHttp, web, "resp body 2"},
    {"http.response_header", kHttp, web, "Server: weirhttp"},
    {"http.response_line", kHttp, web, "HTTP/1.1 404 Not Found"},
    {"http_response_line", kHttp, web, "HTTP/1.1 404 Not Found"},
    {"http.server", kHttp, web, "weirhttp"},
    {"http_server", kHttp, web, "weirhttp"},
    {"http.start", kHttp, web, "HTTP/1.1 404 Not Found|0d 0a|Server: weirhttp|0d 0a|", kBegins},
    {"http_start", kHttp, web, "HTTP/1.1 404 Not Found|0d 0a|Server: weirhttp|0d 0a|", kBegins},
    {"http.stat_code", kHttp, web, "404"},
    {"http_stat_code", kHttp, web, "404"},
    {"http.stat_msg", kHttp, web, "Not Found"},
    {"http_stat_msg", kHttp, web, "Not Found"},
    {"http.uri", kHttp, web, "/dir/a b.php?q=One"},
    {"http_uri", kHttp, web, "/dir/a b.php?q=One"},
    {"http.uri.raw", kHttp, web, "/dir/a%20b.php?q=One"},
    {"http_raw_uri", kHttp, web, "/dir/a%20b.php?q=One"},
    {"http.user_agent", kHttp, web, "weir/1"},
    {"http_user_agent", kHttp, web, "weir/1"},
    {"file.data", kHttp, web, "resp body 2"},
    {"file_data", kHttp, web, "file one"},
    {"file.magic", kHttp, web, "ASCII text, with no line terminators"},
    {"file.name", kHttp, web, "Report.PDF"},
    {"dns.query", kDns, plain_names, "www.example.com"},
    {"dns_query", kDns, plain_names, "www.example.com"},
    {"dns.queries.rrname", kDns, plain_names, "www.example.com"},
    {"dns.answers.rrname", kDns, plain_names, "answer.example.com"},
    {"dns.answer.name", kDns, plain_names, "answer.example.com"},
    {"dns.authorities.rrname", kDns, plain_names, "example.com"},
    {"dns.additionals.rrname", kDns, plain_names, "extra.example.com"},
    {"dns.response.rrname", kDns, plain_names, "answer.example.com"},
    {"tls.sni", kTls, plain_tls, "www.example.org"},
    {"tls_sni", kTls, plain_tls, "www.example.org"},
    {"tls.sni", kTls, behind_v1, "www.example.org"},
    {"tls.sni", kTls, behind_v2, "www.example.org"},
    {"tls.sni", kTls, behind_connect, "www.example.org"},
    {"tls.sni", kTls, behind_stls, "www.example.org"},
    {"tls.sni", kTls, behind_starttls, "www.example.org"},
    {"tls.random", kTls, plain_tls, kRandom},
    {"tls.random_time", kTls, plain_tls, "|20 21 22 23|"},
    {"tls.random_bytes", kTls, plain_tls, kRandomBytes},
    {"tls.alpn", kTls, plain_tls, "h2"},
    {"tls.certs", kTls, plain_tls, "|30 81|", kBegins},
    {"tls.cert_subject", kTls, plain_tls, "CN=www.example.org"},
    {"tls_cert_subject", kTls, plain_tls, "CN=www.example.org"},
    {"tls.cert_issuer", kTls, plain_tls, "CN=Some CA"},
    {"tls_cert_issuer", kTls, plain_tls, "CN=Some CA"},
    {"tls.cert_serial", kTls, plain_tls, "01|3a|AB|3a|23|3a|CD"},
    {"tls_cert_serial", kTls, plain_tls, "01|3a|AB|3a|23|3a|CD"},
    {"tls.cert_fingerprint", kTls, plain_tls, "FINGERPRINT"},
    {"tls_cert_fingerprint", kTls, plain_tls, "FINGERPRINT"},
    {"tls.subjectaltname", kTls, plain_tls, "alt.example.org"},
    {"weir.app", kTls, mesh, "kuma-mesh"},
    {"weir.kuma.service", kTls, mesh, "backend"},
    {"weir.kuma.mesh", kTls, mesh, "demo"},
    {"weir.kuma.zone", kTls, mesh, "east"},
    {"weir.kuma.namespace", kTls, mesh, "shop"},
    {"weir.spiffe", kTls, mesh, "spiffe://demo/backend"},
    {"ja3.hash", kTls, plain_tls, "a33beaf9b39553ac136cfcbadeb860ee"},
    {"ja3_hash", kTls, plain_tls, "a33beaf9b39553ac136cfcbadeb860ee"},
    {"ja3.string", kTls, plain_tls, "771,49199,0-10-11-16,29,0"},
    {"ja3_string", kTls, plain_tls, "771,49199,0-10-11-16,29,0"},
    {"ja3s.hash", kTls, plain_tls, "896415616b22361262d7a961b6325cfd"},
    {"ja3s.string", kTls, plain_tls, "771,49199,16"},
    {"ja4.hash", kTls, plain_tls, "t12d0104h2_", kBegins},
    {"ssh.proto", kSsh, plain_ssh, "1.99"},
    {"ssh_proto", kSsh, plain_ssh, "2.0"},
    {"ssh.software", kSsh, plain_ssh, "OpenSSH_9.2p1"},
    {"ssh_software", kSsh, plain_ssh, "dropbear_2022.83"},
    {"ssh.hassh", kSsh, plain_ssh, "8c30416f9ff19221f1e618457ef47e12"},
    {"ssh.hassh.string", kSsh, plain_ssh, "kex-c|3b|enc-cs|3b|mac-cs|3b|none"},
    {"ssh.hassh.server", kSsh, plain_ssh, "e527dfd7ce6614df73258bf7eb284175"},
    {"ssh.hassh.server.string", kSsh, plain_ssh, "kex-s|3b|enc-sc|3b|mac-sc|3b|none"},
    {"ja3.hash", kQuic, plain_quic, "a33beaf9b39553ac136cfcbadeb860ee"},
    {"ja3s.string", kQuic, plain_quic, "771,49199,16"},
    {"ja4.hash", kQuic, plain_quic, "q12d0104h2_", kBegins},
    {"quic.version", kQuic, plain_quic, "|00 00 00 01|"},
    {"quic.sni", kQuic, plain_quic, "www.example.org"},
    {"quic.ua", kQuic, google_quic, "Chrome/1"},
    {"quic.cyu.hash", kQuic, google_quic, "3b5da1d3b922a93f684efa94b4b090dc"},
    {"quic.cyu.string", kQuic, google_quic, "46,PAD-SNI-VER-UAID"},
    {"http2.header_name", kHttp2, http2, "user-agent"},
    {"http2.header", kHttp2, http2, "server: weirhttp2"},
    {"http.method", kHttp2, http2, "GET"},
    {"http.uri", kHttp, http2, "/dir/a b"},
    {"http.uri.raw", kHttp2, http2, "/dir/a%20b"},
    {"http.host", kHttp2, http2, "www.example.com"},
    {"http.host.raw", kHttp2, http2, "www.Example.com:8080"},
    {"http.user_agent", kHttp2, http2, "weir/2"},
    {"http.cookie", kHttp2, http2, "id=7"},
    {"http.header", kHttp2, http2, ":method: GET|0d 0a|:path: /dir/a%20b|0d 0a|", kBegins},
    {"http.header_names", kHttp2, http2, "|0d 0a|:status|0d 0a|server|0d 0a 0d 0a|"},
    {"http.request_line", kHttp2, http2, "GET /dir/a%20b HTTP/2|0d 0a|"},
    {"http.response_line", kHttp2, http2, "HTTP/2 404|0d 0a|"},
    {"http.request_header", kHttp2, http2, ":authority: www.Example.com:8080"},
    {"http.response_header", kHttp2, http2, ":status: 404"},
    {"http.stat_code", kHttp2, http2, "404"},
    {"http.server", kHttp2, http2, "weirhttp2"},
    {"http.response_body", kHttp2, http2, "resp body 2"},
    {"file.data", kHttp2, http2, "resp body 2"},
    {"file.magic", kHttp2, http2, "ASCII text, with no line terminators"},
    {"file.name", kHttp2, http2, "/dir/a b"},
    {"smtp.helo", kSmtp, mail, "client.example.org"},
    {"smtp.mail_from", kSmtp, mail, "<one@example.org>"},
    {"smtp.rcpt_to", kSmtp, mail, "<two@example.net>"},
    {"email.from", kSmtp, mail, "One <one@example.org>"},
    {"email.to", kSmtp, mail, "two@example.net"},
    {"email.cc", kSmtp, mail, "three@example.net"},
    {"email.subject", kSmtp, mail, "A test"},
    {"email.date", kSmtp, mail, "Thu, 1 Jan 2026 00|3a|00|3a|00 +0000"},
    {"email.message_id", kSmtp, mail, "<1@example.org>"},
    {"email.x_mailer", kSmtp, mail, "weir/1"},
    {"email.received", kSmtp, mail, "from a.example"},
    {"email.url", kSmtp, mail, "www.example.org/a"},
    {"email.body_md5", kSmtp, mail, "4ca5b1e6e53efe048d030632e7afeb11"},
    {"file.data", kSmtp, mail, "resp body 2"},
    {"file.magic", kSmtp, mail, "ASCII text, with no line terminators"},
    {"file.name", kSmtp, mail, "Report.PDF"},
    {"ftp.command", kFtp, greeted, "PORT"},
    {"ftp.command_data", kFtp, greeted, "10,0,0,1,200,10"},
    {"ftp.reply", kFtp, greeted, "Please say the password."},
    {"ftp.completion_code", kFtp, greeted, "331"},
    {"file.data", kFtpData, transfer, "resp body 2"},
    {"file.magic", kFtpData, transfer, "ASCII text, with no line terminators"},
    {"file.name", kFtpData, transfer, "Report.PDF"},
    {"ip.src", kUdp, one_datagram, "|0a 00 00 01|"},
    {"ip.dst", kUdp, one_datagram, "|0a 00 00 02|"},
    {"ipv4.hdr", kUdp, one_datagram, "|45 00 00 1f|", kBegins},
    {"ipv6.hdr", kIcmp, six, "|60 00 00 00 00 08 3a|", kBegins},
    {"tcp.hdr", kTcp, web, "|9c 40 00 50|", kBegins},
    {"udp.hdr", kUdp, one_datagram, "|03 e8 07 d0 00 0b|", kBegins},
    {"icmpv4.hdr", kIcmp, ping, "|08 00|", kBegins},
    {"icmpv6.hdr", kIcmp, six, "|80 00|", kBegins},
};

/// The rule that finds `value` in the buffer and nowhere else.
std::string buffer_rule(const BufferRow& row, const std::string& value) {
  const ast::Keyword* const keyword = ast::find_keyword(row.name);
  const bool modifier = keyword != nullptr && keyword->means.starts_with("older form");
  const std::string content =
      "content:\"" + value + "\"; startswith; " + (row.whole ? std::string("endswith; ") : std::string());
  const std::string name = std::string(row.name) + "; ";
  return std::string(row.header) + " (" + (modifier ? content + name : name + content) + "sid:1;)\n";
}

/// With its last byte altered, inside of bars or not.
std::string altered(std::string value) {
  char& last = value[value.size() - (value.back() == '|' ? 2 : 1)];
  last = last == '1' ? '7' : '1';
  return value;
}

TEST(KeywordOutcomes, EachBufferHoldsWhatItsNameSays) {
  KeywordRunner runner;
  for (const BufferRow& row : kBuffers) {
    SCOPED_TRACE(row.name);
    const Frames frames = row.traffic();
    EXPECT_FALSE(runner.alerts(frames, buffer_rule(row, row.value)).empty());
    EXPECT_TRUE(runner.alerts(frames, buffer_rule(row, altered(row.value))).empty());
  }
}

}  // namespace

std::set<std::string_view> shown_buffers() {
  std::set<std::string_view> names;
  for (const BufferRow& row : kBuffers) names.insert(row.name);
  return names;
}

}  // namespace weir::inspection::test
