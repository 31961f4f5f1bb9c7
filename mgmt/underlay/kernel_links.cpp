#include "mgmt/underlay/kernel_links.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <system_error>

namespace weir::underlay {

namespace {

/// Every link there is. A socket that listens must not ask: answers and events would mix.
int each_link(const netlink::Socket::OnMessage& on_message) {
  auto socket = netlink::Socket::open({});
  if (!socket) return EIO;
  return (*socket)->ask(netlink::dump_links((*socket)->next_sequence()), on_message);
}

}  // namespace

Result<std::unique_ptr<LinkMacs>> LinkMacs::create(const std::vector<uint32_t>& ifindexes) {
  auto events = netlink::Socket::open({RTNLGRP_LINK});
  if (!events) return tl::unexpected(events.error());
  std::unique_ptr<LinkMacs> macs(new LinkMacs(std::move(*events)));
  for (const uint32_t ifindex : ifindexes) macs->macs_[ifindex];
  macs->read_everything();
  return macs;
}

bool LinkMacs::on_message(const nlmsghdr& message) {
  const auto link = netlink::parse_link(message);
  const auto known = link ? macs_.find(link->index) : macs_.end();
  if (known == macs_.end() || link->gone || !link->mac || known->second == link->mac) return false;
  known->second = link->mac;
  return true;
}

bool LinkMacs::read_everything() {
  bool changed = false;
  // What cannot be read now stays as it is known; the next event tells.
  (void)each_link([&](const nlmsghdr& message) { changed |= on_message(message); });
  return changed;
}

bool LinkMacs::process() {
  bool changed = false;
  const auto read = events_->read([&](const nlmsghdr& message) { changed |= on_message(message); });
  return read == netlink::Socket::Read::done ? changed : read_everything() || changed;
}

std::optional<net::Mac> LinkMacs::mac(uint32_t ifindex) const {
  const auto known = macs_.find(ifindex);
  return known != macs_.end() ? known->second : std::nullopt;
}

Result<std::vector<VlanInterface>> vlans_on(uint32_t parent) {
  std::vector<VlanInterface> found;
  const int error = each_link([&](const nlmsghdr& message) {
    const auto link = netlink::parse_link(message);
    if (link && link->parent == parent && link->vlan != 0)
      found.push_back({link->index, link->name, link->vlan});
  });
  if (error != 0)
    return fail(ErrorCode::io, "cannot read the kernel's links: " + std::generic_category().message(error));
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.vlan < b.vlan; });
  return found;
}

}  // namespace weir::underlay
