// Parsing of rtnetlink messages, whole and mangled.
#include "mgmt/underlay/netlink_messages.h"

#include <gtest/gtest.h>
#include <linux/if_link.h>
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

/// An attribute that holds `payload`, padded to words.
Request attribute(uint16_t type, const Request& payload) {
  Request bytes(4);
  const rtattr header{static_cast<uint16_t>(4 + payload.size()), type};
  std::memcpy(bytes.data(), &header, 4);
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  bytes.resize((bytes.size() + 3) / 4 * 4);
  return bytes;
}
Request operator+(Request a, const Request& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
Request text(const char* word) { return Request(word, word + std::strlen(word) + 1); }

/// What the kernel would say of a link with these attributes.
Request link_bytes(const Request& attributes) {
  Request bytes(sizeof(nlmsghdr) + sizeof(ifinfomsg));
  auto* header = reinterpret_cast<nlmsghdr*>(bytes.data());
  header->nlmsg_len = static_cast<uint32_t>(bytes.size() + attributes.size());
  header->nlmsg_type = RTM_NEWLINK;
  auto* link = reinterpret_cast<ifinfomsg*>(bytes.data() + sizeof(nlmsghdr));
  link->ifi_family = AF_UNSPEC;
  link->ifi_index = 9;
  return bytes + attributes;
}

Request vlan_info(const Request& data, const char* kind = "vlan") {
  return attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, text(kind)) + attribute(IFLA_INFO_DATA, data));
}

TEST(NetlinkMessages, LinksSayTheirMacAndVlan) {
  const Request mac(kMac.bytes.begin(), kMac.bytes.end());
  const Request parent = attribute(IFLA_LINK, {5, 0, 0, 0}), id = attribute(IFLA_VLAN_ID, {100, 0});
  const Request dot1q = attribute(IFLA_VLAN_PROTOCOL, {0x81, 0}),
                dot1ad = attribute(IFLA_VLAN_PROTOCOL, {0x88, 0xa8});
  const struct {
    const char* name;
    Request attributes;
    std::optional<net::Mac> mac;
    uint32_t parent;
    uint16_t vlan;
  } rows[] = {
      {"hardware", attribute(IFLA_ADDRESS, mac), kMac, 0, 0},
      {"a VLAN", attribute(IFLA_ADDRESS, mac) + parent + vlan_info(id + dot1q), kMac, 5, 100},
      {"of an old kernel", parent + vlan_info(id), std::nullopt, 5, 100},
      {"a service VLAN", parent + vlan_info(id + dot1ad), std::nullopt, 5, 0},
      {"a veth that has such data", parent + vlan_info(id, "veth"), std::nullopt, 5, 0},
      {"no number", parent + vlan_info(dot1q), std::nullopt, 5, 0},
      {"a number cut short", parent + vlan_info(attribute(IFLA_VLAN_ID, {100}) + dot1q), std::nullopt, 5, 0},
      {"no data", parent + attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, text("vlan"))), std::nullopt, 5,
       0},
      {"a MAC of another size", attribute(IFLA_ADDRESS, {1, 2, 3, 4}), std::nullopt, 0, 0},
  };
  for (const auto& row : rows) {
    const auto link = parse_link(Message(link_bytes(row.attributes)).header());
    ASSERT_TRUE(link) << row.name;
    EXPECT_EQ(link->index, 9u) << row.name;
    EXPECT_EQ(link->mac, row.mac) << row.name;
    EXPECT_EQ(link->parent, row.parent) << row.name;
    EXPECT_EQ(link->vlan, row.vlan) << row.name;
  }
}

TEST(NetlinkMessages, MangledLinksAreHarmless) {
  std::mt19937 random(2);
  const Request whole =
      link_bytes(attribute(IFLA_ADDRESS, Request(6, 2)) + attribute(IFLA_LINK, {5, 0, 0, 0}) +
                 vlan_info(attribute(IFLA_VLAN_ID, {100, 0})));
  for (int round = 0; round < 20'000; ++round) {
    Request bytes = whole;
    for (size_t i = sizeof(nlmsghdr); i < bytes.size(); ++i) {
      if (random() % 16 == 0) bytes[i] = static_cast<uint8_t>(random());
    }
    bytes.resize(sizeof(nlmsghdr) + random() % (bytes.size() - sizeof(nlmsghdr) + 1));
    reinterpret_cast<nlmsghdr*>(bytes.data())->nlmsg_len = static_cast<uint32_t>(bytes.size());
    (void)parse_link(Message(bytes).header());
  }
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
