#include "mgmt/config/schema.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <optional>
#include <string>
#include <unordered_map>

#include "inspection/rules/header_sets.h"
#include "mgmt/config/key_table.h"
#include "mgmt/config/values.h"

namespace weir::config {

namespace {

using Kind = Node::Kind;

constexpr std::array<std::string_view, 7> kChangeable = {"domain", "attachment", "route", "connection",
                                                         "group",  "policy",     "nat"};
const std::vector<std::string_view> kVerbs = {"add", "remove", "replace", "extend", "reduce"};

bool is_of_members(std::string_view verb) { return verb == "extend" || verb == "reduce"; }

std::string mismatch(const std::string& expected, Kind found) {
  return "expected " + expected + ", found " + std::string(describe(found));
}

std::optional<std::string> check_integer(const KeySpec& key, const Node& node) {
  if (node.kind != Kind::integer) return mismatch(element_expectation(key), node.kind);
  const bool fits = node.integer >= key.min && node.integer <= key.max &&
                    (!key.power_of_two || std::has_single_bit(static_cast<uint64_t>(node.integer)));
  if (fits) return std::nullopt;
  return std::to_string(node.integer) + " is not " + element_expectation(key);
}

std::optional<std::string> check_choice(const KeySpec& key, const std::string& text) {
  for (const std::string_view choice : key.choices) {
    if (text == choice) return std::nullopt;
  }
  return in_quotes(text) + " is not " + element_expectation(key);
}

/// A likely slip, told as such; otherwise what was expected.
std::string explain_prefix(const std::string& text, const std::string& expected) {
  const auto address = net::parse_interface_address(text);
  if (!address) return in_quotes(text) + " is not " + expected;
  return in_quotes(text) + " has bits set beyond its length; the prefix is " +
         in_quotes(net::to_string(address->subnet()));
}

std::string explain_rule_set(const KeySpec& key, const std::string& text) {
  const auto set = key.kind == ValueKind::rule_ports ? inspection::ast::parse_port_expression(text)
                                                     : inspection::ast::parse_address_expression(text);
  std::string message = in_quotes(text) + " is not " + element_expectation(key);
  return set ? message : message + ": " + set.error();
}

bool text_fits(const KeySpec& key, const std::string& text) {
  switch (key.kind) {
    case ValueKind::name:
      return is_name(text);
    case ValueKind::text:
      return is_plain_text(text);
    // Only these two may be empty: no file at all.
    case ValueKind::file:
      return is_plain_text(text) && (!text.empty() || key.fallback == "\"\"");
    case ValueKind::interface:
      return is_interface(text);
    case ValueKind::pci:
      return is_pci_address(text);
    case ValueKind::mac: {
      const auto mac = net::parse_mac(text);
      return mac && !mac->is_multicast() && !mac->is_zero();
    }
    case ValueKind::ipv4: {
      const auto ip = net::parse_ip(text);
      return ip && ip->is_v4();
    }
    case ValueKind::ip:
      return net::parse_ip(text).has_value();
    case ValueKind::ipv4_interface: {
      const auto address = net::parse_interface_address(text);
      return address && address->address.is_v4();
    }
    case ValueKind::ip_interface:
      return net::parse_interface_address(text).has_value();
    case ValueKind::prefix:
      return net::parse_prefix(text).has_value();
    case ValueKind::ports:
      return parse_port_range(text).has_value();
    case ValueKind::rule_addresses:
      return is_plain_text(text) && inspection::ast::parse_address_expression(text).has_value();
    case ValueKind::rule_ports:
      return is_plain_text(text) && inspection::ast::parse_port_expression(text).has_value();
    case ValueKind::rules:
      return is_plain_text(text) && inspection::ast::RulePattern::parse(text).has_value();
    case ValueKind::boolean:
    case ValueKind::integer:
    case ValueKind::choice:
      break;  // checked elsewhere
  }
  return false;
}

/// What is wrong with one value, or one element of a list.
std::optional<std::string> check_element(const KeySpec& key, const Node& node) {
  switch (key.kind) {
    case ValueKind::boolean:
      if (node.kind != Kind::boolean) return mismatch(element_expectation(key), node.kind);
      return std::nullopt;
    case ValueKind::integer:
      return check_integer(key, node);
    case ValueKind::ports:
    case ValueKind::rules:
      if (node.kind == Kind::integer) return check_integer(key, node);
      break;
    default:
      break;
  }
  if (node.kind != Kind::text) return mismatch(element_expectation(key), node.kind);
  if (key.kind == ValueKind::choice) return check_choice(key, node.text);
  if (text_fits(key, node.text)) return std::nullopt;
  if (key.kind == ValueKind::prefix) return explain_prefix(node.text, element_expectation(key));
  if (key.kind == ValueKind::rule_addresses || key.kind == ValueKind::rule_ports)
    return explain_rule_set(key, node.text);
  if (key.kind == ValueKind::rules && is_plain_text(node.text))
    return in_quotes(node.text) + ": " + inspection::ast::RulePattern::parse(node.text).error();
  return in_quotes(node.text) + " is not " + element_expectation(key);
}

std::string missing(const KeySpec& key) { return "missing; it has to be " + expectation(key); }

class Checker {
 public:
  Checker(Document& document, Problems& problems, bool changes) : document_(document), problems_(problems) {
    add_keys(keys());
    if (changes) add_keys(change_keys());
    for (const SectionSpec& section : sections()) {
      sections_.emplace(section.path, &section);
      std::string_view name = leaf_of(section.path);
      if (name.ends_with("[]")) name.remove_suffix(2);
      members_[std::string(section_of(section.path))].push_back(name);
    }
  }

