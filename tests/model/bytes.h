// Numbers in bytes, and the sums over them, as RFC 791, 768, 793 and 8200 have them.
#pragma once

#include "tests/model/packet.h"

namespace weir::model {

/// In network order.
void put(Bytes& out, uint64_t value, unsigned bytes);
void put(Bytes& out, const Address& address);
void set16(Bytes& out, size_t at, uint16_t value);
uint64_t get(const Bytes& in, size_t at, unsigned bytes);
void append(Bytes& out, const Bytes& more);
Bytes slice(const Bytes& in, size_t from, size_t size);

/// RFC 1071, as it is written there.
uint16_t internet_sum(const Bytes& bytes);
/// Of a transport header and what follows it, with the pseudo header where the protocol has one.
uint16_t transport_sum(const Address& src, const Address& dst, uint8_t protocol, const Bytes& transport);

/// An IP header before `payload`. `tag`: packet.h; `fragment_word`: of IPv4.
Bytes write_ip(const Address& src, const Address& dst, uint8_t protocol, uint8_t ttl, uint16_t tag,
               uint16_t fragment_word, const Bytes& payload);

}  // namespace weir::model
