#include "tests/model/twins.h"

#include <algorithm>
#include <cstdio>
#include <memory>

#include "tests/model/odd.h"
#include "tests/model/traffic.h"
#include "tests/model/tunnel.h"

namespace weir::model {

namespace {

/// What came in, to be sent again.
struct Event {
  Attachment from = 0;
  Bytes wire;  // empty: time passes, or the configuration is another one
  int worker = 0;
  unsigned ticks = 0;
  std::shared_ptr<const Network> change;
  bool odd = false;      // nobody knows what it does to sessions: only for hubs without the connection
  bool forged = false;   // nothing may become of it
  bool crossed = false;  // from the one domain into the other
  std::string words;
};

constexpr size_t kPiece = 24;  // bytes of a datagram that is cut up

/// Two domains, and what is between them.
struct Pair {
  Domain a = 0, b = 0;
  bool is(Domain x, Domain y) const { return (x == a && y == b) || (x == b && y == a); }
  void open(Network& net) const {
    for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)}) {
      net.connections.insert({from, to});
      Rule all;
      all.from.domains = {from};
      all.to.domains = {to};
      net.rules.insert(net.rules.begin(), all);
    }
  }
  Network closed(Network net) const {
    net.connections.erase({a, b});
    net.connections.erase({b, a});
    return net;
  }
};

/// Unchanged but for translation and TTL, by what both say themselves.
std::string changed(const Packet& came, const Sent& left) {
  if (!left.read.wrong.empty()) return left.read.wrong;
  if (!left.read.packet) return "a piece of it left";
  const Packet& got = *left.read.packet;
  if (got.ttl != came.ttl - 1) return "its TTL is " + std::to_string(got.ttl);
  const bool other_family = got.src.v6 != came.src.v6;
  if (came.is_icmp_error() && other_family) return {};  // the model has compared it
  if (came.is_icmp_error() ? got.type != came.type || got.code != came.code : got.payload != came.payload)
    return "what it carries is something else";
  if ((!other_family && (got.protocol != came.protocol || got.tag != came.tag)) || got.flags != came.flags ||
      got.seq != came.seq || got.ack != came.ack || got.window != came.window)
    return "its header is another one";
  return {};
}

std::string told(const Event& e, const Outcome& o) {
  std::string out = "[" + std::to_string(e.from) + "] " + e.words;
  for (const Sent& s : o.sent) out += " -> [" + std::to_string(s.to) + "]";
  for (const Refused& r : o.refused) out += " -> " + r.reason;
  return out;
}

/// The hub in which they are connected, beside its model: makes the events up.
class Open {
 public:
  Open(const Network& net, const NetworkKind& kind, const Pair& pair, const WalkOptions& options,
       Random& random)
      : kind_(kind),
        pair_(pair),
        options_(options),
        random_(random),
        net_(net),
        rig_(net, options.seed),
        model_(net, rig_) {}

