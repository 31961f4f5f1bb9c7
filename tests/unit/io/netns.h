// Two network namespaces joined by a veth pair: "hub", in which the test itself then lives, and "peer".
//
// Both are anonymous: they vanish with the processes that live in them, whatever becomes of the test.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace weir::test {

/// Whether this process may make network namespaces; if not, `why` says what is missing.
bool can_make_namespaces(std::string& why);

/// Runs a shell command; true if it exits with 0. Its output goes to the terminal only if it fails.
bool run(const std::string& command);
/// Standard output of a shell command.
std::string output_of(const std::string& command);

/// A second namespace, held by a child process.
class PeerNamespace {
 public:
  PeerNamespace();
  ~PeerNamespace();
  PeerNamespace(const PeerNamespace&) = delete;
  PeerNamespace& operator=(const PeerNamespace&) = delete;

  bool is_open() const { return open_; }
  pid_t pid() const { return pid_; }
  /// Runs a command in the peer's namespace.
  bool run(const std::string& command) const;

 private:
  pid_t pid_ = -1;
  bool open_ = false;
};

/// Moves this process (its calling thread and all later ones) to a new namespace with the loopback up.
bool enter_new_namespace();

/// A veth pair: `hub_side` here, with one rx and one tx queue, `peer_side` in `peer`; both up, with checksum
/// offload off at the peer, since nothing would ever fill in what the kernel leaves to a "NIC".
bool make_veth(const PeerNamespace& peer, const std::string& hub_side, const std::string& peer_side);

/// A packet socket on an interface, for frames as they are.
class RawSocket {
 public:
  /// Of this namespace.
  explicit RawSocket(const std::string& interface);
  /// Of the peer's namespace.
  RawSocket(const PeerNamespace& peer, const std::string& interface);
  ~RawSocket();
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;

  bool is_open() const { return fd_ >= 0; }
  bool send(std::span<const uint8_t> frame) const;
  /// The next frame that arrives within `timeout_ms`, or an empty vector.
  std::vector<uint8_t> receive(int timeout_ms) const;

 private:
  int fd_ = -1;
};

}  // namespace weir::test
