#include "mgmt/daemon/rules_command.h"

#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <thread>

#include <nlohmann/json.hpp>

#include "inspection/compile/rules_report.h"
#include "inspection/rules/language.h"

namespace weir::daemon {

namespace {

constexpr int kOk = 0, kFailed = 1, kRefused = 64;

std::optional<std::string> read_file(const std::string& name) {
  std::ifstream file(name, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (file.is_open() && !file.bad()) return text;
  std::cerr << "weir: " << name << " cannot be read\n";
  return std::nullopt;
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
    const auto text = read_file(classes_);
    if (!text) return kFailed;
    classes.read(*text);
  }
  ast::RuleReader reader(std::move(classes));
  ast::ParsedRuleset parsed;
  for (const std::string& file : files_) {
    const auto text = read_file(file);
    if (!text) return kFailed;
    reader.read(file, *text, parsed);
  }
  DetectionCompileOptions options;
  options.threads = std::max(1U, std::thread::hardware_concurrency());
  const auto compiled = DetectionRuleset::compile(parsed, options);
  if (!compiled) {
    std::cerr << "weir: " << compiled.error().message << '\n';
    return kFailed;
  }
  const RulesReport report = make_rules_report(parsed, **compiled);
  if (json_) {
    // Texts of rules may have any bytes; what is not UTF-8 is replaced.
    std::cout
        << rules_report_json(report, parsed).dump(2, ' ', false, nlohmann::json::error_handler_t::replace)
        << '\n';
  } else {
    std::cout << print_rules_report(report, parsed, each_);
  }
  return strict_ && report.refused != 0 ? kRefused : kOk;
}

}  // namespace weir::daemon
