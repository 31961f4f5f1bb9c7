#include "mgmt/api/json.h"

#include <algorithm>

namespace weir::api {

namespace {

Json counters(const std::vector<std::pair<std::string_view, uint64_t>>& list) {
  Json json = Json::object();
  for (const auto& [name, value] : list) json[std::string(name)] = value;
  return json;
}

Json to_json(const control::SessionView& s) {
  return {{"id", s.id},
          {"worker", s.worker},
          {"proto", protocol_name(s.protocol)},
          {"src", s.src},
          {"sport", s.src_port},
          {"dst", s.dst},
          {"dport", s.dst_port},
          {"from", s.from},
          {"to", s.to},
          {"ingress", s.ingress},
          {"egress", s.egress},
          {"state", s.state},
          {"new_src", s.new_src},
          {"new_sport", s.new_src_port},
          {"new_dst", s.new_dst},
          {"new_dport", s.new_dst_port},
          {"rule", s.rule},
          {"inspected", s.inspected},
          {"dropped", s.dropped},
          {"packets", {s.packets[0], s.packets[1]}},
          {"bytes", {s.bytes[0], s.bytes[1]}},
          {"age_s", s.age_s},
          {"idle_s", s.idle_s}};
}

}  // namespace

static Json use_of(const dataplane::PortPool::Use& use) {
  return {{"taken", use.taken},
          {"given_out", use.given_out},
          {"preserved", use.preserved},
          {"exhausted", use.exhausted}};
}

Json to_json(const std::vector<control::PoolView>& pools) {
  Json all = Json::array();
  for (const control::PoolView& pool : pools) {
    Json json = {{"name", pool.name},
                 {"domain", pool.domain},
                 {"addresses", pool.addresses},
                 {"capacity", pool.capacity}};
    json.update(use_of(pool.use));
    for (const auto& worker : pool.workers) json["workers"].push_back(use_of(worker));
    all.push_back(std::move(json));
  }
  return all;
}

Json to_json(const std::vector<control::ServerView>& servers) {
  Json all = Json::array();
  for (const control::ServerView& s : servers) {
    all.push_back(
        {{"rule", s.rule}, {"server", s.server}, {"port", s.port}, {"weight", s.weight}, {"up", s.up}});
  }
  return all;
}

Json to_json(const std::vector<control::NatMapping>& mappings) {
  Json all = Json::array();
  for (const control::NatMapping& m : mappings) {
    all.push_back({{"rule", m.rule},
                   {"kind", m.kind},
                   {"domain", m.domain},
                   {"inside", m.inside},
                   {"inside_ports", m.inside_ports},
                   {"outside", m.outside},
                   {"outside_ports", m.outside_ports}});
  }
  return {{"mappings", std::move(all)}};
}

Json to_json(const control::StatusView& view) {
  Json workers = Json::array(), ports = Json::array(), attachments = Json::array(), profiles = Json::array();
  for (const auto& w : view.workers) {
    Json row = {{"worker", w.worker}, {"core", w.core}};
    row.update(counters(w.counters));
    workers.push_back(std::move(row));
  }
  for (const auto& p : view.ports) {
    ports.push_back({{"name", p.name},
                     {"driver", p.driver},
                     {"mac", p.mac},
                     {"mtu", p.mtu},
                     {"link", p.link_up ? "up" : "down"}});
  }
  for (const auto& a : view.attachments) {
    attachments.push_back({{"name", a.name},
                           {"domain", a.domain},
                           {"tunnel", a.tunnel},
                           {"local", a.local},
                           {"remote", a.remote},
                           {"underlay", a.resolved ? "resolved" : "unresolved"},
                           {"mtu", a.mtu},
                           {"origin", a.from_file ? "file" : "api"},
                           {"state", a.health.state},
                           {"since_s", a.health.since_s},
                           {"reason", a.health.reason},
                           {"dampened", a.health.dampened},
                           {"flaps", a.health.flaps},
                           {"rtt_us", a.health.rtt_us ? Json(*a.health.rtt_us) : Json()},
                           {"rx_packets", a.health.rx_packets},
                           {"rx_bytes", a.health.rx_bytes},
                           {"tx_packets", a.health.tx_packets},
                           {"tx_bytes", a.health.tx_bytes}});
  }
  for (const auto& p : view.profiles) {
    profiles.push_back(
        {{"name", p.name}, {"rules_loaded", p.rules_loaded}, {"rules_refused", p.rules_refused}});
  }
  return {
      {"hub", view.hub},
      {"version", view.version},
      {"uptime_s", view.uptime_s},
      {"workers", std::move(workers)},
      {"ports", std::move(ports)},
      {"attachments", std::move(attachments)},
      {"profiles", std::move(profiles)},
      {"nat", to_json(view.pools)},
      {"held", view.held},
      {"neighbors", counters(view.neighbors)},
      {"health", counters(view.health)},
      {"config", {{"file", view.config_file}, {"reloads", view.reloads}, {"last_reload", view.last_reload}}},
      {"events_lost", view.events_lost},
      {"control_stalls", view.control_stalls}};
}

Json to_json(const control::TopView& view) {
  Json workers = Json::array();
  for (const auto& w : view.workers) {
    Json row = {{"worker", w.worker}, {"core", w.core}};
    row.update(counters(w.counters));
    Json stages = Json::array();
    for (const auto& s : w.stages) {
      stages.push_back(
          {{"stage", s.stage}, {"cycles", s.cycles}, {"packets", s.packets}, {"calls", s.calls}});
    }
    row["stages"] = std::move(stages);
    workers.push_back(std::move(row));
  }
  return {{"now_ns", view.now_ns},
          {"cycles_per_second", view.cycles_per_second},
          {"stall_us", view.stall_us},
          {"workers", std::move(workers)}};
}

Json to_json(const std::vector<control::DropView>& view) {
  Json drops = Json::array();
  for (const auto& d : view) {
    drops.push_back({{"reason", d.reason}, {"stage", d.stage}, {"count", d.count}, {"help", d.help}});
  }
  return {{"drops", std::move(drops)}};
}

Json to_json(const control::SessionsView& view) {
  Json rows = Json::array();
  for (const auto& s : view.rows) rows.push_back(to_json(s));
  return {{"sessions", std::move(rows)}, {"total", view.total}};
}

Json to_json(const control::RoutesView& view) {
  Json domains = Json::array();
  for (const auto& domain : view.domains) {
    Json routes = Json::array();
    for (const auto& r : domain.routes) {
      Json row = {{"prefix", r.prefix}, {"attachment", r.attachment},
                  {"via", r.via},       {"weight", r.weight ? Json(*r.weight) : Json()},
                  {"kind", r.kind},     {"origin", r.origin}};
      if (!r.from_domain.empty()) row["from_domain"] = r.from_domain;
      routes.push_back(std::move(row));
    }
    domains.push_back({{"name", domain.name}, {"routes", std::move(routes)}});
  }
  return {{"domains", std::move(domains)}, {"more", view.more}};
}

Json to_json(const control::PathAnswer& answer) {
  Json steps = Json::array();
  for (const auto& s : answer.steps) steps.push_back({{"step", s.step}, {"ok", s.ok}, {"text", s.text}});
  Json json = {{"verdict", answer.verdict}, {"reason", answer.reason}, {"steps", std::move(steps)}};
  if (!answer.rule.empty()) {
    json["rule"] = answer.rule;
    for (const auto& s : answer.why) json["why"][s.step] = s.text;
  }
  if (!answer.watched.empty()) json["watched"] = answer.watched;
  return json;
}

namespace {

/// The first lines of what may be a million, and how many there are.
constexpr size_t kMaxChangeLines = 1'000;

Json change_json(const control::ChangeView& view, const Error& error) {
  if (view.problems.empty()) {
    const auto first = view.changes.begin();
    const auto end = first + static_cast<std::ptrdiff_t>(std::min(view.changes.size(), kMaxChangeLines));
    return {{"changes", std::vector<std::string>(first, end)},
            {"changes_total", view.changes_total},
            {"notes", view.notes}};
  }
  Json json = api::to_json(error);
  json["error"]["problems"] = view.problems;
  return json;
}

}  // namespace

Json to_json(const control::ChangeView& view) {
  return change_json(view, {ErrorCode::refused, "the configuration was not reloaded; nothing was changed"});
}

Json changes_json(const control::ChangeView& view, ErrorCode code) {
  return change_json(view, {code, "nothing was changed"});
}

Json to_json(const Error& error) {
  return {{"error", {{"code", code_name(error.code)}, {"message", error.message}}}};
}

std::string protocol_name(uint8_t protocol) {
  switch (protocol) {
    case 1:
      return "icmp";
    case 6:
      return "tcp";
    case 17:
      return "udp";
    case 58:
      return "icmpv6";
    default:
      return std::to_string(protocol);
  }
}

int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid:
      return 400;
    case ErrorCode::not_found:
      return 404;
    case ErrorCode::in_use:
    case ErrorCode::refused:
      return 409;
    case ErrorCode::unavailable:
    case ErrorCode::exhausted:
      return 503;
    case ErrorCode::io:
    case ErrorCode::internal:
      return 500;
  }
  return 500;
}

