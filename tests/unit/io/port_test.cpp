// Ports that need no network: memory, pcap, null.
#include <gtest/gtest.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <unistd.h>

#include <numeric>

#include "dataplane/io/memory_port.h"
#include "tests/unit/io/eal_fixture.h"

namespace weir::dataplane {
namespace {

constexpr net::Mac kMac{{0x02, 0, 0, 0, 0, 0x01}};

std::vector<uint8_t> frame_of(size_t length, uint8_t first) {
  std::vector<uint8_t> frame(length);
  std::iota(frame.begin(), frame.end(), first);
  return frame;
}

class Ports : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(test::shared_eal(Hugepages::off), "");
    const auto pool = make_packet_pool(16'384, 64);
    ASSERT_TRUE(pool) << pool.error().message;
    pool_ = *pool;
    free_before_ = rte_mempool_avail_count(pool_);
  }
  /// No test may lose a buffer.
  void TearDown() override {
    if (pool_ == nullptr) return;
    EXPECT_EQ(rte_mempool_avail_count(pool_), free_before_);
    rte_mempool_free(pool_);
  }
  std::unique_ptr<MemoryPort> memory_port(unsigned queues) {
    auto port = MemoryPort::create("test", queues, pool_, kMac);
    EXPECT_TRUE(port) << (port ? "" : port.error().message);
    return port ? std::move(*port) : nullptr;
  }
  Result<std::unique_ptr<Port>> open(PortSpec spec, unsigned workers = 1) {
    spec.name = "test";
    return Port::open(spec, workers, pool_);
  }

