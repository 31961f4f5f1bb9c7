// What the parser may use: memory, open transactions, heads, decoding, work; and that hostile input costs no
// more than ordinary input does. Work is counted, not timed.
#include <gtest/gtest.h>

#include "tests/unit/inspection/http/reading.h"

namespace weir::inspection::test {
namespace {

TEST(HttpCeilings, AnIdleSessionHoldsTheParserAlone) {
  Reading reading;
  reading.client("GET /a HTTP/1.1\r\nHost: h\r\nX: " + std::string(5000, 'x') + "\r\n\r\n");
  EXPECT_GT(reading.pool.used(), 8192U);
  const std::string body = gzip(std::string(5000, 'y'));
  reading.server("HTTP/1.1 200 ok\r\nContent-Encoding: gzip\r\nContent-Length: " +
                 std::to_string(body.size()) + "\r\n\r\n" + body);
  ASSERT_EQ(reading.done.size(), 1U);
  EXPECT_LE(reading.pool.used(), 2048U);
  EXPECT_GT(reading.pool.used(), 0U);
}

TEST(HttpCeilings, EverythingIsGivenBack) {
  for (const size_t end : {size_t{5}, size_t{30}, size_t{100}, size_t{150}, size_t{1000}}) {
    BytePool pool(1 << 20);
    const HttpLimits limits;
    HttpCounters counters;
    HttpParser* const parser = HttpParser::make(pool, limits, counters);
    parser->advance(Direction::to_server, http::as_bytes(kGet), 0);
    const std::string response =
        "HTTP/1.1 200 ok\r\nContent-Encoding: gzip, gzip\r\nTransfer-Encoding: chunked\r\n\r\n100\r\n" +
        gzip(gzip(std::string(9999, 'y')));
    parser->advance(Direction::to_client, http::as_bytes(response.substr(0, end)), 0);
    for (Transaction* t : parser->transactions()) t->buffer(BufferId::http_uri, Direction::to_server, 0);
    parser->destroy();
    EXPECT_EQ(pool.used(), 0U) << end;
  }
}

TEST(HttpCeilings, MemoryRunsOutWithAnError) {
  // With every size of the pool's ceiling in between: never a crash, and nothing is kept.
  const std::string response = "HTTP/1.1 200 ok\r\nContent-Encoding: gzip\r\nX: " + std::string(3000, 'x') +
                               "\r\n\r\n" + gzip(std::string(60'000, 'y'));
  size_t refused = 0;
  for (size_t held = 0; held < 64 * 1024; held += 512) {
    Reading reading({}, 64 * 1024);
    std::vector<void*> blocks;
    for (size_t i = 0; i < held / 512; ++i) blocks.push_back(reading.pool.allocate(512));
    reading.client(kGet).server(response).close();
    if (reading.error != AppError::none) {
      EXPECT_EQ(reading.error, AppError::memory);
      EXPECT_EQ(reading.last.next, Next::ended);
      EXPECT_EQ(reading.counters.memory_refused, 1U);
      ++refused;
    }
    for (void* block : blocks) {
      if (block != nullptr) reading.pool.release(block, 512);
    }
  }
  EXPECT_GT(refused, 20U);
}

TEST(HttpCeilings, OpenTransactions) {
  HttpLimits limits;
  limits.transactions = 10;
  Reading reading(limits);
  for (int i = 0; i < 10; ++i) reading.client(kGet);
  EXPECT_EQ(reading.error, AppError::none);
  reading.client(kGet);
  EXPECT_EQ(reading.error, AppError::transactions);
  EXPECT_EQ(reading.counters.transactions_refused, 1U);
  EXPECT_EQ(reading.done.size(), 10U) << "what was open is over, and was shown";
  EXPECT_EQ(reading.parser().advance(Direction::to_server, http::as_bytes(kGet), 0).next, Next::ended);
  EXPECT_EQ(reading.parser().advance(Direction::to_server, http::as_bytes(kGet), 0).error, AppError::none)
      << "told once";
}

TEST(HttpCeilings, TransactionsThatAreOverMakeRoom) {
  HttpLimits limits;
  limits.transactions = 4;
  Reading reading(limits);
  reading.close(Direction::to_client);  // so that each is over with its request
  std::string many;
  for (int i = 0; i < 100; ++i) many += kGet;
  reading.client(many);
  EXPECT_EQ(reading.error, AppError::none);
  EXPECT_EQ(reading.done.size(), 100U);
}

TEST(HttpCeilings, HeadBytes) {
  HttpLimits limits;
  limits.head_bytes = 1000;
  Reading fits(limits), does_not(limits);
  const std::string begin = "GET /a HTTP/1.1\r\nHost: h\r\nX: ";
  fits.client(begin + std::string(1000 - begin.size() - 4, 'x') + "\r\n\r\n").close();
  EXPECT_EQ(fits.error, AppError::none);
  does_not.client(begin + std::string(1000 - begin.size() - 3, 'x') + "\r\n\r\n").close();
  EXPECT_EQ(does_not.error, AppError::malformed);
  EXPECT_TRUE(does_not.done.at(0).has("request_field_too_long"));
  EXPECT_EQ(does_not.counters.heads_too_long, 1U);
}

TEST(HttpCeilings, Fields) {
  HttpLimits limits;
  limits.fields = 5;
  Reading reading(limits);
  reading.client(kGet).server("HTTP/1.1 200 x\r\nA: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\n").close();
  EXPECT_EQ(reading.error, AppError::none);
  Reading more(limits);
  more.client(kGet).server("HTTP/1.1 200 x\r\nA: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\nF: 1\r\n").close();
  EXPECT_EQ(more.error, AppError::malformed);
  EXPECT_TRUE(more.done.at(0).has("response_too_many_headers"));
}

TEST(HttpCeilings, TheTrailerIsBounded) {
  Reading reading;
  reading.client(kGet).server("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
  for (int i = 0; i < 1000 && reading.error == AppError::none; ++i)
    reading.server("Xxxxxxxxx: " + std::string(100, 'y') + "\r\n");
  EXPECT_EQ(reading.error, AppError::malformed);
}

TEST(HttpCeilings, TheBodyLimit) {
  HttpLimits limits;
  limits.response_body_limit = 50'000;
  Reading reading(limits);
  const std::string body = std::string(49'999, 'a') + "bc" + std::string(50'000, 'd');
  reading.client(kGet + kGet)
      .server("HTTP/1.1 200 ok\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  reading.server("HTTP/1.1 200 ok\r\nContent-Length: 1\r\n\r\nx");
  ASSERT_EQ(reading.done.size(), 2U);
  EXPECT_EQ(reading.done[0]["file.data<"], body.substr(0, 50'000));
  EXPECT_EQ(reading.done[0].response_bytes, body.size());
  EXPECT_EQ(reading.done[0].files.at(0), "/a:50000:truncated");
  EXPECT_EQ(reading.done[1]["file.data<"], "x");
}

TEST(HttpCeilings, NothingIsDecodedBeyondTheBodyLimit) {
  HttpLimits limits;
  Reading reading(limits);
  const std::string bomb = gzip(std::string(50'000'000, 'z'));
  reading.client(kGet).server("HTTP/1.1 200 ok\r\nContent-Encoding: gzip\r\n\r\n" + bomb, 1460).close();
  EXPECT_EQ(reading.done.at(0)["file.data<"], std::string(limits.response_body_limit, 'z'));
  EXPECT_LE(reading.counters.decoded_bytes, limits.response_body_limit + 4096);
}

TEST(HttpCeilings, ABombIsStoppedByItsRatio) {
  HttpLimits limits;
  limits.response_body_limit = 0;
  Reading reading(limits);
  const std::string bomb = gzip(gzip(std::string(100'000'000, 'z')));
  reading.client(kGet).server("HTTP/1.1 200 ok\r\nContent-Encoding: gzip, gzip\r\n\r\n" + bomb, 1460).close();
  EXPECT_TRUE(reading.done.at(0).has("compression_bomb"));
  EXPECT_EQ(reading.counters.decode_bombs, 1U);
  EXPECT_LE(reading.counters.decoded_bytes,
            limits.decode_bomb_bytes + limits.decode_ratio * bomb.size() + 8192);
}

TEST(HttpCeilings, Layers) {
  HttpLimits limits;
  limits.decode_layers = 1;
  Reading reading(limits);
  const std::string inner = gzip("hello");
  reading.client(kGet)
      .server("HTTP/1.1 200 ok\r\nContent-Encoding: gzip, gzip\r\n\r\n" + gzip(inner))
      .close();
  EXPECT_EQ(reading.done.at(0)["file.data<"], inner);
  EXPECT_TRUE(reading.done.at(0).has("too_many_encoding_layers"));
}

TEST(HttpCeilings, OneCallDoesABoundedAmountOfWork) {
  HttpLimits limits;
  limits.response_body_limit = 0;
  Reading reading(limits);
  const std::string bomb = gzip(std::string(10'000'000, 'z'));
  reading.client(kGet).server("HTTP/1.1 200 ok\r\nContent-Encoding: gzip\r\n\r\n");
  std::span<const uint8_t> bytes = http::as_bytes(bomb);
  uint64_t calls = 0, most = 0;
  Advance step;
  do {
    step = reading.parser().advance(Direction::to_client, bytes, 0);
    bytes = bytes.subspan(step.consumed);
    most = std::max(most, step.work);
    ++calls;
    reading.last = step;
    reading.look();
  } while (step.next == Next::again);
  EXPECT_LE(most, limits.work_per_call + 2 * 4096);
  EXPECT_GE(calls, 10'000'000 / limits.work_per_call);
  EXPECT_LE(reading.largest_view, limits.window + limits.fresh);
}

TEST(HttpCeilings, WorkThatMakesNothingIsBoundedToo) {
  // The outer layer makes a name of a gzip head that never ends: no byte of a body, and a million of work.
  std::string inner("\x1f\x8b\x08\x08\0\0\0\0\0\0", 10);
  inner += std::string(5'000'000, 'n');
  HttpLimits limits;
  limits.response_body_limit = 0;
  Reading reading(limits);
  reading.client(kGet).server("HTTP/1.1 200 ok\r\nContent-Encoding: gzip, gzip\r\n\r\n");
  const std::string body = gzip(inner);
  std::span<const uint8_t> bytes = http::as_bytes(body);
  uint64_t most = 0;
  Advance step;
  do {
    step = reading.parser().advance(Direction::to_client, bytes, 0);
    bytes = bytes.subspan(step.consumed);
    most = std::max(most, step.work);
    reading.look();
  } while (step.next == Next::again);
  EXPECT_LE(most, limits.work_per_call + 2 * 4096);
}

TEST(HttpCeilings, DetectionThatNeverJudgesDoesNotStopTheStream) {
  Reading reading;
  reading.judging = false;
  const std::string body(90'000, 'a');
  reading.client(kGet).server("HTTP/1.1 200 ok\r\nContent-Length: " + std::to_string(body.size()) +
                              "\r\n\r\n" + body);
  EXPECT_EQ(reading.last.next, Next::more);
  EXPECT_EQ(
      static_cast<HttpTransaction*>(reading.parser().transactions()[0])->decoded_bytes(Direction::to_client),
      body.size());
}

/// Bytes that were looked at or made for each byte that was sent, summed over all calls.
double work_of(const std::string& response, size_t portion) {
  Reading reading;
  reading.client(kGet);
  reading.work = 0;
  reading.server(response, portion).close();
  EXPECT_EQ(reading.error, AppError::none);
  return static_cast<double>(reading.work) / static_cast<double>(response.size());
}

TEST(HttpCeilings, HostileFramingCostsNoMoreThanTenTimesTheOrdinary) {
  const std::string head = "HTTP/1.1 200 ok\r\n";
  const double ordinary = work_of(head + "Content-Length: 80000\r\n\r\n" + std::string(80'000, 'a'), 1460);
  std::string tiny_chunks, empty_lines(80'000, '\n'), extensions, folded, junk;
  for (int i = 0; i < 20'000; ++i) tiny_chunks += "1\na\n";
  for (int i = 0; i < 10'000; ++i) extensions += "1;aaa\na\n";
  for (int i = 0; i < 10'000; ++i) folded += "\r\n a";
  for (int i = 0; i < 3'000; ++i) junk += "foobar\nHTTP\n\n";
  const std::string chunked = head + "Transfer-Encoding: chunked\r\n\r\n";
  for (const std::string& response : {chunked + tiny_chunks, chunked + empty_lines, chunked + extensions,
                                      head + "A: b" + folded + "\r\n\r\n", junk}) {
    for (const size_t portion : {size_t{1}, size_t{1460}})
      EXPECT_LE(work_of(response, portion), 10 * ordinary);
  }
}

}  // namespace
}  // namespace weir::inspection::test
