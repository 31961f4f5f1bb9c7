// What is remembered beyond one session, of all workers together: marks of hosts and values of data sets, by
// rules; connections that sessions have announced; whose certificates TLS sessions were begun with; and what
// somebody asks of a rule.
#pragma once

#include <memory>

#include "inspection/app/expectations.h"
#include "inspection/app/tls/identities.h"
#include "inspection/detect/dataset_table.h"
#include "inspection/detect/host_marks.h"
#include "inspection/detect/rule_watch.h"

namespace weir::inspection {

struct RuleMemory {
  static constexpr uint32_t kExpectations = 1'024;

  struct Limits {
    uint32_t host_marks = 262'144;
    uint32_t dataset_values = 16'384;
    uint32_t tls_identities = 4'096;
  };
  /// `secret`: nobody outside is to guess it. At the start.
  static Result<std::shared_ptr<RuleMemory>> create(const Limits& limits, uint64_t secret) {
    auto hosts = HostMarks::create(limits.host_marks, secret);
    if (!hosts) return tl::unexpected(std::move(hosts.error()));
    auto values = DatasetTable::create(limits.dataset_values, secret);
    if (!values) return tl::unexpected(std::move(values.error()));
    return std::make_shared<RuleMemory>(RuleMemory{
        std::move(*hosts), std::move(*values), std::make_unique<Expectations>(kExpectations, secret),
        std::make_unique<TlsIdentities>(limits.tls_identities, secret), std::make_unique<RuleWatch>()});
  }

  std::unique_ptr<HostMarks> hosts;
  std::unique_ptr<DatasetTable> values;
  std::unique_ptr<Expectations> expectations;
  std::unique_ptr<TlsIdentities> identities;
  std::unique_ptr<RuleWatch> watch;
};

}  // namespace weir::inspection
