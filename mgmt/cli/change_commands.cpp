#include "mgmt/cli/change_commands.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <utility>

#include "mgmt/config/change_reader.h"
#include "mgmt/config/document.h"
#include "mgmt/config/schema.h"
#include "mgmt/config/writer.h"

namespace weir::cli {

namespace {

using config::Identity;
using config::KeySpec;
using config::ValueKind;

bool belongs_to(const KeySpec& key, std::string_view kind) {
  return key.path.starts_with(kind) && key.path.substr(kind.size()).starts_with("[].");
}

/// All keys of a kind of thing, those of changes too.
std::vector<const KeySpec*> keys_of(std::string_view kind) {
  std::vector<const KeySpec*> result;
  for (const auto& list : {config::keys(), config::change_keys()}) {
    for (const KeySpec& key : list) {
      if (belongs_to(key, kind)) result.push_back(&key);
    }
  }
  return result;
}

/// Whether what a verb says has this key.
bool is_taken(std::string_view verb, const KeySpec& key) {
  const config::ChangeVerb it = *config::verb_of(verb);
  if (it == config::ChangeVerb::remove) return key.identity != Identity::none;
  return !config::is_of_members(it) || key.identity != Identity::none || config::names_members(key);
}

/// As the key's kind writes it in TOML; what does not have the form of it goes as a string, for the hub to
/// refuse.
std::string toml_of(const KeySpec& key, const std::string& value) {
  if (key.kind == ValueKind::integer || key.kind == ValueKind::ports) {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error == std::errc{} && end == value.data() + value.size()) return std::to_string(number);
  }
  if (key.kind == ValueKind::boolean && (value == "true" || value == "false")) return value;
  return config::toml_string(value);
}

std::string toml_of(const KeySpec& key, const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) text += (text.empty() ? "[" : ", ") + toml_of(key, value);
  return text + "]";
}

/// The help of an option: the key's sentence and what it takes. Backticks are for Markdown.
std::string help_of(const KeySpec& key) {
  std::string text(key.help);
  std::erase(text, '`');
  if (!key.fallback.empty() && key.kind != ValueKind::boolean)
    text += " Default: " + std::string(key.fallback) + ".";
  if (key.kind == ValueKind::boolean && key.fallback == "true")
    text += " It is so by default; not with " + config::option_name(key.path) + "=false.";
  if (!key.fallback_help.empty()) text += " Default: " + std::string(key.fallback_help) + ".";
  return text;
}

/// A batch of routes may be lines; TOML begins with a table.
bool is_toml(std::string_view text) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
    if (!line.empty() && !line.starts_with('#')) return line.starts_with('[');
  }
  return true;
}

Result<std::string> read_batch(const std::string& file) {
  if (file == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  auto text = config::read_whole_file(file);
  if (!text) return fail(ErrorCode::io, config::to_string(text.error()));
  return std::move(*text);
}

constexpr std::pair<std::string_view, std::string_view> kKinds[] = {
    {"domain", "Add, remove or replace domains"},
    {"attachment", "Add, remove or replace attachments"},
    {"route", "Add, remove or replace routes"},
    {"connection", "Add, remove or replace connections between domains"},
    {"group", "The groups that policy rules name; add, remove or replace them, extend or reduce one"},
    {"policy", "The policy rules; add, remove or replace them"},
    {"nat", "Address translation, its rules and what is taken of its pools; add, remove or replace rules"}};

}  // namespace

ChangeCommands::ChangeCommands(CLI::App& app) {
  for (const auto& [kind, help] : kKinds) add_kind(app, kind, help);
}

void ChangeCommands::add_kind(CLI::App& app, std::string_view kind, std::string_view help) {
  CLI::App* group = app.add_subcommand(std::string(kind), std::string(help));
  group->require_subcommand(0, 1);
  const std::string name(kind);
  group->add_option("--batch", batch_,
                    "Changes from a file (-: standard input): [[add." + name + "]], [[remove." + name +
                        "]], ..." + (kind == "route" ? ", or a route a line" : ""));
  group->add_flag("--dry-run", dry_run_, "Only say what would change");
  commands_.push_back({kind, "", group, {}});
  add_verb(*group, kind, "add", "Add one, or those of a batch");
  add_verb(*group, kind, "remove", "Remove one, or those of a batch");
  add_verb(*group, kind, "replace", "Put one in place of the one of the same name, or add it");
  if (kind != "group") return;
  add_verb(*group, kind, "extend", "Let members join one, or those of a batch");
  add_verb(*group, kind, "reduce", "Let members leave one, or those of a batch");
}

