#include "inspection/app/dns/dns_message.h"

#include <algorithm>
#include <cstring>

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;

uint16_t u16(Bytes bytes, size_t at) { return static_cast<uint16_t>(bytes[at] << 8 | bytes[at + 1]); }

struct TypeName {
  uint16_t type;
  const char* name;
};
// https://www.iana.org/assignments/dns-parameters
constexpr TypeName kTypes[] = {
    {1, "A"},      {2, "NS"},      {3, "MD"},          {4, "MF"},     {5, "CNAME"},    {6, "SOA"},
    {7, "MB"},     {8, "MG"},      {9, "MR"},          {10, "NULL"},  {11, "WKS"},     {12, "PTR"},
    {13, "HINFO"}, {14, "MINFO"},  {15, "MX"},         {16, "TXT"},   {17, "RP"},      {18, "AFSDB"},
    {19, "X25"},   {20, "ISDN"},   {21, "RT"},         {22, "NSAP"},  {23, "NSAPPTR"}, {24, "SIG"},
    {25, "KEY"},   {26, "PX"},     {27, "GPOS"},       {28, "AAAA"},  {29, "LOC"},     {30, "NXT"},
    {31, "EID"},   {32, "NIMLOC"}, {33, "SRV"},        {34, "ATMA"},  {35, "NAPTR"},   {36, "KX"},
    {37, "CERT"},  {38, "A6"},     {39, "DNAME"},      {40, "SINK"},  {41, "OPT"},     {42, "APL"},
    {43, "DS"},    {44, "SSHFP"},  {45, "IPSECKEY"},   {46, "RRSIG"}, {47, "NSEC"},    {48, "DNSKEY"},
    {49, "DHCID"}, {50, "NSEC3"},  {51, "NSEC3PARAM"}, {52, "TLSA"},  {53, "SMIMEA"},  {55, "HIP"},
    {56, "NINFO"}, {57, "RKEY"},   {58, "TALINK"},     {59, "CDS"},   {60, "CDNSKEY"}, {61, "OPENPGPKEY"},
    {62, "CSYNC"}, {63, "ZONEMD"}, {64, "SVCB"},       {65, "HTTPS"}, {99, "SPF"},     {100, "UINFO"},
    {101, "UID"},  {102, "GID"},   {103, "UNSPEC"},    {104, "NID"},  {105, "L32"},    {106, "L64"},
    {107, "LP"},   {108, "EUI48"}, {109, "EUI64"},     {249, "TKEY"}, {250, "TSIG"},   {251, "IXFR"},
    {252, "AXFR"}, {253, "MAILB"}, {254, "MAILA"},     {255, "ANY"},  {256, "URI"},    {257, "CAA"},
    {258, "AVC"},  {259, "DOA"},   {260, "AMTRELAY"},  {32768, "TA"}, {32769, "DLV"}};

constexpr const char* kRcodes[] = {"NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
                                   "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE"};
constexpr const char* kRcodesExtended[] = {"BADVERS", "BADKEY", "BADTIME", "BADMODE",
                                           "BADNAME", "BADALG", "BADTRUNC"};

bool plausible_class(uint16_t value) {
  const uint16_t plain = value & 0x7fff;
  return plain == 1 || plain == 3 || plain == 4 || plain == 254 || plain == 255;
}

bool plausible_counts(const DnsHeader& header, size_t length) {
  const size_t records = size_t{header.answers} + header.authorities + header.additionals;
  // A question takes 5 bytes at least, a record 11.
  if (header.questions * size_t{5} + records * 11 + kDnsHeader > length) return false;
  if (header.questions > 16) return false;
  const bool answer = header.is_answer();
  if (header.questions == 0 && header.answers == 0 && (!answer || header.rcode() == 0)) return false;
  return answer || header.rcode() == 0;
}

/// Without a question its first record begins at once. Of one that only refuses there may be none, or EDNS's.
bool plausible_record(Bytes message, const DnsHeader& header) {
  if (header.answers == 0) {
    constexpr size_t kEdns = 11;
    if (header.authorities != 0 || header.additionals > 1) return false;
    if (header.additionals == 0) return true;
    return message.size() >= kDnsHeader + kEdns && message[kDnsHeader] == 0 &&
           u16(message, kDnsHeader + 1) == kDnsOpt;
  }
  uint8_t name[kDnsMaxName];
  const DnsNameView view = read_dns_name(message, kDnsHeader, name);
  if (view.error != DnsNameError::none || view.end == 0 || message.size() < view.end + 4) return false;
  return u16(message, view.end) != 0 && plausible_class(u16(message, view.end + 2));
}

}  // namespace

bool read_dns_header(Bytes message, DnsHeader& out) {
  if (message.size() < kDnsHeader) return false;
  out.id = u16(message, 0);
  out.flags = u16(message, 2);
  out.questions = u16(message, 4);
  out.answers = u16(message, 6);
  out.authorities = u16(message, 8);
  out.additionals = u16(message, 10);
  return true;
}

