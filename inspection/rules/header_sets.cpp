#include "inspection/rules/header_sets.h"

#include <algorithm>
#include <optional>

#include "inspection/rules/value_text.h"

namespace weir::inspection::ast {

namespace {

constexpr size_t kMaxDepth = 16;  // of lists in lists, and of variables that name variables
/// What one side of a header may grow to when its variables are bound: a variable that doubles itself through
/// others would else fill the memory.
constexpr size_t kMaxTerms = 100'000;

using Sentence = std::string;
template <typename T>
using Read = tl::expected<T, Sentence>;

tl::unexpected<Sentence> say(Sentence sentence) { return tl::unexpected<Sentence>(std::move(sentence)); }

std::string quoted(std::string_view text) { return "'" + std::string(text.substr(0, 64)) + "'"; }

// --- one member ---

struct Addresses {
  static constexpr std::string_view kWhat = "address";

  static std::optional<SetTerm> range(std::string_view text) {
    SetTerm term;
    term.kind = SetTerm::Kind::range;
    const size_t dash = text.find('-'), slash = text.find('/');
    if (dash != std::string_view::npos) {
      const auto first = net::parse_ip(trim(text.substr(0, dash)));
      const auto last = net::parse_ip(trim(text.substr(dash + 1)));
      if (!first || !last || first->family != last->family || *last < *first) return std::nullopt;
      term.first = *first, term.last = *last;
      return term;
    }
    const auto address = net::parse_ip(trim(text.substr(0, slash)));
    if (!address) return std::nullopt;
    const unsigned width = address->is_v4() ? 32 : 128;
    unsigned length = width;
    if (slash != std::string_view::npos) {
      const auto given = prefix_length(trim(text.substr(slash + 1)), *address);
      if (!given || *given > width) return std::nullopt;
      length = *given;
    }
    // Host bits that are set are cleared: rules in the wild have them.
    const net::Prefix prefix{net::masked(*address, static_cast<uint8_t>(length)),
                             static_cast<uint8_t>(length)};
    term.first = prefix.first(), term.last = prefix.last();
    return term;
  }

  /// "24", or of IPv4 "255.255.255.0".
  static std::optional<unsigned> prefix_length(std::string_view text, const net::IpAddress& address) {
    if (const auto number = read_number(text, 128)) return static_cast<unsigned>(*number);
    const auto mask = net::parse_ip(text);
    if (!mask || !mask->is_v4() || !address.is_v4()) return std::nullopt;
    const uint32_t bits = mask->v4().value;
    const unsigned length = static_cast<unsigned>(__builtin_popcount(bits));
    const uint32_t wanted = length == 0 ? 0 : ~uint32_t{0} << (32 - length);
    return bits == wanted ? std::optional<unsigned>(length) : std::nullopt;
  }

  using Set = AddressSet;
  static Set of(const SetTerm& term) {
    Set set;
    if (term.first.is_v4()) {
      set.v4 = IntervalSet<uint32_t>::of(term.first.v4().value, term.last.v4().value);
    } else {
      set.v6 = IntervalSet<uint128>::of(to_uint128(term.first.v6()), to_uint128(term.last.v6()));
    }
    return set;
  }
  static const auto& values(const RuleVariables& variables) { return variables.addresses; }
};

struct Ports {
  static constexpr std::string_view kWhat = "port";

