#include "inspection/app/quic/quic_frames.h"

#include <algorithm>
#include <string_view>

#include "inspection/app/byte_cursor.h"

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;

constexpr uint8_t kPadding = 0, kPing = 1, kAck = 2, kAckCounts = 3, kCrypto = 6, kGoogleCrypto = 8,
                  kClose = 0x1c;

uint32_t little32(Bytes bytes) {
  return bytes[0] | static_cast<uint32_t>(bytes[1]) << 8 | static_cast<uint32_t>(bytes[2]) << 16 |
         static_cast<uint32_t>(bytes[3]) << 24;
}

}  // namespace

bool QuicFrames::skip_ack(bool counts) {
  ByteCursor cursor(rest_);
  uint64_t number = 0, ranges = 0;
  if (!cursor.varint(number) || !cursor.varint(number) || !cursor.varint(ranges) || !cursor.varint(number))
    return false;
  // Each range takes two bytes at least, so that this ends with the packet.
  for (; ranges > 0; --ranges) {
    if (!cursor.varint(number) || !cursor.varint(number)) return false;
  }
  for (int i = 0; counts && i < 3; ++i) {
    if (!cursor.varint(number)) return false;
  }
  rest_ = cursor.rest();
  return true;
}

/// 1fdooossB: final, data length there, bytes of the offset, bytes of the stream's number.
std::optional<QuicCryptoFrame> QuicFrames::google_stream(uint8_t type) {
  constexpr uint8_t kHasLength = 0x20;
  const size_t offset_bits = type >> 2 & 7, offset_size = offset_bits == 0 ? 0 : offset_bits + 1;
  ByteCursor cursor(rest_);
  QuicCryptoFrame frame;
  Bytes number, offset;
  uint16_t size = 0;
  if (!cursor.take((type & 3u) + 1u, number) || !cursor.take(offset_size, offset)) return std::nullopt;
  const bool little = family_ == QuicFamily::google_old;
  for (size_t i = 0; i < offset.size(); ++i)
    frame.offset = frame.offset << 8 | offset[little ? offset.size() - 1 - i : i];
  if ((type & kHasLength) != 0) {
    if (!cursor.u16(size)) return std::nullopt;
    if (little) size = static_cast<uint16_t>(size << 8 | size >> 8);
  }
  if (!cursor.take((type & kHasLength) != 0 ? size : cursor.rest().size(), frame.data)) return std::nullopt;
  rest_ = cursor.rest();
  return frame;
}

std::optional<QuicCryptoFrame> QuicFrames::next() {
  const auto wrong = [&] {
    malformed_ = true;
    rest_ = {};
    return std::nullopt;
  };
  const bool google = family_ == QuicFamily::google || family_ == QuicFamily::google_old ||
                      family_ == QuicFamily::google_long;
  const bool google_crypto = family_ == QuicFamily::google_ietf || family_ == QuicFamily::google_tls;
  while (!rest_.empty()) {
    const uint8_t type = rest_[0];
    rest_ = rest_.subspan(1);
    if (type == kPadding) {
      const auto end =
          std::find_if(rest_.begin(), rest_.end(), [](uint8_t byte) { return byte != kPadding; });
      rest_ = rest_.subspan(static_cast<size_t>(end - rest_.begin()));
      continue;
    }
    if (google) {
      if ((type & 0x80) == 0) return rest_ = {}, std::nullopt;  // others carry no hello
      const auto frame = google_stream(type);
      if (!frame) return wrong();
      return frame;
    }
    if (type == kPing) continue;
    if (type == kAck || type == kAckCounts) {
      if (!skip_ack(type == kAckCounts)) return wrong();
      continue;
    }
    if (type == kClose) return rest_ = {}, std::nullopt;  // nothing of the handshake follows
    if (type != kCrypto && !(type == kGoogleCrypto && google_crypto)) return wrong();
    ByteCursor cursor(rest_);
    QuicCryptoFrame frame;
    uint64_t size = 0;
    if (!cursor.varint(frame.offset) || !cursor.varint(size) || !cursor.take(size, frame.data))
      return wrong();
    rest_ = cursor.rest();
    return frame;
  }
  return std::nullopt;
}

bool is_google_hello(Bytes message) {
  constexpr std::string_view kHello = "CHLO";
  return message.size() >= kHello.size() && std::equal(kHello.begin(), kHello.end(), message.begin());
}

QuicTags::QuicTags(Bytes message) {
  constexpr size_t kHeader = 8;  // the name, how many tags, two bytes of nothing
  if (message.size() < kHeader || !is_google_hello(message)) return;
  const size_t count = message[4] | static_cast<size_t>(message[5]) << 8;
  if (message.size() - kHeader < count * kEntry) return;
  entries_ = message.subspan(kHeader, count * kEntry);
  values_ = message.subspan(kHeader + count * kEntry);
}

bool QuicTags::whole() const {
  return !entries_.empty() && values_.size() >= little32(entries_.subspan(entries_.size() - 4));
}

std::optional<QuicTag> QuicTags::next() {
  if (entries_.empty()) return std::nullopt;
  QuicTag tag;
  tag.name = entries_.first(4);
  while (!tag.name.empty() && tag.name.back() == 0) tag.name = tag.name.first(tag.name.size() - 1);
  const uint32_t end = little32(entries_.subspan(4));
  entries_ = entries_.subspan(kEntry);
  if (end < at_ || end > values_.size()) {  // a value that is not there, or not all of it
    entries_ = {};
    return std::nullopt;
  }
  tag.value = values_.subspan(at_, end - at_);
  at_ = end;
  return tag;
}

}  // namespace weir::inspection
