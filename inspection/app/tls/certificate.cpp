#include "inspection/app/tls/certificate.h"

// The one-shot functions that OpenSSL 3 prefers take memory from the heap at each call; these do not.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;

constexpr uint8_t kInteger = 0x02, kOid = 0x06, kUtcTime = 0x17, kGeneralizedTime = 0x18, kSequence = 0x30,
                  kOctets = 0x04, kBmp = 0x1e, kVersion = 0xa0, kExtensions = 0xa3, kBoolean = 0x01;

struct Attribute {
  std::array<uint8_t, 10> oid;
  uint8_t size;
  const char* name;
};
// RFC 4519, RFC 2985, CA/Browser Forum's extended validation.
constexpr Attribute kAttributes[] = {{{0x55, 4, 3}, 3, "CN"},
                                     {{0x55, 4, 4}, 3, "SN"},
                                     {{0x55, 4, 5}, 3, "serialNumber"},
                                     {{0x55, 4, 6}, 3, "C"},
                                     {{0x55, 4, 7}, 3, "L"},
                                     {{0x55, 4, 8}, 3, "ST"},
                                     {{0x55, 4, 9}, 3, "street"},
                                     {{0x55, 4, 10}, 3, "O"},
                                     {{0x55, 4, 11}, 3, "OU"},
                                     {{0x55, 4, 12}, 3, "title"},
                                     {{0x55, 4, 13}, 3, "description"},
                                     {{0x55, 4, 15}, 3, "businessCategory"},
                                     {{0x55, 4, 17}, 3, "postalCode"},
                                     {{0x55, 4, 41}, 3, "name"},
                                     {{0x55, 4, 42}, 3, "givenName"},
                                     {{0x55, 4, 43}, 3, "initials"},
                                     {{0x55, 4, 46}, 3, "dnQualifier"},
                                     {{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1}, 9, "emailAddress"},
                                     {{0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25}, 10, "DC"},
                                     {{0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1}, 10, "UID"}};

/// Text that is put together in place and cut at its end.
class Text {
 public:
  void add(Bytes bytes) {
    const size_t size = std::min(bytes.size(), buffer_.size() - size_);
    if (size > 0) std::memcpy(buffer_.data() + size_, bytes.data(), size);
    size_ += size;
  }
  void add(std::string_view text) { add(Bytes{reinterpret_cast<const uint8_t*>(text.data()), text.size()}); }
  bool empty() const { return size_ == 0; }
  Bytes view() const { return {buffer_.data(), size_}; }

 private:
  std::array<uint8_t, Certificate::kMaxName> buffer_;
  size_t size_ = 0;
};

void add_oid(Text& text, Bytes oid) {
  uint64_t value = 0;
  bool first = true;
  for (const uint8_t byte : oid) {
    value = value << 7 | (byte & 0x7f);
    if ((byte & 0x80) != 0) continue;
    char digits[48];
    if (first) {
      const uint64_t top = std::min<uint64_t>(value / 40, 2);
      std::snprintf(digits, sizeof digits, "%llu.%llu", static_cast<unsigned long long>(top),
                    static_cast<unsigned long long>(value - top * 40));
    } else {
      std::snprintf(digits, sizeof digits, ".%llu", static_cast<unsigned long long>(value));
    }
    text.add(std::string_view(digits));
    first = false;
    value = 0;
  }
}

void add_value(Text& text, const DerElement& value) {
  if (value.tag != kBmp) return text.add(value.contents);
  // UCS-2: what is ASCII in it is told, the rest as a question mark.
  for (size_t at = 0; at + 1 < value.contents.size(); at += 2) {
    const uint8_t byte = value.contents[at] == 0 ? value.contents[at + 1] : uint8_t{'?'};
    text.add(Bytes{&byte, 1});
  }
}

