#include "mgmt/cli/alerts.h"

#include <chrono>
#include <cstdio>
#include <thread>

#include "mgmt/cli/answer.h"
#include "mgmt/cli/fields.h"

namespace weir::cli {

namespace {

constexpr auto kPause = std::chrono::milliseconds(250);

/// "10.1.0.5:40000", "[2001:db8::1]:80", "10.1.0.5".
std::string end_of(const Json& alert, const char* address, const char* port) {
  std::string host = text(alert, address);
  if (!alert.contains(port)) return host;
  return (host.find(':') != std::string::npos ? "[" + host + "]" : host) + ":" + text(alert, port);
}

/// What the transaction was about.
std::string about(const Json& alert) {
  const Json http = child(alert, "http"), tls = child(alert, "tls"), dns = child(alert, "dns");
  const auto word = [](const Json& object, const char* key) {
    return object.is_object() && object.contains(key) ? text(object, key) : std::string();
  };
  if (!http.is_null() && !http.empty())
    return " " + word(http, "http_method") + " " + word(http, "hostname") + word(http, "url");
  if (const std::string name = word(tls, "sni"); !name.empty()) return " tls " + name;
  if (const std::string name = word(child(alert, "quic"), "sni"); !name.empty()) return " quic " + name;
  const Json& queries = list(dns, "queries");
  return queries.empty() ? "" : " dns " + text(queries.front(), "rrname");
}

std::string lost_line(uint64_t lost) {
  return std::to_string(lost) + " alerts are lost, this end was too slow";
}

std::string print_alerts(const Json& answer) {
  std::string out;
  for (const Json& alert : list(answer, "alerts")) out += alert_line(alert) + "\n";
  return out.empty() ? "no alerts\n" : out;
}

}  // namespace

std::string alert_line(const Json& alert) {
  const Json rule = child(alert, "alert"), weir = child(alert, "weir");
  std::string line = text(alert, "timestamp") + " " + text(rule, "action") + " [" + text(rule, "gid") + ":" +
                     text(rule, "signature_id") + ":" + text(rule, "rev") + "] " + text(rule, "signature") +
                     " [priority " + text(rule, "severity") + "] {" + text(alert, "proto") + "} " +
                     end_of(alert, "src_ip", "src_port") + " -> " + end_of(alert, "dest_ip", "dest_port") +
                     about(alert);
  if (weir.is_object() && weir.contains("from_domain"))
    line += " (" + text(weir, "from_domain") + " to " + text(weir, "to_domain") + ", rule " +
            text(weir, "policy_rule") + ")";
  return line;
}

AlertsCommand::AlertsCommand(CLI::App& app)
    : command_(app.add_subcommand("alerts", "The latest alerts of inspection, and those that come")) {
  command_->add_option("--max", max_, "At most so many of the latest")
      ->check(CLI::Range(1, 1'024))
      ->capture_default_str();
  command_->add_flag("--follow", follow_, "Go on with those that come");
}

int AlertsCommand::run(const Client& client, bool json) const {
  if (follow_) return follow(client, json);
  return show(json, client.get("/v1/alerts", {{"max", std::to_string(max_)}}), print_alerts);
}

int AlertsCommand::follow(const Client& client, bool json) const {
  Client::Parameters parameters{{"max", std::to_string(max_)}};
  while (true) {
    const auto answer = client.get("/v1/alerts", parameters);
    if (!answer || !answer->ok()) return show(json, answer, print_alerts);
    if (const uint64_t lost = number(answer->body, "lost"); lost != 0)
      std::fprintf(stderr, "weirctl: %s\n", lost_line(lost).c_str());
    const Json& alerts = list(answer->body, "alerts");
    for (const Json& alert : alerts) {
      const std::string line =
          json ? alert.dump(-1, ' ', false, Json::error_handler_t::replace) : alert_line(alert);
      std::printf("%s\n", line.c_str());
    }
    if (std::fflush(stdout) != 0) return kFailed;
    parameters = {{"max", "1024"}, {"from", std::to_string(number(answer->body, "next"))}};
    if (alerts.empty()) std::this_thread::sleep_for(kPause);
  }
}

}  // namespace weir::cli
