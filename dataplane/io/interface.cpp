#include "dataplane/io/interface.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <numeric>

namespace weir::dataplane {
namespace {

std::string error_text(int error) { return std::generic_category().message(error); }

/// A socket for interface ioctls, and the request with the name filled in.
class InterfaceRequest {
 public:
  explicit InterfaceRequest(const std::string& name) : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    name.copy(request.ifr_name, sizeof(request.ifr_name) - 1);
  }
  ~InterfaceRequest() {
    if (fd_ >= 0) close(fd_);
  }
  InterfaceRequest(const InterfaceRequest&) = delete;
  InterfaceRequest& operator=(const InterfaceRequest&) = delete;

  /// 0 or an errno value.
  int call(unsigned long what) {
    if (fd_ < 0) return errno;
    return ioctl(fd_, what, &request) == 0 ? 0 : errno;
  }
  ifreq request{};

 private:
  int fd_;
};

std::vector<std::string> interface_names() {
  std::vector<std::string> names;
  struct if_nameindex* list = if_nameindex();
  if (list == nullptr) return names;
  for (auto* entry = list; entry->if_index != 0; ++entry) names.emplace_back(entry->if_name);
  if_freenameindex(list);
  return names;
}

size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string nearest_name(const std::string& wanted, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(1, wanted.size() / 2) + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = edit_distance(wanted, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

Result<InterfaceFacts> find_interface(const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ) {
    return fail(ErrorCode::invalid, "\"" + name + "\" cannot be the name of a network interface");
  }
  InterfaceFacts facts;
  facts.index = if_nametoindex(name.c_str());
  if (facts.index == 0) {
    std::string message = "there is no network interface named " + name;
    const std::string near = nearest_name(name, interface_names());
    if (!near.empty()) message += " (is " + near + " meant?)";
    return fail(ErrorCode::not_found, std::move(message));
  }
  InterfaceRequest query(name);
  if (int error = query.call(SIOCGIFFLAGS)) return fail(ErrorCode::io, name + ": " + error_text(error));
  facts.up = (query.request.ifr_flags & IFF_UP) != 0;
  facts.running = facts.up && (query.request.ifr_flags & IFF_RUNNING) != 0;
  if (int error = query.call(SIOCGIFMTU)) return fail(ErrorCode::io, name + ": " + error_text(error));
  facts.mtu = static_cast<uint32_t>(query.request.ifr_mtu);
  if (int error = query.call(SIOCGIFHWADDR)) return fail(ErrorCode::io, name + ": " + error_text(error));
  std::memcpy(facts.mac.bytes.data(), query.request.ifr_hwaddr.sa_data, facts.mac.bytes.size());
  return facts;
}

Result<InterfaceQueues> interface_queues(const std::string& name) {
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  InterfaceRequest query(name);
  query.request.ifr_data = reinterpret_cast<char*>(&channels);
  const int error = query.call(SIOCETHTOOL);
  if (error == EOPNOTSUPP) return InterfaceQueues{};  // such a device has one queue
  if (error != 0)
    return fail(ErrorCode::io, name + ": cannot read the number of queues: " + error_text(error));
  // Drivers count a queue pair as combined, or rx and tx apart; some have both kinds.
  const uint32_t receive = channels.combined_count + channels.rx_count;
  return InterfaceQueues{std::max(receive, 1u), channels.max_combined != 0};
}

Status set_interface_mtu(const std::string& name, uint32_t mtu) {
  InterfaceRequest change(name);
  change.request.ifr_mtu = static_cast<int>(mtu);
  if (int error = change.call(SIOCSIFMTU)) {
    return fail(ErrorCode::refused,
                name + ": the kernel refuses an MTU of " + std::to_string(mtu) + ": " + error_text(error));
  }
  return {};
}

Status set_interface_mac(const std::string& name, net::Mac mac) {
  InterfaceRequest change(name);
  change.request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  std::memcpy(change.request.ifr_hwaddr.sa_data, mac.bytes.data(), mac.bytes.size());
  if (int error = change.call(SIOCSIFHWADDR)) {
    return fail(ErrorCode::refused,
                name + ": the kernel refuses the MAC " + net::to_string(mac) + ": " + error_text(error));
  }
  return {};
}

Status set_interface_up(const std::string& name) {
  InterfaceRequest flags(name);
  if (int error = flags.call(SIOCGIFFLAGS)) return fail(ErrorCode::io, name + ": " + error_text(error));
  flags.request.ifr_flags = static_cast<short>(flags.request.ifr_flags | IFF_UP);
  if (int error = flags.call(SIOCSIFFLAGS))
    return fail(ErrorCode::refused, name + ": the kernel does not bring it up: " + error_text(error));
  return {};
}

}  // namespace weir::dataplane
