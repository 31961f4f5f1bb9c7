#include "mgmt/config/schema.h"

#include <bit>
#include <optional>
#include <string>
#include <unordered_map>

#include "mgmt/config/key_table.h"
#include "mgmt/config/values.h"

namespace weir::config {

namespace {

using Kind = Node::Kind;

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
      if (node.kind == Kind::integer) return check_integer(key, node);
      break;
    default:
      break;
  }
  if (node.kind != Kind::text) return mismatch(element_expectation(key), node.kind);
  if (key.kind == ValueKind::choice) return check_choice(key, node.text);
  if (text_fits(key, node.text)) return std::nullopt;
  if (key.kind == ValueKind::prefix) return explain_prefix(node.text, element_expectation(key));
  return in_quotes(node.text) + " is not " + element_expectation(key);
}

class Checker {
 public:
  Checker(Document& document, Problems& problems) : document_(document), problems_(problems) {
    for (const KeySpec& key : keys()) {
      keys_.emplace(key.path, &key);
      members_[std::string(section_of(key.path))].push_back(leaf_of(key.path));
    }
    for (const SectionSpec& section : sections()) {
      sections_.emplace(section.path, &section);
      std::string_view name = leaf_of(section.path);
      if (name.ends_with("[]")) name.remove_suffix(2);
      members_[std::string(section_of(section.path))].push_back(name);
    }
  }

  void run() { check_table(document_.root, ""); }

 private:
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
        check_value(member, *key->second);
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

  void check_value(Node& node, const KeySpec& key) {
    const std::string path(key.path);
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
      report(table, std::string(key.path), "missing; it has to be " + expectation(key));
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

}  // namespace

void check_schema(Document& document, Problems& problems) { Checker(document, problems).run(); }

}  // namespace weir::config
