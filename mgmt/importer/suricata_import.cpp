#include "mgmt/importer/suricata_import.h"

#include <glob.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>
#include <tuple>

#include "inspection/rules/header_sets.h"
#include "mgmt/config/choices.h"
#include "mgmt/config/key_table.h"
#include "mgmt/config/writer.h"
#include "mgmt/importer/left_out.h"

namespace weir::importer {

namespace {

using Kind = YamlNode::Kind;

constexpr size_t kMaxRuleFiles = 1'024;

/// Protocols that Weir always parses.
constexpr std::string_view kParsed[] = {"http", "http1", "tls",      "dns",   "ssh",
                                        "smtp", "ftp",   "ftp-data", "http2", "quic"};

bool is_yes(std::string_view text) { return text == "yes" || text == "true" || text == "1" || text == "on"; }
bool is_no(std::string_view text) { return text == "no" || text == "false" || text == "0" || text == "off"; }

/// "1mb", "64 KiB", 4096; nullopt: it is none, or too large.
std::optional<uint64_t> size_of(std::string_view text) {
  uint64_t number = 0;
  size_t at = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    number = number * 10 + static_cast<uint64_t>(text[at] - '0');
    if (number > uint64_t{1} << 40) return std::nullopt;
  }
  if (at == 0) return std::nullopt;
  while (at < text.size() && text[at] == ' ') ++at;
  std::string unit(text.substr(at));
  for (char& c : unit) c = static_cast<char>(c | 0x20);
  if (unit.empty() || unit == "b") return number;
  const std::pair<std::string_view, unsigned> units[] = {{"k", 10}, {"kb", 10}, {"kib", 10},
                                                         {"m", 20}, {"mb", 20}, {"mib", 20},
                                                         {"g", 30}, {"gb", 30}, {"gib", 30}};
  for (const auto& [name, shift] : units) {
    if (unit == name && number <= uint64_t{1} << 30) return number << shift;
  }
  return std::nullopt;
}

/// The key table's range of a number.
bool fits(std::string_view path, uint64_t value) {
  for (const config::KeySpec& key : config::keys()) {
    if (key.path == path)
      return value >= static_cast<uint64_t>(key.min) && value <= static_cast<uint64_t>(key.max);
  }
  return false;
}

class Importer {
 public:
  Importer(YamlTree tree, const std::string& name, const FindFiles& find)
      : tree_(std::move(tree)), find_(find) {
    out_.profile.name = name;
  }

  ImportedProfile run() {
    variables("address-groups", out_.profile.address_groups, inspection::ast::parse_address_expression);
    variables("port-groups", out_.profile.port_groups, inspection::ast::parse_port_expression);
    rule_files();
    side_file("threshold-file", out_.profile.threshold_file);
    side_file("classification-file", out_.profile.classification_file);
    side_file("reference-config-file", out_.profile.reference_file);
    mode();
    streams();
    policies();
    protocols();
    defaults();
    list_rest(tree_.root, "");
    std::stable_sort(out_.left_out.begin(), out_.left_out.end(), [](const LeftOut& a, const LeftOut& b) {
      return std::tie(a.file, a.line) < std::tie(b.file, b.line);
    });
    return std::move(out_);
  }

 private:
  /// The value at "stream.reassembly.depth"; null: there is none.
  YamlNode* at(std::string_view path) {
    YamlNode* node = &tree_.root;
    while (!path.empty() && node != nullptr) {
      const size_t dot = path.find('.');
      node = node->find(path.substr(0, dot));
      path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
    }
    return node;
  }
  /// The same, taken, if it is a word.
  const YamlNode* take(std::string_view path) {
    YamlNode* const node = at(path);
    if (node == nullptr || node->kind != Kind::text) return nullptr;
    node->taken = true;
    return node;
  }
  void leave(YamlNode& node, std::string_view path, std::string reason) {
    take_all(node);
    out_.left_out.push_back({node.file < tree_.files.size() ? tree_.files[node.file] : "", node.line,
                             std::string(path), std::move(reason)});
  }

