// From a configuration file to a compiled model: everything that takes long, on the builder thread.
//
// Pure but for reading the configuration and rule files. A failure is a list of problems and nothing else.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "mgmt/config/change.h"
#include "mgmt/config/config.h"
#include "mgmt/control/views.h"
#include "mgmt/model/compile.h"

namespace weir::control {

/// What the hub works by now. Replaced as a whole.
struct InForce {
  std::shared_ptr<const config::Config> config;
  std::shared_ptr<const model::Model> model;
  model::Rulesets rulesets;
  std::vector<ProfileView> profiles;
};

/// Rules of all profiles, read and compiled.
struct RuleBuild {
  model::Rulesets rulesets;
  std::vector<ProfileView> profiles;
  std::vector<std::string> refused;  // a line for each rule that was left out
  std::vector<config::Problem> problems;
};
RuleBuild build_rules(const config::Config& config, unsigned workers);

struct BuildJob {
  bool reread =
      false;  // read the file and the rules again; else only compile again, as the underlay has changed
  InForce now;
  model::StartFacts facts;
  model::PathTable paths;
  std::vector<dataplane::AttachmentId> released_attachments;
  std::vector<dataplane::DomainId> released_domains;
  std::optional<config::ModelChanges> changes = {};  // to the configuration in force
  std::set<dataplane::AttachmentId> withdrawn = {};  // see model::CompileInput
};

struct BuildOutcome {
  std::vector<std::string> problems;  // if there is any, nothing below is meant
  std::vector<std::string> notes;     // refused rules, warnings
  std::vector<std::string> changes;   // what a reload changes, for people
  InForce next;                       // `model` is in `compiled` until it is installed
  std::optional<model::CompiledModel> compiled;
  BuildJob job;
};

BuildOutcome run_build(BuildJob job);

/// The same, but if memory runs out that is a problem like any other. `build`: for tests.
BuildOutcome run_build_or_explain(BuildJob job, BuildOutcome (*build)(BuildJob) = run_build);

}  // namespace weir::control
