#include "mgmt/config/writer.h"

#include "mgmt/config/key_table.h"
#include "mgmt/config/route_lines.h"

namespace weir::config {

namespace {

/// "name = value" of each key of `section` that is there and not at its default.
std::vector<std::string> assignments(std::string_view section, const Values& values) {
  std::vector<std::string> lines;
  const auto add = [&](const KeySpec& key) {
    if (section_of(key.path) != section) return;
    if (leaf_of(key.path) == "*") {
      const std::string begin = std::string(section) + ".";
      for (auto at = values.lower_bound(begin); at != values.end() && at->first.starts_with(begin); ++at)
        lines.push_back(at->first.substr(begin.size()) + " = " + at->second);
      return;
    }
    const auto found = values.find(key.path);
    if (found == values.end() || found->second.empty() || found->second == key.fallback) return;
    lines.push_back(std::string(leaf_of(key.path)) + " = " + found->second);
  };
  for (const KeySpec& key : keys()) add(key);
  for (const KeySpec& key : change_keys()) add(key);
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
  if (config.routes_file.empty()) write_list("route[]", config.routes, out);
  write_list("connection[]", config.connections, out);
  write_list("prefix[]", config.objects.prefixes, out);
  write_list("group[]", config.objects.groups, out);
  write_list("service[]", config.objects.services, out);
  write_list("policy[]", config.policy, out);
  write_list("profile[]", config.profiles, out);
  write_list("nat[]", config.nat, out);
  return out;
}

std::string routes_text(const Config& config) {
  std::string out;
  for (const Route& route : config.routes) out += to_line(route) + "\n";
  return out;
}

std::string routes_file_for(const Config& config) {
  if (!config.routes_file.empty()) return config.routes_file;
  return config.routes.size() > kMaxTomlRoutes ? config.file + ".routes" : std::string();
}

}  // namespace weir::config
