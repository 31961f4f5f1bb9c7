#include "inspection/app/dns/dns_transaction.h"

#include <algorithm>

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;

uint16_t u16(Bytes bytes, size_t at) { return static_cast<uint16_t>(bytes[at] << 8 | bytes[at + 1]); }
uint32_t u32(Bytes bytes, size_t at) { return uint32_t{u16(bytes, at)} << 16 | u16(bytes, at + 2); }

template <typename T>
bool push(PoolBytes& to, const T& value) {
  return to.append({reinterpret_cast<const uint8_t*>(&value), sizeof value});
}
template <typename T>
std::span<const T> as(const PoolBytes& bytes) {
  return {reinterpret_cast<const T*>(bytes.view().data()), bytes.size() / sizeof(T)};
}

}  // namespace

std::span<const std::string_view> dns_event_names() {
  static constexpr std::string_view kNames[] = {
#define DNS_EVENT(id, name) name,
#include "inspection/app/dns/dns_events.def"
#undef DNS_EVENT
  };
  return kNames;
}

std::span<const DnsQuestion> DnsTransaction::questions() const { return as<DnsQuestion>(questions_); }
std::span<const DnsRecord> DnsTransaction::records() const { return as<DnsRecord>(records_); }

bool DnsTransaction::read_name(size_t at, Name& out) {
  uint8_t text[kDnsMaxName];
  // Beyond its share a name is cut, and pointers are not followed any more.
  const uint64_t share = kNamesPerByte * message_.size() + kNamesAtLeast;
  const auto left = static_cast<size_t>(share - std::min(share, work_));
  const DnsNameView view = read_dns_name(message(), at, std::span(text).first(std::min(left, sizeof text)),
                                         static_cast<unsigned>(std::min<size_t>(left, most_pointers_)));
  work_ += view.size + view.pointers;
  over_pointers_ |=
      view.error == DnsNameError::loop || (view.error == DnsNameError::cut && left < sizeof text);
  switch (view.error) {
    case DnsNameError::none:
      break;
    case DnsNameError::cut:
      raise(DnsEvent::name_too_long);
      break;
    case DnsNameError::loop:
      raise(DnsEvent::infinite_loop);
      return false;
    case DnsNameError::truncated:
    case DnsNameError::bad_label:
      return false;
  }
  if (view.end == 0) return false;
  out.at = static_cast<uint32_t>(names_.size());
  out.size = static_cast<uint16_t>(view.size);
  out.cut = view.error == DnsNameError::cut;
  out.end = view.end;
  if (view.size > 0 && !names_.append({text, view.size})) {
    // The names of one message can be longer than the largest block: they are cut, not the message.
    out.size = 0;
    out.cut = true;
    raise(DnsEvent::name_too_long);
  }
  return true;
}

/// A name that cannot be read is none: what else the message says stands.
void DnsTransaction::read_target(const DnsRecord& record) {
  const bool mail = record.type == kDnsMx;  // a preference stands before it
  if (!mail && record.type != kDnsCname && record.type != kDnsNs && record.type != kDnsPtr &&
      record.type != kDnsSoa) {
    return;
  }
  const size_t at = record.data_at + (mail ? size_t{2} : size_t{0});
  Name name;
  if (at >= record.data_at + size_t{record.data_size} || targets_.size() / sizeof(DnsTarget) >= kMaxRecords ||
      !read_name(at, name)) {
    return;
  }
  if (!push(targets_, DnsTarget{name.at, name.size})) no_memory_ = true;
}

bool DnsTransaction::read_questions(size_t& at) {
  for (uint16_t i = 0; i < header_.questions; ++i) {
    Name name;
    if (!read_name(at, name) || message_.size() - name.end < 4) return false;
    const DnsQuestion question{name.at, name.size, u16(message(), name.end), u16(message(), name.end + 2),
                               name.cut};
    at = name.end + 4;
    if (i < kMaxQuestions && !push(questions_, question)) no_memory_ = true;
  }
  return true;
}

