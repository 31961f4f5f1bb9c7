// The model's sessions: found by looking through all, forgotten when their time is over.
#include <algorithm>

#include "tests/model/model.h"

namespace weir::model {

Model::SessionPtr Model::find(const Arrival& a, Side& side, Wrong& wrong) const {
  const auto [first, last] = by_ends_.equal_range({net_.domain_of(a.ingress), a.ends});
  // Of several packets that were refused at once it is not known which was where: by its own worker, if any
  // was.
  if (a.sent == nullptr) {
    const auto is_own = [&, first = first, last = last](const Refused& r) {
      return std::any_of(first, last,
                         [&](const auto& entry) { return entry.second.first->worker == r.worker; });
    };
    const auto own = std::find_if(a.refused_later.begin(), a.refused_later.end(), is_own);
    if (!is_own(*a.refused) && own != a.refused_later.end()) std::swap(*own, *a.refused);
  }
  const int worker = a.worker();
  const Session* elsewhere = nullptr;
  for (auto it = first; it != last; ++it) {
    const auto& [session, of] = it->second;
    if (session->worker == worker) {
      side = of;
      return session;
    }
    // Other rules of translation may have given its packets to another worker, where it is not known.
    // So may a pool that the responder's domain does not see: he has a port of it from before a change.
    const bool seen = of == 0 || session->source == nullptr || pool_meant(net_, session->domain[1], a.ends);
    if (session->met[of] == nat_number_ && seen) elsewhere = session.get();
  }
  if (elsewhere != nullptr)
    wrong = "worker " + std::to_string(worker) + " had a packet of " + describe(*elsewhere);
  return nullptr;
}

void Model::enter(const SessionPtr& s) {
  sessions_.push_back(s);
  by_ends_.insert({{s->domain[0], s->ends[0]}, {s, 0}});
  by_ends_.insert({{s->domain[1], s->ends[1]}, {s, 1}});
}

void Model::end(const SessionPtr& s) {
  std::erase_if(by_ends_, [&](const auto& entry) { return entry.second.first == s; });
  release(s->source);
  release(s->sent_to);
  std::erase(sessions_, s);
}

unsigned Model::timeout(const Session& s) const {
  const Timeouts& t = s.timeouts == 0 ? net_.timeouts : net_.rule_timeouts[s.timeouts - 1];
  if (s.tcp) {
    // Its ends may believe in it still: until then it must not begin anew.
    const bool handshake = s.tcp->state == TcpState::syn_sent || s.tcp->state == TcpState::syn_received;
    if (s.dropped && !handshake) return t.tcp_established;
    switch (s.tcp->state) {
      case TcpState::loose:
        return t.tcp_loose;
      case TcpState::syn_sent:
      case TcpState::syn_received:
        return t.tcp_handshake;
      case TcpState::established:
        return t.tcp_established;
      case TcpState::fin_forward:
      case TcpState::fin_reverse:
        return t.tcp_half_closed;
      case TcpState::closing:
      case TcpState::reset:
        return t.tcp_closing;
    }
  }
  switch (s.ends[0].protocol) {
    case kUdp:
      return s.packets[1] == 0 && !s.dropped ? t.udp_unanswered : t.udp;
    case kIcmp:
    case kIcmpv6:
      return t.icmp;
    default:
      return t.other;
  }
}

std::string Model::pass(unsigned ticks, const Outcome& o) {
  now_ += ticks;
  std::vector<SessionPtr> over;
  for (const SessionPtr& s : sessions_) {
    if (now_ - s->last >= timeout(*s)) over.push_back(s);
  }
  for (const SessionPtr& s : over) end(s);
  size_t late = 0;
  for (auto it = datagrams_.begin(); it != datagrams_.end();) {
    if (now_ - it->second.began >= net_.timeouts.fragment) {
      late += it->second.held.size();
      it = datagrams_.erase(it);
    } else {
      ++it;
    }
  }
  if (o.ended != static_cast<int64_t>(over.size())) {
    std::string list;
    for (const SessionPtr& s : over) list += "\n    " + describe(*s);
    return std::to_string(o.ended) + " sessions ended in time, not " + std::to_string(over.size()) + list;
  }
  for (const Refused& r : o.refused) {
    if (r.reason != "fragment_timeout") return "dropped for " + r.reason + " while nothing came in";
  }
  if (o.refused.size() != late)
    return std::to_string(o.refused.size()) + " fragments were given up, not " + std::to_string(late);
  if (o.created != 0 || o.given_way != 0 || o.cut != 0) return "sessions changed while nothing came in";
  return match_resets(over, o);
}

bool Model::knows(const Hop& hop, const Address& destination) const {
  return net_.usable(hop.attachment) &&
         (!carries_ethernet(net_.tunnel_of(hop.attachment).kind) ||
          net_.neighbours.count({hop.attachment, hop.via.value_or(destination)}) != 0);
}

bool Model::took(const Sent& sent, const Hop& hop, const Address& destination) const {
  if (sent.to != hop.attachment) return false;
  return !carries_ethernet(net_.tunnel_of(hop.attachment).kind) ||
         sent.next == mac_of(hop.attachment, hop.via.value_or(destination));
}

size_t Model::sessions_of(int worker) const {
  return static_cast<size_t>(std::count_if(sessions_.begin(), sessions_.end(),
                                           [&](const SessionPtr& s) { return s->worker == worker; }));
}
size_t Model::half_open_of(int worker) const {
  return static_cast<size_t>(std::count_if(sessions_.begin(), sessions_.end(), [&](const SessionPtr& s) {
    return s->worker == worker && s->counted_half_open;
  }));
}
size_t Model::half_open() const {
  return static_cast<size_t>(std::count_if(sessions_.begin(), sessions_.end(),
                                           [&](const SessionPtr& s) { return s->counted_half_open; }));
}
size_t Model::fragments_held() const {
  size_t held = 0;
  for (const auto& [name, datagram] : datagrams_) held += datagram.held.size();
  return held;
}

bool Model::asks_for_attachments() const {
  const auto asks = [](const RuleEnd& end) {
    return std::any_of(end.groups.begin(), end.groups.end(),
                       [](const Group& g) { return !g.attachments.empty(); });
  };
  return std::any_of(net_.rules.begin(), net_.rules.end(),
                     [&](const Rule& rule) { return asks(rule.from) || asks(rule.to); });
}

std::string Model::compare(const std::vector<Listed>& listed) const {
  const auto row = [](int worker, Domain from, Domain to, const Ends& ends, const Ends& leaves,
                      const std::string& state, bool dropped, const uint64_t(&packets)[2]) {
    return "worker " + std::to_string(worker) + " domains " + std::to_string(from) + ">" +
           std::to_string(to) + " " + to_string(ends) + " leaves " + to_string(leaves) + " " + state +
           (dropped ? " dropped" : "") + " packets " + std::to_string(packets[0]) + "/" +
           std::to_string(packets[1]);
  };
  std::multiset<std::string> have, want;
  for (const Listed& l : listed)
    have.insert(row(l.worker, l.from, l.to, l.ends, l.leaves, l.state, l.dropped, l.packets));
  for (const SessionPtr& s : sessions_) {
    want.insert(row(s->worker, s->domain[0], s->domain[1], s->ends[0], s->leaves,
                    s->tcp ? name_of(s->tcp->state) : "active", s->dropped, s->packets));
  }
  std::string out;
  for (const std::string& r : have)
    if (want.count(r) != have.count(r)) out += "\n    the hub has   " + r;
  for (const std::string& r : want)
    if (want.count(r) != have.count(r)) out += "\n    it should have " + r;
  return out.empty() ? out : "the hub's sessions are others:" + out;
}

std::string Model::describe(const Session& s) const {
  std::string out = "session {" + to_string(s.ends[0]) + " of domain " + std::to_string(s.domain[0]) +
                    " to " + std::to_string(s.domain[1]) + ", worker " + std::to_string(s.worker) + ", ";
  out += s.tcp ? name_of(s.tcp->state) : "active";
  if (s.translated) out += ", leaves as " + to_string(s.leaves);
  return out + ", idle for " + std::to_string(now_ - s.last) + " ticks}";
}

}  // namespace weir::model
