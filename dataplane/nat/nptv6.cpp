#include "dataplane/nat/nptv6.h"

namespace weir::dataplane {

namespace {

constexpr uint16_t kNegativeZero = 0xffff;
constexpr unsigned kWords = 8, kSubnetWord = 3, kIdentifierWord = 4;

/// In one's complement.
uint16_t sum_of(uint16_t a, uint16_t b) {
  const uint32_t sum = uint32_t{a} + b;
  return static_cast<uint16_t>((sum & 0xffff) + (sum >> 16));
}

uint16_t word_of(const net::Ipv6& address, unsigned i) {
  return static_cast<uint16_t>((i < 4 ? address.hi : address.lo) >> (48 - i % 4 * 16));
}

void set_word(net::Ipv6& address, unsigned i, uint16_t value) {
  uint64_t& half = i < 4 ? address.hi : address.lo;
  const unsigned shift = 48 - i % 4 * 16;
  half = (half & ~(uint64_t{0xffff} << shift)) | uint64_t{value} << shift;
}

uint16_t sum_of(const net::Ipv6& address) {
  uint16_t sum = 0;
  for (unsigned i = 0; i < kWords; ++i) sum = sum_of(sum, word_of(address, i));
  return sum;
}

}  // namespace

Nptv6::Nptv6(const net::Prefix& from, const net::Prefix& to)
    : from_(from),
      to_(to),
      adjustment_(sum_of(sum_of(from.address.bits), static_cast<uint16_t>(~sum_of(to.address.bits)))) {}

std::optional<net::IpAddress> Nptv6::map(const net::IpAddress& address) const {
  net::Ipv6 bits = address.bits;
  bits.hi = (bits.hi ^ from_.address.bits.hi) | to_.address.bits.hi;
  const bool has_subnet_word = from_.length <= 48;
  if (!has_subnet_word && bits.lo == 0) return {};
  unsigned at = has_subnet_word ? kSubnetWord : kIdentifierWord;
  while (word_of(bits, at) == kNegativeZero) {
    if (has_subnet_word || ++at == kWords) return {};
  }
  uint16_t word = sum_of(word_of(bits, at), adjustment_);
  if (word == kNegativeZero) word = 0;
  set_word(bits, at, word);
  if (!has_subnet_word && bits.lo == 0) return {};
  return net::IpAddress(bits);
}

}  // namespace weir::dataplane