bool DnsTransaction::read_records(size_t& at, uint16_t count, DnsSection section) {
  for (uint16_t i = 0; i < count; ++i) {
    Name name;
    if (!read_name(at, name) || message_.size() - name.end < 10) return false;
    DnsRecord record;
    record.name_at = name.at;
    record.name_size = name.size;
    record.cut = name.cut;
    record.type = u16(message(), name.end);
    record.klass = u16(message(), name.end + 2);
    record.ttl = u32(message(), name.end + 4);
    record.data_size = u16(message(), name.end + 8);
    record.section = section;
    const size_t data = name.end + 10;
    if (message_.size() - data < record.data_size) return false;
    record.data_at = static_cast<uint16_t>(data);
    at = data + record.data_size;
    read_target(record);
    if (records_.size() / sizeof record < kMaxRecords) {
      if (!push(records_, record)) no_memory_ = true;
      // Its own section grows, those behind it begin later.
      for (size_t s = static_cast<size_t>(section) + 1; s < sections_.size(); ++s)
        sections_[s] = static_cast<uint32_t>(records().size());
    }
  }
  return true;
}

bool DnsTransaction::read(Bytes message, unsigned most_pointers) {
  most_pointers_ = most_pointers;
  if (!message_.append(message)) return false;
  if (!read_dns_header(message_.view(), header_)) {
    raise(DnsEvent::malformed_data);
    return true;
  }
  if (header_.z()) raise(DnsEvent::z_flag_set);
  if (header_.opcode() >= 7) raise(DnsEvent::invalid_opcode);
  size_t at = kDnsHeader;
  if (!read_questions(at) || !read_records(at, header_.answers, DnsSection::answers)) {
    raise(DnsEvent::malformed_data);
  } else if (!read_records(at, header_.authorities, DnsSection::authorities)) {
    raise(DnsEvent::invalid_authorities);
  } else if (!read_records(at, header_.additionals, DnsSection::additionals)) {
    raise(DnsEvent::invalid_additionals);
  }
  return !no_memory_;
}

std::optional<BufferView> DnsTransaction::nth_name(DnsSection section, uint32_t instance) const {
  const size_t at = sections_[static_cast<size_t>(section)] + size_t{instance};
  if (at >= sections_[static_cast<size_t>(section) + 1]) return std::nullopt;
  return BufferView{name_of(records()[at])};
}

std::optional<BufferView> DnsTransaction::nth_of_all(uint32_t instance) const {
  if (instance < questions().size()) return BufferView{name_of(questions()[instance])};
  instance -= static_cast<uint32_t>(questions().size());
  if (instance < records().size()) return BufferView{name_of(records()[instance])};
  instance -= static_cast<uint32_t>(records().size());
  const auto targets = as<DnsTarget>(targets_);
  return instance < targets.size() ? std::optional(BufferView{name_of(targets[instance])}) : std::nullopt;
}

std::optional<BufferView> DnsTransaction::buffer(BufferId buffer, Direction direction, uint32_t instance) {
  if (direction != direction_) return std::nullopt;
  switch (buffer) {
    case BufferId::dns_query:
      // Of queries alone; dns.queries.rrname looks at the question that an answer repeats, too.
      if (direction_ != Direction::to_server) return std::nullopt;
      [[fallthrough]];
    case BufferId::dns_queries_rrname:
      if (instance >= questions().size()) return std::nullopt;
      return BufferView{name_of(questions()[instance])};
    case BufferId::dns_answers_rrname:
      return nth_name(DnsSection::answers, instance);
    case BufferId::dns_authorities_rrname:
      return nth_name(DnsSection::authorities, instance);
    case BufferId::dns_additionals_rrname:
      return nth_name(DnsSection::additionals, instance);
    case BufferId::dns_response_rrname:
      return direction_ == Direction::to_client ? nth_of_all(instance) : std::nullopt;
    default:
      return std::nullopt;
  }
}

std::optional<uint64_t> DnsTransaction::number(NumberId number, Direction direction,
                                               uint32_t instance) const {
  if (direction != direction_) return std::nullopt;
  switch (number) {
    case NumberId::dns_opcode:
      return instance == 0 ? std::optional<uint64_t>(header_.opcode()) : std::nullopt;
    case NumberId::dns_rcode:
      return instance == 0 ? std::optional<uint64_t>(header_.rcode()) : std::nullopt;
    case NumberId::dns_rrtype:
      if (instance < questions().size()) return questions()[instance].type;
      instance -= static_cast<uint32_t>(questions().size());
      if (instance < records().size()) return records()[instance].type;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

}  // namespace weir::inspection
