#include "mgmt/daemon/explain_command.h"

#include <iostream>
#include <optional>

#include "inspection/offline/explain.h"
#include "inspection/rules/parse_support.h"
#include "mgmt/daemon/profile_rules.h"

namespace weir::daemon {

namespace {

constexpr int kFailed = 1, kUsage = 2;

/// "2019401" or "1:2019401".
std::optional<inspection::RuleName> rule_name(std::string_view text) {
  const size_t colon = text.find(':');
  const bool with_gid = colon != std::string_view::npos;
  const auto gid = with_gid ? inspection::parse_number<uint32_t>(text.substr(0, colon)) : 1U;
  const auto sid = inspection::parse_number<uint32_t>(with_gid ? text.substr(colon + 1) : text);
  if (!gid || !sid || *gid == 0 || *sid == 0) return std::nullopt;
  return inspection::RuleName{*gid, *sid};
}

int failed(const std::string& sentence, int code) {
  std::cerr << "weir: " << sentence << '\n';
  return code;
}

}  // namespace

ExplainCommand::ExplainCommand(CLI::App& rules)
    : command_(rules.add_subcommand("explain",
                                    "Say how a rule is looked for, and why it did or did not fire in "
                                    "the sessions of a capture")) {
  command_->add_option("SID", rule_, "The rule: SID or GID:SID")->required();
  command_->add_option("--rules", files_, "Files of Suricata rules");
  command_->add_option("-c,--config", config_,
                       "A hub's configuration: the files, lists and variables of a profile are added");
  command_->add_option("--profile", profile_, "Which profile of it; the first one unless told");
  command_->add_option("--pcap", pcap_, "A capture, pcap or pcapng");
  command_->add_option("--opts", opts_, "A JSON file of settings, as of `weir inspect`");
}

int ExplainCommand::run() const {
  using namespace inspection::offline;
  const auto rule = rule_name(rule_);
  if (!rule) return failed("a rule is named by its SID or GID:SID", kUsage);
  ExplainRequest request;
  request.rule = *rule;
  OfflineSettings& settings = request.inspect.settings;
  if (!opts_.empty()) {
    auto read = read_settings(opts_);
    if (!read) return failed(read.error().message, kFailed);
    settings = std::move(*read);
  } else {
    // As `weir inspect` without them: a capture begins anywhere, and may have one direction alone.
    settings.session.stream.midstream = settings.session.stream.async_oneside = true;
    settings.decode.checksums = false;
  }
  if (!config_.empty()) {
    const auto profile = profile_rules(config_, profile_);
    if (!profile) return failed(profile.error().message, kFailed);
    request.inspect.rules = profile->source;
    for (const auto& [name, value] : profile->own_variables.addresses)
      settings.variables.addresses.insert_or_assign(name, value);
    for (const auto& [name, value] : profile->own_variables.ports)
      settings.variables.ports.insert_or_assign(name, value);
  }
  auto& files = request.inspect.rules.files;
  files.insert(files.begin(), files_.begin(), files_.end());
  if (files.empty())
    return failed(
        "rules explain needs rules: name files with --rules, or a configuration with a profile (-c)", kUsage);
  request.inspect.pcap = pcap_;
  return run_explain(std::move(request), std::cout, std::cerr);
}

}  // namespace weir::daemon