  void run() { check_table(document_.root, ""); }

  void run_changes() {
    for (Node& verb : document_.root.children) {
      if (std::find(std::begin(kVerbs), std::end(kVerbs), verb.key) == std::end(kVerbs)) {
        problems_.add(document_.at_key(verb), escaped(verb.key),
                      "changes stand in lists such as [[add.route]]; the verbs are " + listed(kVerbs));
      } else if (verb.kind != Kind::table) {
        report(verb, verb.key, mismatch("lists of tables such as [[" + verb.key + ".route]]", verb.kind));
      } else {
        for (Node& kind : verb.children) check_kind(kind, verb.key);
      }
    }
  }

 private:
  void add_keys(std::span<const KeySpec> specs) {
    for (const KeySpec& key : specs) {
      keys_.emplace(key.path, &key);
      members_[std::string(section_of(key.path))].push_back(leaf_of(key.path));
    }
  }

  void check_kind(Node& list, const std::string& verb) {
    const std::string path = verb + "." + list.key;
    const std::vector<std::string_view> kinds(kChangeable.begin(), kChangeable.end());
    if (std::find(kinds.begin(), kinds.end(), list.key) == kinds.end()) {
      const bool in_file = sections_.contains(list.key) || sections_.contains(list.key + "[]");
      return problems_.add(
          document_.at_key(list), escaped(path),
          in_file ? "this is changed in the file, by a reload or a restart; at run time there are " +
                        listed(kinds)
                  : "no such kind of thing; there are " + listed(kinds));
    }
    if (is_of_members(verb) && list.key != "group") {
      return problems_.add(document_.at_key(list), escaped(path),
                           "only groups have members that come and go; write [[" + verb + ".group]]");
    }
    const std::string hint = "a list of tables, each written as [[" + path + "]]";
    if (list.kind != Kind::list) return report(list, path, mismatch(hint, list.kind));
    for (Node& element : list.children) {
      if (problems_.full()) return;
      if (element.kind != Kind::table) {
        report(element, path, mismatch(hint, element.kind));
      } else if (is_of_members(verb)) {
        check_members(element, list.key + "[]");
      } else if (verb == "remove") {
        check_removal(element, list.key + "[]");
      } else {
        check_table(element, list.key + "[]");
      }
    }
  }

