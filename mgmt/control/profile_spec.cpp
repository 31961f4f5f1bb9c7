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

}  // namespace

inspection::ProfileSpec spec_of(const config::Profile& profile) {
  inspection::ProfileSpec spec;
  spec.source = config::rule_source(profile);
  spec.fuse_sessions = profile.fuse;
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
  settings.app.dns_pointers = limits.dns_pointers;
  settings.app.tls_certificates = limits.certificates;
  const config::ProfileExceptions& exceptions = profile.exceptions;
  const std::pair<Ceiling, inspection::ExceptionPolicy> policies[] = {
      {Ceiling::session_memory, exceptions.session_memory},
      {Ceiling::reassembly_memory, exceptions.segment_memory},
      {Ceiling::midstream, exceptions.midstream},
      {Ceiling::app_memory, exceptions.app_memory},
      {Ceiling::app_transactions, exceptions.transactions},
      {Ceiling::app_malformed, exceptions.malformed},
      {Ceiling::domain_memory, exceptions.domain_memory},
      {Ceiling::dns_pointers, exceptions.dns_pointers},
      {Ceiling::certificates, exceptions.certificates},
      {Ceiling::rule_work, exceptions.rule_work}};
  static_assert(std::size(policies) == inspection::kCeilings);
  for (const auto& [ceiling, policy] : policies)
    settings.policies[static_cast<size_t>(ceiling)] =
        inspection::settled(policy, settings.mode != InspectMode::ids);
  return spec;
}

}  // namespace weir::control
