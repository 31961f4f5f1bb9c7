#include "mgmt/control/reconfigure.h"

#include <algorithm>
#include <new>
#include <set>
#include <sstream>

#include "inspection/inspector.h"
#include "mgmt/config/diff.h"
#include "mgmt/config/reader.h"
#include "mgmt/config/writer.h"

namespace weir::control {

namespace {

std::string describe(const inspection::RuleIssue& issue) {
  std::string text = issue.file + ":" + std::to_string(issue.line);
  if (issue.column != 0) text += ":" + std::to_string(issue.column);
  if (!issue.keyword.empty()) text += ": " + issue.keyword;
  return text + ": " + issue.message + "; the rule is left out";
}

std::vector<std::string> in_words(const std::vector<config::Problem>& problems) {
  std::vector<std::string> lines;
  lines.reserve(problems.size());
  for (const auto& problem : problems) lines.push_back(config::to_string(problem));
  return lines;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Things that were made at run time stay, unless the file has one of the same name now.
template <typename Thing>
void keep_changes(const config::Config& old, const std::vector<Thing>& before, std::vector<Thing>& next) {
  std::set<std::string> names;
  for (const Thing& thing : next) names.insert(name_of(thing));
  for (const Thing& thing : before) {
    if (!config::from_file(old, thing.where) && !names.contains(name_of(thing))) next.push_back(thing);
  }
}

void keep_changes(const config::Config& old, config::Config& next) {
  keep_changes(old, old.domains, next.domains);
  keep_changes(old, old.attachments, next.attachments);
  keep_changes(old, old.routes, next.routes);
  keep_changes(old, old.connections, next.connections);
  keep_changes(old, old.policy, next.policy);
}

/// The file as it is now, if a running hub can take it over; else the problems are in `outcome`.
std::shared_ptr<const config::Config> reread(const config::Config& old, BuildOutcome& outcome) {
  auto next = config::read_config(old.file);
  if (!next) {
    outcome.problems = in_words(next.error());
    return nullptr;
  }
  keep_changes(old, *next);
  const config::ConfigDiff changes = config::diff(old, *next);
  outcome.problems = in_words(config::refusals(changes));
  if (!outcome.problems.empty()) return nullptr;
  outcome.changes = lines_of(config::to_string(changes));
  return std::make_shared<const config::Config>(std::move(*next));
}

using config::ChangeVerb;
using Lines = std::vector<std::string>;

bool same_thing(const config::Domain& a, const config::Domain& b) { return a.name == b.name; }
bool same_thing(const config::Attachment& a, const config::Attachment& b) { return a.name == b.name; }
bool same_thing(const config::PolicyRule& a, const config::PolicyRule& b) { return a.id == b.id; }
bool same_thing(const config::Connection& a, const config::Connection& b) {
  return std::minmax(a.a, a.b) == std::minmax(b.a, b.b);
}
bool same_thing(const config::Route& a, const config::Route& b) {
  const bool any = b.attachment.empty() && !b.blackhole;
  return a.domain == b.domain && a.prefix == b.prefix &&
         (any || (a.attachment == b.attachment && a.via == b.via));
}

template <typename Thing>
void edit_list(std::vector<Thing>& list, const Thing& subject, ChangeVerb verb, Lines& problems) {
  const auto at =
      std::find_if(list.begin(), list.end(), [&](const Thing& x) { return same_thing(x, subject); });
  if (verb == ChangeVerb::add && at != list.end()) return problems.push_back("it is there already");
  if (verb == ChangeVerb::remove && at == list.end()) return problems.push_back("there is none to remove");
  if (verb == ChangeVerb::remove) {
    std::erase_if(list, [&](const Thing& x) { return same_thing(x, subject); });
  } else if (at != list.end()) {
    *at = subject;
  } else {
    list.push_back(subject);
  }
}

void edit(config::Config& config, const config::ModelChange& change, Lines& problems) {
  const auto in = [&](auto& list, const auto& subject) { edit_list(list, subject, change.verb, problems); };
  std::visit(
      [&](const auto& subject) {
        using Thing = std::decay_t<decltype(subject)>;
        if constexpr (std::is_same_v<Thing, config::Domain>) in(config.domains, subject);
        if constexpr (std::is_same_v<Thing, config::Attachment>) in(config.attachments, subject);
        if constexpr (std::is_same_v<Thing, config::Route>) in(config.routes, subject);
        if constexpr (std::is_same_v<Thing, config::Connection>) in(config.connections, subject);
        if constexpr (std::is_same_v<Thing, config::PolicyRule>) in(config.policy, subject);
      },
      change.subject);
}

}  // namespace

RuleBuild build_rules(const config::Config& config, unsigned workers) {
  RuleBuild all;
  for (const config::Profile& profile : config.profiles) {
    auto built = inspection::build_ruleset(profile.rule_files, workers);
    if (!built) {
      all.problems.push_back(
          {profile.where, "profile " + config::in_quotes(profile.name), built.error().message});
      continue;
    }
    for (const auto& issue : built->refused) all.refused.push_back(describe(issue));
    all.profiles.push_back({profile.name, built->loaded, built->refused.size()});
    all.rulesets.emplace(profile.name, std::move(built->ruleset));
  }
  return all;
}

BuildOutcome run_build(BuildJob job) {
  BuildOutcome outcome;
  outcome.next = job.now;
  outcome.next.model = nullptr;
  if (job.reread) {
    outcome.next.config = reread(*job.now.config, outcome);
    if (!outcome.problems.empty()) return outcome;
    RuleBuild rules = build_rules(*outcome.next.config, job.facts.workers);
    outcome.problems = in_words(rules.problems);
    if (!outcome.problems.empty()) return outcome;
    outcome.notes = std::move(rules.refused);
    outcome.next.rulesets = std::move(rules.rulesets);
    outcome.next.profiles = std::move(rules.profiles);
  }
  if (job.changes) {
    auto next = std::make_shared<config::Config>(*job.now.config);
    for (const auto& change : *job.changes) edit(*next, change, outcome.problems);
    if (!outcome.problems.empty()) return outcome;
    outcome.changes = lines_of(config::to_string(config::diff(*job.now.config, *next)));
    outcome.next.config = std::move(next);
  }
  auto compiled =
      model::compile({*outcome.next.config, job.facts, job.paths, outcome.next.rulesets, *job.now.model,
                      job.released_attachments, job.released_domains, job.withdrawn});
  if (compiled) {
    for (std::string& line : in_words(compiled->warnings)) outcome.notes.push_back(std::move(line));
    outcome.compiled = std::move(*compiled);
  } else {
    outcome.problems = in_words(compiled.error());
  }
  outcome.job = std::move(job);
  return outcome;
}

BuildOutcome run_build_or_explain(BuildJob job, BuildOutcome (*build)(BuildJob)) {
  const bool reread = job.reread;
  try {
    return build(std::move(job));
  } catch (const std::bad_alloc&) {  // what the build held is free again
    BuildOutcome outcome;
    outcome.problems.push_back(
        reread ? "not enough memory to compile the configuration and its rules"
               : "not enough memory to compile the tables anew after the underlay changed");
    return outcome;
  }
}

}  // namespace weir::control