  static std::optional<SetTerm> range(std::string_view text) {
    SetTerm term;
    term.kind = SetTerm::Kind::range;
    const size_t colon = text.find(':');
    const auto first = read_number(trim(text.substr(0, colon)), 65'535);
    if (colon == std::string_view::npos) {
      if (!first) return std::nullopt;
      term.first_port = term.last_port = static_cast<uint16_t>(*first);
      return term;
    }
    const std::string_view low = trim(text.substr(0, colon)), high = trim(text.substr(colon + 1));
    const auto last = high.empty() ? std::optional<uint64_t>(65'535) : read_number(high, 65'535);
    if ((!low.empty() && !first) || !last || (low.empty() && high.empty())) return std::nullopt;
    term.first_port = static_cast<uint16_t>(low.empty() ? 0 : *first);
    term.last_port = static_cast<uint16_t>(*last);
    return term.first_port <= term.last_port ? std::optional<SetTerm>(term) : std::nullopt;
  }

  using Set = PortSet;
  static Set of(const SetTerm& term) { return PortSet::of(term.first_port, term.last_port); }
  static const auto& values(const RuleVariables& variables) { return variables.ports; }
};

// --- lists ---

/// The members of a list's inside, at commas outside of brackets. Nothing if the brackets do not fit.
std::optional<std::vector<std::string_view>> members(std::string_view inside) {
  std::vector<std::string_view> result;
  size_t begin = 0, depth = 0;
  for (size_t i = 0; i < inside.size(); ++i) {
    if (inside[i] == '[') ++depth;
    if (inside[i] == ']' && depth-- == 0) return std::nullopt;
    if (inside[i] == ',' && depth == 0) {
      result.push_back(trim(inside.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  if (depth != 0) return std::nullopt;
  result.push_back(trim(inside.substr(begin)));
  return result;
}

template <typename Kind>
Read<SetTerm> read_term(std::string_view text, size_t depth, bool& has_variables) {
  if (depth > kMaxDepth) return say("Lists lie in lists more than 16 deep.");
  SetTerm term;
  text = trim(text);
  term.negated = take_prefix(text, "!");
  if (text.empty()) return say("An " + std::string(Kind::kWhat) + " is missing.");
  if (text.front() == '[') {
    if (text.back() != ']' || text.size() < 2) return say("A list is not closed by ']'.");
    const auto parts = members(text.substr(1, text.size() - 2));
    if (!parts) return say("The brackets of a list do not fit.");
    term.kind = SetTerm::Kind::list;
    for (const std::string_view part : *parts) {
      auto member = read_term<Kind>(part, depth + 1, has_variables);
      if (!member) return member;
      term.members.push_back(std::move(*member));
    }
    return term;
  }
  if (text.front() == '$') {
    text.remove_prefix(1);
    const bool good = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
      return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
             c == '-' || c == '.';
    });
    if (!good) return say("A variable's name is missing or has other characters than letters, digits, _ - .");
    has_variables = true;
    term.kind = SetTerm::Kind::variable;
    term.variable = text;
    return term;
  }
  if (equal_nocase(text, "any")) {
    if (term.negated) return say("'!any' matches nothing.");
    return term;
  }
  auto range = Kind::range(text);
  if (!range) return say(quoted(text) + " is not an " + std::string(Kind::kWhat) + ".");
  range->negated = term.negated;
  return *range;
}

template <typename Kind>
Read<SetExpression> read_expression(std::string_view text) {
  SetExpression expression;
  for (const char c : text) {
    if (!is_blank(c)) expression.text.push_back(c);
  }
  auto root = read_term<Kind>(text, 0, expression.has_variables);
  if (!root) return say(std::move(root.error()));
  expression.root = std::move(*root);
  return expression;
}

// --- binding ---

template <typename Kind>
class Binder {
 public:
  explicit Binder(const RuleVariables& variables) : variables_(variables) {}

  using Set = typename Kind::Set;

  Read<Set> bind(const SetTerm& term) {
    auto set = positive(term);
    if (set && term.negated) {
      Set all = Set::all();
      all.subtract(*set);
      return all;
    }
    return set;
  }

 private:
  Read<Set> positive(const SetTerm& term) {
    if (++terms_ > kMaxTerms) return say("It has more than 100,000 members once its variables are known.");
    switch (term.kind) {
      case SetTerm::Kind::any:
        return Set::all();
      case SetTerm::Kind::range:
        return Kind::of(term);
      case SetTerm::Kind::variable:
        return variable(term.variable);
      case SetTerm::Kind::list:
        return list(term);
    }
    return say("Unknown kind of member.");
  }

  Read<Set> list(const SetTerm& term) {
    Set with, without;
    bool any_positive = false;
    for (const SetTerm& member : term.members) {
      auto set = positive(member);
      if (!set) return set;
      any_positive |= !member.negated;
      (member.negated ? without : with).append(*set);
    }
    if (!any_positive) with = Set::all();
    with.normalise();
    without.normalise();
    with.subtract(without);
    return with;
  }

  Read<Set> variable(const std::string& name) {
    const auto& values = Kind::values(variables_);
    const auto found = values.find(name);
    if (found == values.end()) return say("The variable $" + name + " is not defined.");
    if (open_.size() >= kMaxDepth || std::find(open_.begin(), open_.end(), name) != open_.end()) {
      return say("The variable $" + name + " is defined by itself.");
    }
    bool has_variables = false;
    auto term = read_term<Kind>(found->second, 0, has_variables);
    if (!term) return say("The value of $" + name + " is wrong: " + term.error());
    open_.push_back(name);
    auto set = bind(*term);
    open_.pop_back();
    return set;
  }

  const RuleVariables& variables_;
  std::vector<std::string> open_;
  size_t terms_ = 0;
};

}  // namespace

RuleVariables RuleVariables::defaults() {
  RuleVariables variables;
  variables.addresses = {{"HOME_NET", "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]"},
                         {"EXTERNAL_NET", "!$HOME_NET"},
                         {"AIM_SERVERS", "$EXTERNAL_NET"}};
  for (const char* name :
       {"HTTP_SERVERS", "SMTP_SERVERS", "SQL_SERVERS", "DNS_SERVERS", "TELNET_SERVERS", "DC_SERVERS",
        "DNP3_SERVER", "DNP3_CLIENT", "MODBUS_CLIENT", "MODBUS_SERVER", "ENIP_CLIENT", "ENIP_SERVER"}) {
    variables.addresses[name] = "$HOME_NET";
  }
  variables.ports = {
      {"HTTP_PORTS", "80"},     {"SHELLCODE_PORTS", "!80"},   {"ORACLE_PORTS", "1521"},
      {"SSH_PORTS", "22"},      {"DNP3_PORTS", "20000"},      {"MODBUS_PORTS", "502"},
      {"FTP_PORTS", "21"},      {"GENEVE_PORTS", "6081"},     {"VXLAN_PORTS", "4789"},
      {"TEREDO_PORTS", "3544"}, {"SIP_PORTS", "[5060,5061]"}, {"FILE_DATA_PORTS", "[$HTTP_PORTS,110,143]"}};
  return variables;
}

uint32_t SetTable::intern(SetExpression expression) {
  const auto [at, added] = by_text_.try_emplace(expression.text, static_cast<uint32_t>(entries_.size()));
  if (added) entries_.push_back(std::move(expression));
  return at->second;
}

tl::expected<SetExpression, std::string> parse_address_expression(std::string_view text) {
  return read_expression<Addresses>(text);
}

tl::expected<SetExpression, std::string> parse_port_expression(std::string_view text) {
  return read_expression<Ports>(text);
}

tl::expected<AddressSet, std::string> bind_addresses(const SetExpression& expression,
                                                     const RuleVariables& variables) {
  return Binder<Addresses>(variables).bind(expression.root);
}

tl::expected<PortSet, std::string> bind_ports(const SetExpression& expression,
                                              const RuleVariables& variables) {
  return Binder<Ports>(variables).bind(expression.root);
}

}  // namespace weir::inspection::ast
