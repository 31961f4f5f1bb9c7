// Every key of the configuration, declared once: what it takes, its default and range, what it is for.
//
// The reader checks files against this table, docs/configuration.md is written from it, and tests compare it
// with conf/reference.toml and with the defaults of config.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace weir::config {

/// What one value, or one element of a list, has to be.
enum class ValueKind : uint8_t {
  boolean,
  integer,         // in min..max
  choice,          // one of `choices`
  name,            // of something in this file: letters, digits, "-", "_", "."
  text,            // any string without control characters
  file,            // a file name, taken relative to the configuration file's folder
  interface,       // a kernel interface
  pci,             // a PCI address
  mac,             // a unicast MAC
  ipv4,            // an address
  ip,              // an address of either family
  ipv4_interface,  // an address with its prefix length
  ip_interface,
  prefix,          // host bits zero
  ports,           // a port number, or a range as in "8000-8100"
  rule_addresses,  // as in the header of a rule of inspection
  rule_ports,
  rules,  // an entry of a list of rules: a sid as a number, or ast::RulePattern
};

/// What happens when a reload finds a changed key: it is carried out, or the reload is refused.
enum class Change : uint8_t { live, restart };

/// Whether a removal at run time names a thing by this key: it has to, it may where that is needed to tell
/// things apart, or the key is no name.
enum class Identity : uint8_t { none, required, optional };

/// A table, or a list of tables, of the file.
struct SectionSpec {
  std::string_view path;  // "eal", "port[]", "attachment[].vxlan"
  Change change;
  bool required;  // a table: has to be there; a list: has to have an element
  std::string_view help;
};

struct KeySpec {
  /// "port[].interface". "profile[].port_groups.*": any number of keys, whose names the file chooses.
  std::string_view path;
  ValueKind kind;
  bool list = false;
  std::string_view fallback = {};       // the default as TOML; empty: none
  std::string_view fallback_help = {};  // what no value means, in words
  int64_t min = 0;                      // of an integer
  int64_t max = 0;
  bool power_of_two = false;
  size_t min_items = 0;  // of a list
  size_t max_items = 65'536;
  std::string_view unit = {};
  std::span<const std::string_view> choices = {};
  bool required = false;
  Change change = Change::live;
  Identity identity = Identity::none;
  std::string_view help = {};  // a sentence
};

std::span<const SectionSpec> sections();
/// In the order in which they are documented; keys of one section stand together.
std::span<const KeySpec> keys();
/// Keys that no file has, only a change at run time: where a policy rule goes.
std::span<const KeySpec> change_keys();

/// A part of a group that `extend` and `reduce` change at run time.
bool names_members(const KeySpec& key);

/// "port[]" of "port[].interface".
std::string_view section_of(std::string_view path);
/// "interface" of "port[].interface".
std::string_view leaf_of(std::string_view path);

/// How weirctl takes a key of a thing that can be changed at run time: "--vxlan-vni" of
/// "attachment[].vxlan.vni". What names the thing has no option; it is called by its key in capitals.
std::string option_name(std::string_view path);

/// What a value of this key has to be, as in `a whole number from 1 to 256`.
std::string expectation(const KeySpec& key);
/// The same of one element, if it is a list.
std::string element_expectation(const KeySpec& key);

}  // namespace weir::config