  rte_mempool* pool_ = nullptr;
  unsigned free_before_ = 0;
};

TEST_F(Ports, MemoryCarriesFramesThroughRealBursts) {
  const auto port = memory_port(1);
  ASSERT_NE(port, nullptr);
  EXPECT_EQ(port->mac(), kMac);
  EXPECT_TRUE(port->link_up());
  const auto first = frame_of(60, 1);
  const auto second = frame_of(1500, 2);
  ASSERT_TRUE(port->inject(0, first));
  ASSERT_TRUE(port->inject(0, second));
  rte_mbuf* burst[8];
  ASSERT_EQ(rte_eth_rx_burst(port->device(), 0, burst, 8), 2);
  EXPECT_EQ(burst[0]->pkt_len, 60u);
  ASSERT_EQ(rte_eth_tx_burst(port->device(), 0, burst, 2), 2);
  EXPECT_EQ(port->collect(), (std::vector<std::vector<uint8_t>>{first, second}));
  EXPECT_TRUE(port->collect().empty());
}

TEST_F(Ports, MemoryWithoutQueuesIsRefused) { EXPECT_FALSE(MemoryPort::create("test", 0, pool_, kMac)); }

TEST_F(Ports, MemoryKeepsQueuesApart) {
  const auto port = memory_port(2);
  ASSERT_NE(port, nullptr);
  ASSERT_EQ(port->rx_queues(0).size(), 1u);
  ASSERT_EQ(port->rx_queues(1).size(), 1u);
  EXPECT_FALSE(port->tx_shared());
  ASSERT_TRUE(port->inject(1, frame_of(60, 7)));
  EXPECT_FALSE(port->inject(2, frame_of(60, 7)));
  rte_mbuf* burst[8];
  EXPECT_EQ(rte_eth_rx_burst(port->device(), port->rx_queues(0)[0], burst, 8), 0);
  ASSERT_EQ(rte_eth_rx_burst(port->device(), port->rx_queues(1)[0], burst, 8), 1);
  ASSERT_EQ(rte_eth_tx_burst(port->device(), port->tx_queue(1), burst, 1), 1);
  EXPECT_TRUE(port->collect(0).empty());
  EXPECT_EQ(port->collect(1).size(), 1u);
}

TEST_F(Ports, MemoryLinearisesChains) {
  const auto port = memory_port(1);
  ASSERT_NE(port, nullptr);
  rte_mbuf* head = rte_pktmbuf_alloc(pool_);
  rte_mbuf* tail = rte_pktmbuf_alloc(pool_);
  const auto frame = frame_of(100, 1);
  std::copy_n(frame.begin(), 40, rte_pktmbuf_append(head, 40));
  std::copy_n(frame.begin() + 40, 60, rte_pktmbuf_append(tail, 60));
  ASSERT_EQ(rte_pktmbuf_chain(head, tail), 0);
  ASSERT_EQ(rte_eth_tx_burst(port->device(), 0, &head, 1), 1);
  EXPECT_EQ(port->collect(), std::vector<std::vector<uint8_t>>{frame});
}

TEST_F(Ports, MemoryRefusesWhatDoesNotFit) {
  const auto port = memory_port(1);
  ASSERT_NE(port, nullptr);
  EXPECT_TRUE(port->inject(0, frame_of(2048, 0)));
  EXPECT_FALSE(port->inject(0, frame_of(2049, 0)));
  unsigned taken = 1;
  while (port->inject(0, frame_of(60, 0))) ++taken;
  EXPECT_EQ(taken, MemoryPort::kDepth - 1);  // a ring of n holds n - 1; the rest is freed with the port
}

TEST_F(Ports, MemoryPortsComeAndGo) {
  for (int round = 0; round < 20; ++round) {
    const auto one = memory_port(2);
    const auto other = memory_port(2);
    ASSERT_NE(one, nullptr);
    ASSERT_NE(other, nullptr);
    EXPECT_NE(one->device(), other->device());
  }
}

TEST_F(Ports, NullSwallowsAndReceivesNothing) {
  auto port = open({.kind = PortKind::null, .mtu = 1400}, 2);
  ASSERT_TRUE(port) << port.error().message;
  EXPECT_EQ((*port)->mtu(), 1400);
  EXPECT_FALSE((*port)->tx_shared());
  rte_mbuf* burst[8];
  EXPECT_EQ(rte_eth_rx_burst((*port)->device(), 0, burst, 8), 0);
  burst[0] = rte_pktmbuf_alloc(pool_);
  rte_pktmbuf_append(burst[0], 60);
  EXPECT_EQ(rte_eth_tx_burst((*port)->device(), 1, burst, 1), 1);
}

TEST_F(Ports, PcapWritesWhatItReads) {
  const std::string path = testing::TempDir() + "wio-" + std::to_string(getpid()) + ".pcap";
  const auto frame = frame_of(128, 3);
  {
    auto writer = open({.kind = PortKind::pcap, .tx_pcap = path}, 2);
    ASSERT_TRUE(writer) << writer.error().message;
    EXPECT_TRUE((*writer)->tx_shared());
    rte_mbuf* packet = rte_pktmbuf_alloc(pool_);
    std::copy(frame.begin(), frame.end(), rte_pktmbuf_append(packet, 128));
    ASSERT_EQ(rte_eth_tx_burst((*writer)->device(), 0, &packet, 1), 1);
  }
  {
    auto reader = open({.kind = PortKind::pcap, .rx_pcap = path});
    ASSERT_TRUE(reader) << reader.error().message;
    rte_mbuf* burst[8];
    ASSERT_EQ(rte_eth_rx_burst((*reader)->device(), 0, burst, 8), 1);
    const auto* bytes = rte_pktmbuf_mtod(burst[0], const uint8_t*);
    EXPECT_EQ(std::vector<uint8_t>(bytes, bytes + burst[0]->data_len), frame);
    rte_pktmbuf_free(burst[0]);
  }
  {
    auto loop = open({.kind = PortKind::pcap, .rx_pcap = path, .rx_loop = true});
    ASSERT_TRUE(loop) << loop.error().message;
    rte_mbuf* burst[8];
    ASSERT_EQ(rte_eth_rx_burst((*loop)->device(), 0, burst, 8), 8) << "one packet, again and again";
    EXPECT_EQ(rte_eth_tx_burst((*loop)->device(), 0, burst, 8), 8);
  }
  unlink(path.c_str());
}

struct BadSpec {
  std::string name;
  PortSpec spec;
  std::string sentence;
};

class BadPorts : public Ports, public testing::WithParamInterface<BadSpec> {};

TEST_P(BadPorts, AreRefusedInOneSentence) {
  const auto port = open(GetParam().spec);
  ASSERT_FALSE(port);
  EXPECT_EQ(port.error().message, GetParam().sentence);
}

INSTANTIATE_TEST_SUITE_P(
    All, BadPorts,
    testing::Values(BadSpec{"NoCapture",
                            {.kind = PortKind::pcap},
                            "port test: a pcap port needs a file to read or a file to write"},
                    BadSpec{"MissingCapture",
                            {.kind = PortKind::pcap, .rx_pcap = "/nowhere/in.pcap"},
                            "port test: cannot read the capture /nowhere/in.pcap"},
                    BadSpec{"CommaInPath",
                            {.kind = PortKind::pcap, .tx_pcap = "a,b.pcap"},
                            "port test: DPDK cannot take a name with one of ,=[]()\" in it: a,b.pcap"},
                    BadSpec{"SmallMtu",
                            {.kind = PortKind::null, .mtu = 10},
                            "port test: an MTU of 10 is not between 68 and 2026"},
                    BadSpec{"LargeMtu",
                            {.kind = PortKind::af_xdp, .mtu = 9000},
                            "port test: an MTU of 9000 is not between 68 and 1770"},
                    BadSpec{"NoInterface",
                            {.kind = PortKind::af_packet, .interface = "no-such-device"},
                            "port test: there is no network interface named no-such-device"},
                    BadSpec{"LongInterface",
                            {.kind = PortKind::af_packet, .interface = "a-name-of-sixteen"},
                            "port test: \"a-name-of-sixteen\" cannot be the name of a network interface"}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace weir::dataplane
