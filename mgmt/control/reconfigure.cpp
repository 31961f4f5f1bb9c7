#include "mgmt/control/reconfigure.h"

#include <new>
#include <sstream>

#include "inspection/inspector.h"
#include "mgmt/config/diff.h"
#include "mgmt/config/reader.h"

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

/// The file as it is now, if a running hub can take it over; else the problems are in `outcome`.
std::shared_ptr<const config::Config> reread(const config::Config& old, BuildOutcome& outcome) {
  auto next = config::read_config(old.file);
  if (!next) {
    outcome.problems = in_words(next.error());
    return nullptr;
  }
  const config::ConfigDiff changes = config::diff(old, *next);
  outcome.problems = in_words(config::refusals(changes));
  if (!outcome.problems.empty()) return nullptr;
  outcome.changes = lines_of(config::to_string(changes));
  return std::make_shared<const config::Config>(std::move(*next));
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
  auto compiled = model::compile({*outcome.next.config, job.facts, job.paths, outcome.next.rulesets,
                                  *job.now.model, job.released_attachments, job.released_domains});
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
