#include "mgmt/daemon/inspect_command.h"

#include <iostream>

#include "inspection/offline/inspect.h"
#include "mgmt/daemon/profile_rules.h"

namespace weir::daemon {

InspectCommand::InspectCommand(CLI::App& app)
    : command_(app.add_subcommand("inspect", "Run a capture through the inspection engine; needs no root")) {
  command_->add_option("--rules", rules_, "Files of Suricata rules");
  command_->add_option("--pcap", pcap_, "The capture, pcap or pcapng")->required();
  command_->add_option("--eve", eve_, "Where the events go, EVE JSON; - is the standard output")->required();
  command_->add_option("--opts", opts_, "A JSON file of settings, as an existing Suricata has them");
  command_->add_option("-c,--config", config_,
                       "A hub's configuration: rules and variables of its first profile are added");
  command_->add_option("--workers", workers_, "Engines that share the sessions")->check(CLI::Range(1, 64));
  command_->add_flag("--strict", strict_, "Exit 64 if a rule is refused");
  command_->add_flag("--reference", reference_,
                     "Hold every rule against every buffer, without any short cut");
}

int InspectCommand::run() const {
  inspection::offline::InspectRequest request;
  if (!opts_.empty()) {
    auto settings = inspection::offline::read_settings(opts_);
    if (!settings) {
      std::cerr << "weir: " << settings.error().message << '\n';
      return inspection::offline::kInspectFailed;
    }
    request.settings = std::move(*settings);
  } else {
    // A capture begins anywhere, may have one direction alone, and a sender's has checksums that its port
    // fills in.
    request.settings.session.stream.midstream = request.settings.session.stream.async_oneside = true;
    request.settings.decode.checksums = false;
  }
  if (!config_.empty()) {
    const auto profile = profile_rules(config_, "");
    if (!profile && profile.error().code != ErrorCode::not_found) {
      std::cerr << "weir: " << profile.error().message << '\n';
      return inspection::offline::kInspectFailed;
    }
    const ProfileRules of_profile = profile ? *profile : ProfileRules{};
    request.rules = of_profile.source;
    for (const auto& [name, value] : of_profile.own_variables.addresses)
      request.settings.variables.addresses.insert_or_assign(name, value);
    for (const auto& [name, value] : of_profile.own_variables.ports)
      request.settings.variables.ports.insert_or_assign(name, value);
  }
  request.rules.files.insert(request.rules.files.begin(), rules_.begin(), rules_.end());
  if (request.rules.files.empty()) {
    std::cerr << "weir: inspect needs rules: name files with --rules, or a configuration with a profile\n";
    return inspection::offline::kInspectFailed;
  }
  request.pcap = pcap_;
  request.eve = eve_;
  request.workers = workers_;
  request.strict = strict_;
  request.reference = reference_;
  return inspection::offline::run_inspect(std::move(request), std::cerr);
}

}  // namespace weir::daemon
