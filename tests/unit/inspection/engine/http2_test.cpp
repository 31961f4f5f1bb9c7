// HTTP/2: frames in any pieces, header blocks by a real encoder, streams as transactions, what is odd.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "inspection/app/http2/hpack.h"
#include "inspection/app/http2/http2_parser.h"
#include "inspection/app/http2/http2_transaction.h"
#include "tests/unit/inspection/engine/bytes.h"
#include "tests/unit/inspection/engine/dialog.h"
#include "tests/unit/inspection/engine/keyword_traffic.h"

namespace weir::inspection {
namespace {

using namespace test;
using namespace std::string_literals;

constexpr uint8_t kData = 0, kHeaders = 1, kPriority = 2, kReset = 3, kSettings = 4, kPromise = 5, kPing = 6,
                  kContinuation = 9;
constexpr uint8_t kEndStream = 1, kEndHeaders = 4, kPadded = 8;
constexpr Direction kServer = Direction::to_server, kClient = Direction::to_client;
const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

using Fields = std::vector<std::pair<std::string, std::string>>;

/// nghttp2's own encoder: Huffman, its table, and all.
class Encoder {
 public:
  Encoder() { nghttp2_hd_deflate_new(&deflater_, 65'536); }
  ~Encoder() { nghttp2_hd_deflate_del(deflater_); }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  void set_table(size_t size) { nghttp2_hd_deflate_change_table_size(deflater_, size); }
  std::string block(Fields fields) {
    std::vector<nghttp2_nv> pairs;
    for (auto& [name, value] : fields) {
      pairs.push_back({reinterpret_cast<uint8_t*>(name.data()), reinterpret_cast<uint8_t*>(value.data()),
                       name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    std::string out(nghttp2_hd_deflate_bound(deflater_, pairs.data(), pairs.size()), '\0');
    const ssize_t size = nghttp2_hd_deflate_hd(deflater_, reinterpret_cast<uint8_t*>(out.data()), out.size(),
                                               pairs.data(), pairs.size());
    out.resize(static_cast<size_t>(size));
    return out;
  }

 private:
  nghttp2_hd_deflater* deflater_ = nullptr;
};

/// One behind the other. Made in that order, which `+` does not promise: an encoder remembers.
std::string in_order(std::initializer_list<std::string> frames) {
  std::string all;
  for (const std::string& frame : frames) all += frame;
  return all;
}

/// "stream|method path|status|body|EVENT".
std::string line_of(Http2Transaction& tx) {
  std::string out = std::to_string(tx.stream()) + '|' + std::string(tx.find(kServer, ":method")) + ' ' +
                    std::string(tx.find(kServer, ":path")) + '|' + std::string(tx.find(kClient, ":status")) +
                    '|';
  for (const Direction way : {kServer, kClient}) {
    if (const auto body = tx.buffer(BufferId::file_data, way, 0)) out += as_text(body->bytes);
  }
  for (unsigned bit = 0; bit < http2_event_names().size(); ++bit) {
    if ((tx.app_events >> bit & 1) != 0) out += '|' + std::string(http2_event_names()[bit]);
  }
  return out;
}

class Http2 : public testing::TestWithParam<size_t> {
 protected:
  Http2() { dialog_.piece = GetParam(); }
  void settle() {
    dialog_.client(kPreface + http2_frame(kSettings, 0, 0, ""));
    dialog_.server(http2_frame(kSettings, 0, 0, ""));
    told_.clear();
  }
  /// In the order of their text: which of two that end at once is told first hangs on the pieces.
  std::vector<std::string> told() {
    dialog_.end();
    EXPECT_EQ(pool_.used(), 0u);
    std::sort(told_.begin(), told_.end());
    return told_;
  }

  BytePool pool_{8 << 20};
  HttpLimits limits_;
  Encoder to_server_, to_client_;
  std::vector<std::string> told_;
  Dialog dialog_{make_http2_parser(pool_, limits_, 0, nullptr),
                 [this](Transaction& tx) { told_.push_back(line_of(static_cast<Http2Transaction&>(tx))); }};
};

using Lines = std::vector<std::string>;

TEST_P(Http2, StreamsAreTransactions) {
  settle();
  const Fields one = {{":method", "GET"}, {":path", "/one"}, {"user-agent", "a"}};
  const Fields two = {{":method", "POST"}, {":path", "/two"}, {"user-agent", "a"}};
  dialog_.client(http2_frame(kHeaders, kEndStream | kEndHeaders, 1, to_server_.block(one)));
  dialog_.client(http2_frame(kHeaders, kEndHeaders, 3, to_server_.block(two)));
  // Another stream's frames between those of one.
  dialog_.client(http2_frame(kData, 0, 3, "up"));
  dialog_.server(in_order({http2_frame(kHeaders, kEndHeaders, 1, to_client_.block({{":status", "200"}})),
                           http2_frame(kData, 0, 1, "down")}));
  dialog_.client(http2_frame(kData, kEndStream | kPadded, 3, "\3load\0\0\0"s));
  dialog_.server(
      in_order({http2_frame(kHeaders, kEndHeaders, 3, to_client_.block({{":status", "204"}})),
                http2_frame(kHeaders, kEndStream | kEndHeaders, 3, to_client_.block({{"trailer", "x"}})),
                http2_frame(kData, kEndStream, 1, "!")}));
  EXPECT_EQ(told(), (Lines{"1|GET /one|200|down!", "3|POST /two|204|upload"}));
}

TEST_P(Http2, AHeaderBlockMayBeInSeveralFrames) {
  settle();
  const std::string block = to_server_.block({{":method", "GET"}, {":path", "/" + std::string(300, 'p')}});
  dialog_.client(http2_frame(kHeaders, kEndStream | kPadded, 1, "\2"s + block.substr(0, 5) + "\0\0"s) +
                 http2_frame(kContinuation, 0, 1, block.substr(5, 7)) + http2_frame(kContinuation, 0, 1, "") +
                 http2_frame(kContinuation, 0, 1, block.substr(12)) +
                 http2_frame(kContinuation, kEndHeaders, 1, ""));
  dialog_.server(http2_frame(kHeaders, kEndStream | kEndHeaders, 1, to_client_.block({{":status", "200"}})));
  EXPECT_EQ(told(), Lines{"1|GET /" + std::string(300, 'p') + "|200|"});
}

TEST_P(Http2, AnInterimResponseIsNotTheOne) {
  settle();
  dialog_.client(http2_frame(kHeaders, kEndStream | kEndHeaders, 1,
                             to_server_.block({{":method", "GET"}, {":path", "/"}})));
  dialog_.server(
      in_order({http2_frame(kHeaders, kEndHeaders, 1, to_client_.block({{":status", "103"}})),
                http2_frame(kHeaders, kEndStream | kEndHeaders, 1, to_client_.block({{":status", "200"}}))}));
  EXPECT_EQ(told(), Lines{"1|GET /|200|"});
}

TEST_P(Http2, TheTableOfFieldsGrowsAsSettingsAllow) {
  settle();
  dialog_.server(http2_frame(kSettings, 0, 0, "\0\1\0\0\x40\0"s));  // 16,384 for the client's blocks
  to_server_.set_table(16'384);
  for (uint32_t round = 0; round < 2; ++round) {
    Fields fields = {{":method", "GET"}, {":path", "/"}};
    for (int i = 0; i < 60; ++i) fields.push_back({"name-" + std::to_string(i), std::string(100, 'v')});
    dialog_.client(http2_frame(kHeaders, kEndStream | kEndHeaders, 2 * round + 1, to_server_.block(fields)));
    dialog_.server(http2_frame(kHeaders, kEndStream | kEndHeaders, 2 * round + 1,
                               to_client_.block({{":status", "200"}})));
  }
  EXPECT_EQ(dialog_.error, AppError::none);
  const Lines all = told();
  EXPECT_EQ(all.back(), "3|GET /|200|");
}

TEST_P(Http2, APromiseIsARequest) {
  settle();
  dialog_.client(http2_frame(kHeaders, kEndStream | kEndHeaders, 1,
                             to_server_.block({{":method", "GET"}, {":path", "/"}})));
  dialog_.server(
      in_order({http2_frame(kPromise, kEndHeaders, 1,
                            "\0\0\0\2"s + to_client_.block({{":method", "GET"}, {":path", "/pushed"}})),
                http2_frame(kHeaders, kEndStream | kEndHeaders, 2, to_client_.block({{":status", "200"}})),
                http2_frame(kHeaders, kEndStream | kEndHeaders, 1, to_client_.block({{":status", "200"}}))}));
  EXPECT_EQ(told(), (Lines{"1|GET /|200|", "2|GET /pushed|200|"}));
}

TEST_P(Http2, AResetEndsAStream) {
  settle();
  dialog_.client(
      http2_frame(kHeaders, kEndHeaders, 1, to_server_.block({{":method", "PUT"}, {":path", "/"}})) +
      http2_frame(kData, 0, 1, "half") + http2_frame(kReset, 0, 1, "\0\0\0\10"s) +
      http2_frame(kPriority, 0, 1, "\0\0\0\0\1"s) + http2_frame(kPing, 0, 0, "12345678"));
  EXPECT_EQ(told(), (Lines{"0| ||", "1| ||", "1|PUT /||half"}));
}

TEST_P(Http2, WhatIsOddIsTold) {
  settle();
  dialog_.client(
      http2_frame(
          kHeaders, kEndStream | kEndHeaders, 1,
          to_server_.block({{":method", "GET"}, {":path", "/"}, {":authority", "a@b"}, {"host", "c"}})) +
      http2_frame(kReset, 0, 3, "\0"s));
  dialog_.server(http2_frame(kHeaders, kEndHeaders, 1, "\x80"s));  // no such entry
  EXPECT_EQ(dialog_.error, AppError::malformed);
  dialog_.server("what follows is not read");
  EXPECT_EQ(told(), (Lines{"1|GET /|||invalid_header|authority_host_mismatch|userinfo_in_uri",
                           "3| |||invalid_frame_length"}));
}

TEST_P(Http2, AGapInABodyIsAGapInTheFile) {
  settle();
  dialog_.client(http2_frame(kHeaders, kEndStream | kEndHeaders, 1,
                             to_server_.block({{":method", "GET"}, {":path", "/"}})));
  const std::string body = http2_frame(kData, 0, 1, std::string(100, 'x'));
  dialog_.server(http2_frame(kHeaders, kEndHeaders, 1, to_client_.block({{":status", "200"}})) +
                 body.substr(0, 20));
  dialog_.gap(kClient, 50);
  dialog_.server(body.substr(70) + http2_frame(kData, kEndStream, 1, "!"));
  EXPECT_EQ(told(), Lines{"1|GET /|200|" + std::string(39, 'x') + "!"});
}

TEST_P(Http2, StreamsAreBounded) {
  settle();
  limits_.transactions = 4;
  for (uint32_t stream = 1; stream < 20; stream += 2)
    dialog_.client(
        http2_frame(kHeaders, kEndHeaders, stream, to_server_.block({{":method", "GET"}, {":path", "/"}})));
  EXPECT_EQ(dialog_.error, AppError::transactions);
  EXPECT_EQ(told().size(), 4u);
}

TEST_P(Http2, FloodsOfFramesGo) {
  settle();
  std::string pings;
  for (int i = 0; i < 2'000; ++i) pings += http2_frame(kPing, 0, 0, "12345678");
  dialog_.client(pings);
  EXPECT_EQ(told().size(), 2'000u);
}

TEST_P(Http2, ALargeBodyGoesThroughItsWindow) {
  settle();
  limits_.response_body_limit = 0;
  dialog_.client(http2_frame(kHeaders, kEndStream | kEndHeaders, 1,
                             to_server_.block({{":method", "GET"}, {":path", "/"}})));
  size_t seen = 0;
  dialog_.between = [&] {
    for (Transaction* const tx : dialog_.parser().transactions()) {
      const auto view = tx->buffer(BufferId::http_response_body, kClient, 0);
      if (!view) continue;
      seen += view->bytes.size() - view->old_size;
      tx->judged(BufferId::http_response_body, kClient);
    }
  };
  std::string body = http2_frame(kHeaders, kEndHeaders, 1, to_client_.block({{":status", "200"}}));
  for (int i = 0; i < 10; ++i)
    body += http2_frame(kData, i == 9 ? kEndStream : 0, 1, std::string(16'000, 'x'));
  dialog_.server(body);
  EXPECT_EQ(seen, 160'000u);
  dialog_.end();
  EXPECT_EQ(pool_.used(), 0u);
}

INSTANTIATE_TEST_SUITE_P(InPieces, Http2, testing::Values(1, 13, 1'000'000));

TEST(Http2Upgrade, TheRequestIsTheFirstStream) {
  BytePool pool(4 << 20);
  const HttpLimits limits;
  const UpgradedRequest request{"GET", "/old", "h.example", "AAMAAABk"};
  Lines told;
  Encoder encoder;
  Dialog dialog(make_http2_parser(pool, limits, 5, &request), [&](Transaction& tx) {
    if (tx.id == 5) {
      EXPECT_EQ(tx.number(NumberId::http2_setting, kServer, 0), uint64_t{3} << 32 | 100);
    }
    told.push_back(line_of(static_cast<Http2Transaction&>(tx)));
  });
  dialog.server(http2_frame(kHeaders, kEndStream | kEndHeaders, 1, encoder.block({{":status", "200"}})));
  EXPECT_EQ(told, (Lines{"0| ||", "1|GET /old|200|"}));
}

TEST(Hpack, WithoutMemoryItSaysSo) {
  BytePool pool(BytePool::kLargest);
  std::vector<void*> taken;
  while (void* const block = pool.allocate(BytePool::kSmallest)) taken.push_back(block);
  {
    Hpack hpack(pool);
    const auto nothing = [](std::string_view, std::string_view) { return true; };
    EXPECT_EQ(hpack.take(text("\x82"), true, nothing), Hpack::Take::no_memory);
  }
  for (void* const block : taken) pool.release(block, BytePool::kSmallest);
  EXPECT_EQ(pool.used(), 0u);
}

TEST(Hpack, SizeUpdatesAreRead) {
  EXPECT_EQ(Hpack::size_update(text("\x20")), 0u);
  EXPECT_EQ(Hpack::size_update(text("\x3f\xe1\x1f")), 4'096u);
  EXPECT_EQ(Hpack::size_update(text("\x82")), std::nullopt);
  EXPECT_EQ(Hpack::size_update(text("\x3f\xff\xff\xff\xff\xff\xff")), std::nullopt);
}

}  // namespace
}  // namespace weir::inspection
