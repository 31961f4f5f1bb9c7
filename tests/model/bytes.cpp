#include "tests/model/bytes.h"

namespace weir::model {

void put(Bytes& out, uint64_t value, unsigned bytes) {
  while (bytes-- > 0) out.push_back(static_cast<uint8_t>(value >> bytes * 8));
}
void set16(Bytes& out, size_t at, uint16_t value) {
  out[at] = static_cast<uint8_t>(value >> 8);
  out[at + 1] = static_cast<uint8_t>(value);
}
uint64_t get(const Bytes& in, size_t at, unsigned bytes) {
  uint64_t value = 0;
  for (unsigned i = 0; i < bytes; ++i) value = value << 8 | in[at + i];
  return value;
}
void put(Bytes& out, const Address& a) {
  if (a.v6) put(out, a.hi, 8);
  put(out, a.lo, a.v6 ? 8 : 4);
}
void append(Bytes& out, const Bytes& more) { out.insert(out.end(), more.begin(), more.end()); }
Bytes slice(const Bytes& in, size_t from, size_t size) {
  return Bytes(in.begin() + static_cast<long>(from), in.begin() + static_cast<long>(from + size));
}

uint16_t internet_sum(const Bytes& bytes) {
  uint64_t sum = 0;
  for (size_t i = 0; i < bytes.size(); i += 2)
    sum += static_cast<uint64_t>(bytes[i]) << 8 | (i + 1 < bytes.size() ? bytes[i + 1] : 0);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

uint16_t transport_sum(const Address& src, const Address& dst, uint8_t protocol, const Bytes& transport) {
  Bytes all;
  if (protocol != kIcmp) {
    put(all, src);
    put(all, dst);
    put(all, transport.size(), 4);
    put(all, protocol, 4);
  }
  append(all, transport);
  return internet_sum(all);
}

Bytes write_ip(const Address& src, const Address& dst, uint8_t protocol, uint8_t ttl, uint16_t tag,
               uint16_t fragment_word, const Bytes& payload) {
  Bytes out;
  if (src.v6) {
    put(out, 6u << 28 | tag, 4);
    put(out, payload.size(), 2);
    out.push_back(protocol);
    out.push_back(ttl);
    put(out, src);
    put(out, dst);
  } else {
    put(out, 0x4500, 2);
    put(out, 20 + payload.size(), 2);
    put(out, tag, 2);
    put(out, fragment_word, 2);
    out.push_back(ttl);
    out.push_back(protocol);
    put(out, 0, 2);
    put(out, src);
    put(out, dst);
    set16(out, 10, internet_sum(out));
  }
  append(out, payload);
  return out;
}

}  // namespace weir::model
