// Address translation.
#include <algorithm>
#include <string>
#include <vector>

#include "mgmt/config/choices.h"
#include "mgmt/config/key_table.h"
#include "mgmt/config/nat_fit.h"
#include "mgmt/config/validate.h"

namespace weir::config {

namespace {

/// Each domain of a list, and that none is there twice.
void check_domains(const Validation& v, const std::vector<std::string>& names, const Node* list,
                   const std::string& path) {
  if (list == nullptr || list->bad) return;
  for (size_t i = 0; i < names.size() && !v.report.full(); ++i) {
    v.domains.resolve(names[i], list->children[i], path, v.report);
    if (std::find(names.begin(), names.begin() + static_cast<ptrdiff_t>(i), names[i]) !=
        names.begin() + static_cast<ptrdiff_t>(i)) {
      v.report.at(list->children[i], path, in_quotes(names[i]) + " is there twice");
    }
  }
}

/// The value of a rule's key, as "nat[].snat.pool"; the rule itself for "nat[]". Null: it is not there.
const Node* value_of(const Node& rule, std::string_view key) {
  constexpr std::string_view kRule = "nat[]";
  if (key == kRule) return &rule;
  key.remove_prefix(kRule.size() + 1);
  const size_t dot = key.find('.');
  const Node* table = rule.find(key.substr(0, dot));
  return dot == std::string_view::npos || table == nullptr ? table : table->find(key.substr(dot + 1));
}

/// The same of one element of it.
const Node& node_of(const Node& rule, std::string_view key, size_t element) {
  const Node* value = value_of(rule, key);
  if (value == nullptr) return rule;
  return element < value->children.size() && value->kind == Node::Kind::list ? value->children[element]
                                                                             : *value;
}

/// Packets to the pool's addresses come to its domain by some way.
bool has_route(const Config& config, const std::string& domain, const net::Prefix& prefix) {
  for (const Attachment& a : config.attachments) {
    if (a.domain != domain) continue;
    for (const auto& gateway : a.gateways) {
      if (gateway.subnet().contains(prefix)) return true;
    }
  }
  return std::any_of(config.routes.begin(), config.routes.end(),
                     [&](const Route& r) { return r.domain == domain && r.prefix.contains(prefix); });
}

}  // namespace

void validate_nat(const Validation& v) {
  const Config& config = v.draft.config;
  std::vector<const Node*> tables(config.nat.size());  // null: it is not said what the rule is
  for (size_t i = 0; i < config.nat.size() && !v.report.full(); ++i) {
    const Nat& rule = config.nat[i];
    const NatTables found = nat_tables_of(*v.draft.nat[i]);
    if (!found.wrong.empty()) {
      v.report.at(*found.at, found.key, found.wrong);
      continue;
    }
    if (found.at->kind != Node::Kind::table) continue;
    tables[i] = found.at;
    const std::string path = "nat[]." + std::string(name_of(kNatKinds, rule.kind)) + ".";
    const char* list = has_pool(rule.kind) ? "from" : "seen_by";
    check_domains(v, rule.from, tables[i]->find(list), path + list);
    if (const Node* domain = tables[i]->get("domain"))
      v.domains.resolve(rule.domain, *domain, path + "domain", v.report);
  }

  NatSurroundings around;
  around.workers = static_cast<uint16_t>(std::max<size_t>(config.workers.cores.size(), 1));
  for (const Domain& domain : config.domains) around.domains.push_back(domain.name);
  for (const Attachment& a : config.attachments) around.attachments.push_back(&a);
  around.has_route = [&](const std::string& domain, const net::Prefix& prefix) {
    return has_route(config, domain, prefix);
  };
  around.usable = [&](size_t rule, std::string_view key) {
    if (tables[rule] == nullptr) return false;
    const Node* value = value_of(*v.draft.nat[rule], key);
    return value != nullptr && !value->bad;
  };
  around.is_bad = [&](size_t rule, std::string_view key) {
    const Node* value = tables[rule] != nullptr ? value_of(*v.draft.nat[rule], key) : nullptr;
    return value != nullptr && value->bad;
  };
  around.place = [&](size_t rule, std::string_view key, size_t element) {
    return " (" + at_line(node_of(*v.draft.nat[rule], key, element)) + ")";
  };
  std::vector<const Nat*> rules;
  for (const Nat& rule : config.nat) rules.push_back(&rule);
  find_nat_misfits(rules, around, [&](NatMisfit misfit) {
    v.report.at(node_of(*v.draft.nat[misfit.rule], misfit.key, misfit.element), misfit.key,
                std::move(misfit.message));
    return !v.report.full();
  });
}

}  // namespace weir::config
