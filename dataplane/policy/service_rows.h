// Protocol and port (or ICMP type) -> the rules whose service has it, as rows of bits.
//
// Ports are cut into intervals within which nothing changes: at most two per range of a rule. Immutable once
// built. Internal to dataplane/policy.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "dataplane/net/headers.h"
#include "dataplane/policy/policy.h"
#include "dataplane/policy/rule_rows.h"

namespace weir::dataplane {

/// What a bit stands for: a rule, or that part of it which has these services. No rule: for nothing.
struct RuleBit {
  const PolicyRule* rule = nullptr;
  std::span<const ServiceTerm> services;  // empty: any
};

class ServiceRows {
 public:
  void build(std::span<const RuleBit> bits, Rows& rows);

  Row find(uint8_t protocol, uint16_t number) const {
    const Protocol& p = protocols_[protocol];
    return p.table == kNoTable ? p.row : table_rows_[p.table][tables_[p.table][number]];
  }

 private:
  static constexpr uint32_t kNoTable = ~0u;
  struct Protocol {
    Row row = nullptr;  // whatever the number
    uint32_t table = kNoTable;
  };

  std::array<Protocol, 256> protocols_;
  std::vector<std::vector<uint32_t>> tables_;  // by number: which of table_rows_
  std::vector<std::vector<Row>> table_rows_;
};

/// What a service's ports are compared with.
inline uint16_t number_of(const PolicyQuery& query) {
  return net::is_icmp(query.tuple.protocol) ? query.icmp_type : query.tuple.dst_port;
}

}  // namespace weir::dataplane
