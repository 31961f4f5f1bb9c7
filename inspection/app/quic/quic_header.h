// The part of a QUIC packet that everybody can read (RFC 8999, RFC 9000 section 17, RFC 9369), of the drafts
// before it (from 22 on) and of Google's own QUIC (Q024 to Q050). Pure; fuzzed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::inspection {

enum class QuicForm : uint8_t {
  negotiation,  // the server names its versions
  initial,
  zero_rtt,
  handshake,
  retry,
  google,  // Google's QUIC before it took over the IETF's packets (Q024 to Q046): a hello in clear
};

/// What a version of QUIC is to be read as.
enum class QuicFamily : uint8_t {
  unknown,
  ietf,         // RFC 9000, its drafts from 22 on, and those that only differ in keys
  ietf_v2,      // RFC 9369: other numbers for the types of packets
  google_old,   // Q024 to Q038: as the next one, but little-endian
  google,       // Q039 to Q043: a public header of its own
  google_long,  // Q044 to Q046: a long header, no protection
  google_ietf,  // Q050: the IETF's packets with a hello of Google's in them
  google_tls,   // T050, T051: with one of TLS, in frames of Google's
};
QuicFamily quic_family(uint32_t version);

struct QuicHeader {
  QuicForm form = QuicForm::initial;
  uint32_t version = 0;
  std::span<const uint8_t> destination, source;  // connection ids
  std::span<const uint8_t> token;                // of Initials
  /// Initial, 0-RTT, Handshake: where the packet number stands, still protected. google: where frames begin.
  size_t body = 0;
  size_t end = 0;  // of this packet in the datagram; others may follow
};

enum class QuicHeaderError : uint8_t {
  none,
  short_header,  // of a connection that goes on: says nothing
  truncated,
  not_quic,
};
/// The first packet of `datagram`.
QuicHeaderError read_quic_header(std::span<const uint8_t> datagram, QuicHeader& out);

}  // namespace weir::inspection
