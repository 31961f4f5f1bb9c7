// AF_XDP ports and steering on a veth pair, against the real kernel.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
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
using test::Ipv4Frame;

constexpr net::Ipv4 kHub{0xc6120001};    // 198.18.0.1
constexpr net::Ipv4 kOther{0xc6120003};  // 198.18.0.3, another address of the kernel's
constexpr net::Ipv4 kPeer{0xc6120002};   // 198.18.0.2
constexpr net::Mac kSender{{0x02, 0xaa, 0, 0, 0, 0x09}};
constexpr auto kInterface = "wio0";

class AfXdp : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!test::can_make_namespaces(why_not)) return;
    if (!test::enter_new_namespace()) return;
    peer = std::make_unique<test::PeerNamespace>();
    made = peer->is_open() && test::make_veth(*peer, kInterface, "wio1") &&
           test::run("ip addr add 198.18.0.1/24 dev wio0") &&
           test::run("ip addr add 198.18.0.3/24 dev wio0") && peer->run("ip addr add 198.18.0.2/24 dev wio1");
  }
  static void TearDownTestSuite() { peer.reset(); }

  void SetUp() override {
    if (!why_not.empty()) GTEST_SKIP() << why_not;
    ASSERT_TRUE(made);
    ASSERT_EQ(test::shared_eal(Hugepages::automatic), "");
    // A pool for each test, since the driver keeps what it has given to the kernel when a port closes.
    const auto pool = make_packet_pool(32'768, 64);
    ASSERT_TRUE(pool) << pool.error().message;
    pool_ = *pool;
  }
  /// Whatever a test did, the interface is as it was.
  void TearDown() override {
    if (!made) return;
    port_.reset();
    rte_mempool_free(pool_);
    EXPECT_EQ(attached_program(), 0u);
  }

  static uint32_t attached_program(const char* interface = kInterface) {
    uint32_t id = 0;
    EXPECT_EQ(bpf_xdp_query_id(static_cast<int>(if_nametoindex(interface)), 0, &id), 0);
    return id;
  }
  PortSpec spec(const std::string& interface = kInterface) const {
    PortSpec spec;
    spec.name = "wan";
    spec.kind = PortKind::af_xdp;
    spec.interface = interface;
    spec.xdp_object = XdpSteering::object_file().value();
    return spec;
  }
  void open_port() {
    auto port = Port::open(spec(), 1, pool_);
    ASSERT_TRUE(port) << port.error().message;
    port_ = std::move(*port);
    auto steering = XdpSteering::attach_to(port_->kernel_ifindex());
    ASSERT_TRUE(steering) << steering.error().message;
    steering_ = std::move(*steering);
  }
  /// The next frame of kSender's that the hub receives, or nothing within `timeout`.
  Bytes receive(std::chrono::milliseconds timeout) {
    const auto end = std::chrono::steady_clock::now() + timeout;
    do {
      rte_mbuf* packet = nullptr;
      if (rte_eth_rx_burst(port_->device(), 0, &packet, 1) == 1) {
        const auto* bytes = rte_pktmbuf_mtod(packet, const uint8_t*);
        Bytes frame(bytes, bytes + packet->data_len);
        rte_pktmbuf_free(packet);
        return frame;
      }
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    } while (std::chrono::steady_clock::now() < end);
    return {};
  }
  Ipv4Frame vxlan() const {
    Ipv4Frame frame;
    frame.to = port_->mac();
    frame.from = kSender;
    frame.source = kPeer;
    frame.destination = kHub;
    return frame;
  }
  /// Whether the kernel's side of the interface sees a frame of kSender's soon.
  static bool kernel_sees(const test::RawSocket& tap) {
    for (Bytes frame = tap.receive(300); !frame.empty(); frame = tap.receive(300)) {
      if (frame.size() >= 12 && std::equal(kSender.bytes.begin(), kSender.bytes.end(), frame.begin() + 6))
        return true;
    }
    return false;
  }

  static inline std::unique_ptr<test::PeerNamespace> peer;
  static inline std::string why_not;
  static inline bool made = false;
  rte_mempool* pool_ = nullptr;
  std::unique_ptr<Port> port_;
  std::unique_ptr<XdpSteering> steering_;
};

