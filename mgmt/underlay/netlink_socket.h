// A netlink route socket: questions with answers, or a subscription. Control thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "dataplane/net/result.h"
#include "mgmt/underlay/netlink_messages.h"

struct mnl_socket;

namespace weir::underlay::netlink {

class Socket {
 public:
  /// With the multicast groups (RTNLGRP_*) to listen to; none for a socket that asks.
  static Result<std::unique_ptr<Socket>> open(const std::vector<int>& groups);
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int fd() const;
  uint32_t next_sequence() { return ++sequence_; }

  using OnMessage = std::function<void(const nlmsghdr&)>;
  /// Sends a request built with next_sequence() and hands over each message of the answer. The kernel answers
  /// within the call. Returns the errno value of its refusal, 0 if there was none.
  int ask(const Request& request, const OnMessage& on_message);
  /// Sends a request to which nothing but an error would come back; that is dropped by a later ask().
  void tell(const Request& request);

  enum class Read { done, overrun };
  /// Hands over what has come in, without waiting. `overrun`: the kernel had more to say than fitted; ask for
  /// everything.
  Read read(const OnMessage& on_message);

 private:
  explicit Socket(mnl_socket* socket) : socket_(socket) {}
  ssize_t receive(int flags);

  mnl_socket* socket_;
  uint32_t sequence_ = 0;
  std::vector<uint8_t> buffer_ = std::vector<uint8_t>(65'536);
};

}  // namespace weir::underlay::netlink
