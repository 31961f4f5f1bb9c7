// Keywords of contents and of what is done to a buffer first.
#include <gtest/gtest.h>

#include "tests/unit/inspection/engine/keyword_outcomes.h"

namespace weir::inspection::test {

std::vector<KeywordRow> content_rows() {
  const Frames abc = datagram("abc");
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
  };
}

TEST(KeywordOutcomes, EachOfContentsMatters) { expect_to_matter(content_rows()); }

}  // namespace weir::inspection::test