struct Row {
  const char* name;
  bool to_hub;
  std::function<void(Ipv4Frame&)> change;
};

const std::vector<Row> kRows = {
    {"vxlan", true, [](Ipv4Frame&) {}},
    {"IP options", true, [](Ipv4Frame& f) { f.header_words = 8; }},
    {"one VLAN tag", true, [](Ipv4Frame& f) { f.vlan_types = {0x8100}; }},
    {"two VLAN tags", true,
     [](Ipv4Frame& f) {
       f.vlan_types = {0x88a8, 0x8100};
     }},
    {"three VLAN tags", false,
     [](Ipv4Frame& f) {
       f.vlan_types = {0x8100, 0x8100, 0x8100};
     }},
    {"first fragment", true, [](Ipv4Frame& f) { f.fragment = 0x2000; }},
    {"later fragment", true, [](Ipv4Frame& f) { f.fragment = 185, f.port = 1; }},
    {"tagged later fragment", true, [](Ipv4Frame& f) { f.fragment = 185, f.vlan_types = {0x8100}; }},
    {"fragment to another address", false, [](Ipv4Frame& f) { f.fragment = 185, f.destination = kOther; }},
    {"fragment of another protocol", false, [](Ipv4Frame& f) { f.fragment = 185, f.protocol = 1; }},
    {"do-not-fragment bit", true, [](Ipv4Frame& f) { f.fragment = 0x4000; }},
    {"another port", false, [](Ipv4Frame& f) { f.port = 4790; }},
    {"another VXLAN user's address", false, [](Ipv4Frame& f) { f.destination = kOther; }},
    {"TCP", false, [](Ipv4Frame& f) { f.protocol = 6; }},
    {"no IPv4", false, [](Ipv4Frame& f) { f.ether_type = 0x88b5; }},
    {"version 6 in an IPv4 frame", false, [](Ipv4Frame& f) { f.version = 6; }},
    {"header too short to be one", false, [](Ipv4Frame& f) { f.header_words = 4; }},
    {"UDP header cut off", false, [](Ipv4Frame& f) { f.payload = 7; }},
};

TEST_F(AfXdp, SteersTunnelTrafficAndNothingElse) {
  ASSERT_NO_FATAL_FAILURE(open_port());
  ASSERT_TRUE(steering_->set({{kHub, 4789}}));
  const test::RawSocket sender(*peer, "wio1");
  ASSERT_TRUE(sender.is_open());
  for (const Row& row : kRows) {
    Ipv4Frame frame = vxlan();
    row.change(frame);
    const Bytes bytes = test::build(frame);
    const test::RawSocket tap(kInterface);
    ASSERT_TRUE(sender.send(bytes)) << row.name;
    if (row.to_hub) {
      EXPECT_EQ(receive(std::chrono::seconds(1)), bytes) << row.name;
    } else {
      EXPECT_TRUE(kernel_sees(tap)) << row.name;
      EXPECT_TRUE(receive(std::chrono::milliseconds(0)).empty()) << row.name;
    }
  }
}

TEST_F(AfXdp, LeavesThePingToTheKernel) {
  ASSERT_NO_FATAL_FAILURE(open_port());
  ASSERT_TRUE(steering_->set({{kHub, 4789}}));
  EXPECT_TRUE(peer->run("ping -c 2 -i 0.2 -W 2 198.18.0.1"));
}

TEST_F(AfXdp, WithoutRulesAllGoesToTheKernel) {
  ASSERT_NO_FATAL_FAILURE(open_port());
  const test::RawSocket sender(*peer, "wio1");
  const test::RawSocket tap(kInterface);
  ASSERT_TRUE(sender.send(test::build(vxlan())));
  EXPECT_TRUE(kernel_sees(tap));
}