std::string_view code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid:
      return "invalid";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::in_use:
      return "in_use";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::exhausted:
      return "exhausted";
    case ErrorCode::refused:
      return "refused";
    case ErrorCode::io:
      return "io";
    case ErrorCode::internal:
      return "internal";
  }
  return "internal";
}

Json to_json(const control::RulesView& view) {
  Json profiles = Json::array();
  for (const control::ProfileView& p : view.profiles) {
    profiles.push_back({{"name", p.name},
                        {"files", p.files},
                        {"rules_loaded", p.rules_loaded},
                        {"rules_refused", p.rules_refused},
                        {"refused", p.refused},
                        {"digest", p.digest},
                        {"bytes", p.bytes}});
  }
  return {{"generation", view.generation},        {"since_s", view.since_s},
          {"rulesets_live", view.before ? 2 : 1}, {"sessions_before", view.sessions_before},
          {"reload_waits", view.reload_waits},    {"profiles", std::move(profiles)}};
}

/// The lines are JSON already; one that is none is left out.
Json to_json(const events::AlertsView& view) {
  Json alerts = Json::array();
  for (const std::string& line : view.lines) {
    Json alert = Json::parse(line, nullptr, false);
    if (!alert.is_discarded()) alerts.push_back(std::move(alert));
  }
  return {{"alerts", std::move(alerts)}, {"next", view.next}, {"lost", view.lost}};
}

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace weir::api
