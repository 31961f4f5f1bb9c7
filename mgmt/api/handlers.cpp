#include "mgmt/api/handlers.h"

#include "mgmt/api/rule_costs.h"

#include <charconv>
#include <type_traits>

#include "dataplane/net/headers.h"
#include "inspection/names/told_name.h"

namespace weir::api {

namespace {

Response refuse(const Error& error) { return {http_status(error.code), to_json(error)}; }

Response refuse(std::string message) { return refuse(Error{ErrorCode::invalid, std::move(message)}); }

template <typename T>
Response respond(const Result<T>& result) {
  if (!result) return refuse(result.error());
  if constexpr (std::is_same_v<T, Json>)
    return {200, *result};
  else
    return {200, to_json(*result)};
}

std::optional<uint64_t> parse_number(const std::string& text, uint64_t least, uint64_t most) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
    return std::nullopt;
  }
  return value;
}

/// Parameters `sid` and, 1 without it, `gid`.
Result<inspection::RuleName> rule_name(const Parameter& parameter) {
  const auto sid = parse_number(parameter("sid").value_or(""), 1, UINT32_MAX);
  const auto gid = parse_number(parameter("gid").value_or("1"), 1, UINT32_MAX);
  if (!sid || !gid)
    return fail(ErrorCode::invalid, "sid has to be a number from 1 on, and gid, if it is given");
  return inspection::RuleName{static_cast<uint32_t>(*gid), static_cast<uint32_t>(*sid)};
}

/// The address in parameter `name`.
Result<net::IpAddress> address_of(const std::string& name, const std::optional<std::string>& text) {
  if (!text) return fail(ErrorCode::invalid, "the parameter " + name + " is missing");
  const auto address = net::parse_ip(*text);
  if (!address) return fail(ErrorCode::invalid, name + ": " + config::in_quotes(*text) + " is no IP address");
  return *address;
}

Status read_protocol(const Parameter& parameter, control::PathQuery& query) {
  const std::string proto = parameter("proto").value_or("");
  if (proto == "icmp") {
    query.protocol = query.to.is_v4() ? net::kProtoIcmp : net::kProtoIcmpv6;
    return {};
  }
  if (proto != "tcp" && proto != "udp") return fail(ErrorCode::invalid, "proto has to be tcp, udp or icmp");
  query.protocol = proto == "tcp" ? net::kProtoTcp : net::kProtoUdp;
  const auto port = parse_number(parameter("port").value_or(""), 1, 65'535);
  if (!port) return fail(ErrorCode::invalid, "port has to be a number from 1 to 65535");
  query.port = static_cast<uint16_t>(*port);
  return {};
}

}  // namespace

Response get_status(Source& source) { return respond(source.status()); }

Response get_top(Source& source) { return respond(source.top()); }

Response get_drops(Source& source) { return respond(source.drops()); }

Response get_sessions(Source& source, const Parameter& parameter) {
  size_t max = kDefaultSessions;
  if (const auto text = parameter("max")) {
    const auto value = parse_number(*text, 1, kMaxSessions);
    if (!value) return refuse("max has to be a number from 1 to " + std::to_string(kMaxSessions));
    max = *value;
  }
  return respond(source.sessions(max));
}

Response get_routes(Source& source, const Parameter& parameter) {
  control::RoutesQuery query{parameter("domain")};
  if (const auto text = parameter("prefix")) {
    query.within = net::parse_prefix(*text);
    if (!query.within) return refuse("prefix: " + config::in_quotes(*text) + " is no prefix");
  }
  if (const auto text = parameter("max")) {
    const auto value = parse_number(*text, 1, kMaxRoutes);
    if (!value) return refuse("max has to be a number from 1 to " + std::to_string(kMaxRoutes));
    query.max = *value;
  }
  return respond(source.routes(query));
}

Result<control::PathQuery> parse_path_query(const Parameter& parameter) {
  control::PathQuery query;
  std::optional<std::string> from = parameter("from");
  if (from) {
    if (const size_t slash = from->rfind('/'); slash != std::string::npos) {
      query.domain = from->substr(0, slash);
      from = from->substr(slash + 1);
    }
  }
  const auto from_address = address_of("from", from);
  if (!from_address) return tl::unexpected(from_address.error());
  const auto to_address = address_of("to", parameter("to"));
  if (!to_address) return tl::unexpected(to_address.error());
  query.from = *from_address;
  query.to = *to_address;
  if (const Status protocol = read_protocol(parameter, query); !protocol) {
    return tl::unexpected(protocol.error());
  }
  for (size_t k = 0; k < inspection::kNameKinds; ++k) {
    const auto kind = static_cast<inspection::NameKind>(k);
    const std::string what(inspection::name_of(kind));
    auto name = parameter(what);
    if (!name) continue;
    if (const std::string wrong = inspection::misfit_of_told_name(kind, *name); !wrong.empty())
      return fail(ErrorCode::invalid, what + ": " + config::in_quotes(*name) + ": " + wrong);
    if (!inspection::occurs_over(kind, query.protocol)) {
      const bool udp = query.protocol == net::kProtoUdp;
      return fail(ErrorCode::invalid, what + ": a session over " + (udp ? "UDP" : "ICMP") + " never has one" +
                                          (udp ? ", only sni and app" : ""));
    }
    query.names.emplace_back(kind, std::move(*name));
  }
  return query;
}

