#include "mgmt/daemon/rules_command.h"

#include <iostream>
#include <thread>

#include <nlohmann/json.hpp>

#include "inspection/compile/rules_report.h"
#include "inspection/engine/ruleset_builder.h"

namespace weir::daemon {

namespace {

constexpr int kOk = 0, kFailed = 1, kRefused = 64;

int failed(const Error& error) {
  std::cerr << "weir: " << error.message << '\n';
  return kFailed;
}

}  // namespace

RulesCommand::RulesCommand(CLI::App& app) {
  CLI::App* rules = app.add_subcommand("rules", "Rules of inspection");
  rules->require_subcommand(1);
  check_ =
      rules->add_subcommand("check", "Say what rules need, what is refused and what is slow; needs no root");
  check_->add_option("FILE", files_, "Files of Suricata rules")->required();
  check_->add_option("--classification", classes_, "A classification.config besides the usual classes");
  check_->add_flag("--each", each_, "A line for every rule");
  check_->add_flag("--json", json_, "JSON, with every rule");
  check_->add_flag("--strict", strict_, "Exit 64 if a rule is refused");
}

int RulesCommand::run() const {
  using namespace inspection;
  ast::ClassTable classes = ast::ClassTable::defaults();
  if (!classes_.empty()) {
    const auto text = read_rule_file(classes_);
    if (!text) return failed(text.error());
    classes.read(*text);
  }
  const auto parsed = read_rule_files(files_, ast::RuleReader(std::move(classes)));
  if (!parsed) return failed(parsed.error());
  DetectionCompileOptions options;
  options.threads = std::max(1U, std::thread::hardware_concurrency());
  const auto compiled = DetectionRuleset::compile(*parsed, options);
  if (!compiled) return failed(compiled.error());
  const RulesReport report = make_rules_report(*parsed, **compiled);
  if (json_) {
    // Texts of rules may have any bytes; what is not UTF-8 is replaced.
    std::cout
        << rules_report_json(report, *parsed).dump(2, ' ', false, nlohmann::json::error_handler_t::replace)
        << '\n';
  } else {
    std::cout << print_rules_report(report, *parsed, each_);
  }
  return strict_ && report.refused != 0 ? kRefused : kOk;
}

}  // namespace weir::daemon
