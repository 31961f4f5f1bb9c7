// Keywords of applications and of the events of what reads them.
#include <gtest/gtest.h>

#include "tests/unit/inspection/engine/keyword_outcomes.h"

namespace weir::inspection::test {
namespace {

Frames cut_short() { return {from_client().length(200).udp(1, 2).payload("abc").build()}; }
Frames repeated() {
  Frames frames = tcp_session("hello", "");
  frames.insert(frames.begin() + 5, frames[3]);
  return frames;
}

}  // namespace

std::vector<KeywordRow> application_rows() {
  return {
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

TEST(KeywordOutcomes, EachOfApplicationsMatters) { expect_to_matter(application_rows()); }

}  // namespace weir::inspection::test