void ChangeCommands::add_verb(CLI::App& group, std::string_view kind, std::string_view verb,
                              const std::string& help) {
  const std::string name(kind);
  CLI::App* app = group.add_subcommand(std::string(verb), help);
  app->add_option("--batch", batch_,
                  "From a file (-: standard input), as a configuration file has them: [[" + name + "]]" +
                      (kind == "route" ? ", or a route a line" : ""));
  app->add_flag("--dry-run", dry_run_, "Only say what would change");
  Command& command = commands_.emplace_back(Command{kind, verb, app, {}});
  for (const KeySpec* key : keys_of(kind)) {
    if (is_taken(verb, *key)) add_argument(command, *key);
  }
}

void ChangeCommands::add_argument(Command& command, const KeySpec& key) {
  Argument& argument = command.arguments.emplace_back();
  argument.key = &key;
  const std::string name = config::option_name(key.path);
  if (key.kind == ValueKind::boolean) {
    argument.option = command.app->add_flag(name, argument.flag, help_of(key));
    return;
  }
  if (!key.list) {
    argument.option = command.app->add_option(name, argument.value, help_of(key));
    return;
  }
  argument.option = command.app->add_option(name, argument.values, help_of(key))->delimiter(',');
  if (key.min_items == key.max_items) {
    argument.option->expected(static_cast<int>(key.min_items));
  } else {
    argument.option->allow_extra_args(false);  // else it would swallow the name behind it
  }
}

const ChangeCommands::Command* ChangeCommands::chosen() const {
  const Command* found = nullptr;  // the verb stands behind its group
  for (const Command& command : commands_) {
    if (command.app->parsed()) found = &command;
  }
  return found;
}

bool ChangeCommands::given() const { return chosen() != nullptr; }

bool ChangeCommands::lists(std::string_view kind) const {
  const Command* command = chosen();
  return command != nullptr && command->kind == kind && command->verb.empty() && batch_.empty();
}

Result<ChangeRequest> ChangeCommands::request() const {
  const Command& command = *chosen();
  ChangeRequest request;
  request.type = "application/toml";
  if (dry_run_) request.parameters.emplace_back("dry_run", "true");
  const bool named = std::any_of(command.arguments.begin(), command.arguments.end(),
                                 [](const Argument& a) { return a.option->count() > 0; });
  if (!batch_.empty()) {
    if (named) return fail(ErrorCode::invalid, "--batch goes without the options of a single one");
    auto text = read_batch(batch_);
    if (!text) return tl::unexpected(text.error());
    request.body = std::move(*text);
    if (command.kind == "route" && !is_toml(request.body)) request.type = "text/plain";
    request.parameters.emplace_back("source", batch_ == "-" ? "standard input" : batch_);
    if (!command.verb.empty()) request.parameters.emplace_back("verb", command.verb);
    return request;
  }
  if (command.verb.empty())
    return fail(ErrorCode::invalid,
                std::string("a verb is missing (add, remove") +
                    (command.kind == "group" ? ", replace, extend or reduce" : " or replace") +
                    "), or --batch FILE");
  config::Values values;
  for (const Argument& argument : command.arguments) {
    if (argument.option->count() == 0) continue;
    const KeySpec& key = *argument.key;
    const std::string one =
        key.kind == ValueKind::boolean ? (argument.flag ? "true" : "false") : argument.value;
    values.emplace(key.path, key.list ? toml_of(key, argument.values) : toml_of(key, one));
  }
  const std::string section = std::string(command.kind) + "[]";
  request.body =
      config::table_text(section, std::string(command.verb) + "." + std::string(command.kind), values);
  request.parameters.emplace_back("source", "");
  request.kind = command.kind;
  return request;
}

std::string by_option(const std::string& problem, std::string_view kind) {
  const std::string begin = std::string(kind) + "[].";
  const size_t colon = problem.find(": ");
  if (kind.empty() || !problem.starts_with(begin) || colon == std::string::npos) return problem;
  const std::string path = problem.substr(0, colon);
  for (const KeySpec* key : keys_of(kind)) {
    if (key->path == path) return config::option_name(path) + problem.substr(colon);
  }
  return problem;
}

}  // namespace weir::cli