  template <typename Parse>
  void variables(const std::string& group, config::RuleVariables& out, Parse&& parse) {
    const std::string path = "vars." + group;
    YamlNode* const node = at(path);
    if (node == nullptr || node->kind != Kind::map) return;
    for (auto& [name, value] : node->members) {
      if (value.kind != Kind::text) {
        leave(value, path + "." + name, "The value of a variable has to be a word.");
        continue;
      }
      const auto set = parse(value.text);
      const bool named =
          !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
            return std::isalnum(c) != 0 || c == '_' || c == '-';
          });
      if (!set || !named) {
        leave(value, path + "." + name, set ? "A name has 1 to 64 letters, digits, - and _." : set.error());
        continue;
      }
      value.taken = true;
      out.emplace(name, value.text);
    }
    node->taken = true;
  }

  std::string absolute(const YamlNode& node, const std::string& folder) const {
    namespace fs = std::filesystem;
    std::error_code error;
    const fs::path path = fs::path(folder) / node.text;
    const fs::path whole = fs::absolute(path, error);
    return (error ? path : whole).lexically_normal();
  }
  /// The folder of the file that a value stands in.
  std::string folder_of(const YamlNode& node) const {
    return std::filesystem::path(tree_.files[node.file]).parent_path();
  }

  void rule_files() {
    const YamlNode* const folder = take("default-rule-path");
    YamlNode* const list = at("rule-files");
    if (list == nullptr || list->kind != Kind::list) {
      out_.notes.push_back("The file names no rules: `rules` has to be written.");
      return;
    }
    list->taken = true;
    for (auto& [none, item] : list->members) {
      if (item.kind != Kind::text) {
        leave(item, "rule-files", "The name of a file is needed.");
        continue;
      }
      item.taken = true;
      const std::string pattern = absolute(item, folder != nullptr ? folder->text : folder_of(item));
      add_rule_files(item, pattern);
    }
  }
  /// What a name with wildcards means now, and every other name as it is.
  void add_rule_files(YamlNode& item, const std::string& pattern) {
    std::vector<std::string> files = find_(pattern);
    const bool wild = pattern.find_first_of("*?[") != std::string::npos;
    if (files.empty() && wild) return leave(item, "rule-files", "No file has such a name now.");
    if (files.empty()) {
      out_.notes.push_back(pattern + " is not there now.");
      files.push_back(pattern);
    }
    for (std::string& file : files) {
      if (out_.profile.rule_files.size() == kMaxRuleFiles)
        return leave(item, "rule-files", "A profile has at most 1024 files of rules.");
      out_.profile.rule_files.push_back(std::move(file));
    }
  }

  void side_file(std::string_view path, std::string& out) {
    if (const YamlNode* const node = take(path)) out = absolute(*node, folder_of(*node));
  }

  void mode() {
    YamlNode* const node = at("stream.inline");
    const bool is_inline = node != nullptr && is_yes(node->text);
    out_.profile.mode = is_inline ? config::InspectMode::ips : config::InspectMode::ids;
    if (node != nullptr) node->taken = true;
    out_.notes.push_back(
        is_inline ? "mode is ips, since stream.inline is yes: what a rule drops does not leave the hub."
                  : "mode is ids, since stream.inline is not yes: nothing is dropped. With `ips` rules "
                    "with the action drop do, with `test` events say what they would.");
  }

  void number(std::string_view path, std::string_view key, uint32_t& out) {
    YamlNode* const node = at(path);
    if (node == nullptr) return;
    const auto size = node->kind == Kind::text ? size_of(node->text) : std::nullopt;
    if (!size || !fits(key, *size))
      return leave(*node, path, "It is no number that `" + std::string(key) + "` takes.");
    node->taken = true;
    out = static_cast<uint32_t>(*size);
  }

  void streams() {
    number("stream.reassembly.depth", "profile[].depth", out_.profile.depth);
    YamlNode* const checksums = at("stream.checksum-validation");
    if (checksums == nullptr) return;
    if (!is_yes(checksums->text) && !is_no(checksums->text))
      return leave(*checksums, "stream.checksum-validation", "It is neither yes nor no.");
    checksums->taken = true;
    out_.profile.checksums = is_yes(checksums->text) ? config::Checksums::verify : config::Checksums::ignore;
  }

  void policy(std::string_view path, std::initializer_list<config::ExceptionPolicy*> out) {
    YamlNode* const node = at(path);
    if (node == nullptr) return;
    const auto policy = config::choice_of(config::kExceptionPolicies, node->text);
    if (node->kind != Kind::text || !policy) return leave(*node, path, "Weir has no such policy.");
    node->taken = true;
    for (config::ExceptionPolicy* const key : out) *key = *policy;
  }

  void policies() {
    config::ProfileExceptions& e = out_.profile.exceptions;
    policy("exception-policy", {&e.session_memory, &e.segment_memory, &e.midstream, &e.app_memory,
                                &e.transactions, &e.malformed});
    policy("stream.memcap-policy", {&e.session_memory});
    policy("flow.memcap-policy", {&e.session_memory});
    policy("stream.reassembly.memcap-policy", {&e.segment_memory});
    policy("stream.midstream-policy", {&e.midstream});
    policy("app-layer.error-policy", {&e.app_memory, &e.transactions, &e.malformed});
  }

  void protocols() {
    const std::string http = "app-layer.protocols.http.libhtp.default-config.";
    number(http + "request-body-limit", "profile[].limits.request_body", out_.profile.limits.request_body);
    number(http + "response-body-limit", "profile[].limits.response_body", out_.profile.limits.response_body);
    YamlNode* const list = at("app-layer.protocols");
    if (list == nullptr || list->kind != Kind::map) return;
    for (auto& [name, protocol] : list->members) {
      const bool parsed = std::find(std::begin(kParsed), std::end(kParsed), name) != std::end(kParsed);
      YamlNode* const enabled = protocol.find("enabled");
      if (!parsed || enabled == nullptr) continue;
      // "detection-only", too: it is parsed all the same.
      if (is_yes(enabled->text)) {
        enabled->taken = true;
      } else {
        leave(*enabled, "app-layer.protocols." + name + ".enabled", "It is always parsed.");
      }
    }
  }

  /// Values that say what is the case anyway.
  void defaults() {
    const std::pair<std::string_view, std::string_view> same[] = {
        {"packet-alert-max", "15"}, {"stream.drop-invalid", "yes"}, {"stream.reassembly.raw", "yes"}};
    for (const auto& [path, value] : same) {
      if (YamlNode* const node = at(path); node != nullptr && node->text == value) node->taken = true;
    }
    constexpr std::string_view kOrder[] = {"pass", "drop", "reject", "alert"};
    YamlNode* const order = at("action-order");
    if (order == nullptr || order->members.size() != std::size(kOrder)) return;
    bool usual = true;
    for (size_t i = 0; i < std::size(kOrder); ++i) usual &= order->members[i].value.text == kOrder[i];
    if (usual) take_all(*order);
  }

  static void take_all(YamlNode& node) {
    node.taken = true;
    for (auto& [name, member] : node.members) take_all(member);
  }
  static bool any_taken(const YamlNode& node) {
    return node.taken || std::any_of(node.members.begin(), node.members.end(),
                                     [](const auto& member) { return any_taken(member.value); });
  }

  /// What nobody took, each at the highest place where nothing below was.
  void list_rest(YamlNode& node, const std::string& path) {
    const bool inner = node.kind == Kind::map || node.kind == Kind::list;
    if (!inner && node.taken) return;
    if (!path.empty() && !any_taken(node)) {
      leave(node, path, std::string(reason_for(path)));
      return;
    }
    for (auto& [name, member] : node.members)
      list_rest(member, path.empty() ? name : name.empty() ? path : path + "." + name);
  }

  YamlTree tree_;
  const FindFiles& find_;
  ImportedProfile out_;
};

