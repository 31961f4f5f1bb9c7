#include "mgmt/control/reconfigure.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <new>
#include <set>
#include <sstream>
#include <utility>

#include "mgmt/config/diff.h"
#include "mgmt/config/reader.h"
#include "mgmt/control/profile_spec.h"

namespace weir::control {

namespace {

std::string describe(const inspection::RuleIssue& issue) {
  std::string text = issue.file + ":" + std::to_string(issue.line);
  if (issue.column != 0) text += ":" + std::to_string(issue.column);
  if (!issue.keyword.empty()) text += ": " + issue.keyword;
  return text + ": " + issue.message + "; the rule is left out";
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Null: none is wanted, or it cannot be used, which is no reason not to inspect.
std::unique_ptr<inspection::DatabaseCache> open_cache(const config::Config& config,
                                                      std::vector<std::string>& lines) {
  if (config.rule_cache.folder.empty() || config.profiles.empty()) return nullptr;
  auto cache =
      inspection::DatabaseCache::open(config.rule_cache.folder, uint64_t{config.rule_cache.max_mib} << 20);
  if (cache) return std::move(*cache);
  lines.push_back("rule_cache.folder: " + cache.error().message + "; all rules are compiled");
  return nullptr;
}

}  // namespace

std::vector<std::string> in_words(const std::vector<config::Problem>& problems) {
  std::vector<std::string> lines;
  lines.reserve(problems.size());
  for (const auto& problem : problems) lines.push_back(config::to_string(problem));
  return lines;
}

FileConfig FileConfig::of(config::Config config) {
  // Put aside while the rest is copied, since there may be a million of them.
  auto domains = std::exchange(config.domains, {});
  auto attachments = std::exchange(config.attachments, {});
  auto routes = std::exchange(config.routes, {});
  auto connections = std::exchange(config.connections, {});
  auto groups = std::exchange(config.objects.groups, {});
  auto policy = std::exchange(config.policy, {});
  auto settings = std::make_shared<const config::Config>(config);
  config.domains = std::move(domains);
  config.attachments = std::move(attachments);
  config.routes = std::move(routes);
  config.connections = std::move(connections);
  config.objects.groups = std::move(groups);
  config.policy = std::move(policy);
  return {std::make_shared<const config::Config>(std::move(config)), std::move(settings), {}};
}

RuleBuild build_rules(const config::Config& config, unsigned workers, const RulesShare& share) {
  RuleBuild all;
  const auto cache = open_cache(config, all.refused);
  inspection::RulesetBuilder builder(workers, share.names, cache.get());
  std::set<std::string> told;  // profiles may have files in common
  const auto tell = [&](std::string line) {
    if (told.insert(line).second) all.refused.push_back(std::move(line));
  };
  for (const config::Profile& profile : config.profiles) {
    inspection::ProfileSpec spec = spec_of(profile);
    spec.magic = share.magic;
    auto built = builder.build(spec);
    if (!built) {
      all.problems.push_back(
          {profile.where, "profile " + config::in_quotes(profile.name), built.error().message});
      continue;
    }
    for (const auto& issue : built->refused) tell(describe(issue));
    for (const auto& sentence : built->unbound)
      tell("profile " + config::in_quotes(profile.name) + ": " + sentence);
    for (const auto& unmet : built->unmet) {
      const config::ProfileRuleEntry& entry = profile.lists[unmet.entry];
      tell(config::to_string(config::Problem{entry.where, "profile[]." + std::string(name_of(entry.change)),
                                             "no file has a rule " + unmet.what}));
    }
    for (const auto& sentence : built->notes) tell(sentence);
    ProfileView view{profile.name, built->loaded, built->refused.size(), profile.rule_files};
    for (size_t i = 0; i < std::min(built->refused.size(), ProfileView::kMaxRefused); ++i)
      view.refused.push_back(describe(built->refused[i]));
    view.digest = built->digest;
    view.bytes = built->bytes;
    all.profiles.push_back(std::move(view));
    all.rulesets.emplace(profile.name, std::move(built->ruleset));
  }
  all.compiled = builder.compiled();
  if (cache != nullptr) {
    cache->prune();
    auto outcome = cache->outcome();
    all.cache = "of the rules' databases " + std::to_string(outcome.loaded) + " come from " +
                config.rule_cache.folder + ", " + std::to_string(outcome.compiled) + " were compiled";
    std::ranges::move(outcome.notes, std::back_inserter(all.refused));
  }
  return all;
}

model::Settings settings_of(const config::Config& config, model::Rulesets rulesets) {
  return {config.timeouts,           config.tcp,
          config.profiles,           std::move(rulesets),
          config.objects.prefixes,   config.objects.services,
          config.events.default_deny};
}

ReadOutcome read_again(const ReadJob& job) {
  ReadOutcome outcome;
  auto next = config::read_config(job.before->file);
  if (!next) {
    outcome.problems = in_words(next.error());
    return outcome;
  }
  const config::ConfigDiff settings = config::diff_settings(*job.before, *next);
  outcome.problems = in_words(config::refusals(settings));
  if (!outcome.problems.empty()) return outcome;
  outcome.changes = lines_of(config::to_string(settings));
  RuleBuild rules = build_rules(*next, job.workers, job.share);
  outcome.problems = in_words(rules.problems);
  if (!outcome.problems.empty()) return outcome;
  outcome.notes = std::move(rules.refused);
  outcome.rulesets = std::move(rules.rulesets);
  outcome.next = FileConfig::of(std::move(*next));
  outcome.next.profiles = std::move(rules.profiles);
  outcome.things.emplace(job.before, outcome.next.whole);
  return outcome;
}

ReadOutcome read_rules_again(const RulesJob& job) {
  ReadOutcome outcome;
  RuleBuild rules = build_rules(*job.file.settings, job.workers, job.share);
  outcome.problems = in_words(rules.problems);
  if (!outcome.problems.empty()) return outcome;
  outcome.notes = std::move(rules.refused);
  outcome.rulesets = std::move(rules.rulesets);
  for (const ProfileView& before : job.file.profiles) {
    const auto now = std::find_if(rules.profiles.begin(), rules.profiles.end(),
                                  [&](const ProfileView& p) { return p.name == before.name; });
    if (now != rules.profiles.end() && now->digest != before.digest)
      outcome.changes.push_back("~ rules of profile " + config::in_quotes(before.name));
  }
  outcome.next = {job.file.whole, job.file.settings, std::move(rules.profiles)};
  return outcome;
}

namespace {

template <typename Job>
ReadOutcome or_explain(const Job& job, ReadOutcome (*read)(const Job&)) {
  try {
    return read(job);
  } catch (const std::bad_alloc&) {  // what it held is free again
    ReadOutcome outcome;
    outcome.problems.push_back("not enough memory to compile the configuration and its rules");
    return outcome;
  }
}

}  // namespace

ReadOutcome read_again_or_explain(const ReadJob& job, ReadOutcome (*read)(const ReadJob&)) {
  return or_explain(job, read);
}

ReadOutcome read_again_or_explain(const RulesJob& job, ReadOutcome (*read)(const RulesJob&)) {
  return or_explain(job, read);
}

}  // namespace weir::control