DnsNameView read_dns_name(Bytes message, size_t at, std::span<uint8_t> out, unsigned most_pointers) {
  DnsNameView name;
  bool jumped = false;
  const auto failed = [&](DnsNameError error) {
    name.error = error;
    return name;
  };
  const auto put = [&](Bytes bytes) {
    const size_t fits = std::min(bytes.size(), out.size() - name.size);
    if (fits > 0) std::memcpy(out.data() + name.size, bytes.data(), fits);
    name.size += fits;
    if (fits < bytes.size()) name.error = DnsNameError::cut;
  };
  static constexpr uint8_t kDot[] = {'.'};
  for (;;) {
    if (at >= message.size()) return failed(DnsNameError::truncated);
    const uint8_t length = message[at];
    if (length == 0) {
      if (!jumped) name.end = at + 1;
      return name;
    }
    if ((length & 0xc0) == 0xc0) {
      if (message.size() - at < 2) return failed(DnsNameError::truncated);
      if (!jumped) name.end = at + 2;
      jumped = true;
      if (++name.pointers > most_pointers) return failed(DnsNameError::loop);
      at = static_cast<size_t>(length & 0x3f) << 8 | message[at + 1];
      continue;
    }
    if ((length & 0xc0) != 0) return failed(DnsNameError::bad_label);
    if (message.size() - at - 1 < length) return failed(DnsNameError::truncated);
    if (name.size > 0) put(kDot);
    put(message.subspan(at + 1, length));
    // Behind a pointer the end is known already, and a loop that adds to the name would go on for long.
    if (name.error == DnsNameError::cut && jumped) return name;
    at += 1u + length;
  }
}

DnsProbe probe_dns(Bytes message, size_t length) {
  if (length < kDnsHeader) return DnsProbe::no;
  DnsHeader header;
  if (!read_dns_header(message, header)) return DnsProbe::more;
  if (header.opcode() > 6 || header.opcode() == 3) return DnsProbe::no;
  if (!plausible_counts(header, length)) return DnsProbe::no;
  const bool answer = header.is_answer();
  const DnsProbe unfinished = message.size() < length ? DnsProbe::more : DnsProbe::no;
  if (header.questions == 0 && message.size() >= length && !plausible_record(message, header))
    return DnsProbe::no;
  if (header.questions > 0) {
    uint8_t name[kDnsMaxName];
    const DnsNameView view = read_dns_name(message, kDnsHeader, name);
    if (view.error == DnsNameError::truncated) return unfinished;
    if (view.error == DnsNameError::loop || view.error == DnsNameError::bad_label) return DnsProbe::no;
    if (view.end == 0 || view.end > kDnsHeader + 1'100) return DnsProbe::no;
    if (message.size() < view.end + 4) return unfinished;
    if (!plausible_class(u16(message, view.end + 2))) return DnsProbe::no;
    const size_t records = size_t{header.answers} + header.authorities + header.additionals;
    // A query of one question ends with it, but for a few bytes of padding.
    if (!answer && header.questions == 1 && records == 0 && length - view.end - 4 > 4) return DnsProbe::no;
  }
  return answer ? DnsProbe::answer : DnsProbe::query;
}

DnsProbe probe_damaged_dns(Bytes message) {
  DnsHeader header;
  if (!read_dns_header(message, header)) return DnsProbe::no;
  // Operations and codes that there are (https://www.iana.org/assignments/dns-parameters).
  const bool answer = header.is_answer();
  const bool flags = header.opcode() <= 6 && header.opcode() != 3 && header.rcode() <= (answer ? 11 : 0);
  const unsigned plausible = (header.questions == 1) + (header.answers <= 64) + (header.authorities <= 64) +
                             (header.additionals <= 64);
  uint8_t name[kDnsMaxName];
  const DnsNameView view = read_dns_name(message, kDnsHeader, name);
  const bool question = view.error == DnsNameError::none && view.end != 0 && message.size() >= view.end + 4 &&
                        plausible_class(u16(message, view.end + 2));
  if (!(flags && plausible >= 3) && !(question && plausible >= 3)) return DnsProbe::no;
  return answer ? DnsProbe::answer : DnsProbe::query;
}

std::string dns_type_name(uint16_t type) {
  const auto* const found = std::find_if(std::begin(kTypes), std::end(kTypes),
                                         [&](const TypeName& row) { return row.type == type; });
  return found != std::end(kTypes) ? found->name : std::to_string(type);
}

std::string dns_rcode_name(uint16_t rcode) {
  if (rcode < std::size(kRcodes)) return kRcodes[rcode];
  if (rcode >= 16 && rcode - 16u < std::size(kRcodesExtended)) return kRcodesExtended[rcode - 16];
  return std::to_string(rcode);
}

}  // namespace weir::inspection