  void check_removal(Node& table, const std::string& path) {
    for (Node& member : table.children) {
      if (problems_.full()) return;
      const auto key = keys_.find(path + "." + member.key);
      if (key == keys_.end() || key->second->identity == Identity::none) {
        member.bad = true;
        problems_.add(document_.at_key(member), escaped(path + "." + member.key),
                      "a removal says no more than what names the thing: " + listed(names_of(path)));
      } else {
        check_value(member, *key->second, path + "." + member.key);
      }
      if (member.bad) table.bad = true;
    }
    for (const KeySpec& key : keys()) {
      if (key.identity != Identity::required || section_of(key.path) != path) continue;
      if (table.find(leaf_of(key.path)) != nullptr) continue;
      report(table, std::string(key.path), missing(key));
    }
  }

  /// A group's name and members of it.
  void check_members(Node& table, const std::string& path) {
    check_table(table, path);
    bool any = false;
    for (Node& member : table.children) {
      const auto key = keys_.find(path + "." + member.key);
      if (key == keys_.end() || key->second->identity == Identity::required) continue;
      any = true;
      if (names_members(*key->second)) continue;
      report(member, escaped(path + "." + member.key), "this is no member; [[replace.group]] changes it");
      table.bad = true;
    }
    if (!any && !table.bad) report(table, path, "names no member of the group");
  }

  static std::vector<std::string_view> names_of(std::string_view path) {
    std::vector<std::string_view> names;
    for (const KeySpec& key : keys()) {
      if (key.identity != Identity::none && section_of(key.path) == path) names.push_back(leaf_of(key.path));
    }
    return names;
  }

  void report(Node& node, const std::string& key, std::string message) {
    node.bad = true;
    problems_.add(document_.at(node), key, std::move(message));
  }

  /// False if something inside is wrong. `path` is the table's own, as in "port[]"; empty for the whole file.
  bool check_table(Node& table, const std::string& path) {
    for (Node& member : table.children) {
      if (problems_.full()) break;
      const std::string member_path = path.empty() ? member.key : path + "." + member.key;
      if (const auto key = keys_.find(member_path); key != keys_.end()) {
        check_value(member, *key->second, member_path);
      } else if (const auto any = keys_.find(path + ".*"); any != keys_.end()) {
        check_named(member, *any->second, member_path);
      } else if (sections_.contains(member_path)) {
        check_subtable(member, member_path);
      } else if (sections_.contains(member_path + "[]")) {
        check_list_of_tables(member, member_path);
      } else {
        unknown(member, path, member_path);
      }
      if (member.bad) table.bad = true;
    }
    check_missing(table, path);
    return !table.bad;
  }

  void check_subtable(Node& node, const std::string& path) {
    if (node.kind == Kind::table) {
      check_table(node, path);
    } else {
      report(node, path, mismatch("a table", node.kind));
    }
  }

  void check_list_of_tables(Node& node, const std::string& path) {
    const std::string hint = "a list of tables, each written as [[" + path + "]]";
    if (node.kind != Kind::list) return report(node, path, mismatch(hint, node.kind));
    for (Node& element : node.children) {
      if (element.kind == Kind::table) {
        check_table(element, path + "[]");
      } else {
        report(element, path, mismatch(hint, element.kind));
      }
    }
  }

  /// A key that the file names itself.
  void check_named(Node& node, const KeySpec& key, const std::string& path) {
    if (is_variable_name(node.key)) return check_value(node, key, path);
    node.bad = true;
    problems_.add(document_.at_key(node), escaped(path),
                  "a name of 1 to 64 letters, digits, \"-\" and \"_\" is needed");
  }

