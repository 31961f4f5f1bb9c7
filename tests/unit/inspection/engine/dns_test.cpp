// DNS: names, messages, framing over TCP.
#include <gtest/gtest.h>

#include "inspection/app/dns/dns_parser.h"
#include "inspection/app/recognise.h"
#include "tests/unit/inspection/engine/bytes.h"

namespace weir::inspection {
namespace {

using namespace test;

Octets name(std::string_view dotted) {
  Octets out;
  while (!dotted.empty()) {
    const auto label = dotted.substr(0, dotted.find('.'));
    out.push_back(static_cast<uint8_t>(label.size()));
    put(out, text(label));
    dotted.remove_prefix(std::min(dotted.size(), label.size() + 1));
  }
  out.push_back(0);
  return out;
}

Octets header(uint16_t flags, uint16_t questions, uint16_t answers) {
  Octets out;
  for (const uint16_t word : {uint16_t{0x1234}, flags, questions, answers, uint16_t{0}, uint16_t{0}})
    put16(out, word);
  return out;
}

Octets query(std::string_view dotted, uint16_t type = kDnsA) {
  Octets out = header(0x0100, 1, 0);
  put(out, name(dotted));
  put16(out, type);
  put16(out, 1);
  return out;
}

std::string read_name(const Octets& message, size_t at, DnsNameError& error) {
  uint8_t room[kDnsMaxName];
  const DnsNameView view = read_dns_name(message, at, room);
  error = view.error;
  return as_text({room, view.size});
}

TEST(DnsName, FollowsPointersAndStopsAtLoops) {
  Octets message = name("example.org");
  put(message, {3, 'w', 'w', 'w', 0xc0, 0x00});
  DnsNameError error{};
  EXPECT_EQ(read_name(message, 13, error), "www.example.org");
  EXPECT_EQ(error, DnsNameError::none);
  const Octets loop = {0xc0, 0x00};
  read_name(loop, 0, error);
  EXPECT_EQ(error, DnsNameError::loop);
  const Octets growing = {1, 'a', 0xc0, 0x00};
  read_name(growing, 0, error);
  EXPECT_NE(error, DnsNameError::none);
  const Octets reserved = {0x80, 1, 0};
  read_name(reserved, 0, error);
  EXPECT_EQ(error, DnsNameError::bad_label);
}

TEST(DnsName, EveryTruncationIsTold) {
  const Octets whole = name("a.bc.def");
  for (size_t size = 0; size < whole.size(); ++size) {
    DnsNameError error{};
    read_name({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}, 0, error);
    EXPECT_EQ(error, DnsNameError::truncated) << size;
  }
}

TEST(DnsProbe, TellsQueriesAnswersAndOthers) {
  const Octets ask = query("www.example.org");
  EXPECT_EQ(recognise_datagram(ask, 40'000, 53).protocol, AppProtocol::dns);
  EXPECT_FALSE(recognise_datagram(ask, 40'000, 53).from_server);
  EXPECT_EQ(recognise_datagram(ask, 40'000, 12'345).protocol, AppProtocol::dns) << "by content, not by port";
  EXPECT_NE(recognise_datagram(ask, 5'353, 5'353).protocol, AppProtocol::dns) << "mDNS is another protocol";
  Octets answer = ask;
  answer[2] |= 0x80;
  EXPECT_TRUE(recognise_datagram(answer, 53, 40'000).from_server);
  const Octets noise(40, 0x5a);
  EXPECT_NE(recognise_datagram(noise, 1, 53).protocol, AppProtocol::dns) << "by content, not by port";
}

/// The names asked for, in order, with the ids of their transactions.
std::vector<std::string> parse(const std::vector<Octets>& pieces, bool tcp) {
  BytePool pool(1 << 20);
  AppParser* const parser = make_dns_parser(pool, tcp, 0);
  std::vector<std::string> seen;
  for (const Octets& piece : pieces) {
    std::span<const uint8_t> rest = piece;
    for (;;) {
      const Advance step = parser->advance(Direction::to_server, rest, 0);
      rest = rest.subspan(step.consumed);
      for (Transaction* const tx : parser->transactions()) {
        const auto value = tx->buffer(BufferId::dns_query, Direction::to_server, 0);
        seen.push_back(std::to_string(tx->id) + ":" + (value ? as_text(value->bytes) : "-"));
      }
      release_over(*parser, [](Transaction&) {});
      if (step.next != Next::again) break;
    }
  }
  parser->destroy();
  EXPECT_EQ(pool.used(), 0u);
  return seen;
}

TEST(DnsParser, ManyMessagesInOneStreamInAnyPortions) {
  Octets stream;
  std::vector<std::string> expected;
  for (int i = 0; i < 20; ++i) {
    const Octets one = query("host" + std::to_string(i) + ".example.org");
    put16(stream, one.size());
    put(stream, one);
    expected.push_back(std::to_string(i) + ":host" + std::to_string(i) + ".example.org");
  }
  for (size_t portion = 1; portion <= stream.size(); portion += portion < 40 ? 1 : 97) {
    std::vector<Octets> pieces;
    for (size_t at = 0; at < stream.size(); at += portion) {
      const auto begin = stream.begin() + static_cast<std::ptrdiff_t>(at);
      pieces.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(std::min(portion, stream.size() - at)));
    }
    EXPECT_EQ(parse(pieces, true), expected) << "portions of " << portion;
  }
}

TEST(DnsParser, ADatagramIsOneMessage) {
  EXPECT_EQ(parse({query("a.example"), query("b.example")}, false),
            (std::vector<std::string>{"0:a.example", "1:b.example"}));
}

TEST(DnsParser, AnswersOfAllSectionsAreNamed) {
  BytePool pool(1 << 20);
  Octets message = header(0x8180, 1, 2);
  put(message, name("example.org"));
  put16(message, kDnsA);
  put16(message, 1);
  for (const uint8_t last : {uint8_t{1}, uint8_t{2}})
    put(message, {0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, last});
  DnsTransaction dns(pool, Direction::to_client);
  ASSERT_TRUE(dns.read(message));
  EXPECT_EQ(dns.app_events, 0u);
  ASSERT_EQ(dns.records().size(), 2u);
  EXPECT_EQ(as_text(dns.name_of(dns.records()[1])), "example.org");
  EXPECT_EQ(dns.number(NumberId::dns_rcode, Direction::to_client, 0), 0u);
  EXPECT_FALSE(dns.buffer(BufferId::dns_query, Direction::to_client, 0)) << "dns.query is of queries";
  ASSERT_TRUE(dns.buffer(BufferId::dns_queries_rrname, Direction::to_client, 0));
  message.resize(message.size() - 3);
  DnsTransaction cut(pool, Direction::to_client);
  ASSERT_TRUE(cut.read(message));
  EXPECT_NE(cut.app_events, 0u) << "a record that is cut is malformed";
}

}  // namespace
}  // namespace weir::inspection
