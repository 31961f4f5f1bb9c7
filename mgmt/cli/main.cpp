// weirctl: asks a running hub, and changes it.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "inspection/names/name_question.h"
#include "mgmt/cli/alerts.h"
#include "mgmt/cli/answer.h"
#include "mgmt/cli/change_commands.h"
#include "mgmt/cli/client.h"
#include "mgmt/cli/config_commands.h"
#include "mgmt/cli/fields.h"
#include "mgmt/cli/print.h"
#include "mgmt/cli/rules_top.h"
#include "mgmt/cli/rules_watch.h"
#include "mgmt/cli/top.h"

namespace {

using weir::cli::AlertsCommand;
using weir::cli::ChangeCommands;
using weir::cli::Client;
using weir::cli::ConfigCommands;
using weir::cli::Json;
using weir::cli::kFailed;
using weir::cli::kOk;
using weir::cli::kUsage;
using weir::cli::show;

/// Whose lists the hub has, as GET /v1/NAME.
constexpr std::pair<const char*, const char*> kLists[] = {
    {"domains", "Domains, and whether they are of the file or made at run time"},
    {"connections", "Which domains are connected"},
    {"groups", "The groups that policy rules name, and whether they are of the file or made at run time"}};

struct Options {
  std::string socket = "/run/weir/weir.sock";
  bool json = false;
  unsigned max_sessions = 100;
  std::string domain, prefix;
  unsigned max_routes = 1'000;
  bool all_drops = false;
  unsigned tables = 0;  // 0: not said
  double interval_s = 1;
  unsigned max_rules = 20;
  std::string rule;     // SID or GID:SID
  std::string session;  // whose packets the rule is watched in; empty: none's
  double watch_s = 10;
  bool since_read = false;  // rules top: what was counted since the rules were read
  std::string from, to;
  unsigned tcp_port = 0, udp_port = 0;
  bool icmp = false;
  std::array<std::optional<std::string>, weir::inspection::kNameKinds> names;  // of the session, as told
};

/// A table for each interval, by two answers to GET `request` each; with --json the answers, the first one at
/// once.
int top(const Client& client, const Options& options, const std::string& request,
        const Client::Parameters& parameters, std::string (*print)(const Json&, const Json&, size_t)) {
  constexpr const char* kClear = "\033[H\033[2J";
  const bool screen = !options.json && isatty(STDOUT_FILENO) == 1;
  unsigned left = options.tables;
  if (left == 0) left = screen ? std::numeric_limits<unsigned>::max() : 1;
  Json before;
  for (bool first = true; left != 0; first = false) {
    if (!first) std::this_thread::sleep_for(std::chrono::duration<double>(options.interval_s));
    const auto answer = client.get(request, parameters);
    if (options.json || !first || !answer || !answer->ok()) {
      const int code = show(options.json, answer, [&](const Json& after) {
        return (screen ? kClear : "") + print(before, after, options.max_rules);
      });
      std::fflush(stdout);
      if (code != kOk) return code;
      --left;
    }
    before = answer->body;
  }
  return kOk;
}

int rules_top(const Client& client, const Options& options) {
  // Which rules are costly now may not be those that were so far: all that cost anything are asked for.
  const Client::Parameters all{{"max", "100000"}};
  if (!options.since_read) return top(client, options, "/v1/rules/top", all, weir::cli::print_rules_top);
  return show(
      options.json, client.get("/v1/rules/top", {{"max", std::to_string(options.max_rules)}}),
      [&](const Json& answer) { return weir::cli::print_rules_top(Json(), answer, options.max_rules); });
}

int usage(const std::string& what_is_wrong) {
  std::fprintf(stderr, "weirctl: %s; `weirctl --help` lists them\n", what_is_wrong.c_str());
  return kUsage;
}

int explain(const Client& client, const Options& options) {
  const size_t colon = options.rule.find(':');
  const bool with_gid = colon != std::string::npos;
  const Client::Parameters parameters{{"gid", with_gid ? options.rule.substr(0, colon) : "1"},
                                      {"sid", with_gid ? options.rule.substr(colon + 1) : options.rule}};
  const int code =
      show(options.json, client.get("/v1/rules/explain", parameters), weir::cli::print_rules_explain);
  if (code != kOk || options.session.empty()) return code;
  return weir::cli::watch_rule(client, options.json, {parameters, options.session, options.watch_s});
}

Client::Parameters path_parameters(const Options& options) {
  Client::Parameters parameters{{"from", options.from}, {"to", options.to}};
  if (options.icmp) {
    parameters.emplace_back("proto", "icmp");
  } else {
    parameters.emplace_back("proto", options.tcp_port != 0 ? "tcp" : "udp");
    parameters.emplace_back("port",
                            std::to_string(options.tcp_port != 0 ? options.tcp_port : options.udp_port));
  }
  for (size_t k = 0; k < options.names.size(); ++k) {
    const auto kind = static_cast<weir::inspection::NameKind>(k);
    if (options.names[k])
      parameters.emplace_back(std::string(weir::inspection::name_of(kind)), *options.names[k]);
  }
  return parameters;
}

void add_question(CLI::App* path, Options& options) {
  path->add_option("--from", options.from, "Source: [DOMAIN/]ADDRESS")->required();
  path->add_option("--to", options.to, "Destination address")->required();
  auto* protocol = path->add_option_group("protocol", "One of these");
  protocol->add_option("--tcp", options.tcp_port, "TCP to this port")->check(CLI::Range(1, 65'535));
  protocol->add_option("--udp", options.udp_port, "UDP to this port")->check(CLI::Range(1, 65'535));
  protocol->add_flag("--icmp", options.icmp, "ICMP echo (ICMPv6 for IPv6 addresses)");
  protocol->require_option(1);
  auto* names =
      path->add_option_group("names", "What the session says of itself; what is left out stays unknown");
  for (size_t k = 0; k < options.names.size(); ++k) {
    const std::string name(weir::inspection::name_of(static_cast<weir::inspection::NameKind>(k)));
    std::string option = "--" + name;
    std::replace(option.begin(), option.end(), '_', '-');
    names->add_option(option, options.names[k], "What policy[].names." + name + " asks for");
  }
}

void add_path(CLI::App& app, Options& options) {
  add_question(app.add_subcommand("path", "Say whether a session would be let through, step by step"),
               options);
}

/// Behind the verbs that change the policy.
const CLI::App* add_policy_test(const CLI::App& app, Options& options) {
  CLI::App* test = app.get_subcommand("policy")->add_subcommand(
      "test", "Say which rule would decide a session, and by what it matches");
  add_question(test, options);
  return test;
}

/// Behind the verbs that change address translation.
const CLI::App* add_nat_map(const CLI::App& app, Options& options) {
  CLI::App* map = app.get_subcommand("nat")->add_subcommand(
      "map", "Say what an address is mapped to, or whose it is, by rules that need no record of it");
  map->add_option("address", options.to, "An address, as it is inside or outside")->required();
  map->add_option("--port", options.tcp_port, "Of an outside address: whose this port is")
      ->check(CLI::Range(1, 65'535));
  map->add_option("--domain", options.domain, "Only inside addresses of this domain");
  return map;
}

Client::Parameters nat_map_parameters(const Options& options) {
  Client::Parameters parameters{{"address", options.to}};
  if (options.tcp_port != 0) parameters.emplace_back("port", std::to_string(options.tcp_port));
  if (!options.domain.empty()) parameters.emplace_back("domain", options.domain);
  return parameters;
}

void add_intervals(CLI::App* top, Options& options) {
  top->add_option("--count", options.tables, "End after so many tables (on a terminal: never; else 1)")
      ->check(CLI::Range(1, 1'000'000));
  top->add_option("--interval", options.interval_s, "Seconds from one table to the next")
      ->check(CLI::Range(0.1, 3'600.0))
      ->capture_default_str();
}

void add_top(CLI::App& app, Options& options) {
  add_intervals(
      app.add_subcommand("top", "What the workers are busy with, and the cycles of each stage, now"),
      options);
}

void add_rules(CLI::App& app, Options& options) {
  CLI::App* rules = app.add_subcommand("rules", "The rules that inspection runs");
  rules->require_subcommand(0, 1);
  rules->add_subcommand("status", "What each profile has loaded, and what was refused");
  rules->add_subcommand("reload", "Read the rule files again, and nothing else");
  CLI::App* top = rules->add_subcommand("top", "The costliest rules and buffers, now");
  add_intervals(top, options);
  top->add_option("--max", options.max_rules, "At most so many rules")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  CLI::App* explained = rules->add_subcommand(
      "explain",
      "How a rule is looked for, what it cost, and why it does not fire in a session; `weir rules "
      "explain` says the same of a capture");
  explained->add_option("SID", options.rule, "The rule: SID or GID:SID")->required();
  explained->add_option("--session", options.session,
                        "Watch this one from now on, and say how far the rule gets in it: an ID of `weirctl "
                        "sessions`, flow_id of events");
  explained->add_option("--seconds", options.watch_s, "How long, unless the rule fires before")
      ->check(CLI::Range(0.1, 3'600.0))
      ->capture_default_str();
  top->add_flag("--total", options.since_read, "Once, since the rules were read");
}

/// Problems of a single change are told by its options, those of a batch by their place in its file.
Json by_option(Json answer, const std::string& kind) {
  if (!answer.is_object() || !answer.contains("error") || !answer["error"].is_object()) return answer;
  Json problems = Json::array();
  for (const Json& problem : weir::cli::list(answer["error"], "problems")) {
    problems.push_back(problem.is_string() ? Json(weir::cli::by_option(problem.get<std::string>(), kind))
                                           : problem);
  }
  answer["error"]["problems"] = std::move(problems);
  return answer;
}

int change(const Client& client, const Options& options, const ChangeCommands& commands) {
  const auto request = commands.request();
  if (!request) {
    std::fprintf(stderr, "weirctl: %s\n", request.error().message.c_str());
    return request.error().code == weir::ErrorCode::invalid ? kUsage : kFailed;
  }
  auto answer = client.post("/v1/changes", request->parameters, request->body, request->type);
  if (answer && !options.json) answer->body = by_option(std::move(answer->body), request->kind);
  return show(options.json, answer,
              [&](const Json& body) { return weir::cli::print_changes(body, commands.dry_run()); });
}

int run(const CLI::App& app, const Options& options, const ChangeCommands& changes,
        const ConfigCommands& configs, const AlertsCommand& alerts, const CLI::App& policy_test,
        const CLI::App& nat_map) {
  const Client client(options.socket);
  if (nat_map.parsed()) {
    return show(options.json, client.get("/v1/nat/map", nat_map_parameters(options)),
                weir::cli::print_nat_map);
  }
  if (policy_test.parsed())
    return show(options.json, client.get("/v1/path", path_parameters(options)), weir::cli::print_policy_test);
  if (app.got_subcommand("status"))
    return show(options.json, client.get("/v1/status"), weir::cli::print_status);
  if (app.got_subcommand("attachments"))
    return show(options.json, client.get("/v1/status"), weir::cli::print_attachments);
  if (app.got_subcommand("top")) {
    return top(client, options, "/v1/top", {}, [](const Json& before, const Json& after, size_t) {
      return weir::cli::print_top(before, after);
    });
  }
  if (app.got_subcommand("drops")) {
    return show(options.json, client.get("/v1/drops"),
                [&](const Json& answer) { return weir::cli::print_drops(answer, options.all_drops); });
  }
  if (app.got_subcommand("sessions")) {
    return show(options.json, client.get("/v1/sessions", {{"max", std::to_string(options.max_sessions)}}),
                weir::cli::print_sessions);
  }
  if (app.got_subcommand("routes")) {
    Client::Parameters parameters;
    if (!options.domain.empty()) parameters.emplace_back("domain", options.domain);
    if (!options.prefix.empty()) parameters.emplace_back("prefix", options.prefix);
    parameters.emplace_back("max", std::to_string(options.max_routes));
    return show(options.json, client.get("/v1/routes", parameters), weir::cli::print_routes);
  }
  for (const auto& [kind, help] : kLists) {
    if (!app.got_subcommand(kind)) continue;
    return show(options.json, client.get(std::string("/v1/") + kind),
                [&, name = std::string(kind)](const Json& answer) {
                  return weir::cli::print_configured(answer, name);
                });
  }
  if (app.got_subcommand("config")) {
    if (!configs.given()) return usage("a verb is missing: `weirctl config show`, `save` or `diff`");
    return configs.run(client, options.json);
  }
  if (alerts.given()) return alerts.run(client, options.json);
  if (app.got_subcommand("rules")) {
    const CLI::App* rules = app.get_subcommand("rules");
    if (rules->got_subcommand("reload"))
      return show(options.json, client.post("/v1/rules/reload"), weir::cli::print_reload);
    if (rules->got_subcommand("status"))
      return show(options.json, client.get("/v1/rules"), weir::cli::print_rules);
    if (rules->got_subcommand("top")) return rules_top(client, options);
    if (rules->got_subcommand("explain")) return explain(client, options);
    return usage("a verb is missing: `weirctl rules status`, `reload`, `top` or `explain`");
  }
  if (changes.lists("nat")) return show(options.json, client.get("/v1/nat"), weir::cli::print_nat);
  if (changes.lists("policy")) {
    return show(options.json, client.get("/v1/policy"),
                [](const Json& answer) { return weir::cli::print_configured(answer, "policy"); });
  }
  if (changes.given()) return change(client, options, changes);
  if (app.got_subcommand("reload"))
    return show(options.json, client.post("/v1/reload"), weir::cli::print_reload);
  return show(options.json, client.get("/v1/path", path_parameters(options)), weir::cli::print_path);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Asks a running Weir hub, and changes it.", "weirctl");
  app.add_option("--socket", options.socket, "The hub's API socket")->capture_default_str();
  app.add_flag("--json", options.json, "Print the hub's answer as it is");
  app.set_version_flag("--version", std::string("weirctl ") + WEIR_VERSION);
  app.require_subcommand(0, 1);  // looked at below, where an unknown verb can be named
  app.fallthrough();
  app.add_subcommand("status", "The hub, its workers, ports and attachments");
  app.add_subcommand("attachments",
                     "Which attachments are up, since when and why, and what passed through them");
  app.add_subcommand("sessions", "Sessions that are known now")
      ->add_option("--max", options.max_sessions, "At most so many")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  CLI::App* routes = app.add_subcommand("routes", "Routes by domain");
  routes->add_option("--domain", options.domain, "Only of this domain");
  routes->add_option("--prefix", options.prefix, "Only this prefix and more specific ones");
  routes->add_option("--max", options.max_routes, "At most so many")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_subcommand("drops", "Why packets were dropped")
      ->add_flag("--all", options.all_drops, "Also reasons that did not occur");
  app.add_subcommand("reload", "Read the configuration and rules again");
  add_rules(app, options);
  const AlertsCommand alerts(app);
  add_top(app, options);
  add_path(app, options);
  for (const auto& [kind, help] : kLists) app.add_subcommand(kind, help);
  const ChangeCommands changes(app);
  const ConfigCommands configs(app);
  const CLI::App* policy_test = add_policy_test(app, options);
  const CLI::App* nat_map = add_nat_map(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ExtrasError& error) {
    const std::vector<std::string> unknown = app.remaining();
    const bool verb = app.get_subcommands().empty() && !unknown.empty() && !unknown.front().starts_with("-");
    if (verb) return usage("there is no verb \"" + unknown.front() + "\"");
    return app.exit(error) == 0 ? kOk : kUsage;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  if (app.get_subcommands().empty()) return usage("a verb is missing");
  return run(app, options, changes, configs, alerts, *policy_test, *nat_map);
}
