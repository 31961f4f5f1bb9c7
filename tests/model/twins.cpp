#include "tests/model/twins.h"

#include <cstdio>

#include "tests/model/traffic.h"

namespace weir::model {

namespace {

/// What came in, to be sent again.
struct Event {
  Attachment from = 0;
  Bytes ip;  // empty: time passes
  int worker = 0;
  unsigned ticks = 0;
  bool crossed = false;  // from the one domain into the other
  std::string words;
};

/// Unchanged but for translation and TTL, by what both say themselves.
std::string changed(const Packet& came, const Sent& left) {
  if (!left.read.wrong.empty()) return left.read.wrong;
  if (!left.read.packet) return "a piece of it left";
  const Packet& got = *left.read.packet;
  if (got.ttl != came.ttl - 1) return "its TTL is " + std::to_string(got.ttl);
  if (came.is_icmp_error() ? got.type != came.type || got.code != came.code : got.payload != came.payload)
    return "what it carries is something else";
  if (got.protocol != came.protocol || got.flags != came.flags || got.seq != came.seq ||
      got.ack != came.ack || got.window != came.window || got.tag != came.tag)
    return "its header is another one";
  return {};
}

std::string told(const Event& e, const Outcome& o) {
  std::string out = "[" + std::to_string(e.from) + "] " + e.words;
  for (const Sent& s : o.sent) out += " -> [" + std::to_string(s.to) + "]";
  for (const Refused& r : o.refused) out += " -> " + r.reason;
  return out;
}

}  // namespace

std::string run_twins(const WalkOptions& options, TwinTally& tally) {
  Random random(options.seed);
  const NetworkKind kind{options.workers, random.percent(60)};
  Network open = random_network(random, kind);
  const auto a = static_cast<Domain>(random.below(open.domains));
  const auto b =
      static_cast<Domain>((static_cast<uint64_t>(a) + 1 + random.below(open.domains - 1)) % open.domains);
  for (const auto& pair : {std::pair(a, b), std::pair(b, a)}) {
    open.connections.insert(pair);
    Rule all;
    all.from.domains = {pair.first};
    all.to.domains = {pair.second};
    open.rules.insert(open.rules.begin(), all);
  }
  Network closed = open;
  closed.connections.erase({a, b});
  closed.connections.erase({b, a});
  const auto crosses = [&](Attachment from, Attachment to) {
    const Domain x = open.domain_of(from), y = open.domain_of(to);
    return (x == a && y == b) || (x == b && y == a);
  };

  std::vector<Event> events;
  {
    Rig rig(open, options.seed);
    Model model(open, rig);
    const auto wrong = [&](const std::string& what, const Event& e, const Outcome& o) {
      return "connected: " + what + "\n  " + told(e, o);
    };
    while (events.size() < options.steps) {
      Event e;
      if (random.percent(3)) {
        e.ticks = static_cast<unsigned>(random.between(1, 4));
        const Outcome o = rig.pass(e.ticks);
        if (const std::string what = model.pass(e.ticks, o); !what.empty()) return wrong(what, e, o);
        events.push_back(e);
        continue;
      }
      const Model::Session* s = model.session(random.below(1u << 30));
      const bool between = s != nullptr && ((s->domain[0] == a && s->domain[1] == b) ||
                                            (s->domain[0] == b && s->domain[1] == a));
      const Made made = !between || random.percent(35) ? first_packet(open, random)
                        : random.percent(20)           ? error_about(open, *s, random)
                                                       : packet_of(open, *s, random);
      e.from = made.from;
      e.worker = static_cast<int>(random.below(options.workers));
      e.words = to_string(made.packet);
      const size_t size = write_transport(made.packet).size();
      const bool pieces = made.packet.protocol == kUdp && size > 16 && random.percent(15);
      for (size_t at = 0; at < (pieces ? size : 1); at += 16) {
        const Fragment piece =
            pieces ? piece_of(made.packet, static_cast<uint32_t>(events.size()), at - at % 16, 16)
                   : Fragment{};
        e.ip = pieces ? write(piece) : write(made.packet);
        const Outcome o = rig.inject(e.from, e.ip, e.worker);
        const std::string what =
            pieces ? model.judge(e.from, made.packet, piece, o) : model.judge({{e.from, made.packet}}, o);
        if (options.trace) std::printf("  %s\n", told(e, o).c_str());
        if (!what.empty()) return wrong(what, e, o);
        for (const Sent& sent : o.sent) {
          if (!crosses(e.from, sent.to)) continue;
          e.crossed = true;
          if (const std::string how = pieces ? "" : changed(made.packet, sent); !how.empty())
            return wrong(how, e, o);
        }
        events.push_back(e);
      }
    }
  }

  Rig rig(closed, options.seed);
  for (const Event& e : events) {
    if (e.ip.empty()) {
      rig.pass(e.ticks);
      continue;
    }
    ++tally.packets;
    const Outcome o = rig.inject(e.from, e.ip, e.worker);
    tally.crossed += e.crossed;
    for (const Sent& sent : o.sent) {
      if (!closed.connected(closed.domain_of(e.from), closed.domain_of(sent.to)))
        return "not connected, and yet it crossed:\n  " + told(e, o);
    }
    if (o.sent.empty() && o.refused.empty() && o.held == 0)
      return "not connected: it vanished:\n  " + told(e, o);
  }
  return rig.imbalance();
}

}  // namespace weir::model
