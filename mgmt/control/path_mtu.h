// What routers of the underlay say about the MTU of the ways to tunnel peers (RFC 1191, RFC 8201).
//
// An ICMP error is believed only if it quotes a packet that the hub may have sent: from a tunnel's local
// address to its peer, by its protocol and port, and with its VNI or key if the quote reaches so far. Even so
// anybody who knows the addresses can forge one; so an MTU goes down to no less than every router carries,
// few messages are read a second, and a lowered MTU is forgotten ten minutes after it was last confirmed.
// Control thread only; time is an input.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>

#include "dataplane/core/time.h"
#include "dataplane/tunnel/tunnel.h"
#include "mgmt/model/model.h"

namespace weir::control {

/// What a "fragmentation needed" or "packet too big" says.
struct TooBig {
  net::IpAddress local;   // who sent the quoted packet
  net::IpAddress remote;  // to whom
  uint8_t protocol = 0;
  uint16_t udp_port = 0;       // destination
  std::optional<uint32_t> id;  // VNI or GRE key, if so much is quoted
  uint16_t mtu = 0;            // of the link that it did not fit; 0: an old router, which does not say
  uint16_t length = 0;         // of the quoted packet
};

/// Reads an ICMP or ICMPv6 packet from its IP header on; nothing if it says something else, is damaged, or
/// was not sent to whom it quotes. Pure.
std::optional<TooBig> read_too_big(std::span<const uint8_t> packet);
/// The same from the ICMP header on, where the kernel has looked at what is before it.
std::optional<TooBig> read_too_big_message(net::Family family, std::span<const uint8_t> message);

/// Might the quoted packet be one of this tunnel?
bool is_about(const TooBig& said, const dataplane::Tunnel& tunnel);

class PathMtus {
 public:
  static constexpr dataplane::NanoTime kForgetAfter =
      600 * dataplane::kNanosPerSecond;        // RFC 1191 section 6.3
  static constexpr uint16_t kLowest4 = 576;    // what every router carries, or near enough (RFC 791)
  static constexpr uint16_t kLowest6 = 1'280;  // RFC 8200
  static constexpr uint32_t kPerSecond = 100;  // messages that are read
  using IsOurs = std::function<bool(const TooBig&)>;

  /// Takes note of what an ICMP packet said, if it said anything. True: the MTU of a path went down.
  bool on_icmp(const std::optional<TooBig>& said, const IsOurs& is_ours, dataplane::NanoTime now);
  /// Forgets what is old. True: some path's MTU may go up again.
  bool tick(dataplane::NanoTime now);

  /// `link_mtu`, or less.
  uint16_t limit(const model::UnderlayPath& path, uint16_t link_mtu) const;

  uint64_t lowered() const { return lowered_; }
  uint64_t refused() const { return refused_; }

 private:
  struct Limit {
    uint16_t mtu = 0;
    dataplane::NanoTime said = 0;
  };
  std::map<model::UnderlayPath, Limit> limits_;
  dataplane::NanoTime second_ = 0;  // in which `read_` messages were read
  uint32_t read_ = 0;
  uint64_t lowered_ = 0, refused_ = 0;
};

}  // namespace weir::control
