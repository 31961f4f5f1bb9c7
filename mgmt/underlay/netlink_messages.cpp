#include "mgmt/underlay/netlink_messages.h"

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <array>
#include <cstring>

namespace weir::underlay::netlink {
namespace {

/// The attributes of a message by type; absent ones are nullptr.
template <size_t kMaxType>
using Attributes = std::array<const nlattr*, kMaxType + 1>;

template <size_t kMaxType>
int collect(const nlattr* attribute, void* into) {
  const uint16_t type = mnl_attr_get_type(attribute);
  if (type <= kMaxType) (*static_cast<Attributes<kMaxType>*>(into))[type] = attribute;
  return MNL_CB_OK;
}

/// The fixed header of a message, or nullptr if the message is too short for it.
template <typename Header>
const Header* header_of(const nlmsghdr& message) {
  if (message.nlmsg_len < MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(Header))) return nullptr;
  return static_cast<const Header*>(mnl_nlmsg_get_payload(&message));
}

template <typename Header, size_t kMaxType>
std::optional<Attributes<kMaxType>> attributes_of(const nlmsghdr& message) {
  Attributes<kMaxType> attributes{};
  if (mnl_attr_parse(&message, sizeof(Header), collect<kMaxType>, &attributes) < 0) return std::nullopt;
  return attributes;
}

std::optional<uint32_t> number(const nlattr* attribute) {
  if (attribute == nullptr || mnl_attr_get_payload_len(attribute) != sizeof(uint32_t)) return std::nullopt;
  return mnl_attr_get_u32(attribute);
}

/// An address of the family that the message's header names.
std::optional<net::IpAddress> address_of(uint8_t family, const nlattr* attribute) {
  if (attribute == nullptr) return std::nullopt;
  if (family == AF_INET) {
    const auto raw = number(attribute);
    if (!raw) return std::nullopt;
    return net::Ipv4{net::be32::raw(*raw).host()};
  }
  if (family != AF_INET6 || mnl_attr_get_payload_len(attribute) != 16) return std::nullopt;
  return net::Ipv6::load(mnl_attr_get_payload(attribute));
}

bool is_ip(uint8_t family) { return family == AF_INET || family == AF_INET6; }
uint8_t family_of(const net::IpAddress& address) { return address.is_v4() ? AF_INET : AF_INET6; }
uint8_t bits_of(uint8_t family) { return family == AF_INET ? 32 : 128; }
net::IpAddress any_of(uint8_t family) {
  return family == AF_INET ? net::IpAddress(net::Ipv4{}) : net::IpAddress(net::Ipv6{});
}

/// A message under construction.
class Builder {
 public:
  Builder(uint16_t type, uint16_t flags, uint32_t sequence) {
    message_ = mnl_nlmsg_put_header(buffer_.data());
    message_->nlmsg_type = type;
    message_->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
    message_->nlmsg_seq = sequence;
  }
  Builder(const Builder&) = delete;  // message_ points into buffer_
  Builder& operator=(const Builder&) = delete;
  template <typename Header>
  Header& header() {
    return *static_cast<Header*>(mnl_nlmsg_put_extra_header(message_, sizeof(Header)));
  }
  void put(uint16_t type, const net::IpAddress& address) {
    if (address.is_v4()) return mnl_attr_put_u32(message_, type, address.v4().be().raw());
    uint8_t bytes[16];
    address.v6().store(bytes);
    mnl_attr_put(message_, type, sizeof bytes, bytes);
  }
  Request finish() const { return {buffer_.begin(), buffer_.begin() + message_->nlmsg_len}; }

 private:
  alignas(nlmsghdr) std::array<uint8_t, 256> buffer_{};
  nlmsghdr* message_;
};

Request about_neighbor(Builder&& builder, uint32_t ifindex, const net::IpAddress& address, uint8_t flags) {
  auto& neighbor = builder.header<ndmsg>();
  neighbor.ndm_family = family_of(address);
  neighbor.ndm_ifindex = static_cast<int>(ifindex);
  neighbor.ndm_flags = flags;
  builder.put(NDA_DST, address);
  return builder.finish();
}

/// The next hop of a route in the words of another family (IPv4 by an IPv6 router).
std::optional<net::IpAddress> via_of(const nlattr* attribute) {
  if (attribute == nullptr || mnl_attr_get_payload_len(attribute) < sizeof(rtvia)) return std::nullopt;
  rtvia via;
  const auto* payload = static_cast<const uint8_t*>(mnl_attr_get_payload(attribute));
  std::memcpy(&via, payload, sizeof via);
  const size_t size = mnl_attr_get_payload_len(attribute) - sizeof via;
  if (via.rtvia_family == AF_INET6 && size >= 16) return net::Ipv6::load(payload + sizeof via);
  return std::nullopt;
}

std::string text_of(const nlattr* attribute) {
  if (attribute == nullptr || mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) < 0) return {};
  return mnl_attr_get_str(attribute);
}

