#include "mgmt/daemon/rules_command.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <thread>

#include <nlohmann/json.hpp>

#include "inspection/compile/rules_report.h"
#include "inspection/engine/ruleset_builder.h"
#include "inspection/rules/unbound.h"
#include "mgmt/config/values.h"
#include "mgmt/daemon/profile_rules.h"
#include "mgmt/importer/suricata_import.h"

namespace weir::daemon {

namespace {

constexpr int kOk = 0, kFailed = 1, kUsage = 2, kRefused = 64;

int failed(const std::string& sentence) {
  std::cerr << "weir: " << sentence << '\n';
  return kFailed;
}

}  // namespace

RulesCommand::RulesCommand(CLI::App& app)
    : rules_(app.add_subcommand("rules", "Rules of inspection")), explain_(*rules_) {
  rules_->require_subcommand(1);
  check_ =
      rules_->add_subcommand("check", "Say what rules need, what is refused and what is slow; needs no root");
  check_->add_option("FILE", files_, "Files of Suricata rules");
  check_->add_option("-c,--config", config_,
                     "A hub's configuration: the files, lists and variables of a profile are added");
  check_->add_option("--profile", profile_, "Which profile of it; the first one unless told");
  check_->add_option("--classification", classes_, "A classification.config besides the usual classes");
  check_->add_option("--references", references_, "A reference.config");
  check_->add_option("--thresholds", thresholds_, "A threshold.config");
  check_->add_flag("--each", each_, "A line for every rule");
  check_->add_flag("--json", json_, "JSON, with every rule");
  check_->add_flag("--strict", strict_, "Exit 64 if a rule is refused");
  add_import();
}

void RulesCommand::add_import() {
  import_ = rules_->add_subcommand("import", "Make a profile of an existing Suricata's configuration");
  import_->add_option("FILE", yaml_, "Its suricata.yaml")->required();
  import_->add_option("-o,--output", out_,
                      "A file, or a folder for suricata.toml; the standard output unless told");
  import_->add_flag("--force", force_, "Write over a file that is there");
  import_->add_option("--name", name_, "The profile's name")->capture_default_str();
}

int RulesCommand::run() const {
  if (explain_.parsed()) return explain_.run();
  return import_->parsed() ? make_profile() : check();
}

int RulesCommand::make_profile() const {
  if (!config::is_name(name_)) {
    std::cerr << "weir: --name: a profile's name has 1 to 32 letters, digits, \"-\", \"_\" and \".\"\n";
    return kUsage;
  }
  auto tree = importer::read_yaml(yaml_);
  if (!tree) return failed(tree.error().message);
  const importer::ImportedProfile imported = importer::import_suricata(std::move(*tree), name_);
  const std::string toml = importer::imported_toml(imported, yaml_);
  for (const std::string& note : imported.notes) std::cerr << "weir: " << note << '\n';
  for (const importer::LeftOut& left : imported.left_out) std::cerr << importer::to_string(left) << '\n';
  if (out_.empty()) {
    std::cout << toml;
    return kOk;
  }
  std::filesystem::path file = out_;
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) file /= "suricata.toml";
  if (!force_ && std::filesystem::exists(file, error))
    return failed(file.string() + " is there already; --force writes over it");
  std::ofstream out(file, std::ios::binary);
  out << toml;
  if (!out.flush()) return failed(file.string() + " cannot be written: " + std::strerror(errno));
  return kOk;
}

int RulesCommand::check() const {
  using namespace inspection;
  ProfileRules profile;
  if (!config_.empty()) {
    auto read = profile_rules(config_, profile_);
    if (!read) return failed(read.error().message);
    profile = std::move(*read);
  }
  profile.source.files.insert(profile.source.files.end(), files_.begin(), files_.end());
  if (!classes_.empty()) profile.source.classes = classes_;
  if (!references_.empty()) profile.source.references = references_;
  if (!thresholds_.empty()) profile.source.thresholds = thresholds_;
  if (profile.source.files.empty()) {
    std::cerr << "weir: rules check needs rules: name files, or a configuration with a profile (-c)\n";
    return kUsage;
  }
  const auto read = read_rules(profile.source);
  if (!read) return failed(read.error().message);
  DetectionCompileOptions options;
  options.threads = std::max(1U, std::thread::hardware_concurrency());
  options.thresholds = &read->thresholds;
  const auto compiled = DetectionRuleset::compile(read->rules, options);
  if (!compiled) return failed(compiled.error().message);
  RulesReport report = make_rules_report(read->rules, **compiled);
  for (const auto& unmet : read->unmet)
    report.warnings.push_back(profile.place_of(unmet.entry) + "no file has a rule " + unmet.what);
  report.warnings.insert(report.warnings.end(), read->notes.begin(), read->notes.end());
  ast::RuleVariables variables = ast::RuleVariables::defaults();
  for (const auto& [name, value] : profile.own_variables.addresses) variables.addresses[name] = value;
  for (const auto& [name, value] : profile.own_variables.ports) variables.ports[name] = value;
  for (std::string& sentence : ast::unbound_sentences(read->rules, variables))
    report.warnings.push_back(std::move(sentence));
  if (json_) {
    // Texts of rules may have any bytes; what is not UTF-8 is replaced.
    std::cout << rules_report_json(report, read->rules)
                     .dump(2, ' ', false, nlohmann::json::error_handler_t::replace)
              << '\n';
  } else {
    std::cout << print_rules_report(report, read->rules, each_);
  }
  return strict_ && report.refused != 0 ? kRefused : kOk;
}

}  // namespace weir::daemon
