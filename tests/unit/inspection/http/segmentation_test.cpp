// Any segmentation of both streams gives the same exchanges, buffers, files and events.
#include <gtest/gtest.h>

#include <random>

#include "tests/support/rounds.h"
#include "tests/unit/inspection/http/reading.h"

namespace weir::inspection::test {
namespace {

/// Streams made of pieces that mean something, in an order that need not.
class Maker {
 public:
  explicit Maker(uint64_t seed) : random_(seed) {}

  std::string request() {
    std::string out = pick({"GET /a/../b?c=%41 HTTP/1.1", "POST /up HTTP/1.1", "HEAD / HTTP/1.0", "GET /x",
                            "PUT\t/y HTTP/1.1", " GET  / HTTP/9", "junk", "", "POST http://h/ HTTP/1.1"}) +
                      eol();
    return out +
           fields({"Host: h", "Host : h", "Content-Length: 5", "Content-Length: 3, 5",
                   "Transfer-Encoding: chunked", "X: y", " fold",
                   "Content-Type: multipart/form-data; boundary=B", "User-Agent: a", "user-agent: b",
                   "nonsense", ": x"}) +
           body();
  }

  std::string response() {
    std::string out = pick({"HTTP/1.1 200 ok", "HTTP/1.0 404 no", "HTTP/1.1 100 c", "HTTP/1.1 204 n",
                            "http/1.1 200", "foobar", " ", "HTTP/1.1\r", "HTTP/1.1 304 n", "HT"}) +
                      eol();
    return out +
           fields({"Content-Length: 5", "Transfer-Encoding: chunked", "Content-Encoding: gzip",
                   "Content-Encoding: deflate, gzip", "Server: s", "\tfold",
                   "A: b\rTransfer-Encoding: chunked", " ", "Transfer-Encoding\0: x chunked",
                   "Content-Disposition: a; filename=f"}) +
           body();
  }

  size_t below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random_); }

 private:
  std::string pick(std::initializer_list<const char*> from) { return from.begin()[below(from.size())]; }
  std::string eol() { return pick({"\r\n", "\r\n", "\r\n", "\n", "\r", "\r\r\n", "\n\r"}); }
  std::string fields(std::initializer_list<const char*> from) {
    std::string out;
    for (size_t n = below(5); n > 0; --n) out += pick(from) + eol();
    return out + pick({"\r\n", "\r\n", "\n", " \n", " \r\n", "\r"});
  }
  std::string body() {
    switch (below(8)) {
      case 0:
        return "hello";
      case 1:
        return "5\r\nhello\r\n0\r\n\r\n";
      case 2:
        return "3;x\nabc\n2 \r\nde\r\n0\r\nT: r\r\n\r\n";
      case 3:
        return gzip("packed packed packed");
      case 4:
        return "14\r\n" + gzip("chunk").substr(0, 20) + "\r\nff\r\n" + gzip("chunk").substr(20);
      case 5:
        return "--B\r\nContent-Disposition: x; filename=q\r\n\r\nfile\r\n--B--";
      case 6:
        return gzip(zlib("twice and twice"));
      default:
        return "";
    }
  }

  std::mt19937_64 random_;
};

TEST(HttpSegmentation, ChangesNothing) {
  for (int seed = 0; seed < weir::test::rounds(3'000); ++seed) {
    Maker maker(static_cast<uint64_t>(seed));
    std::string requests, responses;
    for (size_t n = 1 + maker.below(3); n > 0; --n) {
      requests += maker.request();
      responses += maker.response();
    }
    const auto read = [&](auto portion_of) {
      Reading reading;
      for (const Direction d : {Direction::to_server, Direction::to_client}) {
        std::string_view left = d == Direction::to_server ? requests : responses;
        while (!left.empty() && reading.last.next != Next::other) {
          const std::string_view part = left.substr(0, portion_of());
          reading.feed(d, part);
          left.remove_prefix(part.size());
        }
      }
      reading.close();
      EXPECT_EQ(reading.error, AppError::none) << seed;
      return reading.done;
    };
    const std::vector<Exchange> whole = read([] { return std::string::npos; });
    const std::vector<Exchange> bytes = read([] { return size_t{1}; });
    const std::vector<Exchange> random = read([&] { return 1 + maker.below(40); });
    ASSERT_EQ(whole == bytes, true) << seed << "\n" << requests << "\n---\n" << responses;
    ASSERT_EQ(whole == random, true) << seed << "\n" << requests << "\n---\n" << responses;
  }
}

}  // namespace
}  // namespace weir::inspection::test