  void check_value(Node& node, const KeySpec& key, const std::string& path) {
    if (!key.list) {
      if (auto message = check_element(key, node)) report(node, path, std::move(*message));
      return;
    }
    if (node.kind != Kind::list) return report(node, path, mismatch(expectation(key), node.kind));
    const size_t count = node.children.size();
    if (count < key.min_items || count > key.max_items) report(node, path, wrong_count(key, count));
    for (Node& element : node.children) {
      if (problems_.full()) break;
      if (auto message = check_element(key, element)) report(element, path, std::move(*message));
      if (element.bad) node.bad = true;
    }
  }

  static std::string wrong_count(const KeySpec& key, size_t count) {
    if (key.min_items == key.max_items) {
      return "expected exactly " + std::to_string(key.min_items) + " elements, found " +
             std::to_string(count);
    }
    if (count < key.min_items) {
      return key.required ? "an empty list; at least one element is needed"
                          : "an empty list; leave the key out if you mean any";
    }
    return std::to_string(count) + " elements; at most " + std::to_string(key.max_items) + " are possible";
  }

  void unknown(Node& member, const std::string& section, const std::string& path) {
    const auto known = members_.find(section);
    std::string message = section.empty() ? "no such section" : "no such key";
    // A key that exists, but elsewhere, is a frequent slip too; the nearest one here is still what is named
    // first.
    if (const auto near = nearest(member.key, known->second); !near.empty()) {
      message += "; the nearest is " + in_quotes(near);
    } else {
      message += "; known here: " + listed(known->second, 32);
    }
    member.bad = true;
    problems_.add(document_.at_key(member), escaped(path), message);
  }

  void check_missing(Node& table, const std::string& path) {
    for (const KeySpec& key : keys()) {
      if (!key.required || section_of(key.path) != path || table.find(leaf_of(key.path)) != nullptr) continue;
      report(table, std::string(key.path), missing(key));
    }
    for (const SectionSpec& section : sections()) {
      if (!section.required || section_of(section.path) != path) continue;
      const bool list = section.path.ends_with("[]");
      const std::string name(leaf_of(section.path.substr(0, section.path.size() - (list ? 2 : 0))));
      const Node* found = table.find(name);
      if (found == nullptr && list) {
        report(table, name, "missing; at least one [[" + name + "]] is needed");
      } else if (found == nullptr && path.empty()) {
        Node nothing;  // so that its required keys are named
        nothing.line = nothing.column = 1;
        check_table(nothing, name);
        table.bad = true;
      } else if (found == nullptr) {
        report(table, std::string(section.path), "missing; it has to be a table");
      } else if (list && found->kind == Kind::list && found->children.empty()) {
        problems_.add(document_.at(*found), name, "an empty list; at least one [[" + name + "]] is needed");
        table.bad = true;
      }
    }
  }

  Document& document_;
  Problems& problems_;
  std::unordered_map<std::string_view, const KeySpec*> keys_;
  std::unordered_map<std::string_view, const SectionSpec*> sections_;
  std::unordered_map<std::string, std::vector<std::string_view>> members_;
};

const KeySpec& spec_of(std::string_view path) {
  const auto specs = keys();
  return *std::find_if(specs.begin(), specs.end(), [&](const KeySpec& key) { return key.path == path; });
}

}  // namespace

std::optional<std::string> problem_of_text(std::string_view path, std::string_view text) {
  const KeySpec& key = spec_of(path);
  Node node;
  node.kind = Kind::text;
  node.text = text;
  const bool number = key.kind == ValueKind::integer || key.kind == ValueKind::ports;
  if (number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), node.integer);
    if (error == std::errc{} && end == text.data() + text.size()) node.kind = Kind::integer;
  } else if (key.kind == ValueKind::boolean && (text == "true" || text == "false")) {
    node.kind = Kind::boolean;
  }
  return check_element(key, node);
}

std::string missing_text(std::string_view path) { return missing(spec_of(path)); }

void check_schema(Document& document, Problems& problems) { Checker(document, problems, false).run(); }

void check_changes_schema(Document& document, Problems& problems) {
  Checker(document, problems, true).run_changes();
}

std::span<const std::string_view> changeable_kinds() { return kChangeable; }

}  // namespace weir::config
