// Making a transaction: the model at once, the tables that workers read in the steps of a Plan. Nothing here
// can fail; check() has found that everything has room and fits.
#include <algorithm>
#include <cassert>
#include <utility>

#include "mgmt/config/toml_values.h"
#include "mgmt/model/build_attachment.h"
#include "mgmt/model/transaction.h"

namespace weir::model {

using namespace dataplane;

bool Plan::narrow(size_t most) {
  for (; unrouted_done_ < unrouted_.size(); ++unrouted_done_) {
    if (most-- == 0) return false;
    const auto& [domain, prefix] = unrouted_[unrouted_done_];
    tables_->routes.remove(domain, prefix);
  }
  for (; interrupts_ && interrupted_done_ < routed_.size(); ++interrupted_done_) {
    if (most-- == 0) return false;
    tables_->routes.remove(routed_[interrupted_done_].domain, routed_[interrupted_done_].prefix);
  }
  for (const auto& [a, b] : disconnected_) tables_->routes.disconnect(a, b);
  for (const TunnelKey& key : old_keys) tables_->tunnels->remove(key);
  for (const TunnelKey& key : gone_peers_) tables_->tunnels->remove(key);
  for (const DomainId id : removed_domains) tables_->routes.remove_domain(id);
  for (const AttachmentId id : removed_attachments) {
    if (tables_->adjacencies != nullptr) {
      const AdjacencyId peer = tables_->adjacencies->find(id, net::IpAddress{});
      tables_->adjacencies->remove(peer);
      if (peer.valid()) removed_adjacencies.push_back(peer);
    }
    if (auto old = tables_->attachments->remove(id)) retired.push_back(std::move(old));
  }
  return true;
}

bool Plan::widen(size_t most) {
  // What check() found room for has room; a machine without memory is the one thing left, and then a route is
  // missing.
  const auto made = [&](const Status& status, const char* what) {
    if (!status)
      warnings.push_back({{}, "", std::string(what) + " could not be made: " + status.error().message});
  };
  const auto make_others = [&] {
    for (const DomainId id : new_domains_) made(tables_->routes.add_domain(id), "a domain");
    for (auto& attachment : attachments_) {
      // What has no Ethernet inside has one next hop, its peer, under no address and without a MAC; but not
      // while it is down.
      const bool up = tables_->board == nullptr || tables_->board->usable(attachment->id);
      if (!attachment->ethernet && up && tables_->adjacencies != nullptr) {
        const auto peer = tables_->adjacencies->set(attachment->id, net::IpAddress{}, net::Mac{});
        if (!peer) made(tl::unexpected(peer.error()), "a next hop");
      }
      if (auto old = tables_->attachments->set(std::move(attachment))) retired.push_back(std::move(old));
    }
    for (const auto& [key, id] : keys_) tables_->tunnels->set(key, id);
    for (const Connect& c : connected_)
      made(tables_->routes.connect(c.a, c.b, c.exposes, c.exposes), "a connection");
  };
  if (!std::exchange(widening_, true)) make_others();
  for (; routed_done_ < routed_.size(); ++routed_done_) {
    if (most-- == 0) return false;
    const SetRoute& route = routed_[routed_done_];
    made(tables_->routes.set(route.domain, route.prefix, route.members), "a route");
  }
  removed_slots = tables_->tunnels->take_removed();
  return true;
}

Plan Transaction::plan() {
  Plan plan = begin_plan();
  plan_routes(plan, Plan::kAll);
  end_plan(plan, ~size_t{0});
  return plan;
}

Plan Transaction::begin_plan() {
  assert(problems_.empty());
  Plan plan(model_.tables_);
  for (auto& [name, edit] : attachments_) {
    const config::Attachment* before = edit.before != nullptr ? &edit.before->config : nullptr;
    const config::Attachment* after = edit.after ? &*edit.after : nullptr;
    if (before != nullptr || after != nullptr) groups_touched_ |= model_.grouped_.touched(before, after);
  }
  plan_domains(plan);
  plan_attachments(plan);
  next_domain_ = routes_.begin();
  return plan;
}

void Transaction::end_plan(Plan& plan, size_t most_work) {
  for (const auto& [name, edit] : attachments_) {
    if (!edit.after && edit.before != nullptr) model_.attachments_.erase(name);
  }
  plan_connections(plan);
  plan_snapshot(plan, most_work);
  for (Origin* origin : adopted_) *origin = Origin::file;
}

void Transaction::plan_domains(Plan& plan) {
  for (auto& [name, edit] : domains_) {
    if (!edit.after) {
      if (edit.before != nullptr) plan.removed_domains.push_back(edit.before->id);
      continue;
    }
    const auto [at, is_new] = model_.domains_.try_emplace(name);
    DomainRecord& record = at->second;
    record.config = *edit.after;
    record.origin = edit.origin;
    if (!is_new) continue;
    record.id = model_.domain_ids_.take();
    plan.new_domains_.push_back(record.id);
    auto domain = std::make_shared<Domain>();
    domain->id = record.id;
    domain->name = name;
    auto& slots = model_.domain_slots_;
    slots.resize(std::max<size_t>(slots.size(), record.id.index() + 1));
    slots[record.id.index()] = std::move(domain);
  }
}

/// One more or less on a UDP port, or native on a port.
void Transaction::count_outer(Plan& plan, const config::Attachment& a, int by) {
  const auto count = [&](auto& counts, const auto& key) {
    uint32_t& users = counts[key];
    users += static_cast<uint32_t>(by);
    plan.outer_changed_ |= users == 0 || (by > 0 && users == 1);
    if (users == 0) counts.erase(key);
  };
  const Tunnel& tunnel = a.tunnel;
  if (over_udp(tunnel.kind)) count(model_.udp_ports_, std::pair(tunnel.udp_port, udp_kind(tunnel.kind)));
  if (tunnel.kind == TunnelKind::native) count(model_.natives_, keys_of(a, model_.facts_).front().port());
}

/// Nobody is known by its keys any more, and one less goes its way through the underlay.
void Transaction::drop_attachment(Plan& plan, const AttachmentEdit& edit) {
  const AttachmentRecord& record = *edit.before;
  for (const TunnelKey& key : keys_of(record.config, model_.facts_)) {
    model_.tunnels_.erase(key);
    plan.old_keys.push_back(key);
  }
  count_outer(plan, record.config, -1);
  if (const auto way = path_of(record.config))
    model_.paths_.find(*way)->second.attachments.erase(record.config.name);
  DomainRecord& domain = model_.domains_.find(record.config.domain)->second;
  --domain.attachments;
  for (const auto& gateway : record.config.gateways) {
    const auto own = domain.gateways.find(gateway.subnet());
    if (own != domain.gateways.end() && own->second == record.config.name) domain.gateways.erase(own);
  }
}

void Transaction::plan_attachments(Plan& plan) {
  std::vector<UnderlayPath> left;
  for (const auto& [name, edit] : attachments_) {
    if (edit.before == nullptr) continue;
    if (const auto way = path_of(edit.before->config)) left.push_back(*way);
    drop_attachment(plan, edit);
    if (!edit.after || edit.after->domain != edit.before->config.domain) {
      plan.removed_attachments.push_back(edit.before->id);
      model_.withdrawn_.erase(edit.before->id);
    }
  }
  for (auto& [name, edit] : attachments_) {
    if (!edit.after) continue;
    const auto [at, is_new] = model_.attachments_.try_emplace(name);
    AttachmentRecord& record = at->second;
    // An attachment that moves to another domain becomes another one: no session of the old domain may reach
    // it.
    const bool another = is_new || record.config.domain != edit.after->domain;
    record.config = *edit.after;
    record.origin = edit.origin;
    if (another) {
      record.id = model_.attachment_ids_.take();
      plan.left_routes_.push_back(std::exchange(record.routes, {}));
    }
    DomainRecord& domain = model_.domains_.find(record.config.domain)->second;
    ++domain.attachments;
    for (const auto& gateway : record.config.gateways) domain.gateways.emplace(gateway.subnet(), name);

    AttachmentPlace place{record.id, domain.id};
    if (const auto way = path_of(record.config)) {
      const auto [path, new_path] = model_.paths_.try_emplace(*way);
      if (new_path) {
        path->second.hop = std::make_shared<UnderlayHop>();
        plan.new_paths.emplace_back(*way, path->second.hop);
        plan.keys_.emplace_back(peer_key_of(*way, model_.facts_), TunnelTable::kPeer);
      }
      path->second.attachments.insert(name);
      place.hop = path->second.hop.get();
      place.path = path->second.facts ? &*path->second.facts : nullptr;
    }
    count_outer(plan, record.config, 1);
    plan.attachments_.push_back(build_attachment(record.config, model_.facts_, place, plan.warnings));
    plan.changed_attachments.push_back(name);
    for (const TunnelKey& key : keys_of(record.config, model_.facts_)) {
      model_.tunnels_.insert_or_assign(key, name);
      plan.keys_.emplace_back(key, record.id);
      // A key that stays is not taken away in between.
      if (std::erase(plan.old_keys, key) == 0) plan.new_keys.push_back(key);
    }
  }
  for (const UnderlayPath& way : left) {
    const auto path = model_.paths_.find(way);
    if (path == model_.paths_.end() || !path->second.attachments.empty()) continue;
    plan.gone_peers_.push_back(peer_key_of(way, model_.facts_));
    plan.retired_hops.push_back(std::move(path->second.hop));
    plan.old_paths.push_back(way);
    model_.paths_.erase(path);
  }
}

bool Transaction::plan_routes(Plan& plan, size_t most) {
  for (; next_domain_ != routes_.end(); ++next_domain_, next_route_.reset()) {
    const auto domain = model_.domains_.find(next_domain_->first);
    if (domain == model_.domains_.end()) continue;
    RouteEdits& edits = next_domain_->second;
    if (!next_route_) next_route_ = edits.begin();
    for (auto& next = *next_route_; next != edits.end(); ++next) {
      if (most-- == 0) return false;
      plan_route(plan, domain->second, next->first, next->second);
    }
  }
  return true;
}

void Transaction::plan_route(Plan& plan, DomainRecord& domain, const net::Prefix& prefix,
                             const RouteEdit& edit) {
  const auto known = domain.routes.lower_bound(prefix);
  const bool was = known != domain.routes.end() && known->first == prefix;
  const auto* before = was ? model_.members(domain, prefix) : nullptr;
  if (before != nullptr && !known->second.on_link) {
    for (const NextHop& hop : *before) {
      const auto a = model_.attachments_.find(model_.attachment_name(hop.attachment));
      if (a != model_.attachments_.end() && a->second.id == hop.attachment) a->second.routes.erase(prefix);
    }
  }
  DomainRecord::Route route;
  const std::vector<NextHop> members = make_members(domain, prefix, edit, route);
  const bool there = !edit.on_link.empty() || !edit.members.empty();
  if (there && was) {
    known->second = route;
  } else if (there) {
    domain.routes.emplace_hint(known, prefix, route);
  } else if (was) {
    domain.routes.erase(known);
  }
  auto wanted = model_.withhold(domain, prefix, there ? &members : nullptr);
  const RouteTarget* now = model_.tables_.routes.find(domain.id, prefix);
  if (!wanted && now != nullptr) plan.unrouted_.emplace_back(domain.id, prefix);
  if (wanted && (now == nullptr || now->members != *wanted))
    plan.routed_.push_back({domain.id, prefix, std::move(*wanted)});
}

/// What a route leads to from now on; noted with the attachments that it leads to.
std::vector<NextHop> Transaction::make_members(const DomainRecord& domain, const net::Prefix& prefix,
                                               const RouteEdit& edit, DomainRecord::Route& route) {
  std::vector<NextHop> members;
  const auto lead_to = [&](const AttachmentRecord& a) -> NextHop& {
    NextHop& hop = members.emplace_back();
    hop.attachment = a.id;
    hop.domain = domain.id;
    return hop;
  };
  if (!edit.on_link.empty()) {
    route.on_link = true;
    lead_to(model_.attachments_.find(edit.on_link)->second);
  }
  for (size_t i = 0; i < edit.members.size(); ++i) {
    const config::Route& wanted = *edit.members[i].route;
    const uint64_t bit = uint64_t{1} << i;
    if (wanted.ecmp) route.ecmp |= bit;
    if (edit.members[i].origin == Origin::file) route.from_file |= bit;
    if (wanted.blackhole) continue;
    if (last_record_ == nullptr || last_record_->config.name != wanted.attachment)
      last_record_ = &model_.attachments_.find(wanted.attachment)->second;
    AttachmentRecord& a = *last_record_;
    a.routes.insert(a.routes.end(), prefix);
    NextHop& hop = lead_to(a);
    hop.has_via = wanted.via.has_value();
    if (wanted.via) hop.via = *wanted.via;
    hop.weight = std::max<uint32_t>(wanted.weight, 1);
  }
  return members;
}

void Transaction::plan_connections(Plan& plan) {
  for (const auto& [names, edit] : connections_) {
    const auto a = model_.domains_.find(names.first), b = model_.domains_.find(names.second);
    if (edit.before != nullptr && !edit.after) {
      --a->second.connections;
      --b->second.connections;
      plan.disconnected_.emplace_back(a->second.id, b->second.id);
      model_.connections_.erase(names);
    }
    if (!edit.after) continue;
    const auto [at, is_new] =
        model_.connections_.insert_or_assign(names, ConnectionRecord{*edit.after, edit.origin});
    if (is_new) {
      ++a->second.connections;
      ++b->second.connections;
    }
    plan.connected_.push_back({a->second.id, b->second.id, edit.after->expose});
  }
  for (const auto& [name, edit] : domains_) {
    if (edit.after || edit.before == nullptr) continue;
    model_.domain_slots_[edit.before->id.index()] = nullptr;
    model_.domains_.erase(name);
  }
}

void Transaction::plan_groups() {
  for (auto& [name, edit] : groups_) {
    if (edit.after) {
      model_.groups_.insert_or_assign(name, GroupRecord{*std::move(edit.after), edit.origin});
    } else {
      model_.groups_.erase(name);
    }
  }
  if (!groups_.empty()) model_.grouped_ = GroupedAttachments(model_.configured_groups());
}

void Transaction::plan_snapshot(Plan& plan, size_t most_work) {
  const bool first = model_.snapshots_ == 0;
  const bool policy_touched = rules_ || nat_rules_ || settings_ || groups_touched_ || !groups_.empty() ||
                              !domains_.empty() || !connections_.empty() || first;
  if (!policy_touched && !plan.outer_changed_) return;
  if (nat_rules_) model_.nat_rules_ = std::move(*nat_rules_);
  if (rules_) {
    plan.rules_before =
        std::exchange(model_.policy_, std::make_shared<const std::vector<RuleRecord>>(std::move(*rules_)));
  }
  if (settings_) {
    model_.rulesets_before_ = std::move(model_.settings_.rulesets);
    ++model_.rules_generation_;
    model_.settings_ = std::move(*settings_);
  }
  plan_groups();
  plan.uncompiled = policy_touched && model_.policy_work() > most_work;
  if (policy_touched && !plan.uncompiled) model_.take(model_.compile_policy());
  if (!plan.uncompiled) plan.snapshot = model_.snapshot();
  plan.interrupts_ = true;
}

}  // namespace weir::model
