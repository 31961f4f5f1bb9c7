// Rules on transactions: judged when the parser has come to what they look into, once for each direction.
#include "detection_support.h"

namespace weir::inspection::test {
namespace {

constexpr auto kServer = Direction::to_server;
constexpr auto kClient = Direction::to_client;

FakeTransaction http() { return FakeTransaction(AppProtocol::http1, HttpStep::complete); }

TEST(TransactionRules, JoinBuffersOfDifferentPackets) {
  DetectionBench bench(
      make_profile("alert http any any -> any any (http.uri; content:\"/bad\"; http.host; content:\"h.org\"; "
                   "http.request_body; content:\"evil\"; sid:1;)"));
  FakeTransaction tx = http();
  tx.id = 7;
  tx.set(BufferId::http_uri, kServer, "/bad");
  tx.advance(kServer, HttpStep::line);
  EXPECT_EQ(bench.move(tx), Sids{});
  tx.set(BufferId::http_host, kServer, "h.org");
  tx.advance(kServer, HttpStep::headers);
  EXPECT_EQ(bench.move(tx), Sids{});
  tx.advance(kServer, HttpStep::body);
  tx.grow(BufferId::http_request_body, kServer, "ev", false);
  EXPECT_EQ(bench.move(tx), Sids{});
  tx.grow(BufferId::http_request_body, kServer, "il", false);
  bench.packet.payload = {};
  Transaction* const list[] = {&tx};
  bench.inspect({}, list);
  ASSERT_EQ(bench.sink.alerts.size(), 1u);
  EXPECT_EQ(bench.sink.alerts[0].transaction, 7u);
  bench.sink.take();
  tx.grow(BufferId::http_request_body, kServer, "evil", true);
  tx.advance(kServer, HttpStep::complete);
  EXPECT_EQ(bench.move(tx), Sids{}) << "once for each transaction";
  bench.forget(tx);

  FakeTransaction next = http();
  next.set(BufferId::http_uri, kServer, "/bad");
  next.set(BufferId::http_host, kServer, "h.org");
  next.set(BufferId::http_request_body, kServer, "evil");
  next.advance(kServer, HttpStep::complete);
  EXPECT_EQ(bench.move(next), Sids{1});
  bench.forget(next);
}

TEST(TransactionRules, SizesAreThoseOfWholeFiles) {
  DetectionBench bench(
      make_profile("alert smtp any any -> any any (file.name; content:\"report\"; filesize:>10; sid:1;)\n"
                   "alert smtp any any -> any any (file.data; content:\"begins\"; filesize:<10; sid:2;)"));
  FakeTransaction tx(AppProtocol::smtp, SmtpStep::complete);
  tx.set(BufferId::file_name, kServer, "report.pdf");
  tx.grow(BufferId::file_data, kServer, "begins", false);
  tx.set(NumberId::file_size, {6});
  tx.advance(kServer, SmtpStep::body);
  EXPECT_EQ(bench.move(tx), Sids{}) << "it goes on";
  tx.grow(BufferId::file_data, kServer, ", and ends", true);
  tx.set(NumberId::file_size, {16});
  tx.advance(kServer, SmtpStep::complete);
  EXPECT_EQ(bench.move(tx), Sids{1});
  bench.forget(tx);
}

TEST(TransactionRules, NameAndSizeAreThoseOfOneFile) {
  DetectionBench bench(
      make_profile("alert smtp any any -> any any (file.name; content:\"report\"; filesize:>10; sid:1;)\n"
                   "alert smtp any any -> any any (file.name; content:!\"report\"; filesize:<10; sid:2;)\n"
                   "alert smtp any any -> any any (file.name; content:\"report\"; sid:3;)\n"
                   "alert smtp any any -> any any (filesize:>10; sid:4;)"));
  const auto mail = [&](std::vector<std::pair<std::string, uint64_t>> files) {
    FakeTransaction tx(AppProtocol::smtp, SmtpStep::complete);
    std::vector<uint64_t> sizes;
    for (auto& [name, size] : files) {
      tx.add(BufferId::file_name, kServer, name);
      sizes.push_back(size);
    }
    tx.set(NumberId::file_size, sizes);
    tx.advance(kServer, SmtpStep::complete);
    const Sids sids = bench.move(tx);
    bench.forget(tx);
    return sids;
  };
  EXPECT_EQ(mail({{"report.pdf", 6}, {"photo.jpg", 16}}), (Sids{3, 4})) << "neither file is both";
  EXPECT_EQ(mail({{"photo.jpg", 16}, {"report.pdf", 16}}), (Sids{1, 3, 4}));
  EXPECT_EQ(mail({{"report.pdf", 16}, {"photo.jpg", 6}}), (Sids{1, 2, 3, 4}));
}

TEST(TransactionRules, OneBufferThatDoesNotMatchDecides) {
  DetectionBench bench(make_profile(
      "alert http any any -> any any (http.uri; content:\"/bad\"; http.host; content:\"h.org\"; sid:1;)"));
  FakeTransaction tx = http();
  tx.set(BufferId::http_uri, kServer, "/bad");
  tx.set(BufferId::http_host, kServer, "other.org");
  tx.advance(kServer, HttpStep::headers);
  EXPECT_EQ(bench.move(tx), Sids{});
  bench.forget(tx);
}

TEST(TransactionRules, DirectionOfTheBuffers) {
  DetectionBench bench(
      make_profile("alert http any any -> any any (http.stat_code; content:\"200\"; sid:1;)\n"
                   "alert http any any -> any any (http.header; content:\"X-Y\"; sid:2;)\n"
                   "alert http any any -> any any (flow:to_client; http.header; content:\"X-Y\"; sid:3;)\n"
                   "alert http $HOME_NET any -> any any (http.uri; content:\"/u\"; sid:4;)\n"
                   "alert http $HOME_NET any -> any any (http.stat_code; content:\"200\"; sid:5;)"));
  FakeTransaction tx = http();
  tx.set(BufferId::http_uri, kServer, "/u");
  tx.set(BufferId::http_header, kServer, "X-Y: 1\r\n");
  tx.advance(kServer, HttpStep::complete);
  EXPECT_EQ(bench.move(tx), (Sids{2, 4}));
  tx.set(BufferId::http_stat_code, kClient, "200");
  tx.set(BufferId::http_header, kClient, "X-Y: 1\r\n");
  tx.advance(kClient, HttpStep::complete);
  bench.from(kClient);
  EXPECT_EQ(bench.move(tx), (Sids{1, 2, 3}));
  bench.forget(tx);
}

TEST(TransactionRules, EachValueOfAListByItself) {
  DetectionBench bench(make_profile(
      "alert dns any any -> any any (dns.query; content:\"evil\"; content:\"org\"; distance:0; sid:1;)\n"
      "alert dns any any -> any any (dns.query; content:\"a.org\"; bsize:5; sid:2;)"));
  const auto ask = [&](std::vector<std::string> names) {
    FakeTransaction tx(AppProtocol::dns, DnsStep::complete);
    for (std::string& name : names) tx.add(BufferId::dns_query, kServer, std::move(name));
    tx.advance(kServer, DnsStep::complete);
    const Sids sids = bench.move(tx);
    bench.forget(tx);
    return sids;
  };
  EXPECT_EQ(ask({"fine.net", "evil.org"}), Sids{1});
  EXPECT_EQ(ask({"evil.net", "fine.org"}), Sids{}) << "no rule joins two values";
  EXPECT_EQ(ask({"xa.org", "a.org"}), Sids{2});
}

TEST(TransactionRules, FilesOfAFormComeOneAfterTheOther) {
  DetectionBench bench(make_profile(
      "alert http any any -> any any (file.data; content:\"first\"; file.name; content:\"two\"; sid:1;)\n"
      "alert http any any -> any any (file.data; content:\"the first\"; file.data; content:\"second\"; "
      "sid:2;)\n"
      "alert http any any -> any any (file.data; content:\"first\"; content:\"second\"; sid:3;)\n"
      "alert http any any -> any any (file.name; content:\"two\"; sid:4;)\n"
      "alert http any any -> any any (file.name; absent; sid:5;)"));
  FakeTransaction tx = http();
  tx.advance(kServer, HttpStep::body);
  EXPECT_EQ(bench.move(tx), Sids{});
  tx.add(BufferId::file_name, kServer, "one");
  tx.set(BufferId::file_data, kServer, "the first");
  EXPECT_EQ(bench.move(tx), Sids{});
  tx.add(BufferId::file_name, kServer, "two");
  tx.set(BufferId::file_data, kServer, "the second");
  EXPECT_EQ(bench.move(tx), (Sids{1, 2, 4}));
  tx.advance(kServer, HttpStep::complete);
  EXPECT_EQ(bench.move(tx), Sids{});
  bench.forget(tx);
}

TEST(TransactionRules, Absent) {
  DetectionBench bench(make_profile(
      "alert http any any -> any any (http.uri; content:\"/u\"; http.referer; absent; sid:1;)\n"
      "alert http any any -> any any (http.uri; content:\"/u\"; http.referer; content:!\"x\"; sid:2;)\n"
      "alert http any any -> any any (http.uri; content:\"/u\"; http.referer; absent:or_else; content:\"x\"; "
      "sid:3;)"));
  const auto ask = [&](std::optional<std::string> referer) {
    FakeTransaction tx = http();
    tx.set(BufferId::http_uri, kServer, "/u");
    if (referer) tx.set(BufferId::http_referer, kServer, *referer);
    tx.advance(kServer, HttpStep::complete);
    const Sids sids = bench.move(tx);
    bench.forget(tx);
    return sids;
  };
  EXPECT_EQ(ask(std::nullopt), (Sids{1, 3}))
      << "a content that must not be there needs a buffer to look into";
  EXPECT_EQ(ask("x"), Sids{3});
  EXPECT_EQ(ask("y"), Sids{2});
}

TEST(TransactionRules, WhatMustNotBeThereWaitsForTheEnd) {
  DetectionBench bench(
      make_profile("alert http any any -> any any (http.request_body; content:\"ab\"; content:!\"yz\"; "
                   "distance:0; sid:1;)\n"
                   "alert http any any -> any any (http.request_body; content:\"ab\"; endswith; sid:2;)\n"
                   "alert http any any -> any any (http.request_body; content:\"ab\"; bsize:4; sid:3;)"));
  const auto send = [&](std::vector<std::string> pieces) {
    FakeTransaction tx = http();
    tx.advance(kServer, HttpStep::body);
    Sids all;
    for (size_t i = 0; i < pieces.size(); ++i) {
      const bool last = i + 1 == pieces.size();
      tx.grow(BufferId::http_request_body, kServer, pieces[i], last);
      if (last) tx.advance(kServer, HttpStep::complete);
      for (const uint32_t sid : bench.move(tx)) all.push_back(sid);
    }
    bench.forget(tx);
    return all;
  };
  EXPECT_EQ(send({"ab", "yz"}), Sids{3});
  EXPECT_EQ(send({"ab", "--"}), (Sids{1, 3}));
  EXPECT_EQ(send({"--", "ab"}), (Sids{1, 2, 3}));
  EXPECT_EQ(send({"-", "---ab"}), (Sids{1, 2}));
}

TEST(TransactionRules, Transforms) {
  struct Row {
    const char* transform;
    const char* content;
    const char* value;
    bool matches;
  };
  const Row rows[] = {
      {"dotprefix", "\".evil.org\"; endswith", "evil.org", true},
      {"dotprefix", "\".evil.org\"; endswith", "www.evil.org", true},
      {"dotprefix", "\".evil.org\"; endswith", "notevil.org", false},
      {"domain", "\"evil.co.uk\"; startswith; endswith", "www.evil.co.uk", true},
      {"domain", "\"Evil.org\"; startswith; endswith", "Evil.org", true},
      {"domain", "\"evil.co.uk\"; startswith", "evil.co.uk.org", false},
      {"domain", "\"co.uk\"; startswith", "co.uk", true},  // it has none, and stays
      {"tld", "\"co.uk\"; startswith; endswith", "www.evil.co.uk", true},
      {"tld", "\"uk\"; startswith", "www.evil.co.uk", false},
      {"tld", "\"nowhere\"; startswith; endswith", "host.nowhere", true},
      {"to_lowercase", "\"evil\"", "EVIL", true},
      {"to_uppercase", "\"EVIL\"", "evil", true},
      {"to_uppercase", "\"evil\"", "evil", false},
      {"strip_whitespace", "\"evil\"", "e v\ti\nl", true},
      {"compress_whitespace", "\"e vil\"", "e   vil", true},
      {"url_decode", "\"e vil\"", "e%20v+il", false},
      {"url_decode", "\"e v il\"", "e%20v+il", true},
      {"xor:\"20\"", "\"evil\"", "EVIL", true},
      {"to_md5", "\"|90 01 50 98 3c d2 4f b0 d6 96 3f 7d 28 e1 7f 72|\"", "abc", true},
      {"to_md5", "\"|90 01 50 98 3c d2 4f b0 d6 96 3f 7d 28 e1 7f 72|\"", "abd", false},
      {"to_sha1", "\"|a9 99 3e 36 47 06 81 6a ba 3e 25 71 78 50 c2 6c 9c d0 d8 9d|\"", "abc", true},
      {"to_sha256", "\"|ba 78 16 bf 8f 01 cf ea|\"", "abc", true},
      {"pcrexform:\"k=(\\w+)\"", "\"evil\"; bsize:4", "a=1&k=evil&b", true},
      {"from_base64", "\"secret\"", "c2VjcmV0", true},
      {"to_lowercase; strip_whitespace", "\"evil\"", "E V I L", true},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.transform) + " on " + row.value);
    DetectionBench bench(make_profile(std::string("alert http any any -> any any (http.uri; ") +
                                      row.transform + "; content:" + row.content + "; sid:1;)"));
    FakeTransaction tx = http();
    tx.set(BufferId::http_uri, kServer, row.value);
    tx.advance(kServer, HttpStep::line);
    EXPECT_EQ(bench.move(tx), row.matches ? Sids{1} : Sids{});
    bench.forget(tx);
  }
}