  std::string run(std::vector<Event>& events) {
    while (events.size() < options_.steps) {
      const auto what = random_.below(1'000);
      std::string wrong;
      if (what < 30) {
        wrong = pass(events);
      } else if (what < 35) {
        wrong = change(events);
      } else if (what < 150) {
        const OddFrame odd = odd_frame(net_, model_, random_);
        Event e = event(odd.from, odd.words);
        e.wire = odd.wire;
        e.odd = true;
        e.forged = odd.forged;
        events.push_back(e);
      } else {
        wrong = packet(events);
      }
      if (!wrong.empty()) return "connected: " + wrong;
    }
    return {};
  }

 private:
  Event event(Attachment from, std::string words) {
    Event e;
    e.from = from;
    e.worker = static_cast<int>(random_.below(options_.workers));
    e.words = std::move(words);
    return e;
  }

  std::string pass(std::vector<Event>& events) {
    Event e;
    e.ticks = static_cast<unsigned>(random_.percent(5) ? random_.between(1, 400) : random_.between(1, 4));
    const Outcome o = rig_.pass(e.ticks);
    events.push_back(e);
    const std::string wrong = model_.pass(e.ticks, o);
    return wrong.empty() ? wrong : wrong + "\n  " + told(e, o);
  }

  std::string change(std::vector<Event>& events) {
    const bool translation = change_something(net_, random_, kind_);
    pair_.open(net_);
    rig_.change(net_);
    model_.change(net_, translation);
    Event e;
    e.change = std::make_shared<const Network>(net_);
    events.push_back(e);
    return {};
  }

  std::string packet(std::vector<Event>& events) {
    const Model::Session* s = model_.session(random_.below(1u << 30));
    const bool between = s != nullptr && pair_.is(s->domain[0], s->domain[1]);
    const Made made = !between || random_.percent(35) ? first_packet(net_, random_)
                      : random_.percent(20)           ? error_about(net_, *s, random_)
                                                      : packet_of(net_, *s, random_);
    const Packet& p = made.packet;
    const size_t size = write_transport(p).size();
    if (p.is_icmp_error() || size <= kPiece || !random_.percent(15)) return inject(events, made, nullptr);
    std::vector<Fragment> pieces;
    for (size_t at = 0; at < size; at += kPiece)
      pieces.push_back(piece_of(p, static_cast<uint32_t>(events.size()), at, kPiece));
    if (random_.percent(30)) std::reverse(pieces.begin(), pieces.end());
    for (const Fragment& piece : pieces) {
      if (std::string wrong = inject(events, made, &piece); !wrong.empty()) return wrong;
    }
    return {};
  }

  std::string inject(std::vector<Event>& events, const Made& made, const Fragment* piece) {
    Event e = event(made.from, to_string(made.packet));
    e.wire = write(net_, e.from,
                   frame_to_hub(net_, e.from, piece != nullptr ? write(*piece) : write(made.packet)));
    const Outcome o = rig_.inject({e.wire}, e.worker);
    std::string wrong = piece != nullptr ? model_.judge(e.from, made.packet, *piece, o)
                                         : model_.judge({{e.from, made.packet}}, o);
    if (options_.trace) std::printf("  %s\n", told(e, o).c_str());
    for (const Sent& sent : o.sent) {
      if (!pair_.is(net_.domain_of(e.from), net_.domain_of(sent.to))) continue;
      e.crossed = true;
      if (wrong.empty() && piece == nullptr) wrong = changed(made.packet, sent);
    }
    if (!wrong.empty()) wrong += "\n  " + told(e, o);
    events.push_back(std::move(e));
    return wrong;
  }

  const NetworkKind kind_;
  const Pair pair_;
  const WalkOptions& options_;
  Random& random_;
  Network net_;
  Rig rig_;
  Model model_;
};

/// The same events, in a hub that has not the connection, or loses it in the midst, with live sessions: `cut`
/// is the first event without.
std::string run_closed(const Network& first, const Pair& pair, const std::vector<Event>& events, size_t cut,
                       const WalkOptions& options, TwinTally& tally) {
  Network net = first, open = first;
  if (cut == 0) net = pair.closed(net);
  Rig rig(net, options.seed);
  const char* const when = cut == 0 ? "not connected" : "no longer connected";
  for (size_t i = 0; i < events.size(); ++i) {
    const Event& e = events[i];
    if (e.change != nullptr) open = *e.change;
    if (e.change != nullptr || i == cut) {
      net = i < cut ? open : pair.closed(open);
      rig.change(net);
    }
    const auto wrong = [&](const char* what, const Outcome& o) {
      return std::string(when) + ": " + what + "\n  " + told(e, o);
    };
    if (e.wire.empty()) {
      if (e.ticks == 0) continue;
      // Of itself the hub sends resets of sessions that are idle for too long.
      const std::vector<Listed> before = net.tcp.reset_idle ? rig.sessions() : std::vector<Listed>();
      const Outcome o = rig.pass(e.ticks);
      for (const Sent& sent : o.sent) {
        if (!sent.read.packet) return wrong("something that is no packet left", o);
        const Ends ends = ends_of(*sent.read.packet);
        const bool allowed = std::any_of(before.begin(), before.end(), [&](const Listed& l) {
          return net.connected(l.from, l.to) && (l.leaves == ends || l.ends.reversed() == ends);
        });
        if (!allowed) return wrong("a reset crossed, or is nobody's", o);
      }
      continue;
    }
    const Outcome o = rig.inject({e.wire}, e.worker);
    if (i >= cut) {
      ++tally.packets;
      tally.odd += e.odd;
      tally.crossed += e.crossed;
    }
    if (cut != 0 && i >= cut) tally.cut += static_cast<uint64_t>(o.cut);
    if (e.forged && !o.sent.empty()) return wrong("it was taken for another peer's", o);
    for (const Sent& sent : o.sent) {
      if (!net.connected(net.domain_of(e.from), net.domain_of(sent.to)))
        return wrong("and yet it crossed", o);
    }
    if (!e.odd && o.sent.empty() && o.refused.empty() && o.held == 0) return wrong("it vanished", o);
  }
  return rig.imbalance();
}

}  // namespace

std::string run_twins(const WalkOptions& options, TwinTally& tally) {
  Random random(options.seed);
  const NetworkKind kind{options.workers, random.percent(60), false, false, false, options.nat64};
  Network net = random_network(random, kind);
  Pair pair;
  pair.a = static_cast<Domain>(random.below(net.domains));
  pair.b =
      static_cast<Domain>((static_cast<uint64_t>(pair.a) + 1 + random.below(net.domains - 1)) % net.domains);
  pair.open(net);

  std::vector<Event> events;
  std::string wrong = Open(net, kind, pair, options, random).run(events);
  tally.steps += events.size();
  if (wrong.empty()) wrong = run_closed(net, pair, events, 0, options, tally);
  if (wrong.empty()) wrong = run_closed(net, pair, events, events.size() / 2, options, tally);
  return wrong;
}

}  // namespace weir::model
