// The way of a packet through the model, top to bottom; what begins a session is in first.cpp.
#include "tests/model/model.h"

#include <algorithm>
#include <utility>

namespace weir::model {

Model::Model(Network network, Looks& looks) : net_(std::move(network)), looks_(looks) {
  hits_.assign(net_.rules.size() + 1, 0);
}

void Model::change(Network network, bool translation) {
  net_ = std::move(network);
  hits_.assign(net_.rules.size() + 1, 0);
  hits_unsure_ = false;
  ++changes_;
  if (translation) ++nat_number_;
}

std::string Model::judge(const std::vector<Came>& burst, const Outcome& o) {
  if (o.sent.size() + o.refused.size() != burst.size()) {
    return std::to_string(o.sent.size()) + " packets left and " + std::to_string(o.refused.size()) +
           " were refused, of " + std::to_string(burst.size()) + " that came";
  }
  std::vector<Refused> refused = o.refused;
  std::vector<bool> used(o.sent.size());
  size_t next_refused = 0;
  Counts total;
  for (const Came& came : burst) {
    Arrival a{.ingress = came.ingress, .packet = came.packet};
    for (size_t i = 0; i < o.sent.size() && a.sent == nullptr; ++i) {
      const auto& packet = o.sent[i].read.packet;
      if (used[i] || (burst.size() > 1 && (!packet || packet->tag != came.packet.tag))) continue;
      used[i] = true;
      a.sent = &o.sent[i];
    }
    if (a.sent == nullptr) {
      if (next_refused == refused.size()) return "nothing became of {" + to_string(came.packet) + "}";
      a.refused = &refused[next_refused++];
      a.refused_later = {refused.begin() + static_cast<long>(next_refused), refused.end()};
    }
    if (Wrong wrong = judge_arrival(a); !wrong.empty())
      return burst.size() == 1 ? wrong : "{" + to_string(came.packet) + "}: " + wrong;
    total.add(a.counts);
  }
  return compare_counters(total, o);
}

std::string Model::compare_counters(const Counts& a, const Outcome& o) const {
  const std::pair<const char*, std::pair<int64_t, int64_t>> counters[] = {
      {"sessions_created", {a.created, o.created}},
      {"sessions_expired", {a.ended, o.ended}},
      {"sessions_given_way", {a.given_way, o.given_way}},
      {"redecided_cut", {a.cut, o.cut}},
      {"tcp_ignored", {a.ignored, o.ignored}}};
  for (const auto& [name, values] : counters) {
    if (values.first != values.second) {
      return std::string(name) + " moved by " + std::to_string(values.second) + ", not by " +
             std::to_string(values.first);
    }
  }
  return {};
}

std::string Model::judge_arrival(Arrival& a) {
  const Packet& p = a.packet;
  if (never_routed(p.src) || never_routed(p.dst)) return expect_refused(a, {"inner_martian"});
  if (net_.is_gateway(a.ingress, p.dst)) {
    return p.is_echo_request() && a.piece == nullptr ? expect_answer(a)
                                                     : expect_refused(a, {"inner_hub_address"});
  }
  a.ends = ends_of(p);
  if (p.is_icmp_error()) {
    // It belongs to the session whose packet it quotes, and travels against that packet.
    const Packet& q = p.quoted[0];
    if (q.src != p.dst || q.is_icmp_error()) return expect_refused(a, {"icmp_error_unmatched"});
    a.ends = ends_of(q).reversed();
  }
  Side side = 0;
  Wrong wrong;
  SessionPtr s = find(a, side, wrong);
  if (!wrong.empty()) return wrong;
  const bool syn = p.protocol == kTcp && a.has_header() && (p.flags & (kSyn | kAck | kRst)) == kSyn;
  if (s != nullptr && s->tcp && is_over(s->tcp->state) && syn && !s->dropped) {  // its ends are used again
    end(s);
    ++a.counts.ended;
    s = nullptr;
  }
  return s == nullptr ? judge_first(a) : judge_known(a, s, side);
}

// --- a packet of a session ---

std::string Model::judge_known(Arrival& a, const SessionPtr& session, Side side) {
  Session& s = *session;
  s.met[side] = nat_number_;
  bool over = false;
  if (Wrong wrong = redecide(a, session, side, over); over || !wrong.empty()) return wrong;
  const std::vector<Hop> hops = s.ways[side];
  if (a.packet.is_icmp()) {
    if (Wrong wrong = judge_icmp(a, s, side, over); over || !wrong.empty()) return wrong;
  } else if (s.tcp && !s.dropped) {
    if (Wrong wrong = judge_tcp(a, s, side, over); over || !wrong.empty()) return wrong;
  } else {
    ++s.packets[side];
    s.last = now_;
  }
  if (Wrong wrong = inspect(a, s, side, over); over || !wrong.empty()) return wrong;
  return leaves_by(a, s, side, hops);
}

/// A live session is decided anew in the initiator's direction, from its original source: what does not hold
/// any longer is cut. A hub that looks again only when something has changed comes to the same.
std::string Model::redecide(Arrival& a, const SessionPtr& session, Side side, bool& over) {
  Session& s = *session;
  over = true;
  const auto decide_by = [&](Attachment ingress) {
    return decide(net_, {ingress, s.ends[0], s.icmp_type, s.sent_to, s.leaves.dst});
  };
  Decision d = decide_by(s.ingress);
  // Of a service of several servers, of which its own is none any more, it is not known which was tried.
  if (const auto servers = servers_for(net_, s.domain[0], s.ends[0]);
      servers && d.leaves.dst != s.leaves.dst && d.refused != "attachment_down" && !servers->empty()) {
    std::vector<std::string> reasons = {"nat_changed"};
    for (const Address& server : *servers) {
      const Decision other = decide(net_, {s.ingress, s.ends[0], s.icmp_type, s.sent_to, server});
      if (!other.refused.empty()) reasons.push_back(other.refused);
      for (const Way& way : other.there) reasons.push_back(as_told(way.refused));
    }
    if (was_refused(a, {"nat_changed"}) || a.sent != nullptr || was_refused(a, reasons))
      return cut(a, session, reasons);
  }
  if (d.refused == "attachment_down") return expect_refused(a, {d.refused});  // it waits for the attachment
  if (answers_elsewhere(a, s.sent_to)) return cut(a, session, {"nat_conflict"});
  if (!d.refused.empty()) return cut(a, session, {d.refused});

  // It keeps its next hop while its route has that.
  std::vector<Way> there = d.there;
  if (s.hop[0]) {
    const auto same =
        std::find_if(there.begin(), there.end(), [&](const Way& w) { return w.hop == *s.hop[0]; });
    if (same != there.end()) there = {*same};
  }
  std::vector<std::string> reasons;
  std::vector<Hop> allowed;
  for (const Way& way : there) {
    if (way.refused.empty()) {
      allowed.push_back(way.hop);
    } else {
      reasons.push_back(way.refused);
    }
  }
  if (d.to != s.domain[1]) {  // the answers would come from elsewhere
    reasons.insert(reasons.end(), {"no_route", "nat_changed"});
    return cut(a, session, reasons);
  }
  // Of several ways the hub has asked policy for one.
  std::vector<std::string> told;
  for (const std::string& r : reasons) told.push_back(as_told(r));
  const bool chose_refused = was_refused(a, told);
  if (allowed.empty() || chose_refused) return cut(a, session, reasons);
  if (!keeps_translation(s, d)) return cut(a, session, {"nat_changed"});
  const auto is_inspected = [](const Way& way) { return way.refused.empty() && way.inspected; };
  s.maybe_inspected = std::any_of(there.begin(), there.end(), is_inspected);
  s.surely_inspected = std::all_of(there.begin(), there.end(), is_inspected);
  s.timeouts = there[0].timeouts;  // only where all ways are the same to policy there are any
  s.dscp = there[0].dscp;
  s.ways[0] = allowed;
  if (!s.hop[0] || std::find(allowed.begin(), allowed.end(), *s.hop[0]) == allowed.end()) {
    s.hop[0].reset();
    if (allowed.size() == 1) s.hop[0] = allowed[0];
  } else {
    s.ways[0] = {*s.hop[0]};
  }
  s.ways[1] = d.back;
  if (s.hop[1] && std::find(d.back.begin(), d.back.end(), *s.hop[1]) != d.back.end()) s.ways[1] = {*s.hop[1]};

  // Its own next hop has to be known, and of the initiator's packets the way back, too.
  const auto known = [&](Side of) {
    return std::count_if(s.ways[of].begin(), s.ways[of].end(),
                         [&](const Hop& h) { return knows(h, of == 0 ? s.leaves.dst : s.ends[0].src); });
  };
  const auto all_known = [&](Side of) { return static_cast<size_t>(known(of)) == s.ways[of].size(); };
  if (all_known(0) && all_known(1)) s.settled = changes_;
  const auto unresolved = [&](Side of) {
    const auto n = static_cast<size_t>(known(of));
    return n == 0 || (n < s.ways[of].size() && was_refused(a, {"punt resolve"}));
  };
  if (unresolved(side)) return expect_refused(a, {"punt resolve"});
  const std::vector<Hop> back = reverse_hops(net_, s.domain[side], a.ends.src, a.ingress);
  if (side == 1) {
    over = false;
    if (!back.empty()) return {};
    over = true;
    return expect_refused(a, {"reverse_path"});
  }
  // Does it come by another way than the answers take? What still comes by an attachment that is down moves
  // nothing.
  const bool lame =
      !net_.usable(a.ingress) &&
      std::all_of(s.ways[1].begin(), s.ways[1].end(), [&](const Hop& h) { return knows(h, s.ends[0].src); });
  const bool same_way = std::all_of(s.ways[1].begin(), s.ways[1].end(), [&](const Hop& h) {
    return h.attachment == a.ingress && knows(h, s.ends[0].src);
  });
  over = false;
  if (same_way) return {};
  over = true;
  if (back.empty()) return expect_refused(a, {"reverse_path"});
  if (lame) {
    over = false;
    return {};
  }
  if (asks_for_attachments()) {
    d = decide_by(a.ingress);
    if (d.refused == "attachment_down") return expect_refused(a, {d.refused});
    if (!d.refused.empty()) return cut(a, session, {d.refused});
    const Way* way = &d.there[0];
    for (const Way& w : d.there) {
      if (s.hop[0] && w.hop == *s.hop[0]) way = &w;
    }
    if (!way->refused.empty()) return cut(a, session, {way->refused});
    s.maybe_inspected = s.surely_inspected = way->inspected;
  }
  s.ways[1] = back;
  if (unresolved(1)) return expect_refused(a, {"punt resolve"});
  s.hop[1].reset();
  if (back.size() == 1) s.hop[1] = back[0];
  const bool half_open = std::exchange(s.counted_half_open, false);
  s.ingress = a.ingress;
  if (half_open && !has_half_open_left(s.domain[0], s.ends[0].src, s.ingress))
    return cut(a, session, {"half_open_limit"});
  s.counted_half_open = half_open;
  over = false;
  return {};
}

std::string Model::cut(Arrival& a, const SessionPtr& session, const std::vector<std::string>& reasons) {
  end(session);
  ++a.counts.ended;
  ++a.counts.cut;
  std::vector<std::string> as_seen;
  for (const std::string& r : reasons) as_seen.push_back(as_told(r));
  return expect_refused(a, as_seen);
}

std::string Model::judge_tcp(Arrival& a, Session& s, Side side, bool& over) {
  using Fate = TcpConnection::Fate;
  if (!a.has_header()) {  // the first piece was judged
    ++s.packets[side];
    s.last = now_;
    return {};
  }
  const TcpState before = s.tcp->state;
  const Fate fate = s.tcp->follow(side, a.packet, a.stream_bytes(), net_.tcp);
  const bool bare_syn = (a.packet.flags & (kSyn | kAck | kRst)) == kSyn;
  over = true;
  switch (fate) {
    case Fate::outside:
      return expect_refused(a, {"tcp_outside_window"});
    case Fate::refused:
      return expect_refused(a, {"tcp_unexpected"});
    case Fate::passes:
      break;
    case Fate::ignored: {
      // What its receiver may take or not cannot be inspected, and so may carry nothing.
      const bool carries = !a.packet.payload.empty();
      if (carries && s.maybe_inspected && (s.surely_inspected || a.sent == nullptr))
        return expect_refused(a, {"tcp_outside_window", "tcp_unexpected"});
      a.unseen = true;
      ++s.packets[side];
      if (!(before == TcpState::syn_received && bare_syn)) ++a.counts.ignored;  // there it is said again
      over = false;
      return {};
    }
  }
  over = false;
  ++s.packets[side];
  s.last = now_;
  if (!is_half_open(s.tcp->state)) s.counted_half_open = false;
  return {};
}

/// Could the session have sent what the error quotes (RFC 5927)? Queries of the first packet's type travel in
/// its direction, replies to them in the other. Anything else is asked policy for as a first packet, replies
/// by the query that they answer.
std::string Model::judge_icmp(Arrival& a, Session& s, Side side, bool& over) {
  over = true;
  const Packet& p = a.packet;
  if (p.is_icmp_error()) {
    const Packet& q = p.quoted[0];
    const bool fits = q.protocol != kTcp || s.tcp->was_sent(1 - side, q.seq);
    // Of a dropped session it is not followed any more what was sent.
    if (s.dropped && s.tcp) return expect_refused(a, {"icmp_error_quote", "session_dropped"});
    if (!fits && a.has_header()) return expect_refused(a, {"icmp_error_quote"});
    over = false;
    return {};
  }
  bool asks = true;
  std::vector<FirstQuery> queries;
  if (p.is_reply()) {
    unsigned query = 0;
    while (reply_to(static_cast<uint8_t>(query), p.src.v6) != p.type) ++query;
    if (s.changes_family() && side == 1)  // an answer by IPv4 to one who asked by IPv6
      query = echo_of_other_family(static_cast<uint8_t>(query), false).value_or(static_cast<uint8_t>(query));
    asks = query != s.icmp_type;
    const Ends ends = side == 1 ? s.ends[0] : s.ends[1];
    if (side == 1) queries.push_back({s.ingress, ends, static_cast<uint8_t>(query), nullptr});
    for (const Hop& h : s.ways[0])  // any of these
      if (side == 0) queries.push_back({h.attachment, ends, static_cast<uint8_t>(query), nullptr});
  } else {
    asks = p.type != s.icmp_type || (side == 1 && p.is_query());
    queries.push_back({a.ingress, a.ends, p.type, nullptr});
  }
  std::vector<std::string> reasons;
  bool some_allowed = !asks;
  for (FirstQuery& q : queries) {
    if (!asks) break;
    if (const auto meant = pool_meant(net_, net_.domain_of(q.ingress), q.ends)) {
      q.sent_to = find_binding(net_.pools[meant->pool].to, meant->address, q.ends.dst_port, q.ends.protocol,
                               s.worker);
      if (net_.workers > 1 && q.sent_to != nullptr) reasons.emplace_back("nat_conflict");
    }
    const Decision d = decide(net_, q);
    if (!d.refused.empty()) {
      reasons.push_back(d.refused);
      continue;
    }
    for (const Way& way : d.there) {  // of several the hub asked for one
      some_allowed |= way.refused.empty();
      if (!way.refused.empty()) reasons.push_back(way.refused);
    }
  }
  if (p.is_reply() && !reasons.empty()) reasons = {"not_a_session_start"};
  const bool chose_refused = was_refused(a, reasons);
  if (!some_allowed || chose_refused) return expect_refused(a, reasons);
  over = false;
  ++s.packets[side];
  s.last = now_;
  return {};
}

/// Of an inspected session a mark drops it, both ways and for good. What is not going to be sent is not
/// looked at, nor is what an ICMP error quotes.
std::string Model::inspect(Arrival& a, Session& s, Side side, bool& over) {
  over = true;
  if (s.dropped) return expect_refused(a, {"session_dropped"});
  const Packet& p = a.packet;
  if (s.tcp && !p.is_icmp()) return inspect_segment(a, s, side, over);
  const bool marked =
      p.protocol == kUdp && p.ttl > 1 && s.maybe_inspected &&
      std::search(p.payload.begin(), p.payload.end(), kMark.begin(), kMark.end()) != p.payload.end();
  s.dropped = marked && (s.surely_inspected || a.sent == nullptr);
  if (s.dropped) return expect_refused(a, {"inspect_drop"});
  over = false;
  return {};
}

/// What inspection makes of a stream is its own business, and any verdict is taken from the hub: but nothing
/// is dropped for a mark of which not all bytes were there, and what it does to the session is held against
/// it from then on.
std::string Model::inspect_segment(Arrival& a, Session& s, Side side, bool& over) {
  over = false;
  const Packet& p = a.packet;
  if (!s.maybe_inspected || a.unseen || p.ttl <= 1) return {};
  const uint32_t begin = p.seq + ((p.flags & kSyn) != 0 ? 1 : 0);
  bool marked = false;
  for (size_t i = 0; i < p.payload.size(); ++i) {
    const uint32_t number = begin + static_cast<uint32_t>(i);
    if (const auto mark = mark_at(number)) s.marks[side][*mark].insert(number);
  }
  for (const auto& of : s.marks)  // an acknowledgement may have the other side's judged
    for (const auto& [mark, bytes] : of) marked |= bytes.size() == kMark.size();
  const bool kept = a.sent != nullptr && a.sent->read.packet && (a.sent->read.packet->flags & kUrg) != 0;
  a.urgent_cleared = s.surely_inspected || !kept;
  if (a.sent != nullptr || !a.refused->reason.starts_with("inspect_")) return {};
  over = true;
  if (a.refused->reason == "inspect_drop" && !marked) return "dropped for a mark that was not there";
  for (const Listed& l : looks_.sessions())
    s.dropped |= l.dropped && l.worker == s.worker && l.from == s.domain[0] && l.ends == s.ends[0];
  if (a.refused->reason == "inspect_drop" && !s.dropped) return "dropped for a mark, and its session is not";
  // It would be taken up again if it gave way.
  if (s.dropped && s.tcp->state == TcpState::loose) s.counted_half_open = false;
  return expect_refused(a, {"inspect_drop", "inspect_stream", "inspect_limit"});
}

}  // namespace weir::model
