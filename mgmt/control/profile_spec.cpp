#include "mgmt/control/profile_spec.h"

#include "mgmt/config/rule_variables.h"

namespace weir::control {

namespace {

using inspection::Ceiling;
using inspection::InspectMode;

InspectMode mode_of(config::InspectMode mode) {
  switch (mode) {
    case config::InspectMode::ids:
      return InspectMode::ids;
    case config::InspectMode::test:
      return InspectMode::test;
    case config::InspectMode::ips:
      return InspectMode::ips;
  }
  return InspectMode::ips;
}

inspection::ExceptionPolicy policy_of(config::ExceptionPolicy policy, InspectMode mode) {
  using Policy = inspection::ExceptionPolicy;
  switch (policy) {
    case config::ExceptionPolicy::automatic:
      return inspection::automatic(mode != InspectMode::ids);
    case config::ExceptionPolicy::ignore:
      return Policy::ignore;
    case config::ExceptionPolicy::drop_flow:
      return Policy::drop_flow;
    case config::ExceptionPolicy::drop_packet:
      return Policy::drop_packet;
    case config::ExceptionPolicy::reject:
      return Policy::reject;
    case config::ExceptionPolicy::bypass:
      return Policy::bypass;
    case config::ExceptionPolicy::pass_flow:
      return Policy::pass_flow;
    case config::ExceptionPolicy::pass_packet:
      return Policy::pass_packet;
  }
  return Policy::ignore;
}

}  // namespace

inspection::ProfileSpec spec_of(const config::Profile& profile) {
  inspection::ProfileSpec spec;
  spec.files = profile.rule_files;
  spec.variables = config::rule_variables(profile);
  inspection::SessionSettings& settings = spec.settings;
  settings = inspection::hub_settings(mode_of(profile.mode));
  settings.stream.depth = profile.depth;
  settings.stream.on_conflict = profile.on_conflict == config::OnConflict::drop
                                    ? inspection::OnConflict::drop_session
                                    : inspection::OnConflict::rewrite;
  settings.min_ttl = static_cast<uint8_t>(profile.min_ttl);
  const config::ProfileLimits& limits = profile.limits;
  settings.http.head_bytes = limits.header_bytes;
  settings.http.fields = limits.headers;
  settings.http.transactions = limits.transactions;
  settings.http.request_body_limit = limits.request_body;
  settings.http.response_body_limit = limits.response_body;
  settings.http.decode_layers = limits.decode_layers;
  settings.http.decode_ratio = limits.decode_ratio;
  const config::ProfileExceptions& exceptions = profile.exceptions;
  const std::pair<Ceiling, config::ExceptionPolicy> policies[] = {
      {Ceiling::session_memory, exceptions.session_memory},
      {Ceiling::reassembly_memory, exceptions.segment_memory},
      {Ceiling::midstream, exceptions.midstream},
      {Ceiling::app_memory, exceptions.app_memory},
      {Ceiling::app_transactions, exceptions.transactions},
      {Ceiling::app_malformed, exceptions.malformed}};
  for (const auto& [ceiling, policy] : policies)
    settings.policies[static_cast<size_t>(ceiling)] = policy_of(policy, settings.mode);
  return spec;
}

}  // namespace weir::control
