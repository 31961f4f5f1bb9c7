#include "mgmt/underlay/underlay.h"

#include <algorithm>

#include "mgmt/underlay/kernel_links.h"
#include "mgmt/underlay/kernel_resolver.h"
#include "mgmt/underlay/port_resolver.h"

namespace weir::underlay {
namespace {

/// Hands each question to the resolver of the port that has the local address; what no DPDK-owned port has is
/// the kernel's.
class Combined : public Underlay {
 public:
  Combined(const std::vector<PortFacts>& ports, SendFrame send, std::unique_ptr<KernelResolver> kernel,
           std::unique_ptr<LinkMacs> macs)
      : ports_(ports), send_(std::move(send)), kernel_(std::move(kernel)), macs_(std::move(macs)) {
    for (const PortFacts& port : ports) {
      if (!port.kernel_shared) resolvers_.emplace(port.index, std::make_unique<PortResolver>(port, send_));
    }
  }

  Result<std::vector<net::InterfaceAddress>> kernel_addresses(uint32_t ifindex) override {
    return read_kernel_addresses(ifindex);
  }

  Result<Hop> resolve(const net::IpAddress& local, const net::IpAddress& remote) override {
    if (PortResolver* owner = owner_of(local)) {
      // Another port's address too: the packets would come back to the hub that sends them.
      if (has_address(remote)) {
        return fail(ErrorCode::not_found, "no way to " + net::to_string(remote) + " from " +
                                              net::to_string(local) + ": it is the hub's own address");
      }
      return owner->resolve(local, remote);
    }
    if (kernel_ != nullptr) return kernel_->resolve(local, remote);
    return fail(ErrorCode::not_found, "no port has the address " + net::to_string(local));
  }

  void forget(const net::IpAddress& local, const net::IpAddress& remote) override {
    if (PortResolver* owner = owner_of(local)) {
      owner->forget(local, remote);
    } else if (kernel_ != nullptr) {
      kernel_->forget(local, remote);
    }
  }

  std::vector<int> fds() const override {
    std::vector<int> fds;
    if (kernel_ != nullptr) fds.push_back(kernel_->fd());
    if (macs_ != nullptr) fds.push_back(macs_->fd());
    return fds;
  }
  bool process() override {
    const bool changed = kernel_ != nullptr && kernel_->process();
    if (macs_ == nullptr || !macs_->process()) return changed;
    for (const PortFacts& port : ports_) {
      const auto mac = port_mac(port.index);
      const auto resolver = resolvers_.find(port.index);
      if (mac && resolver != resolvers_.end()) resolver->second->use_mac(*mac);
    }
    return true;
  }

  std::optional<net::Mac> port_mac(dataplane::PortIndex index) const override {
    const auto port =
        std::find_if(ports_.begin(), ports_.end(), [&](const PortFacts& p) { return p.index == index; });
    if (macs_ == nullptr || port == ports_.end() || !port->kernel_mac) return std::nullopt;
    return macs_->mac(port->kernel_ifindex);
  }

  bool on_neighbor_frame(dataplane::PortIndex port, std::span<const uint8_t> frame) override {
    const auto found = resolvers_.find(port);
    return found != resolvers_.end() && found->second->on_frame(frame);
  }
  bool on_neighbor_note(dataplane::PortIndex port, const net::IpAddress& address, net::Mac mac) override {
    const auto found = resolvers_.find(port);
    return found != resolvers_.end() && found->second->on_note(address, mac);
  }

  bool tick(dataplane::NanoTime now) override {
    bool changed = kernel_ != nullptr && kernel_->tick(now);
    for (auto& [port, resolver] : resolvers_) changed |= resolver->tick(now);
    return changed;
  }

 private:
  PortResolver* owner_of(const net::IpAddress& local) const {
    for (const auto& [port, resolver] : resolvers_) {
      if (resolver->owns(local)) return resolver.get();
    }
    return nullptr;
  }

  bool has_address(const net::IpAddress& address) const {
    return std::any_of(ports_.begin(), ports_.end(), [&](const PortFacts& port) {
      return std::any_of(port.addresses.begin(), port.addresses.end(),
                         [&](const auto& own) { return own.address == address; });
    });
  }

  std::vector<PortFacts> ports_;
  SendFrame send_;
  std::map<dataplane::PortIndex, std::unique_ptr<PortResolver>> resolvers_;
  std::unique_ptr<KernelResolver> kernel_;
  std::unique_ptr<LinkMacs> macs_;
};

}  // namespace

Result<std::unique_ptr<Underlay>> Underlay::create(std::vector<PortFacts> ports, SendFrame send) {
  std::vector<PortFacts> shared, others;
  std::partition_copy(ports.begin(), ports.end(), std::back_inserter(shared), std::back_inserter(others),
                      [](const PortFacts& port) { return port.kernel_shared; });
  std::vector<uint32_t> with_mac;
  for (const PortFacts& port : ports) {
    if (port.kernel_mac) with_mac.push_back(port.kernel_ifindex);
  }
  std::unique_ptr<LinkMacs> macs;
  if (!with_mac.empty()) {
    auto created = LinkMacs::create(with_mac);
    if (!created) return tl::unexpected(std::move(created).error());
    macs = std::move(*created);
  }
  std::unique_ptr<KernelResolver> kernel;
  if (!shared.empty()) {
    auto created = KernelResolver::create(std::move(shared), std::move(others));
    if (!created) return tl::unexpected(std::move(created).error());
    kernel = std::move(*created);
  }
  return std::make_unique<Combined>(ports, std::move(send), std::move(kernel), std::move(macs));
}

}  // namespace weir::underlay
