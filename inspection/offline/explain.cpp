#include "inspection/offline/explain.h"

#include <algorithm>
#include <map>
#include <ostream>

#include "inspection/compile/rule_summary.h"
#include "inspection/engine/ruleset_builder.h"

namespace weir::inspection::offline {

namespace {

constexpr int kOk = 0, kFailed = 1;

/// Control bytes of a rule's text do not reach the terminal.
std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 2'000)) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  return out;
}

void print(const RuleSummary& summary, std::ostream& out) {
  out << summary.name << ": " << shown(summary.message) << "\n"
      << "  stands at    " << shown(summary.place) << "\n"
      << "  action       " << summary.action << "\n"
      << "  judged by    " << summary.moment << "\n";
  if (summary.buffer.empty()) {
    out << "  proposed by  nothing: it is asked for each " << summary.moment
        << " that its header lets through\n";
  } else {
    out << "  proposed by  \"" << summary.literal << (summary.nocase ? "\" (nocase) in " : "\" in ")
        << summary.buffer << "\n";
  }
  out << "  conditions   " << (summary.conditions.empty() ? "the header alone" : shown(summary.conditions))
      << "\n";
}

std::string words_of(const DetectionRule& rule, const RuleStep& step) {
  using At = RuleStep::At;
  const std::string bytes = std::to_string(step.bytes) + (step.bytes == 1 ? " byte" : " bytes");
  const auto buffer = [&] {
    return step.part < rule.parts.size() ? buffer_name(rule.parts[step.part]) : std::string("its buffer");
  };
  switch (step.at) {
    case At::direction:
      return "nothing went the way that its `flow` asks for";
    case At::layer:
      return "the protocol of its header is another one";
    case At::app:
      return "the application protocol of its header is another one, or was not told yet";
    case At::flow:
      return "what it asks of the session with `flow` (established, ...) does not hold";
    case At::addresses:
      return "the addresses or ports of its header do not hold";
    case At::buffer:
      return buffer() + " did not come";
    case At::literal:
      return buffer() + " came (" + bytes + "), and \"" + as_content(rule.fast.bytes) + "\" is not in it";
    case At::bytes: {
      const bool named = step.part < rule.parts.size() && step.check < rule.parts[step.part].checks.size();
      const std::string what =
          named ? name_of(rule.parts[step.part].checks[step.check]) : std::string("a condition");
      return what + " does not hold in " + buffer() + " (" + bytes + ")" +
             (named ? ", its condition " + std::to_string(step.check + 1) + " there" : "");
    }
    case At::waits:
      return "it waited for more: " + buffer() + " was not decided";
    case At::state:
      return (step.check < rule.packet_checks.size() ? name_of(rule.packet_checks[step.check])
                                                     : std::string("what it asks of the session")) +
             " does not hold";
    case At::sets:
      return "its data set does not have the value";
    case At::silent:
      return "all of it held; a threshold or a suppression kept it from alerting";
    case At::noalert:
      return "all of it held; `noalert` keeps it from alerting";
    case At::fired:
      return "it fired";
  }
  return "";
}

/// A session, and how far the rule got in it.
struct Outcome {
  std::string session;
  RuleStep furthest;
  size_t fired = 0;
};

std::string ends_of(const net::IpAddress& from, uint16_t from_port, const net::IpAddress& to,
                    uint16_t to_port, uint8_t protocol) {
  const auto end = [](const net::IpAddress& address, uint16_t port) {
    const std::string text = net::to_string(address);
    if (port == 0) return text;
    return (address.is_v4() ? text : "[" + text + "]") + ":" + std::to_string(port);
  };
  const std::string name = protocol == 6    ? "TCP"
                           : protocol == 17 ? "UDP"
                                            : "protocol " + std::to_string(protocol);
  return name + " " + end(from, from_port) + " -> " + end(to, to_port);
}

class Outcomes {
 public:
  void note(const EngineSession* session, const EnginePacket& packet, const RuleStep& step) {
    const uint64_t id = session != nullptr ? session->id : 0;
    const auto [known, is_new] = of_.try_emplace(id);
    Outcome& outcome = known->second;
    if (is_new) {
      const PacketView& view = packet.view;
      outcome.session = session != nullptr
                            ? "session " + std::to_string(id) + " " +
                                  ends_of(session->client, session->client_port, session->server,
                                          session->server_port, session->protocol)
                            : "packets of no session, the first " +
                                  ends_of(view.src, view.src_port, view.dst, view.dst_port, view.protocol);
    }
    if (is_new || step.at >= outcome.furthest.at) outcome.furthest = step;
    outcome.fired += step.at == RuleStep::At::fired ? 1 : 0;
  }
  void print(const DetectionRule& rule, std::ostream& out) const {
    if (of_.empty()) out << "\nthe capture has nothing that it was held against\n";
    for (const auto& [id, outcome] : of_) {
      out << "\n" << outcome.session << ": ";
      if (outcome.fired != 0) {
        out << "fired " << outcome.fired << (outcome.fired == 1 ? " time\n" : " times\n");
      } else {
        out << "did not fire\n  " << shown(words_of(rule, outcome.furthest)) << "\n";
      }
    }
  }

 private:
  std::map<uint64_t, Outcome> of_;  // by session
};

}  // namespace

int run_explain(ExplainRequest request, std::ostream& out, std::ostream& err) {
  const auto failed = [&](const std::string& sentence) {
    err << "weir: " << sentence << '\n';
    return kFailed;
  };
  const auto read = read_rules(request.inspect.rules);
  if (!read) return failed(read.error().message);
  DetectionCompileOptions options;
  options.thresholds = &read->thresholds;
  const auto compiled = DetectionRuleset::compile(read->rules, options);
  if (!compiled) return failed(compiled.error().message);
  const auto number = (*compiled)->find(request.rule);
  const std::string name = std::to_string(request.rule.gid) + ":" + std::to_string(request.rule.sid);
  if (!number) {
    // It may be there and refused.
    const auto tell = [&](const ast::Issue& issue) {
      if (issue.sid == request.rule.sid) err << "weir: " << ast::to_string(issue, read->rules) << '\n';
    };
    std::for_each(read->rules.issues.begin(), read->rules.issues.end(), tell);
    std::for_each((*compiled)->issues().begin(), (*compiled)->issues().end(), tell);
    return failed("no rule " + name + " is loaded");
  }
  const DetectionRule& rule = (*compiled)->rule(*number);
  print(summary_of(rule), out);
  if (request.inspect.pcap.empty()) return kOk;
  Outcomes outcomes;
  InspectRequest& inspect = request.inspect;
  inspect.eve = "/dev/null";
  inspect.quiet = true;
  inspect.settings.engine.detector.explain = request.rule;
  inspect.explain = [&](const EngineSession* session, const EnginePacket& packet, const RuleStep& step) {
    outcomes.note(session, packet, step);
  };
  if (run_inspect(std::move(inspect), err) != kInspectOk) return kFailed;
  outcomes.print(rule, out);
  return kOk;
}

}  // namespace weir::inspection::offline
