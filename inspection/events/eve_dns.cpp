#include "inspection/events/eve_dns.h"

#include <algorithm>
#include <vector>

#include "dataplane/net/address.h"
#include "inspection/events/eve_text.h"

namespace weir::inspection {

namespace {

using Json = nlohmann::ordered_json;
using Bytes = std::span<const uint8_t>;

uint16_t u16(Bytes bytes, size_t at) { return static_cast<uint16_t>(bytes[at] << 8 | bytes[at + 1]); }
uint32_t u32(Bytes bytes, size_t at) { return uint32_t{u16(bytes, at)} << 16 | u16(bytes, at + 2); }

/// A name that stands in the message at `at`, moved behind it; false: it cannot be read.
bool name_at(const DnsTransaction& dns, size_t& at, std::string& out) {
  uint8_t text[kDnsMaxName];
  const DnsNameView view = read_dns_name(dns.message(), at, text);
  if (view.end == 0 || (view.error != DnsNameError::none && view.error != DnsNameError::cut)) return false;
  at = view.end;
  out = eve_text(Bytes{text, view.size});
  return true;
}

std::string address_text(Bytes data) {
  if (data.size() == 4) return net::to_string(net::IpAddress(net::Ipv4{u32(data, 0)}));
  return net::to_string(net::IpAddress(net::Ipv6::load(data.data())));
}

Json soa_object(const DnsTransaction& dns, const DnsRecord& record) {
  Json soa = Json::object();
  size_t at = record.data_at;
  std::string name;
  if (!name_at(dns, at, name)) return soa;
  soa["mname"] = name;
  if (!name_at(dns, at, name)) return soa;
  soa["rname"] = name;
  if (dns.message().size() - at < 20) return soa;
  for (const char* const key : {"serial", "refresh", "retry", "expire", "minimum"}) {
    soa[key] = u32(dns.message(), at);
    at += 4;
  }
  return soa;
}

Json opt_list(Bytes data) {
  Json list = Json::array();
  size_t at = 0;
  while (data.size() - at >= 4) {
    const size_t size = u16(data, at + 2);
    if (data.size() - at - 4 < size) break;
    list.push_back({{"code", u16(data, at)}, {"data", to_hex(data.subspan(at + 4, size))}});
    at += 4 + size;
  }
  return list;
}

/// What one record says; several for a TXT of several strings, as Suricata has it.
std::vector<Json> record_values(const DnsTransaction& dns, const DnsRecord& record) {
  const Bytes data = dns.message().subspan(record.data_at, record.data_size);
  size_t at = record.data_at;
  std::string name;
  switch (record.type) {
    case kDnsA:
      if (data.size() == 4) return {address_text(data)};
      break;
    case kDnsAaaa:
      if (data.size() == 16) return {address_text(data)};
      break;
    case kDnsMx:
      at += 2;
      [[fallthrough]];
    case kDnsCname:
    case kDnsNs:
    case kDnsPtr:
      if (name_at(dns, at, name)) return {name};
      break;
    case kDnsNull:
      return {eve_text(data)};
    case kDnsTxt: {
      std::vector<Json> values;
      for (size_t i = 0; i < data.size();) {
        const size_t size = std::min<size_t>(data[i], data.size() - i - 1);
        values.emplace_back(eve_text(data.subspan(i + 1, size)));
        i += size + 1;
      }
      return values;
    }
    default:
      break;
  }
  return {Json()};
}

void add_structured(Json& entry, const DnsTransaction& dns, const DnsRecord& record) {
  const Bytes data = dns.message().subspan(record.data_at, record.data_size);
  if (record.type == kDnsSoa) {
    entry["soa"] = soa_object(dns, record);
  } else if (record.type == kDnsSrv && data.size() > 6) {
    size_t at = record.data_at + size_t{6};
    std::string name;
    if (!name_at(dns, at, name)) return;
    entry["srv"] = {
        {"priority", u16(data, 0)}, {"weight", u16(data, 2)}, {"port", u16(data, 4)}, {"name", name}};
  } else if (record.type == kDnsSshfp && data.size() > 2) {
    entry["sshfp"] = {
        {"fingerprint", hex_with_colons(data.subspan(2))}, {"algo", data[0]}, {"type", data[1]}};
  } else if (record.type == kDnsOpt) {
    if (Json list = opt_list(data); !list.empty()) entry["opt"] = std::move(list);
  }
}

void add_records(Json& json, const DnsTransaction& dns, DnsSection section, const char* key) {
  Json list = Json::array();
  for (const DnsRecord& record : dns.records()) {
    if (record.section != section) continue;
    for (const Json& value : record_values(dns, record)) {
      Json entry;
      entry["rrname"] = eve_text(dns.name_of(record));
      entry["rrtype"] = dns_type_name(record.type);
      entry["ttl"] = record.ttl;
      if (!value.is_null()) entry["rdata"] = value;
      add_structured(entry, dns, record);
      list.push_back(std::move(entry));
    }
  }
  if (!list.empty()) json[key] = std::move(list);
}

bool grouped_type(uint16_t type) {
  constexpr uint16_t kTypes[] = {kDnsA,   kDnsAaaa, kDnsCname, kDnsMx,    kDnsNs, kDnsNull,
                                 kDnsPtr, kDnsSoa,  kDnsSrv,   kDnsSshfp, kDnsTxt};
  return std::find(std::begin(kTypes), std::end(kTypes), type) != std::end(kTypes);
}

void add_grouped(Json& json, const DnsTransaction& dns) {
  Json grouped = Json::object();
  for (const DnsRecord& record : dns.records()) {
    if (record.section != DnsSection::answers) continue;
    const std::string type = dns_type_name(record.type);
    if (!grouped_type(record.type)) continue;
    for (const Json& value : record_values(dns, record)) {
      if (!value.is_null()) {
        grouped[type].push_back(value);
        continue;
      }
      Json entry;
      add_structured(entry, dns, record);
      if (entry.is_object()) grouped[type].push_back(entry.front());
    }
  }
  if (!grouped.empty()) json["grouped"] = std::move(grouped);
}

}  // namespace

Json dns_object(const DnsTransaction& dns) {
  const DnsHeader& header = dns.header();
  Json json;
  json["version"] = 3;
  json["type"] = dns.direction() == Direction::to_server ? "request" : "response";
  json["tx_id"] = dns.id;
  json["id"] = header.id;
  char flags[8];
  std::snprintf(flags, sizeof flags, "%x", header.flags);
  json["flags"] = flags;
  constexpr std::pair<uint16_t, const char*> kFlags[] = {{0x8000, "qr"}, {0x0400, "aa"}, {0x0200, "tc"},
                                                         {0x0100, "rd"}, {0x0080, "ra"}, {0x0040, "z"}};
  for (const auto& [bit, name] : kFlags) {
    if ((header.flags & bit) != 0) json[name] = true;
  }
  json["opcode"] = header.opcode();
  json["rcode"] = dns_rcode_name(header.rcode());
  Json queries = Json::array();
  for (const DnsQuestion& question : dns.questions()) {
    Json entry;
    entry["rrname"] = eve_text(dns.name_of(question));
    if (question.cut) entry["rrname_truncated"] = true;
    entry["rrtype"] = dns_type_name(question.type);
    queries.push_back(std::move(entry));
  }
  if (!queries.empty()) json["queries"] = std::move(queries);
  add_records(json, dns, DnsSection::answers, "answers");
  add_records(json, dns, DnsSection::authorities, "authorities");
  add_records(json, dns, DnsSection::additionals, "additionals");
  if (dns.direction() == Direction::to_client) add_grouped(json, dns);
  return json;
}

}  // namespace weir::inspection
