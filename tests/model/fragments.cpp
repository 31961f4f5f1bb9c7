// Datagrams in pieces: all wait for the first one, which says to whom they belong, and then go on in the
// order in which they came.
#include <algorithm>

#include "tests/model/model.h"

namespace weir::model {

std::string Model::judge(Attachment ingress, const Packet& whole, const Fragment& piece, const Outcome& o) {
  Counts total;
  size_t sent = 0, refused = 0;
  std::vector<Refused> all_refused = o.refused;
  // What became of the next piece, in the order in which they go on.
  const auto one = [&](const Fragment& f) -> std::string {
    Arrival a{.ingress = ingress, .packet = whole, .piece = &f};
    const bool is_next =
        sent < o.sent.size() && o.sent[sent].read.fragment && o.sent[sent].read.fragment->offset == f.offset;
    if (is_next) {
      a.sent = &o.sent[sent++];
    } else if (refused < all_refused.size()) {
      a.refused = &all_refused[refused++];
      a.refused_later = {all_refused.begin() + static_cast<long>(refused), all_refused.end()};
    } else {
      return "nothing became of {" + to_string(f) + "}";
    }
    const std::string wrong = judge_arrival(a);
    total.add(a.counts);
    return wrong.empty() ? wrong : "{" + to_string(f) + "}: " + wrong;
  };
  const auto finish = [&](int held) -> std::string {
    if (sent != o.sent.size() || refused != o.refused.size()) return "more left or was dropped than came";
    if (o.held != held) return std::to_string(o.held) + " more are held, not " + std::to_string(held);
    return compare_counters(total, o);
  };
  const auto drop = [&](const std::string& reason, int more) -> std::string {
    for (int i = 0; i < 1 + more; ++i, ++refused) {
      if (refused >= o.refused.size() || o.refused[refused].reason != reason)
        return "not dropped for " + reason;
    }
    return finish(-more);
  };

  if (never_routed(piece.src) || never_routed(piece.dst) || net_.is_gateway(ingress, piece.dst)) {
    const std::string wrong = one(piece);
    return wrong.empty() ? finish(0) : wrong;
  }
  const DatagramName name{ingress, piece.src, piece.dst, piece.id,
                          piece.src.v6 ? uint8_t{0} : piece.protocol};
  const auto [at, fresh] = datagrams_.try_emplace(name);
  Datagram& d = at->second;
  if (fresh) d.began = now_;
  if (!d.spoilt.empty()) return drop(d.spoilt, 0);
  const size_t begin = piece.offset, end = piece.offset + piece.data.size();
  size_t furthest = 0, seen = 0;
  std::string spoilt;
  for (const auto& [b, e] : d.pieces) {
    if (b == begin && e == end) return drop("fragment_duplicate", 0);
    if (begin < e && b < end) {
      spoilt = "fragment_overlap";
      break;
    }
    furthest = std::max(furthest, e);
  }
  if (spoilt.empty()) {
    const bool beyond = piece.more ? d.total && end >= *d.total : furthest > end || d.total;
    if (beyond) spoilt = "fragment_bad";
  }
  if (!spoilt.empty()) {  // and all that is held of it (RFC 5722)
    d.spoilt = spoilt;
    const int held = static_cast<int>(d.held.size());
    d.held.clear();
    return drop(spoilt, held);
  }
  d.pieces.emplace_back(begin, end);
  if (!piece.more) d.total = end;
  d.first_came |= begin == 0;
  for (const auto& [b, e] : d.pieces) seen += e - b;
  if (!d.first_came) {
    d.held.push_back(piece);
    return finish(1);
  }
  std::vector<Fragment> held;
  held.swap(d.held);
  if (d.total && seen == *d.total) datagrams_.erase(name);
  std::string wrong = one(piece);
  for (const Fragment& f : held) {
    if (wrong.empty()) wrong = one(f);
  }
  return wrong.empty() ? finish(-static_cast<int>(held.size())) : wrong;
}

}  // namespace weir::model
