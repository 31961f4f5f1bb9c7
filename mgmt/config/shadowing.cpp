#include "mgmt/config/shadowing.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>

#include "mgmt/config/tag_expression.h"

namespace weir::config {

namespace {

using Names = std::vector<std::string_view>;  // in order

bool includes(const Names& all, const Names& some) {
  return std::includes(all.begin(), all.end(), some.begin(), some.end());
}

/// One end of a rule as sets.
struct End {
  Names domains;  // empty: any
  bool any_address = true;
  Names groups;                       // with all that they contain
  Names own_groups;                   // as the rule names them
  std::vector<net::Prefix> prefixes;  // its own, and those of its groups, in order

  bool holds(const net::Prefix& prefix) const {
    // A wider prefix stands before those that it contains; other ones may stand between.
    for (uint8_t length = 0; length <= prefix.length; ++length) {
      const net::Prefix around{net::masked(prefix.address, length), length};
      if (std::binary_search(prefixes.begin(), prefixes.end(), around)) return true;
    }
    return false;
  }
};

struct Term {
  Protocol protocol = Protocol::any;
  uint32_t first = 0, last = 65'535;
  bool holds(const Term& other) const {
    return protocol == Protocol::any ||
           (protocol == other.protocol && first <= other.first && other.last <= last);
  }
};

struct Rule {
  const PolicyRule* config;
  End from, to;
  std::vector<Term> terms;  // empty: any service
};

class Reader {
 public:
  explicit Reader(const PolicyObjects& objects) {
    for (const Group& g : objects.groups) groups_.emplace(g.name, &g);
    for (const Service& s : objects.services) services_.emplace(s.name, &s);
  }

  Rule read(const PolicyRule& rule) const {
    Rule out{&rule, end_of(rule.from), end_of(rule.to), {}};
    for (const std::string& name : rule.services) add_terms(*services_.at(name), out.terms);
    if (rule.services.empty() && (rule.protocol != Protocol::any || !rule.ports.empty()))
      add_terms(rule.protocol, rule.ports, out.terms);
    return out;
  }

 private:
  static void add_terms(Protocol protocol, const std::vector<PortRange>& ports, std::vector<Term>& terms) {
    for (const PortRange& r : ports) terms.push_back({protocol, r.first, r.last});
    if (ports.empty()) terms.push_back({protocol});
  }
  static void add_terms(const Service& s, std::vector<Term>& terms) {
    if (s.icmp_types.empty()) return add_terms(s.protocol, s.ports, terms);
    for (const uint32_t type : s.icmp_types) terms.push_back({s.protocol, type, type});
  }
  End end_of(const Endpoint& from) const {
    End end;
    end.domains.assign(from.domains.begin(), from.domains.end());
    std::sort(end.domains.begin(), end.domains.end());
    end.any_address = from.prefixes.empty() && from.groups.empty();
    end.prefixes = from.prefixes;
    end.own_groups.assign(from.groups.begin(), from.groups.end());
    std::set<std::string_view> all;
    Names left = end.own_groups;
    while (!left.empty()) {
      const std::string_view name = left.back();
      left.pop_back();
      if (!all.insert(name).second) continue;
      const Group& group = *groups_.at(name);
      left.insert(left.end(), group.groups.begin(), group.groups.end());
      end.prefixes.insert(end.prefixes.end(), group.prefixes.begin(), group.prefixes.end());
    }
    end.groups.assign(all.begin(), all.end());
    std::sort(end.prefixes.begin(), end.prefixes.end());
    return end;
  }

  std::unordered_map<std::string_view, const Group*> groups_;
  std::unordered_map<std::string_view, const Service*> services_;
};

/// Does `a` hold all that `b` does?
bool covers(const End& a, const End& b) {
  if (!a.domains.empty() && (b.domains.empty() || !includes(a.domains, b.domains))) return false;
  if (a.any_address) return true;
  if (b.any_address) return false;
  Names groups = b.own_groups;
  std::sort(groups.begin(), groups.end());
  if (!includes(a.groups, groups)) return false;
  return std::all_of(b.prefixes.begin(), b.prefixes.end(),
                     [&](const net::Prefix& prefix) { return a.holds(prefix); });
}

bool covers(const Rule& a, const Rule& b) {
  if (!a.terms.empty()) {
    if (b.terms.empty()) return false;
    const bool all = std::all_of(b.terms.begin(), b.terms.end(), [&](const Term& term) {
      return std::any_of(a.terms.begin(), a.terms.end(), [&](const Term& t) { return t.holds(term); });
    });
    if (!all) return false;
  }
  return covers(a.from, b.from) && covers(a.to, b.to);
}

void note_groups(const Config& config, std::vector<Problem>& notes) {
  std::vector<std::string_view> known;
  for (const Attachment& a : config.attachments) known.insert(known.end(), a.tags.begin(), a.tags.end());
  for (const TaggedPrefix& p : config.objects.prefixes)
    known.insert(known.end(), p.tags.begin(), p.tags.end());
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  for (const Group& g : config.objects.groups) {
    if (g.match.empty()) continue;
    const auto expression = TagExpression::parse(g.match);
    if (!expression) continue;
    for (const std::string& tag : expression->tags()) {
      if (std::binary_search(known.begin(), known.end(), tag)) continue;
      const auto near = nearest(tag, known);
      notes.push_back({g.where, "group[].match",
                       "group " + in_quotes(g.name) + ": nothing has the tag " + in_quotes(tag) +
                           (near.empty() ? "" : "; the nearest is " + in_quotes(near))});
    }
    const auto fits = [&](const auto& thing) { return expression->fits(thing.tags); };
    const bool empty = std::none_of(config.attachments.begin(), config.attachments.end(), fits) &&
                       std::none_of(config.objects.prefixes.begin(), config.objects.prefixes.end(), fits);
    if (empty) {
      notes.push_back(
          {g.where, "group[].match", "group " + in_quotes(g.name) + ": its expression chooses nothing now"});
    }
  }
}

}  // namespace

void take_policy_notes(const Config& config, std::vector<Problem>& notes) {
  note_groups(config, notes);
  const Reader reader(config.objects);
  std::vector<Rule> before;
  for (const PolicyRule& rule : config.policy) {
    if (!rule.enabled) continue;
    Rule now = reader.read(rule);
    const auto taker =
        std::find_if(before.begin(), before.end(), [&](const Rule& r) { return covers(r, now); });
    if (taker != before.end()) {
      notes.push_back({rule.where, "policy[]",
                       "rule " + in_quotes(rule.id) + " never decides: rule " + in_quotes(taker->config->id) +
                           " before it takes all that it matches"});
    } else if (!rule.watch) {
      before.push_back(std::move(now));
    }
  }
}

}  // namespace weir::config
