// Routes of the routes file: the checks of validate_routes(), without a tree, for a million of them.
#include <bit>

#include "mgmt/config/fit.h"
#include "mgmt/config/validate.h"

namespace weir::config {

namespace {

/// The routes of one prefix of one domain are walked when one is added.
constexpr size_t kMaxPerPrefix = 64;

std::string place_of(const Location& where) { return where.file + ":" + std::to_string(where.line); }

/// Which routes and gateway subnets have a prefix: open addressing, equal keys behind each other.
class PrefixTable {
 public:
  explicit PrefixTable(size_t entries) : slots_(std::bit_ceil(2 * entries + 2)) {}

  struct Entry {
    uint32_t domain = 0;
    uint32_t index = 0;
    bool gateway = false;  // index of an attachment, not of a route
    bool used = false;
    const net::Prefix* prefix = nullptr;
  };

  /// Calls `visit` with each entry of an equal key, then adds this one.
  template <typename Visit>
  void add(Entry entry, Visit&& visit) {
    size_t at = hash(entry) & (slots_.size() - 1);
    for (; slots_[at].used; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].domain == entry.domain && *slots_[at].prefix == *entry.prefix) visit(slots_[at]);
    }
    entry.used = true;
    slots_[at] = entry;
  }

 private:
  static size_t hash(const Entry& e) {
    constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;
    const net::Ipv6 bits = e.prefix->address.bits;
    uint64_t h = (bits.hi ^ (uint64_t{e.domain} << 40 | e.prefix->length)) * kOdd;
    h = (h ^ h >> 32 ^ bits.lo) * kOdd;
    return h ^ h >> 32;
  }

  std::vector<Entry> slots_;
};

class LineChecker {
 public:
  explicit LineChecker(const Validation& v)
      : v_(v), config_(v.draft.config), prefixes_(config_.routes.size() + gateways_of(config_)) {}

  void run() {
    for (size_t a = 0; a < config_.attachments.size(); ++a) {
      const size_t* domain = v_.domains.find(config_.attachments[a].domain);
      if (domain == nullptr) continue;
      for (const auto& g : config_.attachments[a].gateways) subnets_.push_back({*domain, a, g.subnet()});
    }
    for (const Subnet& s : subnets_)
      prefixes_.add({uint32_t(s.domain), uint32_t(s.attachment), true, false, &s.prefix}, [](const auto&) {});
    for (size_t i = 0; i < config_.routes.size() && !v_.report.full(); ++i) {
      if (i < v_.draft.routes.size()) {
        note(i);
      } else {
        check(i);
      }
    }
  }

 private:
  struct Subnet {
    size_t domain, attachment;
    net::Prefix prefix;
  };

  static size_t gateways_of(const Config& config) {
    size_t n = 0;
    for (const Attachment& a : config.attachments) n += a.gateways.size();
    return n;
  }

  /// A route that validate_routes() judges.
  void note(size_t i) {
    const Node& table = *v_.draft.routes[i];
    const size_t* domain = v_.domains.find(config_.routes[i].domain);
    if (domain == nullptr || table.get("prefix") == nullptr) return;
    prefixes_.add({uint32_t(*domain), uint32_t(i), false, false, &config_.routes[i].prefix},
                  [](const auto&) {});
  }

  void check(size_t i) {
    const Route& route = config_.routes[i];
    const size_t* domain = find(v_.domains, route.domain, last_domain_, route, "route[].domain");
    if (domain == nullptr) return;
    if (!route.blackhole && !check_next_hop(route)) return;
    check_prefix(i, *domain);
  }

  bool check_next_hop(const Route& route) {
    const size_t* index =
        find(v_.attachments, route.attachment, last_attachment_, route, "route[].attachment");
    if (index == nullptr) return false;
    const Attachment& attachment = config_.attachments[*index];
    if (attachment.domain != route.domain) {
      v_.report.at(route.where, "route[].attachment",
                   "attachment " + in_quotes(attachment.name) + " belongs to domain " +
                       in_quotes(attachment.domain) + ", not to " + in_quotes(route.domain));
      return false;
    }
    const std::string why =
        route.via ? misfit_of_via(route, attachment) : misfit_of_family(route, attachment);
    if (!why.empty()) v_.report.at(route.where, route.via ? "route[].via" : "route[].attachment", why);
    return why.empty();
  }

  void check_prefix(size_t i, size_t domain) {
    const Route& route = config_.routes[i];
    size_t same = 0;
    std::string problem;
    prefixes_.add(
        {uint32_t(domain), uint32_t(i), false, false, &route.prefix}, [&](const PrefixTable::Entry& e) {
          if (problem.empty())
            problem =
                e.gateway ? taken_by(config_.attachments[e.index]) : clash(route, config_.routes[e.index]);
          if (++same == kMaxPerPrefix && problem.empty())
            problem = "a prefix has at most " + std::to_string(kMaxPerPrefix) + " routes";
        });
    if (!problem.empty())
      v_.report.at(route.where, "route[].prefix", net::to_string(route.prefix) + ": " + problem);
  }

  static std::string taken_by(const Attachment& attachment) {
    return "it is a gateway subnet of attachment " + in_quotes(attachment.name) + " already, at " +
           place_of(attachment.where);
  }

  static std::string clash(const Route& route, const Route& other) {
    const std::string there = "the domain has a route to it already, at " + place_of(other.where);
    if (route.blackhole || other.blackhole) return there + "; a blackhole cannot share its prefix";
    if (!route.ecmp || !other.ecmp) return there + "; if both are meant, write ecmp on each";
    if (route.attachment == other.attachment && route.via == other.via)
      return "the same route stands at " + place_of(other.where) + " already";
    return {};
  }

  /// Lines of one domain or attachment mostly stand together.
  struct Last {
    const std::string* name = nullptr;
    const size_t* index = nullptr;
  };
  const size_t* find(const Names& names, const std::string& name, Last& last, const Route& route,
                     std::string_view key) {
    if (last.index != nullptr && *last.name == name) return last.index;
    last = {&name, names.resolve(name, route.where, key, v_.report)};
    return last.index;
  }

  const Validation& v_;
  const Config& config_;
  PrefixTable prefixes_;
  std::vector<Subnet> subnets_;
  Last last_domain_, last_attachment_;
};

}  // namespace

void validate_route_lines(const Validation& v) {
  if (v.draft.config.routes.size() > v.draft.routes.size()) LineChecker(v).run();
}

}  // namespace weir::config