TEST_F(AfXdp, RulesFollowTheSet) {
  ASSERT_NO_FATAL_FAILURE(open_port());
  const test::RawSocket sender(*peer, "wio1");
  Ipv4Frame second = vxlan();
  second.port = 8472;
  ASSERT_TRUE(steering_->set({{kHub, 4789}, {kOther, 4789}}));
  ASSERT_TRUE(steering_->set({{kHub, 8472}}));
  ASSERT_TRUE(sender.send(test::build(second)));
  EXPECT_EQ(receive(std::chrono::seconds(1)), test::build(second));
  ASSERT_TRUE(sender.send(test::build(vxlan())));
  EXPECT_TRUE(receive(std::chrono::milliseconds(200)).empty());
  ASSERT_TRUE(steering_->set({}));
  second.fragment = 185;
  ASSERT_TRUE(sender.send(test::build(second)));
  EXPECT_TRUE(receive(std::chrono::milliseconds(200)).empty());
}

TEST_F(AfXdp, RefusesMoreRulesThanFit) {
  ASSERT_NO_FATAL_FAILURE(open_port());
  std::vector<SteerRule> rules;
  for (uint32_t i = 0; i < 2048; ++i) rules.push_back({kHub, static_cast<uint16_t>(i + 1)});
  ASSERT_TRUE(steering_->set(rules));
  // All of them replaced: adding before removing needs room for both.
  for (SteerRule& rule : rules) rule.local = kOther;
  ASSERT_TRUE(steering_->set(rules));
  rules.push_back({kHub, 4789});
  const auto refused = steering_->set(rules);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::exhausted);
}

TEST_F(AfXdp, SendsToTheWire) {
  ASSERT_NO_FATAL_FAILURE(open_port());
  const test::RawSocket tap(*peer, "wio1");
  rte_mbuf* packet = rte_pktmbuf_alloc(pool_);
  const Bytes bytes = test::build(vxlan());
  std::copy(bytes.begin(), bytes.end(), rte_pktmbuf_append(packet, static_cast<uint16_t>(bytes.size())));
  ASSERT_EQ(rte_eth_tx_burst(port_->device(), port_->tx_queue(0), &packet, 1), 1);
  EXPECT_TRUE(kernel_sees(tap));
}

TEST_F(AfXdp, CarriesTheLargestMtuOfItsBuffers) {
  const uint16_t largest = largest_mtu(PortKind::af_xdp, data_bytes_of(*pool_));
  PortSpec large = spec();
  large.mtu = largest;
  auto port = Port::open(large, 1, pool_);
  ASSERT_TRUE(port) << port.error().message;
  port_ = std::move(*port);
  steering_ = XdpSteering::attach_to(port_->kernel_ifindex()).value();
  ASSERT_TRUE(steering_->set({{kHub, 4789}}));
  ASSERT_TRUE(peer->run("ip link set wio1 mtu " + std::to_string(largest)));
  const test::RawSocket sender(*peer, "wio1");
  Ipv4Frame frame = vxlan();
  frame.vlan_types = {0x8100, 0x8100};
  frame.payload = largest - 20u - 4u;  // a second tag is beyond what the sender's kernel allows over its MTU
  ASSERT_TRUE(sender.send(test::build(frame)));
  EXPECT_EQ(receive(std::chrono::seconds(1)), test::build(frame));
  port_.reset();
  EXPECT_EQ(find_interface(kInterface)->mtu, 1500u);
  EXPECT_TRUE(peer->run("ip link set wio1 mtu 1500"));
}

TEST_F(AfXdp, OpensAgainAndAgain) {
  for (int round = 0; round < 3; ++round) {
    ASSERT_NO_FATAL_FAILURE(open_port());
    EXPECT_NE(attached_program(), 0u);
    EXPECT_TRUE(port_->link_up());
    port_.reset();
    EXPECT_EQ(attached_program(), 0u);
  }
}

TEST_F(AfXdp, OneInterfaceIsOnePort) {
  ASSERT_NO_FATAL_FAILURE(open_port());
  const auto second = Port::open(spec(), 1, pool_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message,
            "port wan: wio0 belongs to another running hub, or to another port of this one");
}

