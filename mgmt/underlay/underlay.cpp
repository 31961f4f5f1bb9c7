#include "mgmt/underlay/underlay.h"

#include <algorithm>

#include "mgmt/underlay/kernel_resolver.h"
#include "mgmt/underlay/port_resolver.h"

namespace weir::underlay {
namespace {

/// Hands each question to the resolver of the port that has the local address; what no DPDK-owned port has is
/// the kernel's.
class Combined : public Underlay {
 public:
  Combined(const std::vector<PortFacts>& ports, SendFrame send, std::unique_ptr<KernelResolver> kernel)
      : send_(std::move(send)), kernel_(std::move(kernel)) {
    for (const PortFacts& port : ports) {
      if (!port.kernel_shared) resolvers_.emplace(port.index, std::make_unique<PortResolver>(port, send_));
    }
  }

  Result<std::vector<net::InterfaceAddress>> kernel_addresses(uint32_t ifindex) override {
    return read_kernel_addresses(ifindex);
  }

  Result<Hop> resolve(const net::IpAddress& local, const net::IpAddress& remote) override {
    if (PortResolver* owner = owner_of(local)) return owner->resolve(local, remote);
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
    return kernel_ != nullptr ? std::vector<int>{kernel_->fd()} : std::vector<int>{};
  }
  bool process() override { return kernel_ != nullptr && kernel_->process(); }

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

  SendFrame send_;
  std::map<dataplane::PortIndex, std::unique_ptr<PortResolver>> resolvers_;
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
