// QUIC: keys of Initials (vectors of RFC 9001 and RFC 9369), CRYPTO frames in any order, hellos of TLS and of
// Google's, connections that begin again.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "inspection/app/quic/crypto_stream.h"
#include "inspection/app/quic/quic_parser.h"
#include "tests/unit/inspection/engine/keyword_traffic.h"
#include "tests/unit/inspection/engine/quic_traffic.h"

namespace weir::inspection {
namespace {

using namespace test;

constexpr Direction kServer = Direction::to_server, kClient = Direction::to_client;

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
std::string text_of(std::span<const uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

template <size_t N>
std::string hex(const std::array<uint8_t, N>& bytes) {
  std::string out;
  for (const uint8_t byte : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", byte);
    out += digits;
  }
  return out;
}

/// The first handshake message of one end, without the record around it.
std::string hello_of(bool client) {
  const std::string record = tls_bytes(client);
  const auto at = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(record[i])); };
  return record.substr(5, 4 + (at(6) << 16 | at(7) << 8 | at(8)));
}

TEST(QuicKeys, AreThoseOfTheStandards) {
  QuicInitialKeys keys;
  ASSERT_TRUE(derive_initial_keys(1, bytes_of(kQuicId), keys));
  EXPECT_EQ(hex(keys.client.key), "1f369613dd76d5467730efcbe3b1a22d");
  EXPECT_EQ(hex(keys.client.iv), "fa044b2f42a3fd3b46fb255c");
  EXPECT_EQ(hex(keys.client.header_key), "9f50449e04a0e810283a1e9933adedd2");
  EXPECT_EQ(hex(keys.server.key), "cf3a5331653c364c88f0f379b6067e37");
  EXPECT_EQ(hex(keys.server.iv), "0ac1493ca1905853b0bba03e");
  EXPECT_EQ(hex(keys.server.header_key), "c206b8d9b9f0f37644430b490eeaa314");
  ASSERT_TRUE(derive_initial_keys(0x6b3343cf, bytes_of(kQuicId), keys));
  EXPECT_EQ(hex(keys.client.key), "8b1a0bc121284290a29e0971b5cd045d");
  EXPECT_EQ(hex(keys.client.iv), "91f73e2351d8fa91660e909f");
  EXPECT_EQ(hex(keys.client.header_key), "45b95e15235d6f45a6b19cbcb0294ba9");
  EXPECT_FALSE(derive_initial_keys(0x1a2a3a4a, bytes_of(kQuicId), keys));
}

TEST(QuicCrypto, AnyOrderGivesTheSameBytesAndTheFirstStay) {
  BytePool pool(1 << 20);
  CryptoStream stream(pool);
  const std::string whole = "\x01" + std::string("\0\0\x0c", 3) + "abcdefghijkl";
  const auto add = [&](size_t from, size_t size) {
    return stream.add(from, bytes_of(whole.substr(from, size)));
  };
  EXPECT_EQ(add(10, 4), CryptoStream::Added::taken);
  EXPECT_EQ(add(2, 4), CryptoStream::Added::taken);
  EXPECT_TRUE(stream.begin().empty());
  EXPECT_EQ(stream.add(8, bytes_of("efXX")), CryptoStream::Added::taken)
      << "the last two are another content";
  EXPECT_EQ(add(0, 3), CryptoStream::Added::taken);
  EXPECT_EQ(text_of(stream.begin()), whole.substr(0, 6));
  EXPECT_TRUE(stream.message().empty());
  EXPECT_EQ(add(6, 2), CryptoStream::Added::taken);
  EXPECT_EQ(add(13, 3), CryptoStream::Added::taken);
  EXPECT_EQ(text_of(stream.message()), whole);
  EXPECT_EQ(stream.add(CryptoStream::kMaxBytes, bytes_of("x")), CryptoStream::Added::too_long);
  EXPECT_EQ(stream.add(~uint64_t{0}, bytes_of("x")), CryptoStream::Added::too_long);
  for (size_t i = 0; i < CryptoStream::kMaxPieces - 1; ++i)
    EXPECT_EQ(stream.add(100 + 2 * i, bytes_of("x")), CryptoStream::Added::taken);
  EXPECT_EQ(stream.add(300, bytes_of("x")), CryptoStream::Added::too_many);
  stream.reset();
  EXPECT_EQ(pool.used(), 0u);
}

class Quic : public ::testing::Test {
 protected:
  Quic() : parser_(make_quic_parser(pool_, decryptor_, 0)) {}
  ~Quic() override {
    parser_->destroy();
    EXPECT_EQ(pool_.used(), 0u);
  }
  /// One datagram; its last packet's transaction, or null if it made none.
  QuicTransaction* take(Direction direction, const std::string& datagram) {
    parser_->drop_over();
    std::span<const uint8_t> bytes = bytes_of(datagram);
    Advance step = parser_->advance(direction, bytes, 0);
    EXPECT_EQ(step.next, Next::more);
    EXPECT_EQ(step.consumed, bytes.size());
    const auto made = parser_->transactions();
    return made.empty() ? nullptr : static_cast<QuicTransaction*>(made.back());
  }
  QuicTransaction* take(const QuicInitial& initial, const std::string& frames) {
    return take(initial.direction, quic_initial(initial, frames));
  }