TEST_F(AfXdp, NamesTheNearestInterface) {
  const auto port = Port::open(spec("wio"), 1, pool_);
  ASSERT_FALSE(port);
  EXPECT_EQ(port.error().message, "port wan: there is no network interface named wio (is wio0 meant?)");
}

TEST_F(AfXdp, RefusesADeviceWithMoreQueuesThanSockets) {
  ASSERT_TRUE(
      test::run("ip link add wio2 numrxqueues 2 numtxqueues 2 type veth peer name wio3 numrxqueues 2 "
                "numtxqueues 2 && ethtool -L wio2 rx 2 tx 2"));
  const auto port = Port::open(spec("wio2"), 1, pool_);
  ASSERT_FALSE(port);
  EXPECT_EQ(port.error().message,
            "port wan: wio2 has 2 receive queues, but DPDK binds a single one on such a device and the "
            "others' packets "
            "would pass the hub by; `ethtool -L wio2 rx 1` mends it");
  ASSERT_TRUE(test::run("ethtool -L wio2 rx 1 && ethtool -L wio3 tx 1 && ip link set wio2 up"));
  const auto mended = Port::open(spec("wio2"), 1, pool_);
  EXPECT_TRUE(mended) << mended.error().message;
  test::run("ip link del wio2");
}

TEST_F(AfXdp, PassesOnTheKernelsReason) {
  ASSERT_TRUE(
      test::run("ip link add wio6 numrxqueues 1 numtxqueues 1 type veth peer name wio7 numrxqueues 2 "
                "numtxqueues 2 && ethtool -L wio7 rx 2 tx 2 && ip link set wio6 up"));
  const auto port = Port::open(spec("wio6"), 1, pool_);
  ASSERT_FALSE(port);
  EXPECT_EQ(port.error().message,
            "port wan: wio6 over AF_XDP: the driver does not set up receive queue 0: veth: XDP expects "
            "number of rx "
            "queues not less than peer tx queues");
  EXPECT_EQ(attached_program("wio6"), 0u);
  test::run("ip link del wio6");
}

TEST_F(AfXdp, SurvivesTheInterfaceGoing) {
  ASSERT_TRUE(
      test::run("ip link add wio4 numrxqueues 1 numtxqueues 1 type veth peer name wio5 numrxqueues 1 "
                "numtxqueues 1 && ip link set wio4 up"));
  auto port = Port::open(spec("wio4"), 1, pool_);
  ASSERT_TRUE(port) << port.error().message;
  ASSERT_TRUE(test::run("ip link del wio4"));
  EXPECT_FALSE((*port)->link_up());
  port->reset();
}

TEST_F(AfXdp, LeavesAnothersProgramAlone) {
  const bpf_insn pass[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_PASS},
                           {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  const int program = bpf_prog_load(BPF_PROG_TYPE_XDP, "someone_else", "GPL", pass, 2, nullptr);
  ASSERT_GE(program, 0);
  const auto ifindex = static_cast<int>(if_nametoindex(kInterface));
  ASSERT_EQ(bpf_xdp_attach(ifindex, program, 0, nullptr), 0);
  const uint32_t id = attached_program();
  const std::string sentence = "wio0 has an XDP program that is not Weir's (id " + std::to_string(id) +
                               ", name \"someone_else\"); `ip link set wio0 xdp off` removes it";
  const auto removed = XdpSteering::remove_stale(kInterface);
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().message, sentence);
  const auto port = Port::open(spec(), 1, pool_);
  ASSERT_FALSE(port);
  EXPECT_EQ(port.error().message, "port wan: " + sentence);
  EXPECT_FALSE(XdpSteering::attach_to(static_cast<uint32_t>(ifindex)));
  EXPECT_EQ(attached_program(), id);
  bpf_xdp_detach(ifindex, 0, nullptr);
  close(program);
}

