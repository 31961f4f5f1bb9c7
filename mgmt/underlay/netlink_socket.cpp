#include "mgmt/underlay/netlink_socket.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace weir::underlay::netlink {
namespace {

constexpr int kReceiveBytes = 4 << 20;  // of kernel buffer: a full table of neighbours may change at once

tl::unexpected<Error> failed(const char* what) {
  return fail(ErrorCode::io, std::string(what) + ": " + std::generic_category().message(errno));
}

}  // namespace

Result<std::unique_ptr<Socket>> Socket::open(const std::vector<int>& groups) {
  mnl_socket* socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
  if (socket == nullptr) return failed("cannot open a netlink socket");
  std::unique_ptr<Socket> opened(new Socket(socket));
  if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) return failed("cannot bind a netlink socket");
  const int fd = opened->fd();
  // SO_RCVBUFFORCE needs CAP_NET_ADMIN; what is granted without it will do for fewer neighbours.
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBytes, sizeof(kReceiveBytes)) != 0) {
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBytes, sizeof(kReceiveBytes));
  }
  for (int group : groups) {
    if (mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0) {
      return failed("cannot listen to the kernel's network changes");
    }
  }
  return opened;
}

Socket::~Socket() { mnl_socket_close(socket_); }

int Socket::fd() const { return mnl_socket_get_fd(socket_); }

ssize_t Socket::receive(int flags) {
  sockaddr_nl from{};
  socklen_t from_size = sizeof(from);
  for (;;) {
    const ssize_t got =
        recvfrom(fd(), buffer_.data(), buffer_.size(), flags, reinterpret_cast<sockaddr*>(&from), &from_size);
    if (got < 0 && errno == EINTR) continue;
    // Any process may send to our port; only the kernel's id is 0.
    if (got >= 0 && from.nl_pid != 0) continue;
    return got;
  }
}

int Socket::ask(const Request& request, const OnMessage& on_message) {
  if (mnl_socket_sendto(socket_, request.data(), request.size()) < 0) return errno;
  const bool is_dump =
      (reinterpret_cast<const nlmsghdr*>(request.data())->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
  for (;;) {
    const ssize_t got = receive(0);
    if (got < 0) return errno;
    int left = static_cast<int>(got);
    for (auto* message = reinterpret_cast<const nlmsghdr*>(buffer_.data()); mnl_nlmsg_ok(message, left);
         message = mnl_nlmsg_next(message, &left)) {
      if (message->nlmsg_seq != sequence_) continue;  // an error for an earlier tell()
      if (message->nlmsg_type == NLMSG_DONE) return 0;
      if (message->nlmsg_type == NLMSG_ERROR) {
        if (message->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof(nlmsgerr)) return EBADMSG;
        return -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error;
      }
      on_message(*message);
      if (!is_dump) return 0;
    }
  }
}

void Socket::tell(const Request& request) {
  // A full socket buffer loses the request; the caller tells again later.
  (void)mnl_socket_sendto(socket_, request.data(), request.size());
}

Socket::Read Socket::read(const OnMessage& on_message) {
  for (;;) {
    const ssize_t got = receive(MSG_DONTWAIT);
    if (got < 0) return errno == ENOBUFS ? Read::overrun : Read::done;
    int left = static_cast<int>(got);
    for (auto* message = reinterpret_cast<const nlmsghdr*>(buffer_.data()); mnl_nlmsg_ok(message, left);
         message = mnl_nlmsg_next(message, &left)) {
      on_message(*message);
    }
  }
}

}  // namespace weir::underlay::netlink
