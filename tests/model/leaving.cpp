// How packets leave: to whom, and with which bytes.
#include <algorithm>

#include "tests/model/model.h"

namespace weir::model {

namespace {

Ends ends_as(const Packet& p, const Ends& ends, Packet& out) {
  const Ends before = ends_of(p);
  out = p;
  out.src = ends.src;
  out.dst = ends.dst;
  if (p.protocol == kTcp || p.protocol == kUdp) {
    out.src_port = ends.src_port;
    out.dst_port = ends.dst_port;
  } else if (p.has_id()) {
    out.id = ends.src_port;
  }
  return before;
}

std::string hex(const Bytes& bytes) {
  static const char* digits = "0123456789abcdef";
  std::string out;
  for (const uint8_t b : bytes) {
    out += digits[b >> 4];
    out += digits[b & 15];
  }
  return out;
}

std::string words_of(const Read& read) {
  if (!read.wrong.empty()) return read.wrong;
  return read.packet ? to_string(*read.packet) : to_string(*read.fragment);
}

}  // namespace

std::string Model::expect_refused(const Arrival& a, const std::vector<std::string>& reasons) const {
  std::string wanted;
  for (const std::string& r : reasons) wanted += (wanted.empty() ? "" : " or ") + r;
  if (a.sent != nullptr) {
    return "it left by attachment " + std::to_string(a.sent->to) + " as {" + words_of(a.sent->read) +
           "}, and should have been refused: " + wanted;
  }
  const auto right = [&](const Refused& r) {
    return std::find(reasons.begin(), reasons.end(), r.reason) != reasons.end();
  };
  if (right(*a.refused)) return {};
  for (Refused& later : a.refused_later) {
    if (!right(later)) continue;
    std::swap(later, *a.refused);
    return {};
  }
  return "refused for " + a.refused->reason + ", not for " + wanted;
}

bool Model::was_refused(const Arrival& a, const std::vector<std::string>& reasons) const {
  const auto is_one = [&](const Refused& r) {
    return std::find(reasons.begin(), reasons.end(), r.reason) != reasons.end();
  };
  return a.refused != nullptr &&
         (is_one(*a.refused) || std::any_of(a.refused_later.begin(), a.refused_later.end(), is_one));
}

/// The hub's own address is asked whether it is there.
std::string Model::expect_answer(const Arrival& a) const {
  Packet want = a.packet;
  std::swap(want.src, want.dst);
  want.type = want.src.v6 ? 129 : 0;
  want.ttl = 64;
  if (a.sent != nullptr && a.sent->to == a.ingress && a.sent->ip == write(want)) return {};
  return "should have been answered by {" + to_string(want) + "}";
}

/// With other ends, where the session is translated, and one hop older.
Packet Model::expected(const Arrival& a, const Session& s, Side side) const {
  const Ends to = s.leaving(side);
  if (s.changes_family()) return expected_by_nat64(a, s, side);
  Packet out = a.packet;
  if (a.packet.is_icmp_error()) {
    // The quoted packet is as its sender sent it, and who reports it is seen as the end that he stands for.
    ends_as(a.packet.quoted[0], to.reversed(), out.quoted[0]);
    out.src = to.src == a.ends.src ? a.packet.src : to.src;
    out.dst = to.dst;
  } else {
    ends_as(a.packet, to, out);
    if (a.urgent_cleared) out.flags = static_cast<uint8_t>(out.flags & ~kUrg);
  }
  if (s.dscp) out.tos = static_cast<uint8_t>(*s.dscp << 2 | (out.tos & 3));
  --out.ttl;
  return out;
}

/// In the words of the other family. A new header's flow label is zero; its identification is not said.
Packet Model::expected_by_nat64(const Arrival& a, const Session& s, Side side) const {
  const Ends to = s.leaving(side);
  const bool six = a.packet.src.v6;  // as it came
  const auto turned = [&](const Packet& p, const Ends& ends) {
    Packet out;
    ends_as(p, ends, out);
    out.protocol = ends.protocol;
    if (out.is_icmp()) out.type = echo_of_other_family(out.type, six).value_or(out.type);
    out.tag = 0;
    return out;
  };
  Packet out;
  if (a.packet.is_icmp_error()) {
    out = a.packet;
    const Packet& quoted = a.packet.quoted[0];
    out.quote_size = std::min(a.packet.quote_size, write(quoted).size()) - (six ? 40 : 20) + (six ? 20 : 40);
    out.quoted = {turned(quoted, to.reversed())};
    out.protocol = six ? kIcmp : kIcmpv6;
    const bool unreachable = a.packet.type == (six ? 1 : 3);
    out.type = six ? (unreachable ? 3 : 11) : (unreachable ? 1 : 3);
    if (unreachable) out.code = six ? 3 : 0;  // no port, no host: RFC 7915
    out.src = to.src;
    for (const Pool& pool : net_.pools) {
      if (!six && pool.prefix64 && pool.prefix64->contains(to.src))
        out.src = embedded(*pool.prefix64, a.packet.src);
    }
    out.dst = to.dst;
  } else {
    out = turned(a.packet, to);
    if (a.urgent_cleared) out.flags = static_cast<uint8_t>(out.flags & ~kUrg);
  }
  out.tag = six && a.sent->read.packet ? a.sent->read.packet->tag : uint16_t{0};
  if (s.dscp) out.tos = static_cast<uint8_t>(*s.dscp << 2 | (out.tos & 3));
  --out.ttl;
  return out;
}

std::string Model::leaves_by(Arrival& a, Session& s, Side side, const std::vector<Hop>& hops) {
  const Packet& p = a.packet;
  if (p.ttl <= 1) return expect_refused(a, {"punt ttl_exceeded"});
  const bool counterpart =
      !p.is_icmp() || p.is_icmp_error() || (a.piece == nullptr && echo_of_other_family(p.type, p.src.v6));
  if (s.changes_family() && !counterpart) return expect_refused(a, {"nat64_untranslatable"});
  const std::string session = ", of " + describe(s);
  if (a.sent == nullptr) return "refused for " + a.refused->reason + ", and should have left" + session;
  const Address destination = s.leaving(side).dst;
  const Hop* taken = nullptr;
  for (const Hop& h : hops) {
    if (took(*a.sent, h, destination)) taken = &h;
  }
  if (taken == nullptr) {
    std::string wanted;
    for (const Hop& h : hops)
      wanted += " " + std::to_string(h.attachment) + (h.via ? " by " + to_string(*h.via) : std::string());
    return "it left by attachment " + std::to_string(a.sent->to) + " to " + std::to_string(a.sent->next) +
           ", not by" + wanted + session;
  }
  s.hop[side] = *taken;
  const Packet want = expected(a, s, side);
  std::string wanted;
  Bytes bytes;
  if (a.piece == nullptr) {
    bytes = write(want);
    wanted = to_string(want);
  } else {
    Fragment f = piece_of(want, a.piece->id, a.piece->offset, a.piece->data.size());
    f.ttl = static_cast<uint8_t>(a.piece->ttl - 1);
    bytes = write(f);
    wanted = to_string(f);
  }
  if (bytes == a.sent->ip) return {};
  return "it left as {" + words_of(a.sent->read) + "}, not as {" + wanted + "}" + session + "\n    got    " +
         hex(a.sent->ip) + "\n    wanted " + hex(bytes);
}

/// Both ends of an open connection that the hub forgets are told, at the numbers that they expect.
std::string Model::match_resets(const std::vector<SessionPtr>& over, const Outcome& outcome) const {
  std::vector<bool> used(outcome.sent.size());
  for (const SessionPtr& s : over) {
    if (!net_.tcp.reset_idle || !s->tcp || s->dropped || !is_open(s->tcp->state)) continue;
    if (!net_.connected(s->domain[0], s->domain[1])) continue;
    for (const Side side : {0, 1}) {
      const Ends ends = s->leaving(side);
      Packet want;
      want.src = ends.src;
      want.dst = ends.dst;
      want.protocol = kTcp;
      want.src_port = ends.src_port;
      want.dst_port = ends.dst_port;
      want.flags = kRst | kAck;
      want.seq = s->tcp->expected_of(side);
      want.ack = s->tcp->end_of(1 - side);
      bool found = false;
      for (size_t i = 0; i < outcome.sent.size() && !found; ++i) {
        const Sent& sent = outcome.sent[i];
        if (used[i] || !sent.read.wrong.empty() || !sent.read.packet || *sent.read.packet != want) continue;
        used[i] = found = sent.worker == s->worker;
      }
      // Where nothing has changed since it was decided its next hop is known.
      if (!found && s->settled == changes_) return "no {" + to_string(want) + "} of " + describe(*s);
    }
  }
  for (size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) return "of itself the hub sent {" + words_of(outcome.sent[i].read) + "}";
  }
  return {};
}

}  // namespace weir::model
