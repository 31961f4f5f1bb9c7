// One function per endpoint: a request's parameters in, a status and a JSON document out. No sockets here.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "mgmt/api/json.h"
#include "mgmt/api/source.h"

namespace weir::api {

struct Response {
  int status = 200;
  Json body;
};

/// A request's parameter by name, if it is there.
using Parameter = std::function<std::optional<std::string>(const std::string&)>;

inline constexpr size_t kDefaultSessions = 100;
inline constexpr size_t kMaxSessions = 10'000;
inline constexpr size_t kMaxRoutes = 100'000;
inline constexpr size_t kDefaultTopRules = 100;
inline constexpr size_t kMaxTopRules = 100'000;
inline constexpr size_t kDefaultAlerts = 100;
inline constexpr size_t kMaxAlerts = events::RecentAlerts::kCapacity;

Response get_status(Source& source);
Response get_top(Source& source);
Response get_drops(Source& source);
/// max: 1 to kMaxSessions.
Response get_sessions(Source& source, const Parameter& parameter);
/// domain, prefix (this and more specific ones): optional. max: 1 to kMaxRoutes.
Response get_routes(Source& source, const Parameter& parameter);
/// from: [DOMAIN/]ADDRESS, to: ADDRESS, proto: tcp, udp or icmp, port: with tcp and udp.
Response get_path(Source& source, const Parameter& parameter);
/// address: inside or outside. port, of an outside one, and domain, of the inside: optional.
Response get_nat_map(Source& source, const Parameter& parameter);
Response post_reload(Source& source);
Response get_rules(Source& source);
/// max: 1 to kMaxTopRules.
Response get_rules_top(Source& source, const Parameter& parameter);
/// sid: required; gid: 1 without it.
Response get_rules_explain(Source& source, const Parameter& parameter);
/// sid, session (a flow_id): required; gid: 1 without it. Begins a watch.
Response post_rules_watch(Source& source, const Parameter& parameter);
/// sid, watch (the number that post_rules_watch() answered): required; gid as there.
Response get_rules_watch(Source& source, const Parameter& parameter);
/// watch: required.
Response delete_rules_watch(Source& source, const Parameter& parameter);
Response post_rules_reload(Source& source);
/// from: the number of the first alert; without it the latest ones. max: 1 to kMaxAlerts.
Response get_alerts(Source& source, const Parameter& parameter);

/// Reads the parameters of get_path(). Fails with a sentence that names the parameter.
Result<control::PathQuery> parse_path_query(const Parameter& parameter);

}  // namespace weir::api
