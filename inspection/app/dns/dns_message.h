// DNS messages (RFC 1035, 2782, 3596, 4255, 6891): header, questions and records, names with compression.
//
// Pure: reads spans, writes where it is told, allocates nothing but the text of names for events. Pointers of
// compression are followed a bounded number of times, and a name is cut at a bounded length, whatever the
// message says. Fuzzed.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace weir::inspection {

inline constexpr size_t kDnsHeader = 12;
inline constexpr size_t kDnsMaxName = 1'024;  // bytes of a name as text; what is longer is cut
inline constexpr unsigned kDnsMaxPointers = 128;

struct DnsHeader {
  uint16_t id = 0, flags = 0;
  uint16_t questions = 0, answers = 0, authorities = 0, additionals = 0;
  bool is_answer() const { return (flags & 0x8000) != 0; }
  uint8_t opcode() const { return flags >> 11 & 0xf; }
  uint8_t rcode() const { return flags & 0xf; }
  bool z() const { return (flags & 0x0040) != 0; }
};
/// False: fewer than kDnsHeader bytes.
bool read_dns_header(std::span<const uint8_t> message, DnsHeader& out);

enum class DnsNameError : uint8_t { none, cut, truncated, bad_label, loop };

struct DnsNameView {
  size_t end = 0;         // in the message, after the name where it stands
  size_t size = 0;        // bytes written
  unsigned pointers = 0;  // followed
  DnsNameError error = DnsNameError::none;
};
/// The name at `at` as text, labels joined by dots, its bytes as they are. At most out.size() bytes, of which
/// kDnsMaxName are enough; `cut` if it is longer. More than `most_pointers` are a loop.
DnsNameView read_dns_name(std::span<const uint8_t> message, size_t at, std::span<uint8_t> out,
                          unsigned most_pointers = kDnsMaxPointers);

enum class DnsProbe : uint8_t { no, more, query, answer };
/// Does a DNS message of `length` bytes begin like this?
DnsProbe probe_dns(std::span<const uint8_t> message, size_t length);
/// The same of a whole message that goes to or comes from DNS's own port: what is damaged in one place is one
/// still, and its parser says what is wrong.
DnsProbe probe_damaged_dns(std::span<const uint8_t> message);

enum DnsType : uint16_t {
  kDnsA = 1,
  kDnsNs = 2,
  kDnsCname = 5,
  kDnsSoa = 6,
  kDnsNull = 10,
  kDnsPtr = 12,
  kDnsMx = 15,
  kDnsTxt = 16,
  kDnsAaaa = 28,
  kDnsSrv = 33,
  kDnsOpt = 41,
  kDnsSshfp = 44,
};
/// "A", or the number as text.
std::string dns_type_name(uint16_t type);
/// "NOERROR", or the number as text.
std::string dns_rcode_name(uint16_t rcode);

}  // namespace weir::inspection
