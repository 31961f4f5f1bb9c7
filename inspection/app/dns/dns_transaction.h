// One DNS message: a query or an answer. Each is a transaction of its own, as in Suricata 8.
//
// Worker thread. The message and what was read of it lie in the worker's pool.
#pragma once

#include <array>
#include <span>

#include "inspection/app/dns/dns_message.h"
#include "inspection/app/transaction.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection {

/// Anomalies, by Suricata's names: bits of Transaction::app_events.
enum class DnsEvent : uint8_t {
#define DNS_EVENT(id, name) id,
#include "inspection/app/dns/dns_events.def"
#undef DNS_EVENT
};
std::span<const std::string_view> dns_event_names();

enum class DnsSection : uint8_t { answers, authorities, additionals };

struct DnsQuestion {
  uint32_t name_at = 0;
  uint16_t name_size = 0;
  uint16_t type = 0, klass = 0;
  bool cut = false;
};
struct DnsRecord {
  uint32_t name_at = 0;
  uint16_t name_size = 0;
  uint16_t type = 0, klass = 0;
  uint16_t data_at = 0;  // in message()
  uint16_t data_size = 0;
  DnsSection section = DnsSection::answers;
  bool cut = false;
  uint32_t ttl = 0;
};

/// The name that a record points to: of CNAME, NS, PTR, MX, SOA.
struct DnsTarget {
  uint32_t name_at = 0;
  uint16_t name_size = 0;
};

class DnsTransaction final : public Transaction {
 public:
  static constexpr size_t kMaxQuestions = 256, kMaxRecords = 1'024;
  // What compression may make of a message: text of names and pointers followed, for each of its bytes.
  static constexpr size_t kNamesPerByte = 8, kNamesAtLeast = 4'096;

  DnsTransaction(BytePool& pool, Direction direction) noexcept
      : direction_(direction),
        message_(pool),
        names_(pool),
        questions_(pool),
        records_(pool),
        targets_(pool) {}

  /// Copies and reads a message, of which each name may follow so many pointers. False: the pool is at its
  /// ceiling. What cannot be read sets an event.
  bool read(std::span<const uint8_t> message, unsigned most_pointers = kDnsMaxPointers);

  AppProtocol protocol() const override { return AppProtocol::dns; }
  uint8_t progress(Direction direction) const override {
    return direction == direction_ ? DnsStep::complete : DnsStep::none;
  }
  uint8_t last_step(Direction direction) const override {
    return direction == direction_ ? DnsStep::complete : DnsStep::none;
  }
  std::optional<BufferView> buffer(BufferId buffer, Direction direction, uint32_t instance) override;
  std::optional<uint64_t> number(NumberId number, Direction direction, uint32_t instance) const override;
  void judged(BufferId, Direction) override {}

  Direction direction() const { return direction_; }
  const DnsHeader& header() const { return header_; }
  std::span<const uint8_t> message() const { return message_.view(); }
  /// Bytes of names that were made, and pointers that were followed.
  uint64_t work() const { return work_; }
  /// A name was given up for its pointers, or they made more of the message than its share.
  bool over_pointers() const { return over_pointers_; }
  std::span<const DnsQuestion> questions() const;
  std::span<const DnsRecord> records() const;
  std::span<const uint8_t> name_of(const DnsQuestion& question) const {
    return names_.view().subspan(question.name_at, question.name_size);
  }
  std::span<const uint8_t> name_of(const DnsRecord& record) const {
    return names_.view().subspan(record.name_at, record.name_size);
  }
  std::span<const uint8_t> name_of(const DnsTarget& target) const {
    return names_.view().subspan(target.name_at, target.name_size);
  }
  void raise(DnsEvent event) { app_events |= uint64_t{1} << static_cast<unsigned>(event); }

 private:
  struct Name {
    uint32_t at = 0;
    uint16_t size = 0;
    bool cut = false;
    size_t end = 0;
  };
  bool read_name(size_t at, Name& out);
  void read_target(const DnsRecord& record);
  bool read_questions(size_t& at);
  bool read_records(size_t& at, uint16_t count, DnsSection section);
  std::optional<BufferView> nth_name(DnsSection section, uint32_t instance) const;
  std::optional<BufferView> nth_of_all(uint32_t instance) const;

  Direction direction_;
  bool no_memory_ = false;
  bool over_pointers_ = false;
  unsigned most_pointers_ = kDnsMaxPointers;  // of one name
  uint64_t work_ = 0;
  DnsHeader header_;
  PoolBytes message_;
  PoolBytes names_;                     // all names as text, one after the other
  PoolBytes questions_;                 // DnsQuestion
  PoolBytes records_;                   // DnsRecord, one section after the other
  PoolBytes targets_;                   // DnsTarget
  std::array<uint32_t, 4> sections_{};  // where each begins in records_, and the end
};

}  // namespace weir::inspection
