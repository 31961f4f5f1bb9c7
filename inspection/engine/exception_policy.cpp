#include "inspection/engine/exception_policy.h"

namespace weir::inspection {

namespace {

constexpr std::string_view kPolicies[] = {"ignore", "drop_flow", "drop_packet", "reject",
                                          "bypass", "pass_flow", "pass_packet", "auto"};
constexpr std::string_view kCeilingNames[] = {"flow_memcap",
                                              "stream_reassembly_memcap",
                                              "stream_midstream",
                                              "app_layer_memcap",
                                              "app_layer_transactions",
                                              "app_layer_error",
                                              "domain_memcap",
                                              "dns_pointers",
                                              "tls_certificates",
                                              "rule_work"};
static_assert(std::size(kCeilingNames) == kCeilings);

}  // namespace

std::optional<ExceptionPolicy> exception_policy(std::string_view name) {
  for (size_t i = 0; i < std::size(kPolicies); ++i) {
    const std::string_view known = kPolicies[i];
    bool equal = name.size() == known.size();
    for (size_t at = 0; equal && at < name.size(); ++at)
      equal = name[at] == known[at] || (known[at] == '_' && name[at] == '-');
    if (equal) return static_cast<ExceptionPolicy>(i);
  }
  return std::nullopt;
}

std::string_view name_of(ExceptionPolicy policy) { return kPolicies[static_cast<size_t>(policy)]; }
std::string_view name_of(Ceiling ceiling) { return kCeilingNames[static_cast<size_t>(ceiling)]; }

}  // namespace weir::inspection
