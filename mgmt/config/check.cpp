#include "mgmt/config/check.h"

#include <algorithm>
#include <ostream>

#include "dataplane/session/session_table.h"
#include "mgmt/config/reader.h"
#include "mgmt/config/rule_variables.h"
#include "mgmt/config/shadowing.h"

namespace weir::config {

namespace {

using Unmet = std::vector<inspection::ast::RuleLists::Unmet>;

/// Files that a profile names beside its rules, each on its own.
void check_side_files(const Profile& profile, const CheckRules& check_rules, CheckReport& report) {
  struct SideFile {
    std::string inspection::RuleSource::*member;
    const Location& where;
    const char* key;
  };
  const SideFile files[] = {
      {&inspection::RuleSource::thresholds, profile.threshold_where, "profile[].thresholds"},
      {&inspection::RuleSource::classes, profile.classification_where, "profile[].classification"},
      {&inspection::RuleSource::references, profile.reference_where, "profile[].references"}};
  const inspection::RuleSource all = rule_source(profile);
  for (const SideFile& file : files) {
    if ((all.*file.member).empty()) continue;
    inspection::RuleSource source;
    source.*file.member = all.*file.member;
    auto build = check_rules(source, {});
    if (!build) report.problems.push_back({file.where, file.key, build.error().message});
    for (std::string& note : build ? build->notes : std::vector<std::string>{})
      report.notes.push_back({file.where, file.key, std::move(note)});
  }
}

/// Each file on its own, so that one that cannot be read is named at its place in the configuration.
void check_profile(const Profile& profile, const CheckRules& check_rules, CheckReport& report) {
  CheckReport::Rules rules;
  rules.profile = profile.name;
  const auto variables = rule_variables(profile);
  const size_t problems = report.problems.size();
  check_side_files(profile, check_rules, report);
  inspection::RuleSource source = rule_source(profile);
  if (report.problems.size() != problems) source.thresholds = source.classes = source.references = "";
  std::optional<Unmet> unmet;  // in every file so far
  for (size_t i = 0; i < profile.rule_files.size(); ++i) {
    source.files = {profile.rule_files[i]};
    auto build = check_rules(source, variables);
    if (!build) {
      report.problems.push_back({profile.rule_files_where[i], "profile[].rules", build.error().message});
      continue;
    }
    rules.loaded += build->loaded;
    rules.enabled += build->enabled;
    rules.disabled += build->disabled;
    rules.changed += build->changed;
    rules.silenced += build->silenced;
    if (!unmet) unmet = build->unmet;
    std::erase_if(*unmet, [&](const auto& one) {
      return std::find(build->unmet.begin(), build->unmet.end(), one) == build->unmet.end();
    });
    for (std::string& sentence : build->unbound)
      report.notes.push_back({profile.rule_files_where[i], "profile[].rules", std::move(sentence)});
    std::move(build->refused.begin(), build->refused.end(), std::back_inserter(rules.refused));
  }
  for (const auto& one : unmet ? *unmet : Unmet{}) {
    const ProfileRuleEntry& entry = profile.lists[one.entry];
    report.notes.push_back(
        {entry.where, "profile[]." + std::string(name_of(entry.change)), "no file has a rule " + one.what});
  }
  report.rules.push_back(std::move(rules));
}

bool connected(const Config& config, const std::string& a, const std::string& b) {
  return a == b ||
         std::any_of(config.connections.begin(), config.connections.end(),
                     [&](const Connection& c) { return (c.a == a && c.b == b) || (c.a == b && c.b == a); });
}

/// Whether any connection lets a session of this rule exist. Rules that leave a side open are not judged.
bool reachable(const Config& config, const PolicyRule& rule) {
  if (rule.from.domains.empty() || rule.to.domains.empty()) return true;
  return std::any_of(rule.from.domains.begin(), rule.from.domains.end(), [&](const std::string& from) {
    return std::any_of(rule.to.domains.begin(), rule.to.domains.end(),
                       [&](const std::string& to) { return connected(config, from, to); });
  });
}

/// Sessions between domains that no connection joins are refused before anything is translated.
void take_nat_notes(const Config& config, std::vector<Problem>& notes) {
  for (const Nat& rule : config.nat) {
    std::string apart;
    for (const std::string& from : rule.from) {
      if (!connected(config, from, rule.domain)) apart += (apart.empty() ? "" : ", ") + in_quotes(from);
    }
    if (apart.empty()) continue;
    notes.push_back({rule.where, "nat[]",
                     "rule " + in_quotes(rule.name) + " translates nothing for " + apart +
                         ": no connection joins them to " + in_quotes(rule.domain)});
  }
}

void take_notes(const Config& config, std::vector<Problem>& notes) {
  const auto& cores = config.workers.cores;
  if (config.control.core && std::find(cores.begin(), cores.end(), *config.control.core) != cores.end()) {
    notes.push_back({config.control.where, "control.core",
                     "core " + std::to_string(*config.control.core) +
                         " has a worker too; they take turns, which costs speed"});
  }
  for (const PolicyRule& rule : config.policy) {
    if (!rule.enabled || reachable(config, rule)) continue;
    notes.push_back({rule.where, "policy[]",
                     "rule " + in_quotes(rule.id) + " never matches: no connection joins its domains"});
  }
  take_nat_notes(config, notes);
  take_policy_notes(config, notes);
  if (config.policy.empty()) {
    notes.push_back({{config.file, 0, 0}, "policy", "there is no rule, so every session is denied"});
  }
}

std::string place(const std::string& file, uint32_t line, uint32_t column) {
  return to_string(Problem{{file, line, column}, "", ""});
}

std::string count(size_t n, const char* one, const char* many) {
  return std::to_string(n) + " " + (n == 1 ? one : many);
}

void print_summary(const CheckReport& report, std::ostream& out) {
  const Config& c = *report.config;
  out << c.file << ": hub " << in_quotes(c.hub_name) << ": "
      << count(c.workers.cores.size(), "worker", "workers") << ", " << count(c.ports.size(), "port", "ports")
      << ", " << count(c.domains.size(), "domain", "domains") << ", "
      << count(c.attachments.size(), "attachment", "attachments") << ", "
      << count(c.routes.size(), "route", "routes") << ", "
      << count(c.connections.size(), "connection", "connections") << ", "
      << count(c.policy.size(), "policy rule", "policy rules") << ", "
      << count(c.profiles.size(), "profile", "profiles") << "\n";
  for (const auto& rules : report.rules) {
    out << "profile " << in_quotes(rules.profile) << ": " << count(rules.loaded, "rule", "rules")
        << " loaded, " << rules.refused.size() << " refused";
    const std::pair<size_t, const char*> effects[] = {{rules.enabled, "enabled"},
                                                      {rules.disabled, "disabled"},
                                                      {rules.changed, "with another action"},
                                                      {rules.silenced, "suppressed"}};
    for (const auto& [number, what] : effects) {
      if (number != 0) out << ", " << number << " " << what;
    }
    out << "\n";
  }
  out << "memory:\n" << to_string(report.memory);
}

}  // namespace

CheckReport check_config(const std::string& path, const CheckRules& check_rules) {
  CheckReport report;
  auto config = read_config(path);
  if (!config) {
    report.problems = std::move(config.error());
    return report;
  }
  report.memory = memory_plan(*config, &dataplane::SessionTable::bytes_for);
  if (auto problem = too_little_memory(*config, report.memory))
    report.problems.push_back(std::move(*problem));
  for (const Profile& profile : config->profiles) check_profile(profile, check_rules, report);
  take_notes(*config, report.notes);
  report.config = std::move(*config);
  return report;
}

int print_report(const CheckReport& report, std::ostream& out, std::ostream& err) {
  for (const auto& rules : report.rules) {
    for (const auto& issue : rules.refused) {
      err << place(issue.file, issue.line, issue.column) << "rule refused: ";
      if (!issue.keyword.empty()) err << issue.keyword << ": ";
      err << issue.message << "\n";
    }
  }
  for (const Problem& note : report.notes) err << to_string(note) << " (note)\n";
  for (const Problem& problem : report.problems) err << to_string(problem) << "\n";
  if (!report.problems.empty()) {
    err << count(report.problems.size(), "problem", "problems") << "\n";
    return 1;
  }
  print_summary(report, out);
  return 0;
}

}  // namespace weir::config
