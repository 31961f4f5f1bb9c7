#include "mgmt/underlay/kernel_resolver.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>

namespace weir::underlay {

namespace {

bool is_tunnel(const std::string& kind) {
  static constexpr std::string_view kKinds[] = {"vxlan",     "geneve",    "gre", "gretap", "ip6gre",
                                                "ip6gretap", "ipip",      "sit", "ip6tnl", "vti",
                                                "vti6",      "wireguard", "tun", "xfrm",   "bareudp"};
  return std::find(std::begin(kKinds), std::end(kKinds), kind) != std::end(kKinds);
}

}  // namespace

Result<std::unique_ptr<KernelResolver>> KernelResolver::create(std::vector<PortFacts> ports,
                                                               std::vector<PortFacts> others) {
  auto events =
      netlink::Socket::open({RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_IFADDR,
                             RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_RULE});
  if (!events) return tl::unexpected(events.error());
  auto questions = netlink::Socket::open({});
  if (!questions) return tl::unexpected(questions.error());
  std::unique_ptr<KernelResolver> resolver(
      new KernelResolver(std::move(ports), std::move(others), std::move(*events), std::move(*questions)));
  resolver->read_everything();
  return resolver;
}

bool KernelResolver::kernel_has(const net::IpAddress& address) {
  bool found = false;
  questions_->ask(netlink::dump_addresses(questions_->next_sequence()), [&](const nlmsghdr& message) {
    const auto known = netlink::parse_address(message);
    found |= known && known->address.address == address;
  });
  return found;
}

Error KernelResolver::no_way(int error, const net::IpAddress& local, const net::IpAddress& remote) {
  // The kernel routes from its own addresses only; which errno says so differs between kernels.
  const std::string reason = kernel_has(local) ? (error == EINVAL ? "the route is a blackhole"
                                                                  : std::generic_category().message(error))
                                               : "the kernel does not have that address";
  return {ErrorCode::not_found,
          "no way to " + net::to_string(remote) + " from " + net::to_string(local) + ": " + reason};
}

/// The kernel sends the packets somewhere where the hub has no port.
Error KernelResolver::no_port(uint32_t ifindex, const net::IpAddress& remote) {
  netlink::Link out;
  const auto request = netlink::get_link(questions_->next_sequence(), ifindex);
  questions_->ask(request, [&](const nlmsghdr& message) {
    if (auto link = netlink::parse_link(message)) out = std::move(*link);
  });
  const std::string name = out.name.empty() ? "interface " + std::to_string(ifindex) : out.name;
  std::string message = "the kernel's route to " + net::to_string(remote) + " leaves by " + name;
  const auto parent = std::find_if(ports_.begin(), ports_.end(), [&](const PortFacts& port) {
    return out.parent != 0 && port.kernel_ifindex == out.parent;
  });
  const auto own = std::find_if(others_.begin(), others_.end(),
                                [&](const PortFacts& port) { return port.kernel_ifindex == ifindex; });
  if (own != others_.end()) {
    message += ", which is the hub's own port " + own->name +
               "; a tunnel's outer packets do not go through the hub again";
  } else if (is_tunnel(out.kind)) {
    message += ", a tunnel (" + out.kind + "); a tunnel's outer packets do not go through another tunnel";
  } else if (parent != ports_.end()) {
    message += ", a VLAN on port " + parent->name +
               "; it would be the port's underlay with port.vlan = " + std::to_string(out.vlan);
  } else {
    message += ", which is no port of the hub";
  }
  return {ErrorCode::not_found, message};
}

Result<KernelResolver::RoutedHop> KernelResolver::ask_route(const net::IpAddress& local,
                                                            const net::IpAddress& remote) {
  std::optional<netlink::Route> route;
  const auto request = netlink::get_route(questions_->next_sequence(), local, remote);
  const int error =
      questions_->ask(request, [&](const nlmsghdr& message) { route = netlink::parse_route(message); });
  if (error != 0) return tl::unexpected(no_way(error, local, remote));
  if (route && route->refused) return tl::unexpected(no_way(EINVAL, local, remote));
  if (!route || !route->unicast) {
    return fail(ErrorCode::not_found,
                "no way to " + net::to_string(remote) +
                    ": it is this machine's own address, or a multicast or broadcast one");
  }
  for (size_t port = 0; port < ports_.size(); ++port) {
    if (ports_[port].kernel_ifindex == route->ifindex) {
      return RoutedHop{port, route->gateway.value_or(remote), route->mtu};
    }
  }
  return tl::unexpected(no_port(route->ifindex, remote));
}

Result<Hop> KernelResolver::resolve(const net::IpAddress& local, const net::IpAddress& remote) {
  // A failure is watched too: the route may come.
  Watch& watch = watches_[{local, remote}];
  if (watch.stale) {
    auto hop = ask_route(local, remote);
    set_hop(watch, hop ? std::optional(*hop) : std::nullopt);
    if (!hop) watch.failure = std::move(hop).error();
    watch.stale = false;
  }
  if (!watch.hop) return tl::unexpected(watch.failure);
  const PortFacts& port = ports_[watch.hop->port];
  const netlink::Link& link = links_[port.kernel_ifindex];
  uint32_t mtu = link.mtu != 0 ? link.mtu : port.mtu;
  if (watch.hop->mtu != 0) mtu = std::min(mtu, watch.hop->mtu);
  mtu = std::min<uint32_t>(mtu, port.max_mtu);
  return Hop{port.index, neighbors_[key_of(*watch.hop)].mac, static_cast<uint16_t>(mtu), link.up};
}

void KernelResolver::forget(const net::IpAddress& local, const net::IpAddress& remote) {
  const auto found = watches_.find({local, remote});
  if (found == watches_.end()) return;
  set_hop(found->second, std::nullopt);
  watches_.erase(found);
}

void KernelResolver::set_hop(Watch& watch, std::optional<RoutedHop> hop) {
  // The new one first: if both are the same, nothing is forgotten in between.
  if (hop) watch_neighbor(key_of(*hop));
  if (watch.hop) unwatch_neighbor(key_of(*watch.hop));
  watch.hop = hop;
}

void KernelResolver::watch_neighbor(const NeighborKey& key) {
  Neighbor& neighbor = neighbors_[key];
  if (neighbor.watches++ != 0) return;
  const auto request = netlink::get_neighbor(questions_->next_sequence(), key.first, key.second);
  // The kernel's refusal means that it does not know the neighbour yet.
  questions_->ask(request, [&](const nlmsghdr& message) {
    if (const auto known = netlink::parse_neighbor(message)) neighbor.mac = known->mac;
  });
  questions_->tell(netlink::use_neighbor(questions_->next_sequence(), key.first, key.second));
}

void KernelResolver::unwatch_neighbor(const NeighborKey& key) {
  const auto found = neighbors_.find(key);
  if (found != neighbors_.end() && --found->second.watches == 0) neighbors_.erase(found);
}

bool KernelResolver::process() {
  bool changed = false;
  const auto read = events_->read([&](const nlmsghdr& message) { changed |= on_event(message); });
  if (read == netlink::Socket::Read::done) return changed;
  read_everything();
  return true;
}

bool KernelResolver::on_event(const nlmsghdr& message) {
  if (const auto link = netlink::parse_link(message)) return on_link(*link);
  if (const auto neighbor = netlink::parse_neighbor(message)) return on_neighbor(*neighbor);
  if (const auto change = netlink::parse_route_change(message)) return mark_stale(change->prefix);
  const bool rules_or_addresses = message.nlmsg_type == RTM_NEWADDR || message.nlmsg_type == RTM_DELADDR ||
                                  message.nlmsg_type == RTM_NEWRULE || message.nlmsg_type == RTM_DELRULE;
  return rules_or_addresses && mark_all_stale();
}

bool KernelResolver::on_link(const netlink::Link& link) {
  const bool is_port = std::any_of(ports_.begin(), ports_.end(),
                                   [&](const PortFacts& port) { return port.kernel_ifindex == link.index; });
  if (!is_port) return false;
  netlink::Link& known = links_[link.index];
  const uint32_t mtu = link.mtu != 0 ? link.mtu : known.mtu;  // some messages leave it out
  const bool changed = known.up != link.up || known.mtu != mtu;
  const bool routes_moved = known.up != link.up;
  known = link;
  known.mtu = mtu;
  // Some routes go away with a link without a word about each.
  if (routes_moved) mark_all_stale();
  return changed;
}

bool KernelResolver::on_neighbor(const netlink::Neighbor& neighbor) {
  const auto found = neighbors_.find({neighbor.ifindex, neighbor.address});
  if (found == neighbors_.end() || found->second.mac == neighbor.mac) return false;
  found->second.mac = neighbor.mac;
  found->second.due_known = false;
  return true;
}

/// True if a watched remote lies in `prefix`.
bool KernelResolver::mark_stale(const net::Prefix& prefix) {
  bool any = false;
  for (auto& [way, watch] : watches_) {
    if (!prefix.contains(way.second)) continue;
    watch.stale = true;
    any = true;
  }
  return any;
}

bool KernelResolver::mark_all_stale() {
  for (auto& [way, watch] : watches_) watch.stale = true;
  return !watches_.empty();
}

void KernelResolver::read_everything() {
  for (const PortFacts& port : ports_)
    links_[port.kernel_ifindex] = {.index = port.kernel_ifindex, .name = port.name};
  questions_->ask(netlink::dump_links(questions_->next_sequence()), [&](const nlmsghdr& message) {
    if (const auto link = netlink::parse_link(message)) on_link(*link);
  });
  for (auto& entry : neighbors_) entry.second.mac.reset();
  questions_->ask(netlink::dump_neighbors(questions_->next_sequence()), [&](const nlmsghdr& message) {
    if (const auto neighbor = netlink::parse_neighbor(message)) on_neighbor(*neighbor);
  });
  mark_all_stale();
}

bool KernelResolver::tick(dataplane::NanoTime now) {
  unsigned requests = 0;
  auto at = neighbors_.upper_bound(last_looked_at_);
  for (size_t left = std::min(neighbors_.size(), kLooksPerTick); left > 0; --left, ++at) {
    if (at == neighbors_.end()) at = neighbors_.begin();
    auto& [key, neighbor] = *at;
    last_looked_at_ = key;
    if (!neighbor.due_known) {
      neighbor.due_known = true;
      neighbor.retry = kFirstRetry;
      neighbor.due = now + (neighbor.mac ? kRefresh : kFirstRetry);
    }
    if (now < neighbor.due || requests == kRequestsPerTick) continue;
    ++requests;
    questions_->tell(netlink::use_neighbor(questions_->next_sequence(), key.first, key.second));
    neighbor.due = now + (neighbor.mac ? kRefresh : neighbor.retry);
    if (!neighbor.mac) neighbor.retry = std::min(2 * neighbor.retry, kSlowestRetry);
  }
  return false;
}

Result<std::vector<net::InterfaceAddress>> read_kernel_addresses(uint32_t ifindex) {
  auto socket = netlink::Socket::open({});
  if (!socket) return tl::unexpected(socket.error());
  std::vector<net::InterfaceAddress> addresses;
  const int error =
      (*socket)->ask(netlink::dump_addresses((*socket)->next_sequence()), [&](const nlmsghdr& message) {
        const auto address = netlink::parse_address(message);
        if (!address || address->ifindex != ifindex || net::is_martian(address->address.address)) return;
        addresses.push_back(address->address);
      });
  if (error != 0) {
    return fail(ErrorCode::io,
                "cannot read the kernel's addresses: " + std::generic_category().message(error));
  }
  return addresses;
}

}  // namespace weir::underlay
