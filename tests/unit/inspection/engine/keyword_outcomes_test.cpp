// A keyword counts as supported only if it matters to the outcome: for each there is a rule that alerts on a
// small capture, and the same rule with the keyword's value altered, which does not. The test fails where a
// supported keyword has no row.
#include <gtest/gtest.h>

#include <unistd.h>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>

#include "inspection/compile/detection_ruleset.h"
#include "inspection/compile/literal_strength.h"
#include "inspection/offline/inspect.h"
#include "inspection/rules/keyword.h"
#include "inspection/rules/language.h"
#include "tests/support/pcap_writer.h"
#include "tests/unit/inspection/engine/keyword_traffic.h"

namespace weir::inspection {
namespace {

using namespace test;
using Json = nlohmann::json;

// MD5, SHA-1 and SHA-256 of "resp body 2", which is the file that web() answers with.
constexpr const char* kLists[][2] = {
    {"md5.txt", "# a list\n3e9ead51cee0d4e21bc55f7d3e03496c  resp.txt\n"},
    {"sha1.txt", "d74106ef8099eb9e5fa8ee6dbce1a9cf5cdb1554\n"},
    {"sha256.txt", "1c35eaa8ffe9035cbc32daa0fa5f63537c9c5161611e68f264a037367527c13a\n"},
    {"names.txt", "d3d3LmV4YW1wbGUuY29t\n"},
    {"scores.txt", "d3d3LmV4YW1wbGUuY29t,70\n"},
    {"classes.config", "config classification: my-own,Mine alone,2\n"}};

/// Runs rules over a capture.
class Runner {
 public:
  Runner() : folder_(std::filesystem::temp_directory_path() / ("weir-keywords-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
    for (const auto& [name, text] : kLists) write(name, text);
  }
  ~Runner() { std::filesystem::remove_all(folder_); }

  std::string classes;  // the settings' classification-file; empty: none

  /// Those of sid 1.
  std::vector<Json> alerts(const Frames& frames, std::string rules) {
    std::vector<Json> found = events(frames, std::move(rules), "alert");
    std::erase_if(found, [](const Json& alert) { return alert["alert"]["signature_id"] != 1; });
    return found;
  }

  std::vector<Json> events(const Frames& frames, std::string rules, std::string_view type) {
    constexpr std::string_view kToken = "FINGERPRINT";
    if (const size_t at = rules.find(kToken); at != std::string::npos)
      rules.replace(at, kToken.size(), tls_fingerprint());
    write("test.rules", rules);
    {
      weir::test::PcapWriter pcap(folder_ / "in.pcap");
      uint64_t time_ns = kCaptureNs;
      for (const auto& frame : frames) pcap.write(frame, time_ns += 1'000'000'000);
    }
    offline::InspectRequest request;
    request.rules.files = {folder_ / "test.rules"};
    request.pcap = folder_ / "in.pcap";
    request.eve = folder_ / "eve.json";
    request.settings.engine.memory = 4 << 20;
    request.settings.host_marks = 1'024;
    request.settings.eve.references = true;
    if (!classes.empty()) request.settings.classification_file = folder_ / classes;
    std::ostringstream said;
    EXPECT_EQ(offline::run_inspect(std::move(request), said), offline::kInspectOk) << said.str();
    // That `requires` leaves a rule out is told, too.
    if (rules.find("requires:") == std::string::npos) {
      EXPECT_EQ(said.str(), "") << rules;
    }
    std::vector<Json> found;
    std::ifstream eve(folder_ / "eve.json");
    for (std::string line; std::getline(eve, line);) {
      Json json = Json::parse(line);
      if (json["event_type"] == type) found.push_back(std::move(json));
    }
    return found;
  }

 private:
  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  std::filesystem::path folder_;
};

// --- buffers ---

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
Frames ping() { return {from_client().icmp_echo(7, 9).build()}; }

constexpr const char* kHttp = "alert http any any -> any any";
constexpr const char* kDns = "alert dns any any -> any any";
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

constexpr const char* kTls = "alert tls any any -> any any";
constexpr const char* kSsh = "alert ssh any any -> any any";
constexpr const char* kQuic = "alert quic any any -> any any";
constexpr const char* kHttp2 = "alert http2 any any -> any any";
constexpr const char* kSmtp = "alert smtp any any -> any any";
constexpr const char* kFtp = "alert ftp any any -> any any";
constexpr const char* kFtpData = "alert ftp-data any any -> any any";
constexpr const char* kTcp = "alert tcp any any -> any any";
constexpr const char* kUdp = "alert udp any any -> any any";
constexpr const char* kIcmp = "alert icmp any any -> any any";
constexpr const char* kIp = "alert ip any any -> any any";

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
  Runner runner;
  for (const BufferRow& row : kBuffers) {
    SCOPED_TRACE(row.name);
    const Frames frames = row.traffic();
    EXPECT_FALSE(runner.alerts(frames, buffer_rule(row, row.value)).empty());
    EXPECT_TRUE(runner.alerts(frames, buffer_rule(row, altered(row.value))).empty());
  }
}

// --- everything else ---

struct Row {
  const char* keyword;
  Frames traffic;
  const char* header;
  const char* options;
  const char* altered;
  size_t alerts = 1, altered_alerts = 0;
  const char* before = "";               // rules before it
  const char* altered_before = nullptr;  // null: the same
  Frames other_traffic = {};             // not empty: of the altered rule
};

Frames vlans() {
  return {PacketBuilder()
              .ether({}, {})
              .vlan(5, 0x88a8)
              .vlan(6)
              .ipv4("10.0.0.1", "10.0.0.2")
              .udp(1, 2)
              .payload("abc")
              .build()};
}
Frames fragment() { return {from_client().fragment(8, true).payload("abcdefgh").build()}; }
Frames with_option() { return {from_client().options({0x94, 4, 0, 0}).udp(1, 2).payload("abc").build()}; }
Frames too_big() {
  const auto quoted = PacketBuilder().ipv6("2001:db8::2", "2001:db8::1").udp(1, 2).payload("x").build();
  return {PacketBuilder()
              .ether({}, {})
              .ipv6("2001:db8::1", "2001:db8::2")
              .icmp_error(2, 0, quoted, 1300)
              .build()};
}
Frames to_itself() {
  return {PacketBuilder().ether({}, {}).ipv4("10.0.0.1", "10.0.0.1").udp(1, 2).payload("abc").build()};
}
Frames cut_short() { return {from_client().length(200).udp(1, 2).payload("abc").build()}; }
Frames repeated() {
  Frames frames = tcp_session("hello", "");
  frames.insert(frames.begin() + 5, frames[3]);
  return frames;
}
Frames spoilt(PacketBuilder packet) { return {packet.bad_checksum().build()}; }
PacketBuilder six_to() { return PacketBuilder().ether({}, {}).ipv6("2001:db8::1", "2001:db8::2"); }

std::vector<Row> rows() {
  const Frames abc = datagram("abc"), three = datagrams({"one", "two", "three"});
  const Frames digits = datagram("A12345ZZ"), spaced = datagram("a  b");
  const Frames get = tcp_session("GET /a%20b HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n\r\n", "");
  const Frames coded = tcp_session("GET /?v=SGVsbG8= HTTP/1.1\r\nHost: h\r\nX: a\r\n\r\n", "");
  return {
      // contents
      {"content", abc, kUdp, R"(content:"bc";)", R"(content:"bd";)"},
      {"nocase", abc, kUdp, R"(content:"ABC"; nocase;)", R"(content:"ABC";)"},
      {"depth", abc, kUdp, R"(content:"bc"; depth:3;)", R"(content:"bc"; depth:2;)"},
      {"offset", abc, kUdp, R"(content:"bc"; offset:1;)", R"(content:"bc"; offset:2;)"},
      {"distance", abc, kUdp, R"(content:"a"; content:"c"; distance:1;)",
       R"(content:"a"; content:"c"; distance:2;)"},
      {"within", abc, kUdp, R"(content:"a"; content:"c"; within:2;)",
       R"(content:"a"; content:"c"; within:1;)"},
      {"startswith", abc, kUdp, R"(content:"ab"; startswith;)", R"(content:"bc"; startswith;)"},
      {"endswith", abc, kUdp, R"(content:"bc"; endswith;)", R"(content:"ab"; endswith;)"},
      {"uricontent", web(), kTcp, R"(uricontent:"a b.php";)", R"(uricontent:"a%20b.php";)"},
      {"pcre", abc, kUdp, R"(pcre:"/^a.c$/";)", R"(pcre:"/^a.b$/";)"},
      {"isdataat", abc, kUdp, "isdataat:2;", "isdataat:3;"},
      {"byte_test", digits, kUdp, "byte_test:1,=,0x41,0;", "byte_test:1,=,0x42,0;"},
      {"byte_jump", digits, kUdp, R"(byte_jump:1,1,string,dec; content:"3"; within:1; distance:0;)",
       R"(byte_jump:1,2,string,dec; content:"3"; within:1; distance:0;)"},
      {"byte_extract", digits, kUdp, R"(byte_extract:1,2,n,string,dec; content:"2345"; offset:n;)",
       R"(byte_extract:1,3,n,string,dec; content:"2345"; offset:n;)"},
      {"byte_math", digits, kUdp,
       R"(byte_math:bytes 1, offset 1, oper +, rvalue 1, result n, string dec; content:"2345"; offset:n;)",
       R"(byte_math:bytes 1, offset 1, oper +, rvalue 2, result n, string dec; content:"2345"; offset:n;)"},
      {"bsize", web(), kHttp, "http.stat_code; bsize:3;", "http.stat_code; bsize:4;"},
      {"urilen", web(), kHttp, "urilen:18;", "urilen:20;"},
      {"pkt_data", abc, kUdp, R"(ip.src; content:"|0a|"; pkt_data; content:"abc";)",
       R"(ip.src; content:"|0a|"; content:"abc";)"},
      {"gunzip", deflated(true), kHttp, R"(http.request_body; gunzip; content:"hello"; startswith;)",
       R"(http.request_body; zlib_deflate; content:"hello"; startswith;)"},
      {"zlib_deflate", deflated(false), kHttp,
       R"(http.request_body; zlib_deflate:max-size 4; content:"hell"; endswith;)",
       R"(http.request_body; zlib_deflate:max-size 3; content:"hell"; endswith;)"},
      {"absent", web(), kHttp,
       "flow:to_server; http.request_body; content:\"file\"; http.host; absent:or_else; content:\"www\";",
       "flow:to_server; http.request_body; content:\"file\"; http.host; absent;"},
      {"base64_decode", datagram("SGVsbG8="), kUdp, R"(base64_decode:bytes 8; base64_data; content:"Hello";)",
       R"(base64_decode:bytes 4; base64_data; content:"Hello";)"},
      {"base64_data", datagram("SGVsbG8="), kUdp, R"(base64_decode; base64_data; content:"Hello";)",
       R"(base64_decode; base64_data; content:"SGVs";)"},
      {"dataset", names(), kDns, "dns.query; dataset:isset,d,type string,load names.txt;",
       "dns.query; dataset:isnotset,d,type string,load names.txt;", 1},
      {"dataset", datagrams({"a", "b"}), kUdp, "ip.src; dataset:set,s,type ip;",
       "ip.src; dataset:unset,s,type ip;"},
      {"datarep", names(), kDns, "dns.query; datarep:r,>,69,load scores.txt,type string;",
       "dns.query; datarep:r,>,70,load scores.txt,type string;", 1},
      // transforms
      {"dotprefix", names(), kDns, R"(flow:to_server; dns.query; dotprefix; content:".www.example.com";)",
       R"(flow:to_server; dns.query; content:".www.example.com";)"},
      {"domain", names(), kDns, R"(flow:to_server; dns.query; domain; content:"example.com"; startswith;)",
       R"(flow:to_server; dns.query; content:"example.com"; startswith;)"},
      {"tld", names(), kDns, R"(flow:to_server; dns.query; tld; content:"com"; startswith;)",
       R"(flow:to_server; dns.query; content:"com"; startswith;)"},
      {"to_lowercase", web(), kHttp, R"(http.method; to_lowercase; content:"post";)",
       R"(http.method; content:"post";)"},
      {"to_uppercase", web(), kHttp, R"(http.user_agent; to_uppercase; content:"WEIR";)",
       R"(http.user_agent; content:"WEIR";)"},
      {"to_md5", web(), kHttp, R"(http.response_body; to_md5; bsize:16;)",
       R"(http.response_body; bsize:16;)"},
      {"to_sha1", web(), kHttp, R"(http.response_body; to_sha1; bsize:20;)",
       R"(http.response_body; bsize:20;)"},
      {"to_sha256", web(), kHttp, R"(http.response_body; to_sha256; bsize:32;)",
       R"(http.response_body; bsize:32;)"},
      {"strip_whitespace", web(), kHttp, R"(http.response_body; strip_whitespace; content:"respbody2";)",
       R"(http.response_body; content:"respbody2";)"},
      {"compress_whitespace", tcp_session("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\na  b", ""),
       kHttp, R"(http.request_body; compress_whitespace; content:"a b";)",
       R"(http.request_body; content:"a b";)"},
      {"url_decode", get, kHttp, R"(http.uri.raw; url_decode; content:"a b";)",
       R"(http.uri.raw; content:"a b";)"},
      {"header_lowercase", get, kHttp, R"(http.request_header; header_lowercase; content:"x-a|3a|";)",
       R"(http.request_header; content:"x-a|3a|";)"},
      {"strip_pseudo_headers",
       tcp_session("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n:a: b\r\nc\n", ""), kHttp,
       R"(http.request_body; strip_pseudo_headers; content:"c"; startswith;)",
       R"(http.request_body; content:"c"; startswith;)"},
      {"xor", web(), kHttp, R"(http.stat_code; xor:"04"; content:"040";)",
       R"(http.stat_code; xor:"05"; content:"040";)"},
      {"pcrexform", get, kHttp, R"x(http.uri; pcrexform:"^/(.).*"; content:"a"; bsize:1;)x",
       R"x(http.uri; pcrexform:"^/.(.).*"; content:"a"; bsize:1;)x"},
      {"from_base64", coded, kHttp, R"(http.uri; from_base64:offset 4; content:"Hello";)",
       R"(http.uri; from_base64:offset 5; content:"Hello";)"},
      // packets
      {"dsize", abc, kUdp, "dsize:3;", "dsize:4;"},
      {"ttl", {from_client().ttl(9).udp(1, 2).build()}, kUdp, "ttl:9;", "ttl:8;"},
      {"tos", {from_client().traffic_class(0x28).udp(1, 2).build()}, kUdp, "tos:40;", "tos:41;"},
      {"id", {from_client().ip_id(77).udp(1, 2).build()}, kUdp, "id:77;", "id:78;"},
      {"ip_proto", abc, kIp, "ip_proto:17;", "ip_proto:6;"},
      {"fragbits", fragment(), kIp, "fragbits:M;", "fragbits:D;"},
      {"fragoffset", fragment(), kIp, "fragoffset:1;", "fragoffset:2;"},
      {"ipopts", with_option(), kIp, "ipopts:rtralt;", "ipopts:lsrr;"},
      {"sameip", to_itself(), kUdp, "sameip;", "sameip;", 1, 0, "", nullptr, abc},
      {"ipv4-csum", spoilt(from_client()), kIp, "ipv4-csum:invalid;", "ipv4-csum:valid;"},
      {"tcpv4-csum", spoilt(from_client().tcp(1, 2, 2)), kTcp, "tcpv4-csum:invalid;", "tcpv4-csum:valid;"},
      {"tcpv6-csum", spoilt(six_to().tcp(1, 2, 2)), kTcp, "tcpv6-csum:invalid;", "tcpv6-csum:valid;"},
      {"udpv4-csum", spoilt(from_client().udp(1, 2)), kUdp, "udpv4-csum:invalid;", "udpv4-csum:valid;"},
      {"udpv6-csum", spoilt(six_to().udp(1, 2)), kUdp, "udpv6-csum:invalid;", "udpv6-csum:valid;"},
      {"icmpv4-csum", spoilt(from_client().icmp_echo(1, 2)), kIcmp, "icmpv4-csum:invalid;",
       "icmpv4-csum:valid;"},
      {"icmpv6-csum", spoilt(six_to().icmp_echo(1, 2)), kIcmp, "icmpv6-csum:invalid;", "icmpv6-csum:valid;"},
      {"seq", web(), kTcp, "seq:999;", "seq:998;"},
      {"tcp.seq", web(), kTcp, "tcp.seq:999;", "tcp.seq:998;"},
      {"ack", web(), kTcp, "flags:SA; ack:1000;", "flags:SA; ack:1001;"},
      {"tcp.ack", web(), kTcp, "flags:SA; tcp.ack:1000;", "flags:SA; tcp.ack:1001;"},
      {"window", web(), kTcp, "flags:S; window:29000;", "flags:S; window:29001;"},
      {"tcp.window", web(), kTcp, "flags:S; tcp.window:29000;", "flags:S; tcp.window:29001;"},
      {"tcp.mss", web(), kTcp, "flags:S; tcp.mss:1460;", "flags:S; tcp.mss:1461;"},
      {"tcp.wscale", web(), kTcp, "flags:S; tcp.wscale:7;", "flags:S; tcp.wscale:8;"},
      {"flags", web(), kTcp, "flags:S;", "flags:R;"},
      {"tcp.flags", web(), kTcp, "tcp.flags:SA;", "tcp.flags:SF;"},
      {"itype", ping(), kIcmp, "itype:8;", "itype:0;"},
      {"icode", ping(), kIcmp, "icode:0;", "icode:1;"},
      {"icmp_id", ping(), kIcmp, "icmp_id:7;", "icmp_id:8;"},
      {"icmp_seq", ping(), kIcmp, "icmp_seq:9;", "icmp_seq:8;"},
      {"icmpv6.mtu", too_big(), kIcmp, "icmpv6.mtu:1300;", "icmpv6.mtu:1301;"},
      {"vlan.id", vlans(), kUdp, "vlan.id:6;", "vlan.id:7;"},
      {"vlan.layers", vlans(), kUdp, "vlan.layers:2;", "vlan.layers:1;"},
      // sessions
      {"flow", web(), kTcp, R"(flow:to_server; content:"q=One";)", R"(flow:to_client; content:"q=One";)"},
      {"flow.age", three, kUdp, "flow.age:2;", "flow.age:3;"},
      {"flow.bytes", three, kUdp, "flow.bytes:either,=90;", "flow.bytes:either,=91;"},
      {"flow.bytes_toserver", three, kUdp, "flow.bytes_toserver:45;", "flow.bytes_toserver:46;"},
      {"flow.bytes_toclient", names(), kUdp, "flow.bytes_toclient:>0;", "flow.bytes_toclient:>9000;"},
      {"flow.pkts", three, kUdp, "flow.pkts:either,=3;", "flow.pkts:either,=4;"},
      {"flow.pkts_toserver", three, kUdp, "flow.pkts_toserver:3;", "flow.pkts_toserver:4;"},
      {"flow.pkts_toclient", names(), kUdp, "flow.pkts_toclient:1;", "flow.pkts_toclient:2;"},
      {"stream_size", web(), kTcp, "flags:FA; flow:to_server; stream_size:client,>,100;",
       "flags:FA; flow:to_server; stream_size:client,>,9000;"},
      {"flowbits", three, kUdp, R"(content:"two"; flowbits:isset,a;)", R"(content:"two"; flowbits:isset,b;)",
       1, 0, "alert udp any any -> any any (content:\"one\"; flowbits:set,a; noalert; sid:2;)\n"},
      {"flowint", three, kUdp, R"(content:"two"; flowint:a,==,1;)", R"(content:"two"; flowint:a,==,2;)", 1, 0,
       "alert udp any any -> any any (content:\"one\"; flowint:a,+,1; noalert; sid:2;)\n"},
      {"xbits", three, kUdp, R"(content:"two"; xbits:isset,a,track ip_src;)",
       R"(content:"two"; xbits:isset,a,track ip_dst;)", 1, 0,
       "alert udp any any -> any any (content:\"one\"; xbits:set,a,track ip_src; noalert; sid:2;)\n"},
      {"hostbits", three, kUdp, R"(content:"two"; hostbits:isset,a,src;)",
       R"(content:"two"; hostbits:isset,a,dst;)", 1, 0,
       "alert udp any any -> any any (content:\"one\"; hostbits:set,a,src; noalert; sid:2;)\n"},
      // what becomes of a match
      {"noalert", abc, kUdp, R"(content:"abc"; noalert;)", R"(content:"abc";)", 0, 1},
      {"alert", abc, "pass udp any any -> any any", R"(content:"abc"; alert;)", R"(content:"abc";)"},
      {"bypass", three, kUdp, R"(content:"two";)", R"(content:"two";)", 0, 1,
       "alert udp any any -> any any (content:\"one\"; bypass; noalert; sid:2;)\n",
       "alert udp any any -> any any (content:\"one\"; noalert; sid:2;)\n"},
      {"threshold", three, kUdp, "dsize:>0; threshold:type limit, track by_src, seconds 60, count 2;",
       "dsize:>0; threshold:type limit, track by_src, seconds 60, count 1;", 2, 1},
      {"detection_filter", three, kUdp, "dsize:>0; detection_filter:track by_src, count 2, seconds 60;",
       "dsize:>0; detection_filter:track by_src, count 3, seconds 60;"},
      {"requires", abc, kUdp, "requires:version >= 6;", "requires:version >= 99;"},
      // applications
      {"app-layer-protocol", web(), kTcp, "app-layer-protocol:http;", "app-layer-protocol:tls;", 2},
      {"app-layer-event", names(0x0140), kDns, "flow:to_server; app-layer-event:dns.z_flag_set;",
       "flow:to_server; app-layer-event:dns.name_too_long;"},
      {"decode-event", cut_short(), "alert pkthdr any any -> any any", "decode-event:ipv4.trunc_pkt;",
       "decode-event:ipv4.hlen_too_small;"},
      {"engine-event", cut_short(), "alert pkthdr any any -> any any", "engine-event:ipv4.trunc_pkt;",
       "engine-event:ipv4.hlen_too_small;"},
      {"stream-event", repeated(), kTcp, "stream-event:pkt_retransmission;", "stream-event:est_invalid_ack;"},
      {"filename", web(), kHttp, R"(filename:"report.pdf";)", R"(filename:"report.doc";)"},
      {"fileext", web(), kHttp, R"(fileext:"pdf";)", R"(fileext:"doc";)"},
      {"filemagic", web(), kHttp, R"(flow:to_client; filemagic:"ascii TEXT";)",
       R"(flow:to_client; filemagic:"PDF";)"},
      {"filesize", web(), kHttp, "flow:to_client; filesize:11;", "flow:to_client; filesize:12;"},
      {"filemd5", web(), kHttp, "flow:to_client; filemd5:md5.txt;", "flow:to_client; filemd5:!md5.txt;"},
      {"filesha1", web(), kHttp, "flow:to_client; filesha1:sha1.txt;", "flow:to_client; filesha1:!sha1.txt;"},
      {"filesha256", web(), kHttp, "flow:to_client; filesha256:sha256.txt;",
       "flow:to_client; filesha256:!sha256.txt;"},
      {"filename", mail(), kSmtp, R"(filename:"report.pdf";)", R"(filename:"report.doc";)"},
      {"filemd5", mail(), kSmtp, "filemd5:md5.txt;", "filemd5:!md5.txt;"},
      {"filesize", transfer(), kFtpData, "filesize:11;", "filesize:12;"},
      {"http2.frametype", http2(), kHttp2, "flow:to_client; http2.frametype:GOAWAY;",
       "flow:to_client; http2.frametype:PING;"},
      {"http2.errorcode", http2(), kHttp2, "http2.errorcode:INTERNAL_ERROR;", "http2.errorcode:NO_ERROR;"},
      {"http2.priority", http2(), kHttp2, "http2.priority:15;", "http2.priority:16;"},
      {"http2.window", http2(), kHttp2, "http2.window:256;", "http2.window:257;"},
      {"http2.size_update", http2(), kHttp2, "http2.size_update:2048;", "http2.size_update:2047;"},
      {"http2.settings", http2(), kHttp2, "http2.settings:SETTINGS_MAX_FRAME_SIZE=16385;",
       "http2.settings:SETTINGS_MAX_FRAME_SIZE<16385;"},
      {"ftp.dynamic_port", ftp("10,0,0,1,200,10"), kFtp, "flow:to_server; ftp.dynamic_port:51210;",
       "flow:to_server; ftp.dynamic_port:51211;"},
      {"ftp.mode", transfer(), kFtp, "flow:to_client; ftp.mode:passive;", "flow:to_client; ftp.mode:active;"},
      {"ftp.reply_received", ftp("10,0,0,1,200,10", false), kFtp, "flow:to_client; ftp.reply_received:no;",
       "flow:to_client; ftp.reply_received:yes;", 1, 3},
      {"ftpbounce", ftp("10,0,0,9,200,10"), kFtp, "ftpbounce;", "ftpbounce;", 1, 0, "", nullptr,
       ftp("10,0,0,1,200,10")},
      {"ftpdata_command", transfer(), kFtpData, "flow:to_client; ftpdata_command:retr;",
       "flow:to_client; ftpdata_command:stor;"},
      {"dns.opcode", names(), kDns, "flow:to_server; dns.opcode:0;", "flow:to_server; dns.opcode:1;"},
      {"dns.rcode", names(0x0103), kDns, "flow:to_client; dns.rcode:nxdomain;",
       "flow:to_client; dns.rcode:refused;"},
      {"dns.rrtype", names(), kDns, "flow:to_server; dns.rrtype:A;", "flow:to_server; dns.rrtype:AAAA;"},
      {"tls.version", tls(), kTls, "flow:to_client; tls.version:1.2;", "flow:to_client; tls.version:1.3;"},
      {"ssl_version", tls(), kTls, "flow:to_client; ssl_version:tls1.2;",
       "flow:to_client; ssl_version:tls1.1;"},
      {"tls.cert_chain_len", tls(), kTls, "tls.cert_chain_len:1;", "tls.cert_chain_len:2;"},
      {"tls_cert_notbefore", tls(), kTls, "tls_cert_notbefore:<2020-01-02;",
       "tls_cert_notbefore:<2020-01-01;"},
      {"tls_cert_notafter", tls(), kTls, "tls_cert_notafter:>2021-12-31;", "tls_cert_notafter:>2022-01-01;"},
      {"tls_cert_valid", tls(), kTls, "tls_cert_valid;", "tls_cert_expired;"},
      {"tls_cert_expired", tls(false), kTls, "tls_cert_expired;", "tls_cert_valid;"},
      {"ssh.protoversion", ssh(), kSsh, "flow:to_client; ssh.protoversion:2_compat;",
       "flow:to_client; ssh.protoversion:2.0;"},
      {"ssh.softwareversion", ssh(), kSsh, R"(ssh.softwareversion:"OpenSSH_9";)",
       R"(ssh.softwareversion:"OpenSSH_8";)"},
      {"tls.subject", tls(), kTls, R"(tls.subject:"CN=www.example.org";)",
       R"(tls.subject:"CN=example.org";)"},
      {"tls.issuerdn", tls(), kTls, R"(tls.issuerdn:"CN=Some CA";)", R"(tls.issuerdn:"CN=Some CB";)"},
      {"tls.fingerprint", tls(), kTls, R"(tls.fingerprint:"FINGERPRINT";)",
       R"(tls.fingerprint:!"FINGERPRINT";)"},
  };
}

TEST(KeywordOutcomes, EachKeywordMatters) {
  Runner runner;
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.keyword);
    const auto rule = [&](const char* options) {
      return std::string(row.header) + " (" + options + " sid:1;)\n";
    };
    const std::string before = row.before;
    const std::string altered_before = row.altered_before != nullptr ? row.altered_before : row.before;
    const Frames& other = row.other_traffic.empty() ? row.traffic : row.other_traffic;
    EXPECT_EQ(runner.alerts(row.traffic, before + rule(row.options)).size(), row.alerts) << row.options;
    EXPECT_EQ(runner.alerts(other, altered_before + rule(row.altered)).size(), row.altered_alerts)
        << row.altered;
  }
}

// --- what events say ---

struct EventRow {
  const char* keyword;
  const char* options;  // beside sid:1
  const char* altered;
  const char* member;  // of the event, as a JSON pointer
  const char* value;
};

constexpr EventRow kEvents[] = {
    {"msg", R"(msg:"one";)", R"(msg:"two";)", "/alert/signature", R"("one")"},
    {"rev", "rev:3;", "rev:4;", "/alert/rev", "3"},
    {"gid", "gid:2;", "gid:3;", "/alert/gid", "2"},
    {"priority", "priority:1;", "priority:2;", "/alert/severity", "1"},
    {"classtype", "classtype:trojan-activity;", "classtype:misc-attack;", "/alert/category",
     R"("A Network Trojan was detected")"},
    {"reference", "reference:cve,2024-1;", "reference:cve,2024-2;", "/alert/references/0", R"("cve:2024-1")"},
    {"metadata", "metadata:a b;", "metadata:a c;", "/alert/metadata/a/0", R"("b")"},
    {"target", "target:src_ip;", "target:dest_ip;", "/alert/target/ip", R"("10.0.0.1")"},
};

TEST(KeywordOutcomes, WhatIsAboutTheRuleStandsInTheEvent) {
  Runner runner;
  for (const EventRow& row : kEvents) {
    SCOPED_TRACE(row.keyword);
    const auto said = [&](const char* options) {
      const auto alerts = runner.alerts(datagram("abc"), std::string(kUdp) + " (" + options + " sid:1;)\n");
      const Json::json_pointer member(row.member);
      return alerts.size() == 1 && alerts[0].contains(member) ? alerts[0][member].dump()
                                                              : std::string("nothing");
    };
    EXPECT_EQ(said(row.options), row.value);
    EXPECT_NE(said(row.altered), row.value);
  }
}

TEST(KeywordOutcomes, ConfigKeepsATransactionOutOfTheLog) {
  Runner runner;
  const std::string rule = R"( http any any -> any any (http.uri; content:"/"; )";
  for (const auto& [text, logged, alerts] :
       {std::tuple("config" + rule + "config:logging disable, type tx, scope tx; sid:1;)", 0u, 0u),
        {"alert" + rule + "config: logging disable, type tx, scope tx; sid:1;)", 0u, 1u},
        {"config" + rule + "sid:1;)", 1u, 0u}}) {
    EXPECT_EQ(runner.events(web(), text, "http").size(), logged) << text;
    EXPECT_EQ(runner.events(web(), text, "fileinfo").size(), 2u) << text;
    EXPECT_EQ(runner.alerts(web(), text).size(), alerts) << text;
  }
}

TEST(KeywordOutcomes, ClassesAreThoseThatTheSettingsName) {
  Runner runner;
  runner.classes = "classes.config";
  for (const auto& [name, category, severity] :
       {std::tuple("my-own", "Mine alone", 2), {"misc-attack", "Misc Attack", 2}}) {
    const auto alerts =
        runner.alerts(datagram("abc"), std::string(kUdp) + " (classtype:" + name + "; sid:1;)\n");
    ASSERT_EQ(alerts.size(), 1u);
    EXPECT_EQ(alerts[0]["alert"]["category"], category);
    EXPECT_EQ(alerts[0]["alert"]["severity"], severity);
  }
}

// Which literal proposes a rule changes its cost, never its outcome.
TEST(KeywordOutcomes, FastPatternChoosesTheLiteral) {
  const auto literal = [](const char* options) {
    ast::ParsedRuleset parsed;
    ast::RuleReader().read("a.rules", std::string(kTcp) + " (" + options + " sid:1;)", parsed);
    return DetectionRuleset::compile(parsed, {}).value()->rule(0).fast.bytes;
  };
  EXPECT_EQ(literal(R"(content:"rare-one"; content:"zq8#";)"), "rare-one");
  EXPECT_EQ(literal(R"(content:"rare-one"; content:"zq8#"; fast_pattern;)"), "zq8#");
  // What stands in everybody's requests says too little, whoever chose it.
  EXPECT_EQ(literal(R"(content:"rare-one"; content:"User-Agent|3a 20|Mozilla/5.0"; fast_pattern;)"),
            "rare-one");
  // Of a long content the stretch that says most.
  const std::string long_one = literal(R"(content:"GET /zq8x-vjk3.bin HTTP/1.1|0d 0a|Host|3a 20|www.";)");
  EXPECT_LE(long_one.size(), kLongestLiteral);
  EXPECT_NE(long_one.find("zq8x-vjk"), std::string::npos) << long_one;
}

TEST(KeywordOutcomes, EachSupportedKeywordHasARow) {
  std::set<std::string_view> shown = {"sid", "fast_pattern", "config"};  // every row; tests above
  for (const BufferRow& row : kBuffers) shown.insert(row.name);
  for (const Row& row : rows()) shown.insert(row.keyword);
  for (const EventRow& row : kEvents) shown.insert(row.keyword);
  for (const ast::Keyword& keyword : ast::keywords()) {
    if (keyword.support == ast::Support::refused || keyword.note.starts_with("Without effect")) continue;
    EXPECT_TRUE(shown.contains(keyword.name)) << keyword.name;
  }
}

}  // namespace
}  // namespace weir::inspection
