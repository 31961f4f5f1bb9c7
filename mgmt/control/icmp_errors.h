// ICMP errors that the hub makes: time exceeded, and fragmentation needed / packet too big.
//
// The answer to a packet that came in by an attachment goes back through the same attachment, from the hub's
// gateway address there, to the MAC that sent the packet. Control thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/core/time.h"
#include "dataplane/worker/dataplane.h"

namespace weir::control {

enum class IcmpErrorKind : uint8_t { time_exceeded, too_big, host_unreachable, prohibited };

/// The frame to send (inner Ethernet onward) about `frame`, or nothing if there must be none: about ICMP
/// errors, about multicast or broadcast, about a fragment other than the first, about a source that is no
/// single host, or where the hub has no address of that family (RFC 1122 section 3.2.2, RFC 1812
/// section 4.3.2.7, RFC 4443 section 2.4). It quotes as much as fits into 576 bytes (IPv4, RFC 1812
/// section 4.3.2.3) or 1280 bytes (IPv6). Pure.
std::optional<std::vector<uint8_t>> build_icmp_error(const dataplane::Attachment& ingress, IcmpErrorKind kind,
                                                     uint16_t mtu, std::span<const uint8_t> frame);

/// How the sender of `frame` is told that policy refuses its session: TCP by a reset as if its peer had sent
/// it (RFC 9293 section 3.10.7.1), the rest by "administratively prohibited" (RFC 1812 section 5.2.7.1, RFC
/// 4443 section 3.1). Nothing about what must not be answered, resets included. Pure.
std::optional<std::vector<uint8_t>> build_refusal(const dataplane::Attachment& ingress,
                                                  std::span<const uint8_t> frame);

class IcmpErrors {
 public:
  /// Into each attachment `per_second`, and half a second's worth at once (RFC 1812 section 4.3.2.8).
  IcmpErrors(dataplane::Dataplane& dataplane, uint32_t per_second)
      : dataplane_(dataplane), per_second_(per_second), burst_(per_second / 2 + per_second % 2) {}

  /// Takes over a packet punted with ttl_exceeded or mtu_exceeded, answers it if it may, and drops it.
  void on_punt(const dataplane::Punt& punt, dataplane::NanoTime now);

  /// Takes over a packet punted with reject, answers it if it may, and drops it.
  void on_reject(const dataplane::Punt& punt, dataplane::NanoTime now);

  /// The packet's next hop does not answer (RFC 1812 section 4.3.3.1, RFC 4443 section 3.1): answers its
  /// sender if it may. The packet stays the caller's.
  void on_unreachable(const dataplane::Punt& punt, dataplane::NanoTime now);

  uint64_t sent() const { return sent_; }
  uint64_t rate_limited() const { return rate_limited_; }

 private:
  struct Bucket {
    dataplane::AttachmentId owner;
    uint64_t tokens = 0;
    dataplane::NanoTime refilled = 0;
  };
  void answer(dataplane::AttachmentId to, const std::vector<uint8_t>& frame, dataplane::NanoTime now);
  bool take_token(dataplane::AttachmentId attachment, dataplane::NanoTime now);

  dataplane::Dataplane& dataplane_;
  uint32_t per_second_, burst_;
  std::vector<Bucket> buckets_;  // by slot
  uint64_t sent_ = 0;
  uint64_t rate_limited_ = 0;
};

}  // namespace weir::control
