#include "tests/packet/fragments.h"

#include <algorithm>

namespace weir::test {

namespace {

bool is_v4(const Bytes& frame, size_t ip) { return frame[ip] >> 4 == 4; }

void put16(Bytes& bytes, size_t at, size_t value) {
  bytes[at] = static_cast<uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<uint8_t>(value);
}

size_t get16(const Bytes& bytes, size_t at) { return static_cast<size_t>(bytes[at] << 8 | bytes[at + 1]); }

void finish_v4(Bytes& frame, size_t ip) {
  put16(frame, ip + 2, frame.size() - ip);
  put16(frame, ip + 10, 0);
  put16(frame, ip + 10,
        plain_checksum(
            Bytes(frame.begin() + static_cast<long>(ip), frame.begin() + static_cast<long>(ip) + 20)));
}

}  // namespace

std::vector<Bytes> fragments_of(const Bytes& frame, size_t size, uint32_t id, size_t ip) {
  const size_t header = is_v4(frame, ip) ? 20 : 40;
  const size_t payload = ip + header;
  std::vector<Bytes> out;
  for (size_t at = 0; payload + at < frame.size(); at += size) {
    const size_t length = std::min(size, frame.size() - payload - at);
    const bool more = payload + at + length < frame.size();
    Bytes piece(frame.begin(), frame.begin() + static_cast<long>(payload));
    const auto data = frame.begin() + static_cast<long>(payload + at);
    if (is_v4(frame, ip)) {
      put16(piece, ip + 4, id);
      put16(piece, ip + 6, at / 8 | (more ? 0x2000 : 0));
    } else {
      const uint8_t next = piece[ip + 6];
      piece[ip + 6] = 44;
      Bytes fragment(8);
      fragment[0] = next;
      put16(fragment, 2, at | (more ? 1 : 0));
      put16(fragment, 4, id >> 16);
      put16(fragment, 6, id & 0xffff);
      piece.insert(piece.end(), fragment.begin(), fragment.end());
    }
    piece.insert(piece.end(), data, data + static_cast<long>(length));
    if (is_v4(frame, ip)) {
      finish_v4(piece, ip);
    } else {
      put16(piece, ip + 4, piece.size() - ip - 40);
    }
    out.push_back(std::move(piece));
  }
  return out;
}

Bytes whole_of(std::vector<Bytes> frames, size_t ip) {
  if (frames.empty()) return {};
  const bool v4 = is_v4(frames[0], ip);
  const size_t offset_at = ip + (v4 ? 6 : 42), data_at = ip + (v4 ? 20 : 48);
  const auto offset = [&](const Bytes& f) {
    return v4 ? (get16(f, offset_at) & 0x1fff) * 8 : get16(f, offset_at) & 0xfff8;
  };
  std::sort(frames.begin(), frames.end(),
            [&](const Bytes& a, const Bytes& b) { return offset(a) < offset(b); });
  Bytes whole(frames[0].begin(), frames[0].begin() + static_cast<long>(ip + (v4 ? 20 : 40)));
  size_t next = 0;
  for (size_t i = 0; i < frames.size(); ++i) {
    const Bytes& f = frames[i];
    const bool more = (get16(f, offset_at) & (v4 ? 0x2000 : 1)) != 0;
    if (offset(f) != next || more != (i + 1 < frames.size())) return {};
    whole.insert(whole.end(), f.begin() + static_cast<long>(data_at), f.end());
    next += f.size() - data_at;
  }
  if (v4) {
    put16(whole, ip + 4, 0);
    put16(whole, ip + 6, 0);
    finish_v4(whole, ip);
  } else {
    whole[ip + 6] = frames[0][ip + 40];
    put16(whole, ip + 4, whole.size() - ip - 40);
  }
  return whole;
}

}  // namespace weir::test
