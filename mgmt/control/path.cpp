#include "mgmt/control/path.h"

#include <algorithm>

#include "mgmt/control/views.h"

namespace weir::control {

using namespace dataplane;

namespace {

/// A source port as a client's system would choose it; only the choice among ECMP members depends on it.
constexpr uint16_t kSomeSourcePort = 49'152;

struct Origin {
  const Domain* domain = nullptr;
  AttachmentId attachment;  // where `from` is reached; invalid: nowhere
};

Origin origin_in(const Snapshot& snapshot, const Domain& domain, const net::IpAddress& from) {
  const Routes::Match match = snapshot.routes->lookup_own(domain.id, from);
  if (!match || match.target->members.empty()) return {&domain, {}};
  return {&domain, match.target->members.front().attachment};
}

Result<Origin> find_origin(const Snapshot& snapshot, const PathQuery& query) {
  const std::string from = net::to_string(query.from);
  std::vector<Origin> found;
  for (const auto& domain : snapshot.domains) {
    if (domain == nullptr || (query.domain && domain->name != *query.domain)) continue;
    const Origin origin = origin_in(snapshot, *domain, query.from);
    if (query.domain || origin.attachment.valid()) found.push_back(origin);
  }
  if (found.size() == 1) return found.front();
  if (query.domain) return fail(ErrorCode::not_found, no_such_domain(snapshot, *query.domain));
  if (found.empty()) return fail(ErrorCode::not_found, "no domain has a route to " + from);
  std::string names;
  for (const Origin& o : found) names += (names.empty() ? "" : ", ") + o.domain->name;
  return fail(ErrorCode::invalid, from + " is in more than one domain (" + names + "); say which, as in " +
                                      found.front().domain->name + "/" + from);
}

std::string describe(const Snapshot& snapshot, const NextHop& hop) {
  std::string text = "attachment " + attachment_name(snapshot, hop.attachment);
  return hop.has_via ? text + " via " + net::to_string(hop.via) : text + ", on-link";
}

std::string rule_text(const Snapshot& snapshot, const PolicyDecision& policy) {
  if (policy.rule == kDefaultDeny) return "no rule matches: default deny";
  const PolicyRule& rule = snapshot.policy->rules()[policy.rule];
  std::string text = "rule " + rule.id + ": ";
  switch (policy.action) {
    case PolicyAction::allow:
      return text + "allow";
    case PolicyAction::deny:
      return text + "deny";
    case PolicyAction::reject:
      return text + "reject";
    case PolicyAction::inspect:
      return text + "inspect with profile " +
             (policy.profile < snapshot.profiles.size() ? snapshot.profiles[policy.profile].name : "?");
  }
  return text;
}

/// By what one end of a rule matches, in words; it does match.
std::string end_text(const Snapshot& snapshot, const PolicyEnd& end, DomainId domain, AttachmentId attachment,
                     const net::IpAddress& address) {
  const std::string where = "domain " + domain_name(snapshot, domain);
  const std::string head = end.domains.empty() ? std::string() : where + ", ";
  if (end.any_address()) return end.domains.empty() ? "anywhere" : where;
  const auto around = [&](const net::Prefix& prefix) { return prefix.contains(address); };
  const auto within = [&](const std::vector<net::Prefix>& prefixes) {
    const auto at = std::find_if(prefixes.begin(), prefixes.end(), around);
    return at != prefixes.end() ? net::to_string(*at) : std::string();
  };
  if (const std::string prefix = within(end.prefixes); !prefix.empty()) return head + "in " + prefix;
  for (const auto& group : end.groups) {
    const std::string of = " of group " + group->name;
    if (std::binary_search(group->domains.begin(), group->domains.end(), domain)) return head + where + of;
    if (std::binary_search(group->attachments.begin(), group->attachments.end(), attachment))
      return head + "attachment " + attachment_name(snapshot, attachment) + of;
    if (const std::string prefix = within(group->prefixes); !prefix.empty())
      return head + "in " + prefix + of;
    for (const auto& [its, prefix] : group->of_domains) {
      if (its == domain && around(prefix)) return head + where + " in " + net::to_string(prefix) + of;
    }
  }
  return head + "no part of it";
}

std::string service_text(const PolicyRule& rule, const Tuple& tuple) {
  if (rule.services.empty()) return "any service";
  const auto numbers = [](const PortRange& r) {
    if (r == PortRange{}) return std::string();
    return r.first == r.last ? " " + std::to_string(r.first)
                             : " " + std::to_string(r.first) + "-" + std::to_string(r.last);
  };
  for (const ServiceTerm& term : rule.services) {
    if (term.protocol == 0) return "any service";
    if (term.protocol != tuple.protocol) continue;
    const bool icmp = net::is_icmp(tuple.protocol);
    const uint16_t number = icmp ? echo_request_type(tuple.protocol) : tuple.dst_port;
    if (number < term.numbers.first || number > term.numbers.last) continue;
    const std::string kind = tuple.protocol == net::kProtoTcp   ? "tcp"
                             : tuple.protocol == net::kProtoUdp ? "udp"
                             : icmp                             ? "icmp type"
                                    : "protocol " + std::to_string(tuple.protocol);
    return kind + numbers(term.numbers);
  }
  return "no part of it";
}

/// The session's names, as whoever asks tells them.
class ToldNames final : public NameSource, private inspection::KnownNames {
 public:
  using Told = std::vector<std::pair<inspection::NameKind, std::string>>;
  explicit ToldNames(const Told& told) : told_(told) {}
  NameAnswer ask(const NameQuestion& names) const override { return inspection::answer(names, *this); }

