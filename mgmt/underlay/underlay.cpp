#include "mgmt/underlay/underlay.h"

#include <algorithm>

#include "mgmt/underlay/arp_resolver.h"
#include "mgmt/underlay/kernel_resolver.h"

namespace weir::underlay {
namespace {

/// Hands each question to the resolver of the port that has the local address; what no DPDK-owned port has is
/// the kernel's.
class Combined : public Underlay {
 public:
  Combined(const std::vector<PortFacts>& ports, SendFrame send, std::unique_ptr<KernelResolver> kernel)
      : send_(std::move(send)), kernel_(std::move(kernel)) {
    for (const PortFacts& port : ports) {
      if (!port.kernel_shared) arp_.emplace(port.index, std::make_unique<ArpResolver>(port, send_));
    }
  }

  Result<std::vector<net::InterfaceAddress>> kernel_addresses(uint32_t ifindex) override {
    return read_kernel_addresses(ifindex);
  }

  Result<Hop> resolve(net::Ipv4 local, net::Ipv4 remote) override {
    if (ArpResolver* owner = owner_of(local)) return owner->resolve(local, remote);
    if (kernel_ != nullptr) return kernel_->resolve(local, remote);
    return fail(ErrorCode::not_found, "no port has the address " + net::to_string(local));
  }

  void forget(net::Ipv4 local, net::Ipv4 remote) override {
    if (ArpResolver* owner = owner_of(local)) {
      owner->forget(local, remote);
    } else if (kernel_ != nullptr) {
      kernel_->forget(local, remote);
    }
  }

  std::vector<int> fds() const override {
    return kernel_ != nullptr ? std::vector<int>{kernel_->fd()} : std::vector<int>{};
  }
  bool process() override { return kernel_ != nullptr && kernel_->process(); }

  bool on_arp(dataplane::PortIndex port, std::span<const uint8_t> frame) override {
    const auto found = arp_.find(port);
    return found != arp_.end() && found->second->on_arp(frame);
  }

  bool tick(dataplane::NanoTime now) override {
    bool changed = kernel_ != nullptr && kernel_->tick(now);
    for (auto& [port, resolver] : arp_) changed |= resolver->tick(now);
    return changed;
  }

 private:
  ArpResolver* owner_of(net::Ipv4 local) const {
    for (const auto& [port, resolver] : arp_) {
      if (resolver->owns(local)) return resolver.get();
    }
    return nullptr;
  }

  SendFrame send_;
  std::map<dataplane::PortIndex, std::unique_ptr<ArpResolver>> arp_;
  std::unique_ptr<KernelResolver> kernel_;
};

}  // namespace

Result<std::unique_ptr<Underlay>> Underlay::create(std::vector<PortFacts> ports, SendFrame send) {
  std::vector<PortFacts> shared;
  std::copy_if(ports.begin(), ports.end(), std::back_inserter(shared),
               [](const PortFacts& port) { return port.kernel_shared; });
  std::unique_ptr<KernelResolver> kernel;
  if (!shared.empty()) {
    auto created = KernelResolver::create(std::move(shared));
    if (!created) return tl::unexpected(std::move(created).error());
    kernel = std::move(*created);
  }
  return std::make_unique<Combined>(ports, std::move(send), std::move(kernel));
}

}  // namespace weir::underlay