TEST(TransactionRules, Numbers) {
  DetectionBench bench(
      make_profile("alert dns any any -> any any (dns.opcode:4; sid:1;)\n"
                   "alert dns any any -> any any (dns.rcode:3; sid:2;)\n"
                   "alert tls any any -> any any (tls.version:1.2; sid:3;)"));
  FakeTransaction dns(AppProtocol::dns, DnsStep::complete);
  dns.set(NumberId::dns_opcode, {4});
  dns.set(NumberId::dns_rcode, {0});
  dns.advance(kServer, DnsStep::complete);
  EXPECT_EQ(bench.move(dns), Sids{1});
  bench.forget(dns);
  FakeTransaction tls(AppProtocol::tls, TlsStep::complete);
  tls.set(NumberId::tls_version, {0x0303});
  tls.advance(kServer, TlsStep::hello);
  EXPECT_EQ(bench.move(tls), Sids{3});
  bench.forget(tls);
}

TEST(TransactionRules, HaveACeilingForEachTransaction) {
  std::string rules;
  for (int i = 1; i <= 6; ++i) {
    rules +=
        "alert http any any -> any any (http.uri; content:\"/bad\"; http.request_body; content:\"x\"; sid:" +
        std::to_string(i) + ";)\n";
  }
  DetectorLimits limits;
  limits.rules_per_transaction = 4;
  DetectionBench bench(make_profile(rules), limits);
  FakeTransaction tx = http();
  tx.set(BufferId::http_uri, kServer, "/bad");
  tx.advance(kServer, HttpStep::line);
  bench.move(tx);
  EXPECT_EQ(bench.counters().transaction_rules_lost, 2u);
  tx.set(BufferId::http_request_body, kServer, "x");
  tx.advance(kServer, HttpStep::complete);
  EXPECT_EQ(bench.move(tx), (Sids{1, 2, 3, 4}));
  bench.forget(tx);
}