/// A hub in a process of its own, to be killed.
class OtherHub {
 public:
  OtherHub() {
    int channel[2];
    if (pipe(channel) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      dup2(channel[1], STDOUT_FILENO);
      close(channel[0]);
      execl(WEIR_HUB_PROCESS, WEIR_HUB_PROCESS, kInterface, nullptr);
      _exit(127);
    }
    close(channel[1]);
    for (char byte; read(channel[0], &byte, 1) == 1 && byte != '\n';) said_ += byte;
    close(channel[0]);
  }
  ~OtherHub() { end(SIGKILL); }
  OtherHub(const OtherHub&) = delete;
  OtherHub& operator=(const OtherHub&) = delete;
  const std::string& said() const { return said_; }
  int end(int signal) {
    if (pid_ <= 0) return -1;
    kill(pid_, signal);
    int status = -1;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_ = -1;
  std::string said_;
};

TEST_F(AfXdp, ALivingHubIsNotDisturbed) {
  OtherHub other;
  ASSERT_EQ(other.said(), "ready");
  const uint32_t program = attached_program();
  ASSERT_NE(program, 0u);
  EXPECT_EQ(XdpSteering::remove_stale(kInterface).error().code, ErrorCode::in_use);
  EXPECT_EQ(Port::open(spec(), 1, pool_).error().code, ErrorCode::in_use);
  EXPECT_EQ(attached_program(), program);
  EXPECT_EQ(other.end(SIGTERM), 0);
  EXPECT_EQ(attached_program(), 0u);
}

TEST_F(AfXdp, ReplacesWhatAKilledHubLeft) {
  OtherHub other;
  ASSERT_EQ(other.said(), "ready");
  other.end(SIGKILL);
  const uint32_t stale = attached_program();
  ASSERT_NE(stale, 0u) << "nothing was left, so this test shows nothing";
  ASSERT_NO_FATAL_FAILURE(open_port());
  EXPECT_NE(attached_program(), stale);
  ASSERT_TRUE(steering_->set({{kHub, 4789}}));
  const test::RawSocket sender(*peer, "wio1");
  ASSERT_TRUE(sender.send(test::build(vxlan())));
  EXPECT_EQ(receive(std::chrono::seconds(1)), test::build(vxlan()));
}

TEST_F(AfXdp, RemovesWhatAKilledHubLeft) {
  OtherHub other;
  ASSERT_EQ(other.said(), "ready");
  other.end(SIGKILL);
  ASSERT_NE(attached_program(), 0u);
  const auto removed = XdpSteering::remove_stale(kInterface);
  EXPECT_TRUE(removed) << removed.error().message;
  EXPECT_EQ(attached_program(), 0u);
  EXPECT_TRUE(XdpSteering::remove_stale(kInterface)) << "nothing to remove is no error";
}

TEST_F(AfXdp, AfPacketCarriesFramesBothWays) {
  PortSpec packet;
  packet.name = "wan";
  packet.kind = PortKind::af_packet;
  packet.interface = kInterface;
  auto port = Port::open(packet, 2, pool_);
  ASSERT_TRUE(port) << port.error().message;
  port_ = std::move(*port);
  EXPECT_EQ(port_->kernel_ifindex(), if_nametoindex(kInterface));
  EXPECT_TRUE(port_->tx_shared());
  const test::RawSocket peer_side(*peer, "wio1");
  const Bytes bytes = test::build(vxlan());
  ASSERT_TRUE(peer_side.send(bytes));
  // Nobody steers here: what the peer's kernel says by itself (router solicitations, ...) arrives as well.
  Bytes seen;
  for (int frames = 0; frames < 16 && seen != bytes; ++frames) seen = receive(std::chrono::seconds(1));
  EXPECT_EQ(seen, bytes);
  rte_mbuf* out = rte_pktmbuf_alloc(pool_);
  std::copy(bytes.begin(), bytes.end(), rte_pktmbuf_append(out, static_cast<uint16_t>(bytes.size())));
  ASSERT_EQ(rte_eth_tx_burst(port_->device(), port_->tx_queue(1), &out, 1), 1);
  EXPECT_TRUE(kernel_sees(peer_side));
}

}  // namespace
}  // namespace weir::dataplane
