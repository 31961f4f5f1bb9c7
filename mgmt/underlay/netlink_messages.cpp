#include "mgmt/underlay/netlink_messages.h"

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
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

std::optional<net::Ipv4> ipv4(const nlattr* attribute) {
  const auto raw = number(attribute);
  if (!raw) return std::nullopt;
  return net::Ipv4{net::be32::raw(*raw).host()};
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
  void put(uint16_t type, net::Ipv4 address) { mnl_attr_put_u32(message_, type, address.be().raw()); }
  Request finish() const { return {buffer_.begin(), buffer_.begin() + message_->nlmsg_len}; }

 private:
  alignas(nlmsghdr) std::array<uint8_t, 256> buffer_{};
  nlmsghdr* message_;
};

Request about_neighbor(Builder&& builder, uint32_t ifindex, net::Ipv4 address, uint8_t flags) {
  auto& neighbor = builder.header<ndmsg>();
  neighbor.ndm_family = AF_INET;
  neighbor.ndm_ifindex = static_cast<int>(ifindex);
  neighbor.ndm_flags = flags;
  builder.put(NDA_DST, address);
  return builder.finish();
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
  const nlattr* name = (*attributes)[IFLA_IFNAME];
  if (name != nullptr && mnl_attr_validate(name, MNL_TYPE_NUL_STRING) >= 0)
    link.name = mnl_attr_get_str(name);
  return link;
}

std::optional<Neighbor> parse_neighbor(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWNEIGH && message.nlmsg_type != RTM_DELNEIGH) return std::nullopt;
  const auto* header = header_of<ndmsg>(message);
  if (header == nullptr || header->ndm_family != AF_INET || header->ndm_ifindex <= 0) return std::nullopt;
  if ((header->ndm_flags & NTF_PROXY) != 0) return std::nullopt;
  const auto attributes = attributes_of<ndmsg, NDA_MAX>(message);
  if (!attributes) return std::nullopt;
  const auto address = ipv4((*attributes)[NDA_DST]);
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
  if (header == nullptr || header->ifa_family != AF_INET || header->ifa_prefixlen > 32) return std::nullopt;
  const auto attributes = attributes_of<ifaddrmsg, IFA_MAX>(message);
  if (!attributes) return std::nullopt;
  // On a point-to-point link IFA_ADDRESS is the peer's.
  const auto local = ipv4((*attributes)[IFA_LOCAL]);
  const auto address = local ? local : ipv4((*attributes)[IFA_ADDRESS]);
  if (!address) return std::nullopt;
  return Address{header->ifa_index, {net::IpAddress(*address), header->ifa_prefixlen}};
}

std::optional<Route> parse_route(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWROUTE) return std::nullopt;
  const auto* header = header_of<rtmsg>(message);
  if (header == nullptr || header->rtm_family != AF_INET) return std::nullopt;
  const auto attributes = attributes_of<rtmsg, RTA_MAX>(message);
  if (!attributes) return std::nullopt;
  Route route;
  route.unicast = header->rtm_type == RTN_UNICAST;
  route.ifindex = number((*attributes)[RTA_OIF]).value_or(0);
  route.gateway = ipv4((*attributes)[RTA_GATEWAY]);
  route.mtu = mtu_metric((*attributes)[RTA_METRICS]);
  return route;
}

std::optional<RouteChange> parse_route_change(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWROUTE && message.nlmsg_type != RTM_DELROUTE) return std::nullopt;
  const auto* header = header_of<rtmsg>(message);
  if (header == nullptr || header->rtm_family != AF_INET || header->rtm_dst_len > 32) return std::nullopt;
  const auto attributes = attributes_of<rtmsg, RTA_MAX>(message);
  if (!attributes) return std::nullopt;
  const net::Ipv4 destination = ipv4((*attributes)[RTA_DST]).value_or(net::Ipv4{});
  return RouteChange{{net::masked(net::IpAddress(destination), header->rtm_dst_len), header->rtm_dst_len}};
}

Request dump_links(uint32_t sequence) {
  Builder builder(RTM_GETLINK, NLM_F_DUMP, sequence);
  builder.header<ifinfomsg>().ifi_family = AF_UNSPEC;
  return builder.finish();
}

Request dump_neighbors(uint32_t sequence) {
  Builder builder(RTM_GETNEIGH, NLM_F_DUMP, sequence);
  builder.header<ndmsg>().ndm_family = AF_INET;
  return builder.finish();
}

Request dump_addresses(uint32_t sequence) {
  Builder builder(RTM_GETADDR, NLM_F_DUMP, sequence);
  builder.header<ifaddrmsg>().ifa_family = AF_INET;
  return builder.finish();
}

Request get_link(uint32_t sequence, uint32_t ifindex) {
  Builder builder(RTM_GETLINK, 0, sequence);
  builder.header<ifinfomsg>().ifi_index = static_cast<int>(ifindex);
  return builder.finish();
}

Request get_neighbor(uint32_t sequence, uint32_t ifindex, net::Ipv4 address) {
  return about_neighbor(Builder(RTM_GETNEIGH, 0, sequence), ifindex, address, 0);
}

Request get_route(uint32_t sequence, net::Ipv4 source, net::Ipv4 destination) {
  Builder builder(RTM_GETROUTE, 0, sequence);
  auto& route = builder.header<rtmsg>();
  route.rtm_family = AF_INET;
  route.rtm_src_len = 32;
  route.rtm_dst_len = 32;
  builder.put(RTA_SRC, source);
  builder.put(RTA_DST, destination);
  return builder.finish();
}

Request use_neighbor(uint32_t sequence, uint32_t ifindex, net::Ipv4 address) {
  return about_neighbor(Builder(RTM_NEWNEIGH, NLM_F_CREATE, sequence), ifindex, address, NTF_USE);
}

}  // namespace weir::underlay::netlink
