// Parsing of rtnetlink messages, whole and mangled.
#include "mgmt/underlay/netlink_messages.h"

#include <gtest/gtest.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstring>
#include <random>

namespace weir::underlay::netlink {
namespace {

constexpr net::Ipv4 kAddress{0xc6120002};
constexpr net::Mac kMac{{0x02, 0, 0, 0, 0, 0x22}};

/// Bytes of a message, aligned as a socket's buffer is.
struct Message {
  explicit Message(const Request& bytes) : words((bytes.size() + 3) / 4) {
    std::memcpy(words.data(), bytes.data(), bytes.size());
  }
  const nlmsghdr& header() const { return *reinterpret_cast<const nlmsghdr*>(words.data()); }
  std::vector<uint32_t> words;
};

/// What the kernel would say of a neighbour.
Request neighbor_bytes(uint16_t type, uint16_t state, uint8_t flags = 0) {
  Request bytes(sizeof(nlmsghdr) + sizeof(ndmsg) + 8 + 12);
  auto* header = reinterpret_cast<nlmsghdr*>(bytes.data());
  header->nlmsg_len = static_cast<uint32_t>(bytes.size());
  header->nlmsg_type = type;
  auto* neighbor = reinterpret_cast<ndmsg*>(bytes.data() + sizeof(nlmsghdr));
  neighbor->ndm_family = AF_INET;
  neighbor->ndm_ifindex = 7;
  neighbor->ndm_state = state;
  neighbor->ndm_flags = flags;
  uint8_t* at = bytes.data() + sizeof(nlmsghdr) + sizeof(ndmsg);
  const rtattr destination{8, NDA_DST};
  std::memcpy(at, &destination, 4);
  const uint32_t raw = kAddress.be().raw();
  std::memcpy(at + 4, &raw, 4);
  const rtattr mac{10, NDA_LLADDR};
  std::memcpy(at + 8, &mac, 4);
  std::memcpy(at + 12, kMac.bytes.data(), 6);
  return bytes;
}

TEST(NetlinkMessages, NeighborStates) {
  const struct {
    uint16_t state;
    bool usable;
  } rows[] = {{NUD_REACHABLE, true},   {NUD_STALE, true},     {NUD_DELAY, true},
              {NUD_PROBE, true},       {NUD_PERMANENT, true}, {NUD_NOARP, true},
              {NUD_INCOMPLETE, false}, {NUD_FAILED, false},   {NUD_NONE, false}};
  for (const auto& row : rows) {
    const auto neighbor = parse_neighbor(Message(neighbor_bytes(RTM_NEWNEIGH, row.state)).header());
    ASSERT_TRUE(neighbor) << row.state;
    EXPECT_EQ(neighbor->ifindex, 7u);
    EXPECT_EQ(neighbor->address, net::IpAddress(kAddress));
    EXPECT_EQ(neighbor->mac, row.usable ? std::optional(kMac) : std::nullopt) << row.state;
  }
}

TEST(NetlinkMessages, DeletedNeighborHasNoMac) {
  const auto neighbor = parse_neighbor(Message(neighbor_bytes(RTM_DELNEIGH, NUD_REACHABLE)).header());
  ASSERT_TRUE(neighbor);
  EXPECT_EQ(neighbor->mac, std::nullopt);
}

TEST(NetlinkMessages, ProxyEntriesAreNoNeighbors) {
  EXPECT_FALSE(parse_neighbor(Message(neighbor_bytes(RTM_NEWNEIGH, NUD_PERMANENT, NTF_PROXY)).header()));
}

TEST(NetlinkMessages, OtherTypesAreNotTaken) {
  const Message message(neighbor_bytes(RTM_NEWNEIGH, NUD_REACHABLE));
  EXPECT_FALSE(parse_link(message.header()));
  EXPECT_FALSE(parse_address(message.header()));
  EXPECT_FALSE(parse_route(message.header()));
  EXPECT_FALSE(parse_route_change(message.header()));
}

TEST(NetlinkMessages, RouteQuestionHasBothAddresses) {
  // A question has the form of an answer but for its type.
  Request bytes = get_route(5, net::Ipv4{0xc6120001}, kAddress);
  auto* header = reinterpret_cast<nlmsghdr*>(bytes.data());
  EXPECT_EQ(header->nlmsg_seq, 5u);
  EXPECT_EQ(header->nlmsg_type, RTM_GETROUTE);
  header->nlmsg_type = RTM_NEWROUTE;
  const auto change = parse_route_change(Message(bytes).header());
  ASSERT_TRUE(change);
  EXPECT_EQ(net::to_string(change->prefix), "198.18.0.2/32");
}

TEST(NetlinkMessages, TruncatedAndMangledMessagesAreHarmless) {
  std::mt19937 random(1);
  const Request whole = neighbor_bytes(RTM_NEWNEIGH, NUD_REACHABLE);
  const uint16_t types[] = {RTM_NEWLINK, RTM_NEWNEIGH, RTM_NEWADDR, RTM_NEWROUTE, RTM_DELROUTE};
  for (int round = 0; round < 20'000; ++round) {
    Request bytes = whole;
    for (size_t i = sizeof(nlmsghdr); i < bytes.size(); ++i) {
      if (random() % 8 == 0) bytes[i] = static_cast<uint8_t>(random());
    }
    bytes.resize(sizeof(nlmsghdr) + random() % (bytes.size() - sizeof(nlmsghdr) + 1));
    auto* header = reinterpret_cast<nlmsghdr*>(bytes.data());
    header->nlmsg_len = static_cast<uint32_t>(bytes.size());
    header->nlmsg_type = types[random() % std::size(types)];
    const Message message(bytes);
    (void)parse_link(message.header());
    (void)parse_neighbor(message.header());
    (void)parse_address(message.header());
    (void)parse_route(message.header());
    const auto change = parse_route_change(message.header());
    if (change) {
      EXPECT_LE(change->prefix.length, change->prefix.address.is_v4() ? 32 : 128);
    }
  }
}

}  // namespace
}  // namespace weir::underlay::netlink
