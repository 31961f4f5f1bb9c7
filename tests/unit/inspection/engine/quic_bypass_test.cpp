// QUIC in the hub: once both hellos were read its session goes on unseen.
#include <gtest/gtest.h>

#include "tests/unit/inspection/engine/keyword_traffic.h"
#include "tests/unit/inspection/engine/quic_traffic.h"
#include "tests/unit/inspection/support.h"

namespace weir::inspection {
namespace {

using namespace test;

std::string hello(bool client) {
  const std::string record = tls_bytes(client);
  const auto at = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(record[i])); };
  return record.substr(5, 4 + (at(6) << 16 | at(7) << 8 | at(8)));
}

class QuicBypass : public ::testing::Test {
 protected:
  Verdict take(Direction direction, const std::string& datagram) {
    WholePacket whole(17, 0, datagram);
    whole.packet.direction = direction;
    return inspector_->inspect(handle_, *rules_, whole.packet, sink_);
  }
  Verdict take(Direction direction, uint32_t number, const std::string& frames) {
    return take(direction, quic_initial({.direction = direction, .number = number}, frames));
  }

  std::unique_ptr<Inspector> inspector_ = make_inspector();
  std::shared_ptr<const Ruleset> rules_ =
      compile("alert quic any any -> any any (quic.sni; content:\"www.example.org\"; sid:1;)");
  RecordingSink sink_;
  FlowHandle handle_ = inspector_->open(flow_info(17));
};

TEST_F(QuicBypass, OnceBothHellosWereRead) {
  EXPECT_FALSE(take(Direction::to_server, 0, crypto_frame({0, hello(true)})).bypass);
  EXPECT_EQ(sink_.alerts(), std::vector<uint32_t>{1});
  const std::string answer = hello(false);
  EXPECT_FALSE(take(Direction::to_client, 0, crypto_frame({0, answer.substr(0, 20)})).bypass) << "half of it";
  const Verdict last = take(Direction::to_client, 1, crypto_frame({20, answer.substr(20)}));
  EXPECT_TRUE(last.bypass);
  EXPECT_EQ(last.action, Action::pass);
  EXPECT_EQ(inspector_->counters().bypassed, 1u);
  inspector_->close(handle_);
}

TEST_F(QuicBypass, NotWhileOneEndIsNotUnderstood) {
  EXPECT_FALSE(take(Direction::to_server, 0, crypto_frame({0, hello(true)})).bypass);
  for (int i = 0; i < 100; ++i)
    EXPECT_FALSE(take(Direction::to_client, std::string("\x40") + std::string(50, 'x')).bypass);
  inspector_->close(handle_);
}

}  // namespace
}  // namespace weir::inspection
