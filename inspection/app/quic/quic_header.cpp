#include "inspection/app/quic/quic_header.h"

#include "inspection/app/byte_cursor.h"

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;
using Error = QuicHeaderError;

constexpr uint8_t kLong = 0x80, kFixed = 0x40;
constexpr size_t kMaxConnectionId = 20;  // RFC 9000 section 17.2
constexpr size_t kMinInitial = 1'200;    // section 14.1: a client's datagram that has an Initial
constexpr size_t kGoogleHash = 12;       // of a packet that is not encrypted, behind its header

/// Versions that nobody has: a client that sends one asks for version negotiation (RFC 9000 section 15).
bool asks_for_negotiation(uint32_t version) { return (version & 0x0f0f0f0f) == 0x0a0a0a0a; }

/// "Q0dd" as a number, or 0.
unsigned google_number(uint32_t version) {
  const uint32_t tens = (version >> 8 & 0xff) - '0', ones = (version & 0xff) - '0';
  if (version >> 16 != 0x5130 || tens > 9 || ones > 9) return 0;
  return tens * 10 + ones;
}

bool has_public_header(QuicFamily family) {
  return family == QuicFamily::google || family == QuicFamily::google_old;
}

Error read_negotiation(ByteCursor& cursor, size_t whole, QuicHeader& out) {
  if (cursor.empty() || cursor.rest().size() % 4 != 0) return Error::not_quic;
  bool known = false;
  for (uint32_t version = 0; cursor.u32(version);)
    known = known || asks_for_negotiation(version) || quic_family(version) != QuicFamily::unknown;
  out.form = QuicForm::negotiation;
  out.end = out.body = whole;
  return known ? Error::none : Error::not_quic;
}

/// Flags, connection id, version, packet number, and a hash of what follows.
Error read_google(Bytes datagram, QuicHeader& out) {
  constexpr uint8_t kVersion = 0x01, kReset = 0x02, kId = 0x08, kUnused = 0xc0;
  const uint8_t flags = datagram[0];
  if ((flags & (kVersion | kId)) != (kVersion | kId) || (flags & (kUnused | kReset)) != 0)
    return Error::not_quic;
  ByteCursor cursor(datagram.subspan(1));
  Bytes skipped;
  if (!cursor.take(8, out.destination) || !cursor.u32(out.version)) return Error::truncated;
  if (!has_public_header(quic_family(out.version))) return Error::not_quic;
  const unsigned number_bits = flags >> 4 & 3;
  const size_t number_size = number_bits == 0 ? 1 : 2 * number_bits;
  // The oldest have a byte of flags behind the hash.
  const size_t flags_behind = google_number(out.version) < 34 ? 1 : 0;
  if (!cursor.take(number_size + kGoogleHash + flags_behind, skipped)) return Error::truncated;
  out.form = QuicForm::google;
  out.body = datagram.size() - cursor.rest().size();
  out.end = datagram.size();
  return Error::none;
}

/// The long header of Q044 to Q046: one byte tells both lengths, none of the packet follows.
Error read_google_long(Bytes datagram, ByteCursor& cursor, QuicHeader& out) {
  uint8_t lengths = 0;
  Bytes skipped;
  if (!cursor.u8(lengths)) return Error::truncated;
  const auto size_of = [](uint8_t code) { return code == 0 ? size_t{0} : code + size_t{3}; };
  if (!cursor.take(size_of(lengths >> 4), out.destination) ||
      !cursor.take(size_of(lengths & 0xf), out.source) ||
      !cursor.take(size_t{1} + (datagram[0] & 3) + kGoogleHash, skipped)) {
    return Error::truncated;
  }
  out.form = QuicForm::google;
  out.body = datagram.size() - cursor.rest().size();
  out.end = datagram.size();
  return Error::none;
}

QuicForm form_of(uint8_t first, QuicFamily family) {
  constexpr QuicForm kForms[] = {QuicForm::initial, QuicForm::zero_rtt, QuicForm::handshake, QuicForm::retry};
  const unsigned type = first >> 4 & 3;
  return kForms[family == QuicFamily::ietf_v2 ? (type + 3) % 4 : type];
}

}  // namespace

QuicFamily quic_family(uint32_t version) {
  constexpr uint32_t kVersion1 = 1, kVersion2 = 0x6b3343cf, kVersion2Draft = 0x709a50c4;
  if (version == kVersion1) return QuicFamily::ietf;
  if (version == kVersion2 || version == kVersion2Draft) return QuicFamily::ietf_v2;
  if (const unsigned google = google_number(version); google != 0) {
    if (google < 24) return QuicFamily::unknown;
    if (google < 39) return QuicFamily::google_old;
    if (google < 44) return QuicFamily::google;
    return google < 50 ? QuicFamily::google_long : QuicFamily::google_ietf;
  }
  if (version == 0x54303530 || version == 0x54303531) return QuicFamily::google_tls;
  if (version >> 8 == 0xff0000) return (version & 0xff) >= 22 ? QuicFamily::ietf : QuicFamily::unknown;
  // Facebook's mvfst (after drafts 22, 27, and experiments), picoquic's own.
  constexpr uint32_t kOthers[] = {0xfaceb001, 0xfaceb002, 0xfaceb00d, 0xfaceb00e, 0xfaceb00f,
                                  0xfaceb010, 0xfaceb011, 0x50435130, 0x50435131};
  for (const uint32_t other : kOthers) {
    if (version == other) return QuicFamily::ietf;
  }
  return QuicFamily::unknown;
}

QuicHeaderError read_quic_header(Bytes datagram, QuicHeader& out) {
  out = {};
  if (datagram.empty()) return Error::truncated;
  const uint8_t first = datagram[0];
  if ((first & kLong) == 0) {
    if ((first & kFixed) != 0) return Error::short_header;
    return read_google(datagram, out);
  }
  ByteCursor cursor(datagram.subspan(1));
  if (!cursor.u32(out.version)) return Error::truncated;
  const QuicFamily family = quic_family(out.version);
  if (family == QuicFamily::google_long) return read_google_long(datagram, cursor, out);
  if (!cursor.vector8(out.destination) || !cursor.vector8(out.source)) return Error::truncated;
  if (out.destination.size() > kMaxConnectionId || out.source.size() > kMaxConnectionId)
    return Error::not_quic;
  if (out.version == 0) return read_negotiation(cursor, datagram.size(), out);
  if (family == QuicFamily::unknown || has_public_header(family)) {
    // Its first packet is as large as every client's.
    if (!asks_for_negotiation(out.version) || datagram.size() < kMinInitial) return Error::not_quic;
    out.body = out.end = datagram.size();
    return Error::none;
  }
  if ((first & kFixed) == 0) return Error::not_quic;
  out.form = form_of(first, family);
  if (out.form == QuicForm::retry) {
    out.body = out.end = datagram.size();
    constexpr size_t kIntegrityTag = 16;
    return cursor.rest().size() >= kIntegrityTag ? Error::none : Error::truncated;
  }
  uint64_t size = 0;
  if (out.form == QuicForm::initial && (!cursor.varint(size) || !cursor.take(size, out.token)))
    return Error::truncated;
  Bytes rest;
  if (!cursor.varint(size)) return Error::truncated;
  out.body = datagram.size() - cursor.rest().size();
  if (!cursor.take(size, rest)) return Error::truncated;
  out.end = out.body + rest.size();
  // A packet number, and as much behind it as its protection samples (RFC 9001 section 5.4.2).
  constexpr size_t kLeast = 20;
  return rest.size() >= kLeast ? Error::none : Error::not_quic;
}

}  // namespace weir::inspection