Response get_nat_map(Source& source, const Parameter& parameter) {
  const auto address = address_of("address", parameter("address"));
  if (!address) return refuse(address.error());
  control::NatMapQuery query{*address, {}, parameter("domain")};
  if (const auto text = parameter("port")) {
    const auto port = parse_number(*text, 1, 65'535);
    if (!port) return refuse("port: " + config::in_quotes(*text) + " is no number from 1 to 65535");
    query.port = static_cast<uint16_t>(*port);
  }
  return respond(source.nat_map(query));
}

Response get_path(Source& source, const Parameter& parameter) {
  const auto query = parse_path_query(parameter);
  if (!query) return {http_status(query.error().code), to_json(query.error())};
  return respond(source.path(*query));
}

namespace {

Response respond_to_reload(const Result<control::ChangeView>& result) {
  Response response = respond(result);
  if (result && !result->problems.empty()) response.status = http_status(ErrorCode::refused);
  return response;
}

}  // namespace

Response post_reload(Source& source) { return respond_to_reload(source.reload()); }

Response get_rules(Source& source) { return respond(source.rules()); }

Response get_rules_top(Source& source, const Parameter& parameter) {
  size_t max = kDefaultTopRules;
  if (const auto text = parameter("max")) {
    const auto value = parse_number(*text, 1, kMaxTopRules);
    if (!value) return refuse("max has to be a number from 1 to " + std::to_string(kMaxTopRules));
    max = *value;
  }
  const auto rules = source.rules_in_force();
  if (!rules) return refuse(rules.error());
  return {200, rules_top(*rules, max)};
}

Response get_rules_explain(Source& source, const Parameter& parameter) {
  const auto name = rule_name(parameter);
  if (!name) return refuse(name.error());
  const auto rules = source.rules_in_force();
  if (!rules) return refuse(rules.error());
  return respond(rules_explain(*rules, *name));
}

Response post_rules_watch(Source& source, const Parameter& parameter) {
  const auto name = rule_name(parameter);
  if (!name) return refuse(name.error());
  const auto session = parse_number(parameter("session").value_or(""), 1, UINT64_MAX);
  if (!session) return refuse("session has to be a session's id, as `weirctl sessions` and events have it");
  const auto rules = source.rules_in_force();
  if (!rules) return refuse(rules.error());
  return respond(begin_rule_watch(*rules, *name, *session));
}

Response get_rules_watch(Source& source, const Parameter& parameter) {
  const auto name = rule_name(parameter);
  if (!name) return refuse(name.error());
  const auto watch = parse_number(parameter("watch").value_or(""), 1, UINT64_MAX);
  if (!watch) return refuse("watch has to be the number that beginning it answered");
  const auto rules = source.rules_in_force();
  if (!rules) return refuse(rules.error());
  return respond(rule_watch(*rules, *name, *watch));
}

Response delete_rules_watch(Source& source, const Parameter& parameter) {
  const auto watch = parse_number(parameter("watch").value_or(""), 1, UINT64_MAX);
  if (!watch) return refuse("watch has to be the number that beginning it answered");
  const auto rules = source.rules_in_force();
  if (!rules) return refuse(rules.error());
  rules->memory->watch->end(*watch);
  return {200, Json::object()};
}

Response post_rules_reload(Source& source) { return respond_to_reload(source.reload_rules()); }

Response get_alerts(Source& source, const Parameter& parameter) {
  size_t max = kDefaultAlerts;
  std::optional<uint64_t> from;
  if (const auto text = parameter("max")) {
    const auto value = parse_number(*text, 1, kMaxAlerts);
    if (!value) return refuse("max has to be a number from 1 to " + std::to_string(kMaxAlerts));
    max = *value;
  }
  if (const auto text = parameter("from")) {
    from = parse_number(*text, 0, UINT64_MAX);
    if (!from) return refuse("from has to be a whole number");
  }
  return respond(source.alerts(from, max));
}

}  // namespace weir::api