/// Name ::= SEQUENCE OF SET OF SEQUENCE { type OID, value }
void add_name(Text& text, Bytes rdns) {
  while (const auto set = read_der(rdns)) {
    rdns = set->rest;
    bool first_of_set = true;
    Bytes members = set->contents;
    while (const auto member = read_der(members)) {
      members = member->rest;
      const auto type = read_der(member->contents);
      if (!type || type->tag != kOid) return;
      const auto value = read_der(type->rest);
      if (!value) return;
      if (!text.empty()) text.add(std::string_view(first_of_set ? ", " : " + "));
      first_of_set = false;
      const auto* const known =
          std::find_if(std::begin(kAttributes), std::end(kAttributes), [&](const Attribute& attribute) {
            return attribute.size == type->contents.size() &&
                   std::equal(type->contents.begin(), type->contents.end(), attribute.oid.begin());
          });
      if (known != std::end(kAttributes)) {
        text.add(std::string_view(known->name));
      } else {
        add_oid(text, type->contents);
      }
      text.add(std::string_view("="));
      add_value(text, *value);
    }
  }
}

void add_hex(Text& text, Bytes bytes, bool upper) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    char digits[4];
    std::snprintf(digits, sizeof digits, upper ? "%02X" : "%02x", bytes[i]);
    if (i > 0) text.add(std::string_view(":"));
    text.add(std::string_view(digits));
  }
}

bool digits(Bytes bytes, size_t at, size_t count, int& out) {
  if (at + count > bytes.size()) return false;
  out = 0;
  for (size_t i = at; i < at + count; ++i) {
    if (bytes[i] < '0' || bytes[i] > '9') return false;
    out = out * 10 + (bytes[i] - '0');
  }
  return true;
}

/// Days since 1970 of the proleptic Gregorian calendar (Howard Hinnant, chrono-compatible date algorithms).
int64_t days_from_civil(int64_t year, int month, int day) {
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719'468;
}

bool read_time(const DerElement& element, int64_t& out) {
  const Bytes text = element.contents;
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  size_t at = 0;
  if (element.tag == kUtcTime) {
    if (!digits(text, 0, 2, year)) return false;
    year += year < 50 ? 2000 : 1900;  // RFC 5280 section 4.1.2.5.1
    at = 2;
  } else if (element.tag == kGeneralizedTime) {
    if (!digits(text, 0, 4, year)) return false;
    at = 4;
  } else {
    return false;
  }
  if (!digits(text, at, 2, month) || !digits(text, at + 2, 2, day) || !digits(text, at + 4, 2, hour) ||
      !digits(text, at + 6, 2, minute)) {
    return false;
  }
  digits(text, at + 8, 2, second);
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return false;
  out = days_from_civil(year, month, day) * 86'400 + hour * 3'600 + minute * 60 + second;
  return true;
}

bool keep(Certificate& out, Bytes bytes, Certificate::Piece& piece) {
  piece.at = static_cast<uint32_t>(out.text.size());
  if (!bytes.empty() && !out.text.append(bytes)) return false;
  piece.size = static_cast<uint32_t>(bytes.size());
  return true;
}

bool keep_address(Certificate& out, Bytes bytes) {
  Text text;
  char digits[8];
  if (bytes.size() == 4) {
    for (size_t i = 0; i < 4; ++i) {
      std::snprintf(digits, sizeof digits, i == 0 ? "%u" : ".%u", bytes[i]);
      text.add(std::string_view(digits));
    }
  } else if (bytes.size() == 16) {
    for (size_t i = 0; i < 16; i += 2) {
      std::snprintf(digits, sizeof digits, i == 0 ? "%x" : ":%x",
                    static_cast<unsigned>(bytes[i]) << 8 | bytes[i + 1]);
      text.add(std::string_view(digits));
    }
  } else {
    return true;
  }
  return keep(out, text.view(), out.alternative[out.alternative_count++]);
}

