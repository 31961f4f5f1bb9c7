#include "mgmt/underlay/icmp_socket.h"

#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace weir::underlay {

Result<IcmpSocket> IcmpSocket::open(net::Family family) {
  const bool v4 = family == net::Family::ipv4;
  IcmpSocket socket(::socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
                             v4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6}),
                    family);
  bool filtered = false;
  if (socket.fd_ >= 0 && v4) {
    const icmp_filter filter{~(1u << ICMP_DEST_UNREACH)};
    filtered = setsockopt(socket.fd_, SOL_RAW, ICMP_FILTER, &filter, sizeof filter) == 0;
  } else if (socket.fd_ >= 0) {
    icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ICMP6_PACKET_TOO_BIG, &filter);
    filtered = setsockopt(socket.fd_, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) == 0;
  }
  if (!filtered) {
    return fail(ErrorCode::unavailable,
                "ICMP errors of the underlay cannot be read: " + std::string(std::strerror(errno)));
  }
  return socket;
}

IcmpSocket::IcmpSocket(IcmpSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), family_(other.family_) {}

IcmpSocket::~IcmpSocket() {
  if (fd_ >= 0) close(fd_);
}

std::span<const uint8_t> IcmpSocket::take(std::span<uint8_t> buffer) const {
  const ssize_t size = recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
  return size <= 0 ? std::span<const uint8_t>() : buffer.first(static_cast<size_t>(size));
}

}  // namespace weir::underlay
