// Packets of exactly the MTU through each kind of port that leads to the kernel, both ways; and TAP
// interfaces.
#include <gtest/gtest.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>

#include <chrono>
#include <memory>
#include <ostream>
#include <thread>

#include "dataplane/io/interface.h"
#include "dataplane/io/port.h"
#include "dataplane/io/xdp_steering.h"
#include "tests/unit/io/eal_fixture.h"
#include "tests/unit/io/frames.h"
#include "tests/unit/io/netns.h"

namespace weir::dataplane {
namespace {

using test::Bytes;

constexpr net::Mac kFar{{0x02, 0xbb, 0, 0, 0, 0x09}};
constexpr uint16_t kEthernet = 14;

/// An IPv4 packet of `length` bytes in Ethernet, of a protocol that nobody answers.
Bytes frame_of(uint16_t length, net::Mac to, net::Mac from) {
  test::Ipv4Frame frame;
  frame.to = to;
  frame.from = from;
  frame.protocol = 253;  // RFC 3692: for experiments
  frame.source = net::Ipv4{0xc6120002};
  frame.destination = net::Ipv4{0xc6120001};
  frame.payload = size_t{length} - 20;
  return test::build(frame);
}

class Mtu : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!test::can_make_namespaces(why_not)) return;
    if (!test::enter_new_namespace()) return;
    peer = std::make_unique<test::PeerNamespace>();
    made =
        peer->is_open() && test::make_veth(*peer, "wmt0", "wmt1") && peer->run("ip link set wmt1 mtu 9300");
  }
  static void TearDownTestSuite() { peer.reset(); }
  void SetUp() override {
    if (!why_not.empty()) GTEST_SKIP() << why_not;
    ASSERT_TRUE(made);
    ASSERT_EQ(test::shared_eal(Hugepages::off), "");
  }
  void TearDown() override {
    port_.reset();
    if (pool_ != nullptr) rte_mempool_free(pool_);
  }

  void make_pool(uint16_t data_bytes) {
    const auto pool = make_packet_pool(8'192, 128, data_bytes);
    ASSERT_TRUE(pool) << pool.error().message;
    pool_ = *pool;
    EXPECT_EQ(data_bytes_of(*pool_), data_bytes);
  }
  Result<std::unique_ptr<Port>> open(PortKind kind, const std::string& interface, uint32_t mtu) {
    PortSpec spec;
    spec.name = "wan";
    spec.kind = kind;
    spec.interface = interface;
    spec.mtu = mtu;
    if (kind == PortKind::af_xdp) spec.xdp_object = XdpSteering::object_file().value();
    return Port::open(spec, 1, pool_);
  }
  /// The next frame of kFar's, as the port hands it over: in one buffer.
  Bytes receive() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(3);
    while (std::chrono::steady_clock::now() < end) {
      rte_mbuf* packet = nullptr;
      if (rte_eth_rx_burst(port_->device(), 0, &packet, 1) != 1) {
        std::this_thread::sleep_for(std::chrono::microseconds(100));
        continue;
      }
      const auto* bytes = rte_pktmbuf_mtod(packet, const uint8_t*);
      Bytes frame(bytes, bytes + packet->data_len);
      const bool whole = packet->nb_segs == 1;
      rte_pktmbuf_free(packet);
      const bool ours =
          frame.size() > kEthernet && std::equal(kFar.bytes.begin(), kFar.bytes.end(), frame.begin() + 6);
      if (ours) return whole ? frame : Bytes{};
    }
    return {};
  }
  bool send(const Bytes& frame) {
    rte_mbuf* packet = rte_pktmbuf_alloc(pool_);
    if (packet == nullptr) return false;
    char* at = rte_pktmbuf_append(packet, static_cast<uint16_t>(frame.size()));
    if (at != nullptr) std::copy(frame.begin(), frame.end(), at);
    if (at != nullptr && rte_eth_tx_burst(port_->device(), 0, &packet, 1) == 1) return true;
    rte_pktmbuf_free(packet);
    return false;
  }
  /// The next frame of the port's MAC to kFar that `wire` sees: the kernel tells its groups by that MAC, too.
  Bytes seen_by(const test::RawSocket& wire) {
    const net::Mac mac = port_->mac();
    for (Bytes frame = wire.receive(2'000); !frame.empty(); frame = wire.receive(2'000)) {
      if (frame.size() > kEthernet && std::equal(mac.bytes.begin(), mac.bytes.end(), frame.begin() + 6) &&
          std::equal(kFar.bytes.begin(), kFar.bytes.end(), frame.begin()))
        return frame;
    }
    return {};
  }
  void expect_both_ways(const test::RawSocket& wire, uint16_t mtu) {
    const Bytes in = frame_of(mtu, port_->mac(), kFar);
    ASSERT_TRUE(wire.send(in));
    EXPECT_EQ(receive(), in);
    const Bytes out = frame_of(mtu, kFar, port_->mac());
    ASSERT_TRUE(send(out));
    EXPECT_EQ(seen_by(wire), out);
  }

  static inline std::unique_ptr<test::PeerNamespace> peer;
  static inline std::string why_not;
  static inline bool made = false;
  rte_mempool* pool_ = nullptr;
  std::unique_ptr<Port> port_;
};

