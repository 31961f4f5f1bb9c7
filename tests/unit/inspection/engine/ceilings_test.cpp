// What hostile bytes may cost: for each ceiling, work that is counted and not timed, at most ten times that
// of ordinary bytes. HTTP's are in http/ceilings_test.cpp.
#include <gtest/gtest.h>

#include <random>

#include "inspection/app/dns/dns_parser.h"
#include "inspection/app/dns/dns_transaction.h"
#include "inspection/app/tls/tls_parser.h"
#include "inspection/stream/tcp_track.h"
#include "tests/unit/inspection/detection_support.h"
#include "tests/unit/inspection/engine/bytes.h"

namespace weir::inspection {
namespace {

using namespace test;

constexpr double kMost = 10;

// --- pointers of DNS ---

Octets dns_head(size_t answers) {
  Octets out;
  for (const size_t word : {size_t{1}, size_t{0x8180}, size_t{0}, answers, size_t{0}, size_t{0}})
    put16(out, word);
  return out;
}
void put_record(Octets& to, const Octets& name) {
  put(to, name);
  put(to, {0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 1});
}
Octets label(size_t size) {
  Octets out = {static_cast<uint8_t>(size)};
  out.insert(out.end(), size, 'a');
  return out;
}

/// Work for each byte of one message.
double dns_cost(const Octets& message) {
  BytePool pool(1 << 20);
  AppParser* const parser = make_dns_parser(pool, false, 0);
  const Advance step = parser->advance(Direction::to_client, message, 0);
  EXPECT_TRUE(step.error == AppError::none || step.error == AppError::pointers);
  parser->destroy();
  return static_cast<double>(step.work) / static_cast<double>(message.size());
}

TEST(Ceilings, CompressedNamesCostNoMoreThanTenTimesPlainOnes) {
  Octets plain = dns_head(100);
  for (int i = 0; i < 100; ++i) {
    Octets name = label(10);
    put(name, label(3));
    name.push_back(0);
    put_record(plain, name);
  }
  const double ordinary = dns_cost(plain);

  // One long name, and hundreds of records that point at it.
  Octets long_name;
  for (int i = 0; i < 16; ++i) put(long_name, label(63));
  long_name.push_back(0);
  Octets pointing = dns_head(2'000);
  put_record(pointing, long_name);
  for (int i = 1; i < 2'000; ++i) put_record(pointing, {0xc0, 12});

  // A chain of pointers, each to the one before, and records that enter it at its end.
  Octets chain = dns_head(2'000);
  put_record(chain, {0});
  size_t last = 12;
  Octets data;
  for (int i = 0; i < 127; ++i) {
    put16(data, 0xc000 | last);
    last = chain.size() + 12 + 2 * static_cast<size_t>(i);
  }
  put(chain, {0, 0, 16, 0, 1, 0, 0, 0, 60});
  put16(chain, data.size());
  put(chain, data);
  for (int i = 2; i < 2'000; ++i)
    put_record(chain, {static_cast<uint8_t>(0xc0 | last >> 8), static_cast<uint8_t>(last)});

  EXPECT_LE(dns_cost(pointing), kMost * ordinary);
  EXPECT_LE(dns_cost(chain), kMost * ordinary);
}

// --- certificate chains ---

TEST(Ceilings, AChainOfCertificatesIsBounded) {
  const auto cost = [](size_t certificates, size_t size, size_t record, size_t* kept) {
    Octets list;
    for (size_t i = 0; i < certificates; ++i) {
      put24(list, size);
      list.insert(list.end(), size, 0x30);
    }
    Octets body, message = {11}, stream;
    put24(body, list.size());
    put(body, list);
    put24(message, body.size());
    put(message, body);
    for (size_t at = 0; at < message.size(); at += record) {
      const size_t piece = std::min(record, message.size() - at);
      put(stream, {22, 3, 3});
      put16(stream, piece);
      stream.insert(stream.end(), message.begin() + static_cast<std::ptrdiff_t>(at),
                    message.begin() + static_cast<std::ptrdiff_t>(at + piece));
    }
    BytePool pool(1 << 20);
    AppParser* const parser = make_tls_parser(pool, 0);
    const Advance step = parser->advance(Direction::to_client, stream, 0);
    *kept = static_cast<TlsTransaction*>(parser->transactions()[0])->certificate_count(Direction::to_client);
    EXPECT_LE(pool.used(), 4 * stream.size() + 8'192);
    parser->destroy();
    return static_cast<double>(step.work) / static_cast<double>(stream.size());
  };
  size_t kept = 0;
  const double ordinary = cost(3, 1'200, 16'384, &kept);
  EXPECT_EQ(kept, 3u);
  EXPECT_LE(cost(10'000, 1, 16'384, &kept), kMost * ordinary);
  EXPECT_EQ(kept, TlsTransaction::kMaxCertificates);
  EXPECT_LE(cost(5'000, 1, 1, &kept), kMost * ordinary);
  EXPECT_EQ(kept, TlsTransaction::kMaxCertificates);
}

// --- segments ---

struct Segments {
  StreamSettings settings;
  BytePool pool{8 << 20};
  TcpTrack track{pool, settings};
  uint64_t wire_bytes = 0, refused = 0;

  static StreamSettings inline_settings() {
    StreamSettings out;
    out.is_inline = true;
    return out;
  }
  Segments() : settings(inline_settings()) {
    send(Direction::to_server, kTcpSyn, 999, 0, 0);
    send(Direction::to_client, kTcpSyn | kTcpAck, 1'999, 1'000, 0);
    send(Direction::to_server, kTcpAck, 1'000, 2'000, 0);
    wire_bytes = 0;
  }
  void send(Direction way, uint8_t flags, uint32_t seq, uint32_t ack, size_t size) {
    static const Octets zeros(1'460, 0);
    EnginePacket packet;
    packet.view.direction = way;
    packet.view.protocol = 6;
    packet.view.tcp_flags = flags;
    packet.view.seq = seq;
    packet.view.ack = ack;
    packet.view.window = 65'535;
    packet.view.payload = std::span(zeros).first(size);
    wire_bytes += 40 + size;
    (void)track.contradicts(packet, {});
    refused += track.track(packet) == TcpFate::no_memory ? 1 : 0;
    TcpChunk chunk;
    while (track.next_chunk(way, chunk)) {
    }
  }
  void data(uint32_t offset, size_t size) {
    send(Direction::to_server, kTcpAck, 1'000 + offset, 2'000, size);
  }
  /// Bytes that came, and records that were passed, for each byte on the wire.
  double cost() const {
    return static_cast<double>(wire_bytes + track.records_passed()) / static_cast<double>(wire_bytes);
  }
};

TEST(Ceilings, SegmentsOutOfOrderCostNoMoreThanTenTimesThoseInOrder) {
  Segments ordinary;
  for (uint32_t i = 0; i < 40; ++i) ordinary.data(i * 1'460, 1'460);
  // Every other byte of the window, from its end to its begin and at random: no two records join.
  Segments backwards, at_random;
  for (uint32_t i = 0; i < 30'000; ++i) backwards.data(60'000 - 2 * i, 1);
  std::mt19937 random(7);
  for (uint32_t i = 0; i < 30'000; ++i) at_random.data(2 + 2 * static_cast<uint32_t>(random() % 30'000), 1);
  EXPECT_LE(backwards.cost(), kMost * ordinary.cost());
  EXPECT_LE(at_random.cost(), kMost * ordinary.cost());
  EXPECT_GT(backwards.refused, 20'000u) << "the ceiling was never reached";
}

// --- memory in all ---

TEST(Ceilings, WhatOneSessionTakesIsBoundedAndGivenBack) {
  Segments one;
  for (uint32_t i = 0; i < 30'000; ++i) one.data(60'000 - 2 * i, 1);
  EXPECT_LE(one.pool.used(), 2 * one.settings.session_records);
  one.track.release();
  EXPECT_EQ(one.pool.used(), 0u);
}

// --- steps of regular expressions and contents ---

TEST(Ceilings, AMatchThatGoesOnForeverIsGivenUp) {
  DetectionBench bench(make_profile(R"(alert udp any any -> any any (pcre:"/^(a+)+$/"; sid:1;)
alert udp any any -> any any (content:"a"; content:"a"; distance:1; content:"b"; within:5; sid:2;))"));
  EXPECT_TRUE(bench.datagram(std::string(20'000, 'a') + "!").empty());
  EXPECT_EQ(bench.counters().pcre_limits, 1u);
  EXPECT_EQ(bench.counters().step_limits, 1u);
  EXPECT_EQ(bench.datagram(std::string(20, 'a')), Sids{1}) << "the ordinary is found";
}

/// Bytes that were scanned and looked at, steps of expressions, and 256 for each rule that was held against
/// the datagram: what the engine's budgets count, for each byte.
double matching_cost(const std::string& rules, const std::string& payload) {
  DetectionBench bench(make_profile(rules));
  bench.datagram(payload);
  const DetectorCounters& c = bench.counters();
  EXPECT_EQ(c.verified, 1u) << "the rule was not held against " << payload.substr(0, 20);
  const auto work = static_cast<double>(c.scanned_bytes + c.match_work + 256 * c.verified);
  return work / static_cast<double>(payload.size());
}

TEST(Ceilings, RulesCostNoMoreThanTenTimesTheOrdinary) {
  constexpr size_t kSize = 1'460;
  std::string request =
      "GET /zz.php?id=17&name=abcdef HTTP/1.1\r\nHost: www.example.com\r\nAccept: */*\r\n\r\n";
  while (request.size() < kSize) request += "word another=1; ";
  request.resize(kSize);
  const auto rule = [](const char* checks) {
    return std::string("alert udp any any -> any any (") + checks + " sid:1;)";
  };
  const struct {
    const char* checks;
    std::string hostile;
  } rows[] = {
      {R"(pcre:"/(a+)+$/";)", std::string(kSize - 1, 'a') + "!"},
      {R"(pcre:"/a.*a.*a.*[0-9]/s";)", std::string(kSize, 'a')},
      {R"(pcre:"/(?:a|aa)+$/";)", std::string(kSize - 1, 'a') + "!"},
      {R"(pcre:"/[a-z]*[a-z]*[a-z]*[0-9]{3}/";)", std::string(kSize, 'a')},
      {R"(pcre:"/(\w+\s?)*[!?]$/";)", std::string(kSize - 1, 'a') + "#"},
      {R"(content:"a"; content:"a"; distance:0; content:"zz"; distance:1;)",
       "zz" + std::string(kSize - 2, 'a')},
      {R"(content:"a"; pcre:"/a+[yz]/R"; content:"zz"; distance:1;)", "zz" + std::string(kSize - 2, 'a')},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.checks);
    EXPECT_LE(matching_cost(rule(row.checks), row.hostile), kMost * matching_cost(rule(row.checks), request));
  }
}

TEST(Ceilings, ManyPlacesWithFewStepsEachAreNoReasonToGiveUp) {
  // None of these needs more steps than it may, whatever stands before the match.
  DetectionBench bench(
      make_profile(R"(alert udp any any -> any any (pcre:"/user=\w{3,20}\d{2},/"; sid:1;))"));
  std::string text;
  while (text.size() < 1'300) text += "user=abcdefgh_,";
  EXPECT_EQ(bench.datagram(text + "user=abcdefgh_42,"), Sids{1});
  EXPECT_EQ(bench.counters().pcre_limits, 0u);
}

}  // namespace
}  // namespace weir::inspection
