// What is passed on as it came, or read in one piece, because it is as nearly all is: it has to come out as
// the long way would have made it. Random texts of the characters that matter, judged by that long way.
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <string_view>

#include "inspection/app/http/message_head.h"
#include "inspection/app/http/uri.h"
#include "tests/unit/inspection/http/reading.h"

namespace weir::inspection::test {
namespace {

using http::MessageHead;
using namespace std::string_view_literals;

class Texts {
 public:
  explicit Texts(std::string_view characters) : characters_(characters) {}
  std::string next(size_t most) {
    std::string text(random_() % (most + 1), 'a');
    // Mostly plain, so that those which pass are many.
    for (char& c : text) c = random_() % 8 != 0 ? static_cast<char>('a' + random_() % 26) : odd();
    return text;
  }
  char odd() { return characters_[random_() % characters_.size()]; }
  size_t below(size_t bound) { return random_() % bound; }

 private:
  std::string_view characters_;
  std::mt19937 random_{7};
};

TEST(PlainText, OfAUriIsWhatIsMadeOfIt) {
  Texts texts("/.%\\?#:2F\x80\xff\0"sv);
  BytePool pool(1 << 20);
  size_t plain = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string uri = "/" + texts.next(70);
    if (!http::is_plain_uri(uri)) continue;
    ++plain;
    PoolBytes out(pool);
    bool double_encoded = false;
    ASSERT_TRUE(http::append_uri(http::split_target(uri, false), out, double_encoded));
    EXPECT_EQ(text_of(out.view()), uri);
    EXPECT_FALSE(double_encoded);
  }
  EXPECT_GT(plain, 1'000u);
  EXPECT_LT(plain, 19'000u);
}

TEST(PlainText, OfAHostIsWhatIsMadeOfIt) {
  Texts texts(".-:@[]09AZ \t/`{\x7f\x80\0"sv);
  BytePool pool(1 << 20);
  size_t plain = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string host = texts.next(70);
    if (!http::is_plain_host(host)) continue;
    ++plain;
    PoolBytes out(pool);
    ASSERT_TRUE(http::append_host(host, out));
    EXPECT_EQ(text_of(out.view()), host);
    EXPECT_EQ(http::split_authority(host).port.data(), nullptr);
  }
  EXPECT_GT(plain, 1'000u);
  EXPECT_LT(plain, 19'000u);
}

/// All that a head says.
std::string said_by(const MessageHead& head, MessageHead::Take take) {
  std::string said =
      std::to_string(static_cast<int>(take)) + " " + std::to_string(head.missing_colon()) +
      std::to_string(head.bad_folding()) + std::to_string(head.invalid_name()) +
      std::to_string(head.repeated()) + std::to_string(head.all_plain()) +
      std::to_string(head.framing().length) + std::to_string(head.framing().chunked) +
      std::to_string(head.framing().chunked_odd) + std::to_string(head.framing().length_invalid) +
      std::to_string(head.framing().length_repeated) + std::to_string(head.framing().codings) + "\n";
  for (size_t i = 0; i < head.field_count(); ++i) {
    const MessageHead::Field field = head.field(i);
    said += std::string(field.name) + "|" + std::string(field.value) + "|" +
            std::to_string(head.is_plain(i)) + std::to_string(head.came_before(i)) +
            std::to_string(head.next_of_name(i)) + "\n";
  }
  return said + text_of(head.raw());
}

std::string read(std::string_view text, Direction direction, const std::vector<size_t>& sizes) {
  BytePool pool(1 << 20);
  MessageHead head(pool, direction);
  HttpLimits limits;
  limits.fields = 20;
  limits.head_bytes = 700;
  auto take = MessageHead::Take::more;
  for (const size_t size : sizes) {
    http::Bytes bytes = http::as_bytes(text.substr(0, size));
    text.remove_prefix(bytes.size());
    do {
      take = head.take(bytes, limits);
    } while (take == MessageHead::Take::first_line);
    if (take != MessageHead::Take::more) break;
  }
  // How much of the body came with it hangs on the pieces.
  if (take == MessageHead::Take::body_early) head.drop_early_body();
  return said_by(head, take);
}

TEST(PlainText, OfAHeadIsReadAsByteByByte) {
  Texts texts(": \t\r\n\0\"\x7f"sv);
  for (int i = 0; i < 20'000; ++i) {
    std::string head = "GET / HTTP/1.1\r\n";
    for (size_t fields = texts.below(24); fields > 0; --fields) {
      constexpr std::array<std::string_view, 4> kNames{"Cookie", "content-length", "Transfer-Encoding",
                                                       "content-encoding"};
      std::string name =
          texts.below(4) != 0 ? texts.next(12) : std::string(kNames[texts.below(kNames.size())]);
      if (texts.below(20) == 0) name += texts.odd();
      const std::string value = texts.below(4) != 0   ? texts.next(60)
                                : texts.below(3) != 0 ? std::to_string(texts.below(1'000))
                                                      : "gzip, chunked";
      head += name + (texts.below(20) != 0 ? ": " : ":") + value + (texts.below(30) != 0 ? "\r\n" : "\n");
    }
    head += "\r\nbody";
    const Direction direction = texts.below(2) != 0 ? Direction::to_server : Direction::to_client;
    const std::string slowly = read(head, direction, std::vector<size_t>(head.size(), 1));
    ASSERT_EQ(read(head, direction, {head.size()}), slowly) << head;
    const size_t cut = texts.below(head.size());
    ASSERT_EQ(read(head, direction, {cut, head.size()}), slowly) << head;
  }
}

}  // namespace
}  // namespace weir::inspection::test