struct Row {
  const char* name;
  PortKind kind;
  uint16_t mtu;
  uint16_t data_bytes;
};
std::ostream& operator<<(std::ostream& out, const Row& row) { return out << row.name; }

class MtuOfPort : public Mtu, public testing::WithParamInterface<Row> {};

TEST_P(MtuOfPort, CarriesPacketsOfExactlyThat) {
  const Row& row = GetParam();
  EXPECT_EQ(data_bytes_for(row.kind, row.mtu), row.data_bytes);
  ASSERT_NO_FATAL_FAILURE(make_pool(row.data_bytes));
  // With XDP at its other end, a veth is held to what XDP takes.
  ASSERT_TRUE(
      peer->run(std::string("ip link set wmt1 mtu ") + (row.kind == PortKind::af_xdp ? "3306" : "9300")));
  auto opened = open(row.kind, row.kind == PortKind::tap ? "wmt2" : "wmt0", row.mtu);
  ASSERT_TRUE(opened) << opened.error().message;
  port_ = std::move(*opened);
  EXPECT_EQ(port_->mtu(), row.mtu);
  std::unique_ptr<XdpSteering> steering;
  if (row.kind == PortKind::af_xdp) {
    auto attached = XdpSteering::attach_to(port_->kernel_ifindex());
    ASSERT_TRUE(attached) << attached.error().message;
    steering = std::move(*attached);
    ASSERT_TRUE(steering->set({{.vlan = uint16_t{0}}}));  // all untagged frames
  }
  if (row.kind == PortKind::tap) {
    EXPECT_EQ(find_interface("wmt2")->mtu, row.mtu);
    expect_both_ways(test::RawSocket("wmt2"), row.mtu);
  } else {
    EXPECT_EQ(find_interface("wmt0")->mtu, row.mtu);
    expect_both_ways(test::RawSocket(*peer, "wmt1"), row.mtu);
  }
}

INSTANTIATE_TEST_SUITE_P(All, MtuOfPort,
                         testing::Values(Row{"AfPacketUsual", PortKind::af_packet, 1'964, 2'048},
                                         Row{"AfPacketBetween", PortKind::af_packet, 4'000, 4'096},
                                         Row{"AfPacketLargest", PortKind::af_packet, kMaxMtu, 9'344},
                                         Row{"AfXdpUsual", PortKind::af_xdp, 1'770, 2'048},
                                         Row{"AfXdpLargest", PortKind::af_xdp, kMaxAfXdpMtu,
                                             kMaxAfXdpDataBytes},
                                         Row{"TapUsual", PortKind::tap, 1'500, 2'048},
                                         Row{"TapLargest", PortKind::tap, kMaxMtu, 9'344}),
                         [](const auto& row) { return row.param.name; });

TEST_F(Mtu, NoPortTakesMoreThanItsBuffers) {
  ASSERT_NO_FATAL_FAILURE(make_pool(4'096));
  const auto over = open(PortKind::af_packet, "wmt0", 4'013);
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().message, "port wan: an MTU of 4013 is not between 68 and 4012");
  // Nobody asked for it: the interface may have more than the hub uses.
  ASSERT_TRUE(test::run("ip link set wmt0 mtu 9000"));
  auto opened = open(PortKind::af_packet, "wmt0", 0);
  ASSERT_TRUE(opened) << opened.error().message;
  port_ = std::move(*opened);
  EXPECT_EQ(port_->mtu(), 4'012);
  ASSERT_TRUE(test::run("ip link set wmt0 mtu 1500"));
}

TEST_F(Mtu, AfXdpTakesNoBuffersLargerThanAPage) {
  ASSERT_NO_FATAL_FAILURE(make_pool(9'344));
  const auto opened = open(PortKind::af_xdp, "wmt0", 0);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().message,
            "port wan: buffers of 9344 bytes do not fit a page, as AF_XDP wants them");
}

TEST_F(Mtu, TapInterfaceComesAndGoesWithThePort) {
  ASSERT_NO_FATAL_FAILURE(make_pool(2'048));
  for (int round = 0; round < 3; ++round) {
    auto opened = open(PortKind::tap, "wmt3", 0);
    ASSERT_TRUE(opened) << opened.error().message;
    port_ = std::move(*opened);
    const auto facts = find_interface("wmt3");
    ASSERT_TRUE(facts);
    EXPECT_TRUE(facts->up);
    EXPECT_NE(facts->mac, port_->mac()) << "two ends of a wire";
    EXPECT_EQ(net::to_string(port_->mac()).substr(0, 6), "02:54:");
    EXPECT_TRUE(port_->link_up());
    const auto twice = open(PortKind::tap, "wmt3", 0);
    ASSERT_FALSE(twice);
    EXPECT_EQ(
        twice.error().message,
        "port wan: there is an interface wmt3 already, and a tap port makes its own: choose another name");
    port_.reset();
    EXPECT_FALSE(find_interface("wmt3"));
  }
}

}  // namespace
}  // namespace weir::dataplane