 private:
  inspection::NameState state(inspection::NameKind kind) const override {
    const bool known =
        std::any_of(told_.begin(), told_.end(), [&](const auto& name) { return name.first == kind; });
    return known ? inspection::NameState::known : inspection::NameState::unknown;
  }
  bool has(inspection::NameKind kind, const inspection::NamePattern& pattern) const override {
    return std::any_of(told_.begin(), told_.end(), [&](const auto& name) {
      return name.first == kind && inspection::fits(kind, pattern, name.second);
    });
  }

  const Told& told_;
};

/// By what a rule's names decide, in words.
std::string names_text(const PolicyRule& rule, const NameSource* names) {
  if (names == nullptr || names->ask(rule.names) != NameAnswer::yes)
    return std::string("not known, so its unknown = ") +
           (rule.if_unknown == IfUnknown::allow ? "allow" : "deny");
  std::string text;
  for (size_t k = 0; k < inspection::kNameKinds; ++k) {
    const auto kind = static_cast<inspection::NameKind>(k);
    if (!rule.names.of(kind).empty())
      text += (text.empty() ? "" : ", ") + std::string(inspection::name_of(kind));
  }
  return "fit: " + text;
}

void explain_rule(const Snapshot& snapshot, const FirstPacket& packet, const FirstDecision& d,
                  PathAnswer& answer) {
  const auto& rules = snapshot.policy->rules();
  for (const RuleIndex r : d.policy.watched) answer.watched.push_back(rules[r].id);
  if (d.policy.rule == kDefaultDeny) return;
  const PolicyRule& rule = rules[d.policy.rule];
  answer.rule = rule.id;
  answer.why = {
      {"from", true, end_text(snapshot, rule.from, d.from_domain, packet.ingress, packet.tuple.src)},
      {"to", true, end_text(snapshot, rule.to, d.to_domain, d.forward.attachment, d.translated.dst)},
      {"service", true, service_text(rule, d.translated)}};
  if (!rule.names.empty()) answer.why.push_back({"names", true, names_text(rule, packet.names)});
}

std::string drop_text(DropReason reason) {
  return std::string(info(reason).name) + ": " + std::string(info(reason).help);
}

/// In words, if `address` is the hub's own inside `attachment`; else empty.
std::string hub_address_text(const Snapshot& snapshot, AttachmentId attachment,
                             const net::IpAddress& address) {
  const Attachment* a = snapshot.attachment(attachment);
  if (a == nullptr || !a->is_gateway(address)) return "";
  return net::to_string(address) + " is the hub's own address in attachment " + a->name;
}

/// As the route is looked up for.
net::IpAddress passed_destination(const FirstPacket& packet, const FirstDecision& d) {
  return d.destination.domain.valid() ? d.translated.dst : packet.tuple.dst;
}

PathStep reverse_step(const Snapshot& snapshot, const FirstPacket& packet, const FirstDecision& d, bool ok) {
  const std::string in = attachment_name(snapshot, packet.ingress);
  const std::string src = net::to_string(packet.tuple.src);
  if (ok) return {"reverse_path", true, src + " is reached through attachment " + in};
  if (in.empty()) return {"reverse_path", false, "no attachment of the domain leads to " + src};
  const std::string hub = hub_address_text(snapshot, packet.ingress, packet.tuple.src);
  if (!hub.empty()) return {"reverse_path", false, hub + "; no host there may send from it"};
  return {"reverse_path", false, drop_text(d.drop)};
}

/// What of the packet's ends is another one when it leaves.
PathStep translation_step(const Snapshot& snapshot, const FirstDecision& d) {
  const NatRules& rules = snapshot.nat->rules();
  std::string text;
  if (d.destination.kind != NatKind::none) {
    text = "to " + net::to_string(d.translated.dst) + " port " + std::to_string(d.translated.dst_port) +
           ", by " +
           (d.destination.kind == NatKind::fixed       ? rules.fixed[d.destination.rule].name
            : d.destination.kind == NatKind::published ? rules.published[d.destination.rule].name
                                                       : rules.pools[d.destination.rule].name);
  }
  if (d.source.kind != NatKind::none) {
    text += text.empty() ? "from " : "; from ";
    text += d.source.kind == NatKind::fixed
                ? net::to_string(d.translated.src) + ", by " + rules.fixed[d.source.rule].name
                : "an address of the pool " + rules.pools[d.source.rule].name;
  }
  return {"translation", true, text};
}

PathStep route_step(const Snapshot& snapshot, const FirstPacket& packet, const FirstDecision& d, bool ok) {
  const std::string dst = net::to_string(passed_destination(packet, d));
  if (d.drop == DropReason::inner_hub_address) {
    std::string here = hub_address_text(snapshot, packet.ingress, packet.tuple.dst);
    if (!here.empty()) return {"route", false, here + "; it answers echo requests and has no sessions"};
    return {"route", false,
            hub_address_text(snapshot, d.forward.attachment, packet.tuple.dst) +
                "; it answers only hosts of that attachment"};
  }
  if (!ok) return {"route", false, dst + ": " + drop_text(d.drop)};
  return {"route", true,
          dst + " by a /" + std::to_string(d.route_length) + (d.route_exposed ? " exposed by" : " of") +
              " domain " + domain_name(snapshot, d.forward.domain) + ", through " +
              describe(snapshot, d.forward)};
}

PathStep connection_step(const Snapshot& snapshot, const FirstDecision& d, bool ok) {
  if (!ok) return {"connection", false, drop_text(d.drop)};
  const std::string from = domain_name(snapshot, d.from_domain), to = domain_name(snapshot, d.to_domain);
  return {"connection", true, from == to ? "inside domain " + from : "domains " + from + " and " + to};
}

/// Whether the first packet could leave at once. Not being resolved yet is no refusal: the hub asks when it
/// comes.
PathStep next_hop_step(const Snapshot& snapshot, const FirstDecision& d) {
  const Attachment* egress = snapshot.attachment(d.forward.attachment);
  const std::string name = attachment_name(snapshot, d.forward.attachment);
  net::Mac mac;
  const auto view = snapshot.adjacencies->get(find_adjacency(snapshot, d.forward, d.translated.dst));
  if (egress == nullptr || (egress->underlay != nullptr && !egress->underlay->get(mac)) ||
      (!egress->ethernet && !view)) {
    return {"next_hop", false, drop_text(DropReason::underlay_unresolved) + " (attachment " + name + ")"};
  }
  if (!egress->ethernet) return {"next_hop", true, "the peer of attachment " + name};
  const net::IpAddress next = d.forward.has_via ? d.forward.via : d.translated.dst;
  if (!view) {
    return {"next_hop", true,
            net::to_string(next) + " is not known yet; the hub asks for it when a packet comes"};
  }
  return {"next_hop", true, net::to_string(next) + " is at " + net::to_string(view->mac())};
}

std::string verdict_of(const FirstDecision& d, bool next_hop_ok) {
  if (d.drop == DropReason::policy_reject) return "reject";
  if (d.drop == DropReason::policy_deny || d.drop == DropReason::policy_default_deny) return "deny";
  if (d.drop != DropReason::none || !next_hop_ok) return "drop";
  return d.policy.action == PolicyAction::inspect ? "inspect" : "allow";
}

}  // namespace

PathAnswer explain(const Snapshot& snapshot, const FirstPacket& packet, const FirstDecision& d) {
  PathAnswer answer;
  const auto passed = [&](Step step) { return d.last_step > step; };
  const auto reached = [&](Step step) { return d.last_step >= step; };
  answer.steps.push_back(reverse_step(snapshot, packet, d, passed(Step::reverse_path)));
  if (reached(Step::route)) answer.steps.push_back(route_step(snapshot, packet, d, passed(Step::route)));
  if (reached(Step::connection))
    answer.steps.push_back(connection_step(snapshot, d, passed(Step::connection)));
  if (reached(Step::policy)) {
    answer.steps.push_back({"policy", passed(Step::policy), rule_text(snapshot, d.policy)});
    explain_rule(snapshot, packet, d, answer);
  }
  bool next_hop_ok = true;
  if (d.drop == DropReason::none && d.is_translated()) answer.steps.push_back(translation_step(snapshot, d));
  if (d.drop == DropReason::none) {
    answer.steps.push_back(next_hop_step(snapshot, d));
    next_hop_ok = answer.steps.back().ok;
  }
  answer.verdict = verdict_of(d, next_hop_ok);
  if (d.drop != DropReason::none) {
    answer.reason = info(d.drop).name;
  } else if (!next_hop_ok) {
    answer.reason = info(DropReason::underlay_unresolved).name;
  } else {
    answer.reason = rule_text(snapshot, d.policy);
  }
  return answer;
}

Result<PathAnswer> explain_path(const Snapshot& snapshot, const PathQuery& query) {
  if (query.from.family != query.to.family) {
    return fail(ErrorCode::invalid, "--from and --to are of different families");
  }
  const auto origin = find_origin(snapshot, query);
  if (!origin) return tl::unexpected(origin.error());
  const bool has_ports = query.protocol == 6 || query.protocol == 17;
  FirstPacket packet;
  packet.ingress = origin->attachment;
  packet.tuple = {query.from, query.to, has_ports ? kSomeSourcePort : uint16_t{0},
                  has_ports ? query.port : uint16_t{0}, query.protocol};
  const ToldNames names(query.names);
  packet.names = &names;
  if (packet.ingress.valid()) return explain(snapshot, packet, decide_first_packet(snapshot, packet));
  FirstDecision nowhere;  // no attachment: no packet of this source could pass the reverse-path check
  nowhere.drop = DropReason::reverse_path;
  return explain(snapshot, packet, nowhere);
}

}  // namespace weir::control