/// "vxlan", "vlan": what a virtual link is.
std::string kind_of(const nlattr* info) {
  if (info == nullptr) return {};
  Attributes<IFLA_INFO_KIND> values{};
  if (mnl_attr_parse_nested(info, collect<IFLA_INFO_KIND>, &values) < 0) return {};
  return text_of(values[IFLA_INFO_KIND]);
}

/// The number of an 802.1Q interface; 0: it is none.
uint16_t vlan_of(const nlattr* info) {
  if (kind_of(info) != "vlan") return 0;
  Attributes<IFLA_INFO_DATA> values{};
  if (mnl_attr_parse_nested(info, collect<IFLA_INFO_DATA>, &values) < 0) return 0;
  Attributes<IFLA_VLAN_PROTOCOL> vlan{};
  const nlattr* data = values[IFLA_INFO_DATA];
  if (data == nullptr || mnl_attr_parse_nested(data, collect<IFLA_VLAN_PROTOCOL>, &vlan) < 0) return 0;
  const auto number16 = [](const nlattr* a) {
    return a != nullptr && mnl_attr_get_payload_len(a) == sizeof(uint16_t) ? mnl_attr_get_u16(a)
                                                                           : uint16_t{0};
  };
  // Older kernels do not say the protocol, and know no other.
  if (vlan[IFLA_VLAN_PROTOCOL] != nullptr &&
      number16(vlan[IFLA_VLAN_PROTOCOL]) != net::be16::of(0x8100).raw())
    return 0;
  return number16(vlan[IFLA_VLAN_ID]);
}

std::optional<net::Mac> mac_of(const nlattr* attribute) {
  net::Mac mac;
  if (attribute == nullptr || mnl_attr_get_payload_len(attribute) != mac.bytes.size()) return std::nullopt;
  std::memcpy(mac.bytes.data(), mnl_attr_get_payload(attribute), mac.bytes.size());
  return mac;
}

/// The MTU among a route's metrics; 0 if there is none.
uint32_t mtu_metric(const nlattr* metrics) {
  if (metrics == nullptr) return 0;
  Attributes<RTAX_MAX> values{};
  if (mnl_attr_parse_nested(metrics, collect<RTAX_MAX>, &values) < 0) return 0;
  return number(values[RTAX_MTU]).value_or(0);
}

}  // namespace

std::optional<Link> parse_link(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWLINK && message.nlmsg_type != RTM_DELLINK) return std::nullopt;
  const auto* header = header_of<ifinfomsg>(message);
  // A bridge tells of its ports in messages of its own family: their end is not the link's end.
  if (header == nullptr || header->ifi_index <= 0 || header->ifi_family != AF_UNSPEC) return std::nullopt;
  const auto attributes = attributes_of<ifinfomsg, IFLA_MAX>(message);
  if (!attributes) return std::nullopt;
  Link link;
  link.index = static_cast<uint32_t>(header->ifi_index);
  link.gone = message.nlmsg_type == RTM_DELLINK;
  // Without a carrier the kernel clears IFF_RUNNING, after a delay IFF_LOWER_UP too.
  link.up = !link.gone && (header->ifi_flags & IFF_UP) != 0 && (header->ifi_flags & IFF_RUNNING) != 0;
  link.mtu = number((*attributes)[IFLA_MTU]).value_or(0);
  link.parent = number((*attributes)[IFLA_LINK]).value_or(0);
  link.name = text_of((*attributes)[IFLA_IFNAME]);
  link.mac = mac_of((*attributes)[IFLA_ADDRESS]);
  link.vlan = vlan_of((*attributes)[IFLA_LINKINFO]);
  link.kind = kind_of((*attributes)[IFLA_LINKINFO]);
  return link;
}

std::optional<Neighbor> parse_neighbor(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWNEIGH && message.nlmsg_type != RTM_DELNEIGH) return std::nullopt;
  const auto* header = header_of<ndmsg>(message);
  if (header == nullptr || !is_ip(header->ndm_family) || header->ndm_ifindex <= 0) return std::nullopt;
  if ((header->ndm_flags & NTF_PROXY) != 0) return std::nullopt;
  const auto attributes = attributes_of<ndmsg, NDA_MAX>(message);
  if (!attributes) return std::nullopt;
  const auto address = address_of(header->ndm_family, (*attributes)[NDA_DST]);
  if (!address) return std::nullopt;
  Neighbor neighbor{static_cast<uint32_t>(header->ndm_ifindex), *address, std::nullopt};
  constexpr int kUsable = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP;
  const nlattr* mac = (*attributes)[NDA_LLADDR];
  const bool usable = message.nlmsg_type == RTM_NEWNEIGH && (header->ndm_state & kUsable) != 0;
  if (usable && mac != nullptr && mnl_attr_get_payload_len(mac) == sizeof(net::Mac)) {
    std::memcpy(neighbor.mac.emplace().bytes.data(), mnl_attr_get_payload(mac), sizeof(net::Mac));
  }
  return neighbor;
}

