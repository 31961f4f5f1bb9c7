#include "mgmt/config/writer.h"

#include "mgmt/config/key_table.h"

namespace weir::config {

namespace {

/// "name = value" of each key of `section` that is there and not at its default.
std::vector<std::string> assignments(std::string_view section, const Values& values) {
  std::vector<std::string> lines;
  for (const KeySpec& key : keys()) {
    if (section_of(key.path) != section) continue;
    const auto found = values.find(key.path);
    if (found == values.end() || found->second.empty() || found->second == key.fallback) continue;
    lines.push_back(std::string(leaf_of(key.path)) + " = " + found->second);
  }
  return lines;
}

/// The keys of a section, and the tables inside it, each on one line.
std::string body(std::string_view section, const Values& values) {
  std::string text;
  for (const std::string& line : assignments(section, values)) text += line + "\n";
  for (const SectionSpec& inner : sections()) {
    if (section_of(inner.path) != section || section.empty()) continue;
    std::string inside;
    for (const std::string& line : assignments(inner.path, values)) {
      inside += (inside.empty() ? " " : ", ") + line;
    }
    if (!inside.empty()) text += std::string(leaf_of(inner.path)) + " = {" + inside + " }\n";
  }
  return text;
}

template <typename Thing>
void write_list(std::string_view section, const std::vector<Thing>& things, std::string& out) {
  const std::string_view name = section.substr(0, section.size() - 2);
  for (const Thing& thing : things) out += "\n" + table_text(section, name, values_of(thing));
}

}  // namespace

std::string table_text(std::string_view section, std::string_view header, const Values& values) {
  return "[[" + std::string(header) + "]]\n" + body(section, values);
}

std::string to_toml(const Config& config) {
  std::string out;
  const Values singles = single_values(config);
  for (const SectionSpec& section : sections()) {
    if (section.path.ends_with("[]") || !section_of(section.path).empty()) continue;
    const std::string text = body(section.path, singles);
    if (!text.empty()) out += (out.empty() ? "[" : "\n[") + std::string(section.path) + "]\n" + text;
  }
  write_list("port[]", config.ports, out);
  write_list("domain[]", config.domains, out);
  write_list("attachment[]", config.attachments, out);
  write_list("route[]", config.routes, out);
  write_list("connection[]", config.connections, out);
  write_list("policy[]", config.policy, out);
  write_list("profile[]", config.profiles, out);
  return out;
}

}  // namespace weir::config
