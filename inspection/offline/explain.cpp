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

/// A session, and how far the rule got in it.
struct Outcome {
  std::string session;
  RuleStep furthest;
  size_t fired = 0;
};

std::string ends_of(const net::IpAddress& from, uint16_t from_port, const net::IpAddress& to,
                    uint16_t to_port, uint8_t protocol) {
  const auto end = [](const net::IpAddress& address, uint16_t port) {
    std::string text = net::to_string(address);
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

/// Why a rule is not there; none of these: no file has it.
std::string why_missing(const RuleName& rule, const RuleSource& source, const RulesRead& read,
                        const DetectionRuleset& compiled) {
  std::string why;
  // It may be there and refused.
  const auto tell = [&](const ast::Issue& issue) {
    if (issue.sid == rule.sid) why += ast::to_string(issue, read.rules) + "\n";
  };
  std::for_each(read.rules.issues.begin(), read.rules.issues.end(), tell);
  std::for_each(compiled.issues().begin(), compiled.issues().end(), tell);
  if (!why.empty() || source.lists.empty()) return why;
  RuleSource whole = source;
  whole.lists.clear();
  const auto without_lists = read_rules(whole);
  if (!without_lists) return why;
  const ast::ParsedRuleset& rules = without_lists->rules;
  for (const ast::Rule& one : rules.rules) {
    if (one.gid == rule.gid && one.sid == rule.sid)
      why += rules.files[one.file] + ":" + std::to_string(one.line) +
             ": it stands here; `disable` of the profile takes it out\n";
  }
  return why;
}

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
    err << why_missing(request.rule, request.inspect.rules, *read, **compiled);
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