std::optional<Address> parse_address(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWADDR && message.nlmsg_type != RTM_DELADDR) return std::nullopt;
  const auto* header = header_of<ifaddrmsg>(message);
  if (header == nullptr || !is_ip(header->ifa_family) ||
      header->ifa_prefixlen > bits_of(header->ifa_family)) {
    return std::nullopt;
  }
  const auto attributes = attributes_of<ifaddrmsg, IFA_MAX>(message);
  if (!attributes) return std::nullopt;
  // On a point-to-point link IFA_ADDRESS is the peer's.
  const auto local = address_of(header->ifa_family, (*attributes)[IFA_LOCAL]);
  const auto address = local ? local : address_of(header->ifa_family, (*attributes)[IFA_ADDRESS]);
  if (!address) return std::nullopt;
  return Address{header->ifa_index, {*address, header->ifa_prefixlen}};
}

std::optional<Route> parse_route(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWROUTE) return std::nullopt;
  const auto* header = header_of<rtmsg>(message);
  if (header == nullptr || !is_ip(header->rtm_family)) return std::nullopt;
  const auto attributes = attributes_of<rtmsg, RTA_MAX>(message);
  if (!attributes) return std::nullopt;
  Route route;
  route.unicast = header->rtm_type == RTN_UNICAST;
  route.refused = header->rtm_type == RTN_BLACKHOLE || header->rtm_type == RTN_UNREACHABLE ||
                  header->rtm_type == RTN_PROHIBIT;
  route.ifindex = number((*attributes)[RTA_OIF]).value_or(0);
  route.gateway = address_of(header->rtm_family, (*attributes)[RTA_GATEWAY]);
  if (!route.gateway) route.gateway = via_of((*attributes)[RTA_VIA]);
  route.mtu = mtu_metric((*attributes)[RTA_METRICS]);
  return route;
}

std::optional<RouteChange> parse_route_change(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWROUTE && message.nlmsg_type != RTM_DELROUTE) return std::nullopt;
  const auto* header = header_of<rtmsg>(message);
  if (header == nullptr || !is_ip(header->rtm_family) || header->rtm_dst_len > bits_of(header->rtm_family)) {
    return std::nullopt;
  }
  const auto attributes = attributes_of<rtmsg, RTA_MAX>(message);
  if (!attributes) return std::nullopt;
  const uint8_t family = header->rtm_family;
  const net::IpAddress destination = address_of(family, (*attributes)[RTA_DST]).value_or(any_of(family));
  return RouteChange{{net::masked(destination, header->rtm_dst_len), header->rtm_dst_len}};
}

Request dump_links(uint32_t sequence) {
  Builder builder(RTM_GETLINK, NLM_F_DUMP, sequence);
  builder.header<ifinfomsg>().ifi_family = AF_UNSPEC;
  return builder.finish();
}

Request dump_neighbors(uint32_t sequence) {
  Builder builder(RTM_GETNEIGH, NLM_F_DUMP, sequence);
  builder.header<ndmsg>().ndm_family = AF_UNSPEC;
  return builder.finish();
}

Request dump_addresses(uint32_t sequence) {
  Builder builder(RTM_GETADDR, NLM_F_DUMP, sequence);
  builder.header<ifaddrmsg>().ifa_family = AF_UNSPEC;
  return builder.finish();
}

Request get_link(uint32_t sequence, uint32_t ifindex) {
  Builder builder(RTM_GETLINK, 0, sequence);
  builder.header<ifinfomsg>().ifi_index = static_cast<int>(ifindex);
  return builder.finish();
}

Request get_neighbor(uint32_t sequence, uint32_t ifindex, const net::IpAddress& address) {
  return about_neighbor(Builder(RTM_GETNEIGH, 0, sequence), ifindex, address, 0);
}

Request get_route(uint32_t sequence, const net::IpAddress& source, const net::IpAddress& destination) {
  Builder builder(RTM_GETROUTE, 0, sequence);
  auto& route = builder.header<rtmsg>();
  route.rtm_family = family_of(destination);
  route.rtm_src_len = bits_of(route.rtm_family);
  route.rtm_dst_len = bits_of(route.rtm_family);
  builder.put(RTA_SRC, source);
  builder.put(RTA_DST, destination);
  return builder.finish();
}

Request use_neighbor(uint32_t sequence, uint32_t ifindex, const net::IpAddress& address) {
  return about_neighbor(Builder(RTM_NEWNEIGH, NLM_F_CREATE, sequence), ifindex, address, NTF_USE);
}

}  // namespace weir::underlay::netlink
