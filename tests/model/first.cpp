// A packet that belongs to no session: may it begin one?
#include <algorithm>

#include "tests/model/model.h"

namespace weir::model {

std::string Model::judge_first(Arrival& a) {
  const Packet& p = a.packet;
  if (p.is_icmp_error()) return expect_refused(a, {"icmp_error_unmatched"});
  if (p.is_reply()) return expect_refused(a, {"not_a_session_start"});
  // A piece without a header tells too little, but that the first one was a query.
  const bool readable = a.has_header() || (!p.is_icmp() && p.protocol != kTcp) || p.is_query();
  if (!readable) return expect_refused(a, {"not_a_session_start"});
  auto s = std::make_shared<Session>();
  if (p.protocol == kTcp) {
    s->tcp = TcpConnection::begin(p, a.stream_bytes(), net_.tcp);
    if (!s->tcp) return expect_refused(a, {"not_a_session_start"});
  }
  if (!pays(a)) return expect_refused(a, {"session_budget"});

  const int worker = a.worker();
  const Domain from = net_.domain_of(a.ingress);
  Binding* sent_to = nullptr;
  if (const auto meant = pool_meant(net_, from, a.ends))
    sent_to =
        find_binding(net_.pools[meant->pool].to, meant->address, a.ends.dst_port, a.ends.protocol, worker);
  FirstQuery query{a.ingress, a.ends, p.type, sent_to};
  Wrong wrong_server;
  query.server = server_taken(a, query, wrong_server);
  if (!wrong_server.empty()) return wrong_server;
  hits_unsure_ |=
      query.server && a.sent == nullptr;  // the other servers may have come to the same by other rules
  const Decision d = decide(net_, query);
  const bool asked = d.refused.empty() || d.refused == "no_connection" || d.refused == "inner_martian";
  if (answers_elsewhere(a, sent_to) && asked) return {};
  if (!d.refused.empty()) return expect_refused(a, {d.refused});

  // Of several ways the hub has taken one; by what it did to the packet it is known which, as far as that
  // matters.
  const Way* way = nullptr;
  for (const Way& w : d.there) {
    const bool left_by = a.sent != nullptr && w.refused.empty() && took(*a.sent, w.hop, d.leaves.dst);
    if (left_by || (a.sent == nullptr && !w.refused.empty() && was_refused(a, {as_told(w.refused)})))
      way = &w;
  }
  if (way == nullptr) {
    const auto allowed =
        std::find_if(d.there.begin(), d.there.end(), [](const Way& w) { return w.refused.empty(); });
    way = allowed != d.there.end() ? &*allowed : &d.there[0];
  }
  // Of several ways that come to the same the hub counts one.
  hits_unsure_ |= std::any_of(d.there.begin(), d.there.end(),
                              [&](const Way& w) { return w.rule != way->rule || w.watched != way->watched; });
  if (!way->refused.empty()) {
    count_hits(*way);
    return expect_refused(a, {as_told(way->refused)});
  }

  // Both next hops have to be known before a session is made.
  const auto unresolved = [&](const std::vector<Hop>& hops, const Address& destination) {
    const auto known =
        std::count_if(hops.begin(), hops.end(), [&](const Hop& h) { return knows(h, destination); });
    const bool punted = was_refused(a, {"punt resolve"});
    return known == 0 || (known < static_cast<long>(hops.size()) && punted);
  };
  std::vector<Hop> allowed;
  for (const Way& w : d.there) {
    if (w.refused.empty() && (a.sent == nullptr || w.hop == way->hop)) allowed.push_back(w.hop);
  }
  if (unresolved(d.back, a.ends.src) || unresolved(allowed, d.leaves.dst))
    return expect_refused(a, {"punt resolve"});

  s->worker = worker;
  s->domain[0] = from;
  s->domain[1] = d.to;
  s->ends[0] = a.ends;
  s->leaves = d.leaves;
  s->ingress = a.ingress;
  s->ways[0] = allowed;
  s->maybe_inspected = s->surely_inspected = way->inspected;
  for (const Way& w : d.there) {
    if (std::find(allowed.begin(), allowed.end(), w.hop) == allowed.end()) continue;
    s->maybe_inspected |= w.inspected;
    s->surely_inspected &= w.inspected;
  }
  s->timeouts = way->timeouts;
  s->dscp = way->dscp;
  s->ways[1] = d.back;
  for (Side side : {0, 1}) {
    if (s->ways[side].size() == 1) s->hop[side] = s->ways[side][0];
  }
  s->translated = d.translated();
  if (s->translated) s->sent_to = sent_to;
  s->icmp_type = p.type;
  s->last = now_;
  s->met[0] = s->met[1] = nat_number_;
  s->settled = changes_;
  s->packets[0] = 1;
  if (d.source == Source::pool) {
    if (Wrong wrong = take_source(a, d, *s); s->source == nullptr) return wrong;
  }
  s->ends[1] = s->leaves.reversed();
  if (s->sent_to != nullptr) ++s->sent_to->sessions;
  const bool half_open = s->tcp && is_half_open(s->tcp->state);
  if (Wrong wrong = admit(a, *s, half_open); !wrong.empty() || a.no_room) {
    release(s->source);
    release(s->sent_to);
    return wrong;
  }
  s->counted_half_open = half_open;
  enter(s);
  ++a.counts.created;
  count_hits(*way);
  bool over = false;
  if (Wrong wrong = inspect(a, *s, 0, over); over || !wrong.empty()) return wrong;
  return leaves_by(a, *s, 0, s->ways[0]);
}

/// Is that what became of it?
bool Model::may_explain(const Arrival& a, const Decision& d) const {
  if (!d.refused.empty()) return was_refused(a, {d.refused});
  if (std::any_of(d.there.begin(), d.there.end(),
                  [&](const Way& w) { return !w.refused.empty() && was_refused(a, {as_told(w.refused)}); }))
    return true;
  const bool unknown = std::any_of(d.there.begin(), d.there.end(), [&](const Way& w) {
    return w.refused.empty() && !knows(w.hop, d.leaves.dst);
  });
  return unknown && was_refused(a, {"punt resolve"});
}

/// Of several servers the hub has chosen one; by what it did to the packet it is known which, as far as that
/// matters.
std::optional<Address> Model::server_taken(const Arrival& a, const FirstQuery& query, Wrong& wrong) const {
  const auto servers = servers_for(net_, net_.domain_of(a.ingress), a.ends);
  if (!servers || servers->empty()) return {};
  std::optional<Address> taken;
  if (a.sent != nullptr) {
    if (!a.sent->read.packet && !a.sent->read.fragment) return {};
    taken = a.sent->read.packet ? a.sent->read.packet->dst : a.sent->read.fragment->dst;
  } else {
    for (const Listed& l : looks_.sessions()) {
      if (l.worker == a.worker() && l.from == net_.domain_of(a.ingress) && l.ends == a.ends)
        taken = l.leaves.dst;
    }
  }
  if (taken && std::find(servers->begin(), servers->end(), *taken) == servers->end())
    wrong = to_string(*taken) + " is no server that the session may get";
  if (taken) return taken;
  std::optional<Address> allowed;
  for (const Address& server : *servers) {
    FirstQuery asked = query;
    asked.server = server;
    const Decision d = decide(net_, asked);
    if (may_explain(a, d)) return server;
    const bool got_on = d.refused.empty() && std::any_of(d.there.begin(), d.there.end(), [&](const Way& w) {
                          return w.refused.empty() && knows(w.hop, d.leaves.dst);
                        });
    if (got_on && !allowed) allowed = server;  // and then refused for want of something
  }
  return allowed.value_or(servers->front());
}

/// A first packet costs its host, its attachment and its domain what a budget says, whatever becomes of it;
/// who has nothing left costs those behind it nothing.
bool Model::pays(const Arrival& a) {
  constexpr uint64_t kSecond = 1'000'000'000, kTick = uint64_t{1} << 27;
  const auto takes = [this](Beginner& who, const Budget& budget) {
    if (budget.per_second == 0) return true;
    const uint64_t now = now_ * kTick, cost = kSecond / budget.per_second;
    const uint64_t paid = std::max(now, who.paid_until) + cost;
    if (paid > now + kSecond) return false;
    who.paid_until = paid;
    return true;
  };
  const Domain domain = net_.domain_of(a.ingress);
  return takes(hosts_[{domain, a.ends.src}], net_.of_host) &&
         takes(attachments_[a.ingress], net_.of_attachment) && takes(domains_[domain], net_.of_domain);
}

/// Budgets of half-open sessions, of all workers together.
bool Model::has_half_open_left(Domain domain, const Address& host, Attachment ingress) const {
  const auto has = [this](const Budget& budget, auto&& is_theirs) {
    const auto theirs = std::count_if(sessions_.begin(), sessions_.end(), [&](const SessionPtr& s) {
      return s->counted_half_open && is_theirs(*s);
    });
    return budget.half_open == 0 || theirs < static_cast<long>(budget.half_open);
  };
  return has(net_.of_host,
             [&](const Session& s) { return s.domain[0] == domain && s.ends[0].src == host; }) &&
         has(net_.of_attachment, [&](const Session& s) { return s.ingress == ingress; }) &&
         has(net_.of_domain, [&](const Session& s) { return s.domain[0] == domain; });
}

/// With several workers what is sent to a pool's port is its worker's; where peers may use the pool as well
/// the answers may belong to another one, and the session is refused.
bool Model::answers_elsewhere(const Arrival& a, const Binding* sent_to) const {
  if (net_.workers == 1 || sent_to == nullptr || a.refused == nullptr) return false;
  const auto is_conflict = [](const Refused& r) { return r.reason == "nat_conflict"; };
  const auto later = std::find_if(a.refused_later.begin(), a.refused_later.end(), is_conflict);
  if (!is_conflict(*a.refused) && later != a.refused_later.end()) std::swap(*later, *a.refused);
  return is_conflict(*a.refused);
}

void Model::count_hits(const Way& way) {
  ++hits_[way.rule.value_or(net_.rules.size())];
  for (const size_t watching : way.watched) ++hits_[watching];
}

/// Another session has the ends by which its answers would come, of translations of both or of other rules;
/// or it has itself.
bool Model::are_answers_taken(const Session& s) const {
  const auto [begin, behind] = by_ends_.equal_range({s.domain[1], s.ends[1]});
  return (s.domain[1] == s.domain[0] && s.ends[1] == s.ends[0]) ||
         std::any_of(begin, behind,
                     [&](const auto& entry) { return entry.second.first->worker == s.worker; });
}

/// Nothing gives way to one who is over his budget of half-open sessions, or whose answers are another's;
/// then half-open sessions, then the table. Sets a.no_room if the session is rightly refused.
std::string Model::admit(Arrival& a, const Session& s, bool half_open) {
  const int worker = a.worker();
  const auto some_may_give_way = [&](bool half_open_only) {
    return net_.gives_way && std::any_of(sessions_.begin(), sessions_.end(), [&](const SessionPtr& s) {
             return s->worker == worker && may_give_way(*s, half_open_only);
           });
  };
  const auto refuse = [&](const char* reason) {
    a.no_room = true;
    return expect_refused(a, {reason});
  };
  if (half_open && !has_half_open_left(net_.domain_of(a.ingress), a.ends.src, a.ingress))
    return refuse("half_open_limit");
  if (are_answers_taken(s)) return refuse("nat_conflict");
  if (half_open && half_open_of(worker) >= net_.half_open) {
    if (!some_may_give_way(true)) return refuse("half_open_limit");
    if (Wrong wrong = make_room(a, true); !wrong.empty()) return wrong;
  }
  if (sessions_of(worker) >= net_.sessions) {
    if (!some_may_give_way(false)) return refuse("session_table_full");
    return make_room(a, false);
  }
  return {};
}

bool Model::may_give_way(const Session& s, bool half_open_only) const {
  return s.tcp && (s.counted_half_open || (!half_open_only && is_over(s.tcp->state) && !s.dropped));
}

/// Some session of the worker's gave way: which, the hub tells.
std::string Model::make_room(Arrival& a, bool half_open_only) {
  const int worker = a.worker();
  std::multiset<std::pair<Domain, Ends>> live;
  for (const Listed& l : looks_.sessions()) {
    if (l.worker == worker) live.insert({l.from, l.ends});
  }
  SessionPtr gone;
  bool some_half_open = false;
  for (const SessionPtr& s : sessions_) {
    if (s->worker != worker) continue;
    some_half_open |= s->tcp && s->counted_half_open;
    if (live.count({s->domain[0], s->ends[0]}) != 0 || !s->tcp) continue;
    // Of two that went at once, the half-open one went first.
    if (gone == nullptr || s->counted_half_open) gone = s;
  }
  if (gone == nullptr) return "no session gave way though there was no room";
  const bool right = may_give_way(*gone, half_open_only || some_half_open);
  if (!right) return "the wrong session gave way: " + describe(*gone);
  end(gone);
  ++a.counts.ended;
  ++a.counts.given_way;
  return {};
}

}  // namespace weir::model