TEST(TransactionRules, ANewRulesetLooksAgain) {
  const char* const rules = "alert http any any -> any any (http.uri; content:\"/bad\"; sid:1;)";
  DetectionBench bench(make_profile(rules));
  FakeTransaction tx = http();
  tx.set(BufferId::http_uri, kServer, "/bad");
  tx.advance(kServer, HttpStep::line);
  EXPECT_EQ(bench.move(tx), Sids{1});
  bench.use(make_profile("alert http any any -> any any (http.uri; content:\"/bad\"; sid:2;)"));
  EXPECT_EQ(bench.move(tx), Sids{2});
  EXPECT_EQ(bench.move(tx), Sids{});
  bench.forget(tx);
}

TEST(TransactionRules, PayloadBesideABuffer) {
  DetectionBench bench(
      make_profile("alert http any any -> any any (content:\"GET\"; http.uri; content:\"/bad\"; sid:1;)"));
  for (const char* const payload : {"GET /bad", "PUT /bad"}) {
    FakeTransaction tx = http();
    tx.set(BufferId::http_uri, kServer, "/bad");
    tx.advance(kServer, HttpStep::complete);
    bench.facts.protocol = AppProtocol::http1;
    StreamView view;
    view.view.bytes = octets(payload);
    Transaction* const list[] = {&tx};
    bench.packet.stream_part = true;
    bench.packet.payload = octets(payload);
    bench.inspect({&view, 1}, list);
    EXPECT_EQ(bench.sink.take(), payload[0] == 'G' ? Sids{1} : Sids{});
    bench.forget(tx);
  }
}

}  // namespace
}  // namespace weir::inspection::test
