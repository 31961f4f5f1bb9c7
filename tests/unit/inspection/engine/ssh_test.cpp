// SSH up to its keys: banners, algorithms and their fingerprints, in any portions.
#include <gtest/gtest.h>

#include <string>

#include "inspection/app/ssh/ssh_parser.h"
#include "tests/unit/inspection/engine/keyword_traffic.h"

namespace weir::inspection {
namespace {

using namespace test;

constexpr Direction kServer = Direction::to_server, kClient = Direction::to_client;

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
std::string text_of(std::span<const uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

class Ssh : public ::testing::Test {
 protected:
  Ssh() { begin(); }
  ~Ssh() override {
    parser_->destroy();
    EXPECT_EQ(pool_.used(), 0u);
  }
  void begin() {
    if (parser_ != nullptr) parser_->destroy();
    parser_ = make_ssh_parser(pool_, true, 0);
  }
  Advance feed(Direction direction, const std::string& bytes, size_t portion) {
    Advance last;
    for (size_t at = 0; at < bytes.size(); at += portion) {
      const std::string piece = bytes.substr(at, portion);
      last = parser_->advance(direction, bytes_of(piece), 0);
      EXPECT_EQ(last.consumed, piece.size());
    }
    return last;
  }
  SshTransaction& tx() { return *static_cast<SshTransaction*>(parser_->transactions()[0]); }
  bool has(SshEvent event) { return (tx().app_events >> static_cast<unsigned>(event) & 1) != 0; }

  BytePool pool_{1 << 20};
  AppParser* parser_ = nullptr;
};

TEST_F(Ssh, AnyPortionsGiveTheSame) {
  for (const size_t portion : {size_t{1}, size_t{5}, size_t{100}, size_t{4'000}}) {
    SCOPED_TRACE(portion);
    begin();
    feed(kServer, ssh_bytes(true), portion);
    EXPECT_FALSE(tx().says_all());
    const Advance last = feed(kClient, ssh_bytes(false), portion);
    EXPECT_TRUE(tx().says_all());
    const SshTransaction::Side &client = tx().side(kServer), &server = tx().side(kClient);
    EXPECT_EQ(text_of(client.protocol.view()), "2.0");
    EXPECT_EQ(text_of(client.software.view()), "OpenSSH_9.2p1");
    EXPECT_EQ(text_of(client.hassh.view()), "kex-c;enc-cs;mac-cs;none");
    EXPECT_EQ(text_of(server.protocol.view()), "1.99");
    EXPECT_EQ(text_of(server.software.view()), "dropbear_2022.83");
    EXPECT_EQ(text_of(server.hassh.view()), "kex-s;enc-sc;mac-sc;none");
    EXPECT_EQ(last.next, Next::ended);
    EXPECT_TRUE(last.encrypted);
    EXPECT_EQ(tx().app_events, 0u);
  }
}

TEST_F(Ssh, WhatIsWrongIsTold) {
  feed(kServer, "SSH-nothing\r\n", 100);
  EXPECT_TRUE(has(SshEvent::invalid_banner));
  begin();
  feed(kServer, "SSH-2.0-" + std::string(300, 'x') + "\r\n", 64);
  EXPECT_TRUE(has(SshEvent::long_banner));
  EXPECT_EQ(tx().side(kServer).software.size(), 248u);
  begin();
  feed(kServer, "SSH-2.0-x\n" + std::string("\0\0\0\1\0\x14", 6), 100);
  EXPECT_TRUE(has(SshEvent::invalid_record)) << "a record of one byte";
  begin();
  feed(kServer, "SSH-2.0-x\n" + std::string("\0\0\0\x16\0\x14", 6) + std::string(20, 'x'), 100);
  EXPECT_TRUE(has(SshEvent::invalid_record)) << "lists that are not there";
  begin();
  feed(kServer, "SSH-2.0-x\n" + std::string("\0\x10\0\0\0\x14", 6), 100);
  EXPECT_TRUE(has(SshEvent::long_kex_record));
  const Advance gap = parser_->gap(kServer, 10, 0);
  EXPECT_FALSE(gap.encrypted) << "one that failed is read on";
}

}  // namespace
}  // namespace weir::inspection