/// GeneralNames (RFC 5280 section 4.2.1.6): mail, DNS and URI as they are, addresses as text.
bool read_alternative(Bytes names, Certificate& out) {
  while (const auto name = read_der(names)) {
    names = name->rest;
    if (out.alternative_count == Certificate::kMaxNames) return true;
    constexpr uint8_t kMail = 0x81, kDns = 0x82, kUri = 0x86, kAddress = 0x87;
    if (name->tag == kMail || name->tag == kDns || name->tag == kUri) {
      if (!keep(out, name->contents, out.alternative[out.alternative_count])) return false;
      ++out.alternative_count;
    } else if (name->tag == kAddress && !keep_address(out, name->contents)) {
      return false;
    }
  }
  return true;
}

bool read_extensions(Bytes list, Certificate& out) {
  constexpr std::array<uint8_t, 3> kAlternativeName = {0x55, 0x1d, 0x11};
  const auto sequence = read_der(list);
  if (!sequence) return true;
  Bytes extensions = sequence->contents;
  while (const auto extension = read_der(extensions)) {
    extensions = extension->rest;
    const auto id = read_der(extension->contents);
    if (!id || id->tag != kOid) continue;
    auto value = read_der(id->rest);
    if (value && value->tag == kBoolean) value = read_der(value->rest);
    if (!value || value->tag != kOctets) continue;
    if (!std::equal(id->contents.begin(), id->contents.end(), kAlternativeName.begin(),
                    kAlternativeName.end()))
      continue;
    const auto names = read_der(value->contents);
    if (names && names->tag == kSequence && !read_alternative(names->contents, out)) return false;
  }
  return true;
}

}  // namespace

std::optional<DerElement> read_der(Bytes bytes) {
  if (bytes.size() < 2 || (bytes[0] & 0x1f) == 0x1f) return std::nullopt;
  size_t length = bytes[1], header = 2;
  if ((length & 0x80) != 0) {
    const size_t count = length & 0x7f;
    if (count == 0 || count > 4 || bytes.size() < 2 + count) return std::nullopt;
    length = 0;
    for (size_t i = 0; i < count; ++i) length = length << 8 | bytes[2 + i];
    header += count;
  }
  if (bytes.size() - header < length) return std::nullopt;
  return DerElement{bytes[0], bytes.subspan(header, length), bytes.subspan(header + length)};
}

bool read_certificate(Bytes der, Certificate& out) {
  std::array<uint8_t, SHA_DIGEST_LENGTH> digest{};
  SHA_CTX context;
  SHA1_Init(&context);
  SHA1_Update(&context, der.data(), der.size());
  SHA1_Final(digest.data(), &context);
  Text fingerprint;
  add_hex(fingerprint, digest, false);
  if (!keep(out, fingerprint.view(), out.fingerprint)) return false;

  const auto outer = read_der(der);
  if (!outer || outer->tag != kSequence) return false;
  const auto tbs = read_der(outer->contents);
  if (!tbs || tbs->tag != kSequence) return false;
  auto element = read_der(tbs->contents);
  if (element && element->tag == kVersion) element = read_der(element->rest);
  if (!element || element->tag != kInteger) return false;
  Text serial;
  add_hex(serial, element->contents, true);
  if (!keep(out, serial.view(), out.serial)) return false;
  const auto algorithm = read_der(element->rest);
  if (!algorithm) return false;
  const auto issuer = read_der(algorithm->rest);
  if (!issuer || issuer->tag != kSequence) return false;
  Text name;
  add_name(name, issuer->contents);
  if (!keep(out, name.view(), out.issuer)) return false;
  const auto validity = read_der(issuer->rest);
  if (!validity || validity->tag != kSequence) return false;
  if (const auto from = read_der(validity->contents)) {
    const auto to = read_der(from->rest);
    out.has_times = to && read_time(*from, out.not_before) && read_time(*to, out.not_after);
  }
  const auto subject = read_der(validity->rest);
  if (!subject || subject->tag != kSequence) return false;
  Text subject_name;
  add_name(subject_name, subject->contents);
  if (!keep(out, subject_name.view(), out.subject)) return false;
  Bytes rest = subject->rest;
  while (const auto field = read_der(rest)) {
    rest = field->rest;
    if (field->tag == kExtensions) return read_extensions(field->contents, out);
  }
  return true;
}

}  // namespace weir::inspection
