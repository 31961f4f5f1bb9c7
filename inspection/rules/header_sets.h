// The addresses and ports of a rule's header before variables are known: `[$HOME_NET,!10.0.0.1]`.
//
// One compiled ruleset serves many profiles, each with a HOME_NET of its own. So a rule names its four sets
// by index into the tables of its ruleset, in which equal texts are one entry (25,000 real rules have a few
// hundred). A profile is two vectors of the same length as those tables, filled by bind(): binding costs the
// entries, not the rules, and compiles nothing. Entries without variables are the same in every profile.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <tl/expected.hpp>

#include "dataplane/net/address.h"
#include "inspection/rules/address_set.h"

namespace weir::inspection::ast {

/// One member of an address or port list. A port lies in `first_port` and `last_port`, an address in the
/// other pair.
struct SetTerm {
  enum class Kind : uint8_t { any, range, variable, list };
  Kind kind = Kind::any;
  bool negated = false;
  net::IpAddress first, last;  // both ends included
  uint16_t first_port = 0, last_port = 0;
  std::string variable;          // without the dollar sign
  std::vector<SetTerm> members;  // of a list: the union of the positive ones without the negated ones
};

/// What one header says for one side.
struct SetExpression {
  std::string text;  // as written, blanks removed; the key of the table
  SetTerm root;
  bool has_variables = false;  // else it is the same for every profile
};

/// Values of variables as a profile or `-c` gives them: "HOME_NET" -> "[10.0.0.0/8,192.168.0.0/16]".
/// Addresses and ports have separate names, as in Suricata. A value may name other variables.
struct RuleVariables {
  std::map<std::string, std::string, std::less<>> addresses;
  std::map<std::string, std::string, std::less<>> ports;

  /// What Suricata's own configuration gives to the names that public rules use: HOME_NET is the private
  /// ranges, EXTERNAL_NET the rest, HTTP_SERVERS and the other servers HOME_NET, HTTP_PORTS 80, ...
  static RuleVariables defaults();
};

/// Equal texts are one entry. Builder thread.
class SetTable {
 public:
  /// The index of `expression`, added if it is new.
  uint32_t intern(SetExpression expression);
  const std::vector<SetExpression>& entries() const { return entries_; }
  const SetExpression& operator[](uint32_t index) const { return entries_[index]; }

 private:
  std::vector<SetExpression> entries_;
  std::unordered_map<std::string, uint32_t> by_text_;
};

/// Reads one side of a header: `any`, an address, CIDR, range, variable, list, each perhaps negated. The
/// error is a sentence.
tl::expected<SetExpression, std::string> parse_address_expression(std::string_view text);
tl::expected<SetExpression, std::string> parse_port_expression(std::string_view text);

/// The set that `expression` is under `variables`. An error (a sentence) if a variable is not defined or
/// defined by itself; an empty set, which `!any` gives, is not an error here.
tl::expected<AddressSet, std::string> bind_addresses(const SetExpression& expression,
                                                     const RuleVariables& variables);
tl::expected<PortSet, std::string> bind_ports(const SetExpression& expression,
                                              const RuleVariables& variables);

}  // namespace weir::inspection::ast
