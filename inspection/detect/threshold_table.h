// How often rules matched, by host, pair of hosts, rule or session: `threshold` and `detection_filter`.
//
// A table of fixed size; a full bucket gives way to the entry whose time is over, else to the oldest one,
// counted. One worker.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "inspection/detect/inspected.h"
#include "inspection/detect/verdict.h"
#include "inspection/rules/threshold_config.h"

namespace weir::inspection {

class ThresholdTable {
 public:
  explicit ThresholdTable(uint32_t entries);

  /// Counts one match of `rule` by `packet` (whose source and destination are those of what matched) and says
  /// what becomes of it. `lost` is set if another entry had to go before its time.
  Thresholded count(const ast::Threshold& threshold, const RuleInfo& rule, uint32_t part,
                    const PacketView& packet, const net::IpAddress& source, const net::IpAddress& destination,
                    bool& lost);
  /// Counts one match and says whether the filter's action stands for the rule's.
  bool rate_exceeded(const ast::RateFilter& filter, const RuleInfo& rule, uint32_t part,
                     const PacketView& packet, const net::IpAddress& source,
                     const net::IpAddress& destination, bool& lost);

 private:
  struct Key {
    uint32_t gid = 0, sid = 0, part = 0;
    uint32_t ports = 0;  // of a session
    net::IpAddress one, other;
    bool operator==(const Key&) const = default;
  };
  struct Entry {
    Key key;
    bool used = false;
    uint64_t start_ns = 0, length_ns = 0;
    uint32_t count = 0;
    uint64_t next = 0;  // of backoff: the next count that alerts; of a rate filter: until when it acts
  };
  static constexpr size_t kWays = 8;
  static Key key_of(ast::Threshold::Track track, const RuleInfo& rule, uint32_t part,
                    const PacketView& packet, const net::IpAddress& source,
                    const net::IpAddress& destination);
  Entry& find(const Key& key, uint64_t now_ns, bool& is_new, bool& lost);

  size_t buckets_;
  std::vector<Entry> entries_;
};

}  // namespace weir::inspection
