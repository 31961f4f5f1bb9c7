#include "mgmt/cli/config_commands.h"

#include <cstdio>
#include <filesystem>

#include "mgmt/cli/answer.h"
#include "mgmt/cli/fields.h"
#include "mgmt/cli/print.h"
#include "mgmt/config/save.h"

namespace weir::cli {

namespace {

/// A string of the answer as it is, line breaks and all.
std::string whole(const Json& answer, const char* key) {
  return answer.is_object() && answer.contains(key) && answer[key].is_string()
             ? answer[key].get<std::string>()
             : std::string();
}

int failed(const std::string& message) {
  std::fprintf(stderr, "weirctl: %s\n", message.c_str());
  return kFailed;
}

std::string print_config(const Json& answer) {
  const std::string routes = whole(answer, "routes");
  std::string out = whole(answer, "toml");
  if (!routes.empty()) out += "\n# --- " + text(answer, "routes_file") + " ---\n" + routes;
  return out;
}

}  // namespace

ConfigCommands::ConfigCommands(CLI::App& app) {
  CLI::App* group = app.add_subcommand("config", "The configuration in force: show it, save it, compare it");
  group->require_subcommand(0, 1);
  show_ = group->add_subcommand("show", "Print it as TOML, changes at run time included");
  save_ =
      group->add_subcommand("save",
                            "Write it to the hub's file, so that a restart keeps it; the old one stays as "
                            "FILE.bak");
  CLI::Option* to = save_->add_option("--to", to_, "To this file instead, written by weirctl");
  save_->add_flag("--force", force_, "Also if the file was edited since the hub read it")->excludes(to);
  diff_ = group->add_subcommand("diff", "What changes at run time made different from the file");
}

bool ConfigCommands::given() const { return show_->parsed() || save_->parsed() || diff_->parsed(); }

int ConfigCommands::run(const Client& client, bool json) const {
  if (show_->parsed()) return show(json, client.get("/v1/config"), print_config);
  if (diff_->parsed()) return diff(client, json);
  return to_.empty() ? save(client, json) : save_to(client);
}

int ConfigCommands::save(const Client& client, bool json) const {
  const Client::Parameters parameters{{"force", force_ ? "true" : "false"}};
  return show(json, client.post("/v1/config/save", parameters, "", "application/json"), print_saved);
}

/// Not by the hub: it may write where the caller may not.
int ConfigCommands::save_to(const Client& client) const {
  auto answer = client.get("/v1/config");
  if (!answer || !answer->ok()) return show(false, answer, print_config);
  if (!whole(answer->body, "routes_file").empty()) {
    const std::string routes_file = std::filesystem::absolute(to_).lexically_normal().string() + ".routes";
    answer = client.get("/v1/config", {{"routes_file", routes_file}});
    if (!answer || !answer->ok()) return show(false, answer, print_config);
    if (const auto done = config::replace_file(routes_file, whole(answer->body, "routes")); !done)
      return failed(config::to_string(done.error()));
    std::printf("saved %s\n", routes_file.c_str());
  }
  if (const auto done = config::replace_file(to_, whole(answer->body, "toml")); !done)
    return failed(config::to_string(done.error()));
  std::printf("saved %s\n", to_.c_str());
  return kOk;
}

int ConfigCommands::diff(const Client& client, bool json) const {
  const auto answer = client.get("/v1/config/diff");
  return show(json, answer, [](const Json& body) {
    const Json& changes = list(body, "changes");
    if (changes.empty()) return std::string("the hub and its file say the same\n");
    std::string out;
    for (const Json& line : changes) {
      if (line.is_string()) out += line.get<std::string>() + "\n";
    }
    return out;
  });
}

}  // namespace weir::cli