  BytePool pool_{1 << 20};
  QuicDecryptor decryptor_;
  AppParser* parser_;
};

TEST_F(Quic, HellosOfBothEnds) {
  for (const uint32_t version : {1u, 0x6b3343cfu, 0xff00001du, 0xff000017u, 0xff000016u}) {
    SCOPED_TRACE(version);
    const QuicTransaction* tx =
        take(QuicInitial{kServer, version}, "\x01" + crypto_frame({0, hello_of(true)}));
    ASSERT_NE(tx, nullptr);
    EXPECT_EQ(text_of(tx->server_name()), "www.example.org");
    EXPECT_EQ(text_of(tx->hello().fingerprint.view()), "771,49199,0-10-11-16,29,0");
    EXPECT_EQ(text_of(tx->hello().ja4.view()).substr(0, 10), "q12d0104h2");
    EXPECT_EQ(tx->app_events, 0u);
    tx = take(QuicInitial{kClient, version},
              std::string("\x02\0\0\0\0", 5) + crypto_frame({0, hello_of(false)}));
    ASSERT_NE(tx, nullptr);
    EXPECT_EQ(text_of(tx->hello().fingerprint.view()), "771,49199,16");
    EXPECT_EQ(take(QuicInitial{kServer, version, "serv"}, "\x01"), nullptr) << "nothing new after the hello";
    parser_->destroy();
    parser_ = make_quic_parser(pool_, decryptor_, 0);
  }
}

TEST_F(Quic, AHelloOverSeveralPacketsInAnyOrder) {
  const std::string hello = hello_of(true);
  const QuicTransaction* tx =
      take(QuicInitial{}, crypto_frame({20, hello.substr(20, 30)}) + std::string(3, '\0') +
                              crypto_frame({0, hello.substr(0, 10)}));
  ASSERT_NE(tx, nullptr);
  EXPECT_FALSE(tx->hello().seen);
  tx = take(QuicInitial{.number = 1},
            crypto_frame({50, hello.substr(50)}) + crypto_frame({10, hello.substr(10, 10)}));
  ASSERT_NE(tx, nullptr);
  EXPECT_EQ(text_of(tx->server_name()), "www.example.org");
}

TEST_F(Quic, ARetryAndAnotherConnectionBeginAnew) {
  const std::string frames = crypto_frame({0, hello_of(true)});
  ASSERT_NE(take(QuicInitial{}, frames), nullptr);
  const std::string retry = "\xf0" + std::string("\0\0\0\1\0\4next", 10) + std::string(20, 't');
  ASSERT_NE(take(kClient, retry), nullptr);
  const QuicTransaction* tx = take(QuicInitial{.destination = "next", .keys_of = "next"}, frames);
  ASSERT_NE(tx, nullptr);
  EXPECT_EQ(text_of(tx->server_name()), "www.example.org");
  // The server's name for itself is used from now on; another one is another connection.
  ASSERT_NE(take(QuicInitial{.direction = kClient, .keys_of = "next"}, crypto_frame({0, hello_of(false)})),
            nullptr);
  EXPECT_EQ(take(QuicInitial{.destination = "serv", .keys_of = "next"}, "\x01"), nullptr);
  tx = take(QuicInitial{.destination = "another!", .keys_of = "another!"}, frames);
  ASSERT_NE(tx, nullptr);
  EXPECT_EQ(text_of(tx->server_name()), "www.example.org");
}

TEST_F(Quic, WhatCannotBeReadIsTold) {
  const auto has = [](const QuicTransaction* tx, QuicEvent event) {
    return tx != nullptr && (tx->app_events >> static_cast<unsigned>(event) & 1) != 0;
  };
  EXPECT_TRUE(has(take(QuicInitial{.keys_of = "wrong"}, "\x01"), QuicEvent::failed_decrypt));
  EXPECT_TRUE(has(take(QuicInitial{}, "\x77"), QuicEvent::error_on_data)) << "no frame of an Initial";
  EXPECT_TRUE(
      has(take(QuicInitial{}, std::string("\x06\x80\xff\xff\xff\x01x", 7)), QuicEvent::crypto_frag_too_long));
}

TEST_F(Quic, GooglesHello) {
  const QuicTransaction* tx = take(kServer, google_hello("i.example", "Chrome/1"));
  ASSERT_NE(tx, nullptr);
  EXPECT_EQ(text_of(tx->server_name()), "i.example");
  EXPECT_EQ(text_of(tx->user_agent()), "Chrome/1");
  EXPECT_EQ(text_of(tx->cyu()), "46,PAD-SNI-VER-UAID");
}

TEST_F(Quic, EveryTruncationAndBrokenByteIsHarmless) {
  for (const std::string& datagram :
       {quic_initial({}, crypto_frame({0, hello_of(true)})), google_hello("a", "b")}) {
    for (size_t i = 0; i < datagram.size(); i += i < 64 ? 1 : 17) {
      take(kServer, datagram.substr(0, i));
      std::string broken = datagram;
      broken[i] = static_cast<char>(broken[i] ^ 0x55);
      take(kServer, broken);
      parser_->destroy();
      parser_ = make_quic_parser(pool_, decryptor_, 0);
    }
  }
}

}  // namespace
}  // namespace weir::inspection
