// Sessions whose policy rule asks for a name, with the engine that finds names in the hub: QUIC.
#include <gtest/gtest.h>

#include "inspection/names/name_finder.h"
#include "tests/packet/spokes.h"
#include "tests/packet/test_hub.h"
#include "tests/unit/inspection/engine/keyword_traffic.h"
#include "tests/unit/inspection/engine/quic_traffic.h"

namespace weir::test {
namespace {

using dataplane::DropReason;
using dataplane::IfUnknown;
using dataplane::PolicyAction;
using inspection::Direction;
using inspection::NameKind;
using inspection::NamePattern;
using inspection::test::crypto_frame;
using inspection::test::quic_initial;

/// The message of TLS of a client that asks for www.example.org, or of its server.
std::string hello(bool client) {
  const std::string record = inspection::test::tls_bytes(client);
  const auto at = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(record[i])); };
  return record.substr(5, 4 + (at(6) << 16 | at(7) << 8 | at(8)));
}

constexpr uint16_t kPort = 443;

/// red to blue: whoever asks for `name`; nobody else.
SnapshotBuilder only(const char* name, uint16_t workers) {
  SnapshotBuilder b = network_without_rules(true, workers);
  dataplane::NameQuestion names;
  names.of(NameKind::sni).push_back({NamePattern::Form::exact, name});
  b.rule({.id = "named",
          .action = PolicyAction::allow,
          .from = {"red"},
          .to = {"blue"},
          .names = names,
          .if_unknown = IfUnknown::deny});
  return b;
}

class QuicNames : public testing::TestWithParam<uint16_t> {
 protected:
  HubOptions options() {
    HubOptions o;
    o.workers = GetParam();
    o.names = inspection::make_name_finders(GetParam(), {}).value();
    return o;
  }
  /// Each datagram comes to another worker.
  size_t take(TestHub& hub, bool client, const std::string& datagram, uint16_t port = 1000) {
    const auto queue = static_cast<uint16_t>(++datagrams_ % GetParam());
    return hub
        .pass_through(client ? from_spoke(kA, kB, udp(port, kPort, datagram))
                             : from_spoke(kB, kA, udp(kPort, port, datagram)),
                      queue)
        .size();
  }
  unsigned datagrams_ = 0;
};

TEST_P(QuicNames, AHelloInOneDatagramPassesAtOnce) {
  TestHub hub(only("www.example.org", GetParam()).build(), options());
  EXPECT_EQ(take(hub, true, quic_initial({}, crypto_frame({0, hello(true)}))), 1u);
  EXPECT_EQ(
      take(hub, false, quic_initial({.direction = Direction::to_client}, crypto_frame({0, hello(false)}))),
      1u);
  EXPECT_EQ(take(hub, true, "\x40 what is protected by the keys that both have now"), 1u);
  const Counts moved = hub.moved();
  EXPECT_EQ(moved.at("forwarded"), 3);
  EXPECT_EQ(moved.count("pending_sessions"), 0u) << "nobody waits any more";
}

TEST_P(QuicNames, AHelloInTwoWaitsForTheSecond) {
  TestHub hub(only("www.example.org", GetParam()).build(), options());
  const std::string message = hello(true);
  const size_t half = message.size() / 2;
  // The second half may come first.
  EXPECT_EQ(take(hub, true, quic_initial({.number = 1}, crypto_frame({half, message.substr(half)}))), 0u);
  EXPECT_EQ(hub.moved().at("pending_held"), 1);
  EXPECT_EQ(take(hub, true, quic_initial({}, crypto_frame({0, message.substr(0, half)}))), 2u);
  EXPECT_EQ(hub.moved().at("pending_held"), -1);
}

TEST_P(QuicNames, WhoAsksForAnotherNameIsRefused) {
  TestHub hub(only("www.example.com", GetParam()).build(), options());
  EXPECT_EQ(take(hub, true, quic_initial({}, crypto_frame({0, hello(true)}))), 0u);
  EXPECT_EQ(hub.moved().at("drop policy_default_deny"), 1);
}

/// Initials that cannot be opened show no name: theirs is unknown.
TEST_P(QuicNames, WhoseHelloCannotBeReadIsRefusedWhenItsTimeIsUp) {
  TestHub hub(only("www.example.org", GetParam()).build(), options());
  const std::string sealed = quic_initial({.keys_of = "otherkey"}, crypto_frame({0, hello(true)}));
  EXPECT_EQ(take(hub, true, sealed), 0u);
  hub.pass_seconds(2.1);
  hub.settle();
  EXPECT_TRUE(hub.sent().empty());
  EXPECT_EQ(hub.moved().at("drop policy_deny"), 1);
}

INSTANTIATE_TEST_SUITE_P(Workers, QuicNames, testing::Values(uint16_t{1}, uint16_t{2}));

}  // namespace
}  // namespace weir::test