/// Text of a hostile file on one line of a comment.
std::string in_comment(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 400)) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte >= 0x7f ? '?' : c;
  }
  return out;
}

}  // namespace

std::vector<std::string> files_like(const std::string& pattern) {
  std::vector<std::string> files;
  glob_t found{};
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc; ++i) files.emplace_back(found.gl_pathv[i]);
  }
  globfree(&found);
  return files;
}

ImportedProfile import_suricata(YamlTree tree, const std::string& name, const FindFiles& find) {
  return Importer(std::move(tree), name, find).run();
}

std::string to_string(const LeftOut& left) {
  return in_comment(left.file + ":" + std::to_string(left.line) + ": " + left.path + ": " + left.reason);
}

std::string imported_toml(const ImportedProfile& imported, const std::string& source) {
  std::string out = "# Of " + in_comment(source) + "\n\n";
  out += config::table_text("profile[]", "profile", config::values_of(imported.profile));
  if (!imported.notes.empty()) out += "\n";
  for (const std::string& note : imported.notes) out += "# " + in_comment(note) + "\n";
  if (!imported.left_out.empty()) out += "\n# Left out:\n";
  for (const LeftOut& left : imported.left_out) out += "# " + to_string(left) + "\n";
  return out;
}

}  // namespace weir::importer
