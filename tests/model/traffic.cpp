#include "tests/model/traffic.h"

#include <algorithm>

namespace weir::model {

namespace {

constexpr uint16_t kFewPorts[] = {5'000, 5'001, 2'010, 40'000, 443};
constexpr uint16_t kServices[] = {80, 443, 53, 8'443, 51, 2'010};

template <size_t N>
uint16_t one_of(const uint16_t (&list)[N], Random& random) {
  return list[random.below(N)];
}

Bytes some_bytes(Random& random, unsigned most) {
  Bytes out(random.below(most + 1));
  for (uint8_t& b : out) b = static_cast<uint8_t>(random.next());
  return out;
}

/// Of a datagram; now and then with what inspection looks for.
Bytes some_datagram(Random& random) {
  Bytes out = some_bytes(random, 200);
  if (random.percent(4))
    out.insert(out.begin() + static_cast<long>(random.below(out.size() + 1)), kMark.begin(), kMark.end());
  return out;
}

void dress(Packet& p, Random& random) {
  p.tag = static_cast<uint16_t>(random.next());
  p.ttl = random.percent(4) ? static_cast<uint8_t>(random.between(0, 2))
                            : static_cast<uint8_t>(random.between(3, 255));
  if (random.percent(30)) p.tos = static_cast<uint8_t>(random.next());
}

/// What a TCP segment carries is always the same for the same numbers.
void fill_stream(Packet& segment) {
  const uint32_t begin = segment.seq + ((segment.flags & kSyn) != 0 ? 1 : 0);
  for (size_t i = 0; i < segment.payload.size(); ++i)
    segment.payload[i] = stream_byte(begin + static_cast<uint32_t>(i));
}

/// Numbers near the wrap are as frequent as all others.
uint32_t some_number(Random& random) {
  const auto any = static_cast<uint32_t>(random.next()) | 1;
  return random.percent(50) ? any : 0xffff'fe00u + static_cast<uint32_t>(random.below(0x1ff)) + 1;
}

void make_syn(Packet& p, Random& random) {
  p.flags = kSyn;
  p.seq = some_number(random);
  p.window = static_cast<uint16_t>(random.between(0, 65'535));
  if (random.percent(60)) p.scale = static_cast<uint8_t>(random.between(0, 15));
  if (random.percent(10)) p.payload = some_bytes(random, 40);  // a SYN with data
}

/// The segment that an end would send now.
void make_next(Packet& p, const TcpConnection& tcp, Side side, Random& random) {
  p.seq = tcp.end_of(side);
  p.ack = tcp.end_of(1 - side);
  p.flags = kAck;
  p.window = static_cast<uint16_t>(random.percent(10) ? 0 : random.between(1, 65'535));
  switch (tcp.state) {
    case TcpState::syn_sent:
      if (side == 1) {
        make_syn(p, random);
        p.flags = random.percent(90) ? kSyn | kAck : kSyn;  // both at once
        p.ack = tcp.end_of(0);
      } else {
        make_syn(p, random);
        if (random.percent(70)) p.seq = tcp.expected_of(0);
      }
      return;
    case TcpState::syn_received:
      if (side == 1) {
        p.flags = kSyn | kAck;
        p.seq = tcp.expected_of(1);
      }
      return;
    default:
      break;
  }
  const auto what = random.below(10);
  if (what < 5) {
    p.payload = some_bytes(random, 300);
    p.flags |= kPsh;
  } else if (what == 5) {
    p.flags |= kFin;
    // The last one often has a mark, so that what is over has been dropped, too.
    const bool other = tcp.state == TcpState::fin_forward || tcp.state == TcpState::fin_reverse;
    if (random.percent(50)) p.payload = some_bytes(random, other ? 1'200 : 300);
  } else if (what == 6) {
    p.seq -= static_cast<uint32_t>(random.below(100));  // said again
    p.payload = some_bytes(random, 100);
  } else if (what == 7) {
    p.ack -= static_cast<uint32_t>(random.below(2'000));
  }
}

/// What an attacker, or a broken stack, would send.
void make_odd(Packet& p, const TcpConnection& tcp, Side side, Random& random) {
  p.window = static_cast<uint16_t>(random.between(0, 65'535));
  const uint32_t flags[] = {kRst,        kRst | kAck, kFin | kAck, kFin,        kSyn,
                            kSyn | kAck, kAck,        0,           kFin | kSyn, kPsh};
  p.flags = static_cast<uint8_t>(flags[random.below(10)]);
  const uint32_t expected = tcp.expected_of(side), allowed = tcp.allowed_of(side), end = tcp.end_of(side);
  const auto near = [&](uint32_t number) { return number + static_cast<uint32_t>(random.between(-3, 3)); };
  switch (random.below(7)) {
    case 0:
      p.seq = near(expected);
      break;
    case 1:
      p.seq = near(allowed);
      break;
    case 2:
      p.seq = near(end);
      break;
    case 3:
      p.seq = end + static_cast<uint32_t>(random.between(-200'000, 200'000));
      break;
    case 4:
      p.seq = expected;
      break;
    case 5:
      p.seq = end;
      break;
    default:
      p.seq = some_number(random);
  }
  if ((p.flags & kAck) == 0) return;
  const uint32_t other = tcp.end_of(1 - side);
  switch (random.below(5)) {
    case 0:
      p.ack = some_number(random);
      break;
    case 1:
      p.ack = other + static_cast<uint32_t>(random.between(-70'000, 70'000));
      break;
    case 2:
      p.ack = near(other) - 66'000;
      break;
    case 3:
      p.ack = near(other);
      break;
    default:
      p.ack = other;
  }
  if (random.percent(20)) p.payload = some_bytes(random, 60);
}

/// By which attachment a session's packets of that side come: nearly always the one that answers go out by.
Attachment way_in(const Network& net, const Model::Session& s, Side side, Random& random) {
  Attachment usual = s.ingress;
  if (side == 1) {
    usual = s.hop[0] ? s.hop[0]->attachment : s.ways[0][random.below(s.ways[0].size())].attachment;
  }
  if (!random.percent(6)) return usual;
  std::vector<Attachment> all;
  for (Attachment a = 0; a < static_cast<int>(net.attachments.size()); ++a)
    if (net.domain_of(a) == s.domain[side]) all.push_back(a);
  return random.of(all);
}

void take_ends(Packet& p, const Ends& e) {
  p.src = e.src;
  p.dst = e.dst;
  p.protocol = e.protocol;
  p.src_port = p.dst_port = p.id = 0;
  if (e.protocol == kTcp || e.protocol == kUdp) {
    p.src_port = e.src_port;
    p.dst_port = e.dst_port;
  } else if (p.is_icmp()) {
    p.id = e.src_port;
  }
}

}  // namespace

namespace {

/// Echo most of the time.
uint8_t some_query(bool six, Random& random) {
  const uint8_t queries[] = {8, 13, 15, 17};
  if (six) return random.percent(80) ? 128 : 139;
  return random.percent(60) ? 8 : queries[random.below(4)];
}

/// A type that is no query's, no reply's and no error's.
uint8_t other_type(bool six, Random& random) {
  return static_cast<uint8_t>(six ? random.between(150, 151) : random.between(42, 43));
}

/// What has no identifier has other bytes in its place.
void finish_icmp(Packet& p) {
  if (!p.has_id()) p.id = p.tag;
}

}  // namespace

Made first_packet(const Network& net, Random& random) {
  Made made;
  made.from = static_cast<Attachment>(random.below(net.attachments.size()));
  Packet& p = made.packet;
  dress(p, random);
  p.src = random.of(hosts_of(net, made.from));
  if (random.percent(3)) p.src = some_destination(net, random, p.src.v6);  // of somewhere else
  p.dst = some_destination(net, random, p.src.v6);
  auto what = random.below(20);
  const Published* service = nullptr;  // that is asked for by its own address and port
  if (!p.src.v6 && !net.published.empty() && random.percent(12)) {
    service = &random.of(net.published);
    p.dst = service->address;
    what = service->protocol == kTcp ? 0 : 8;
  }
  if (what < 8) {
    p.protocol = kTcp;
    p.src_port = one_of(kFewPorts, random);
    p.dst_port = service != nullptr ? service->port : one_of(kServices, random);
    make_syn(p, random);
    if (random.percent(12)) p.flags = random.percent(50) ? kAck : kSyn | kAck;
    if (random.percent(4)) p.flags = static_cast<uint8_t>(random.below(64));
    if ((p.flags & kSyn) == 0) p.scale.reset();
    if ((p.flags & kAck) != 0) p.ack = some_number(random);
    fill_stream(p);
  } else if (what < 15) {
    p.protocol = kUdp;
    p.src_port = one_of(kFewPorts, random);
    p.dst_port = service != nullptr ? service->port : one_of(kServices, random);
    p.payload = some_datagram(random);
  } else if (what < 18) {
    p.protocol = p.src.v6 ? kIcmpv6 : kIcmp;
    p.type = some_query(p.src.v6, random);
    if (random.percent(10)) p.type = reply_to(p.type, p.src.v6);
    if (random.percent(5)) p.type = other_type(p.src.v6, random);
    p.id = random.percent(5) ? 0 : static_cast<uint16_t>(random.between(1, 6) + 2'000);
    finish_icmp(p);
    p.sequence = static_cast<uint16_t>(random.next());
    p.payload = some_bytes(random, 60);
  } else {
    p.protocol = random.percent(50) ? 47 : 50;
    p.payload = some_bytes(random, 60);
  }
  return made;
}

Made first_packet_to(const Network& net, const Model::Session& s, Random& random) {
  Made made{static_cast<Attachment>(random.below(net.attachments.size())), {}};
  Packet& p = made.packet;
  dress(p, random);
  take_ends(p, s.leaves.reversed());
  if (s.changes_family() && random.percent(60)) {  // another host behind NAT64
    for (const Pool& pool : net.pools) {
      if (pool.prefix64 && !p.dst.v6 && pool.has(p.dst)) p.dst = embedded(*pool.prefix64, p.dst);
    }
    if (p.dst.v6 && p.protocol == kIcmp) p.protocol = kIcmpv6;
  }
  std::vector<Address> hosts = hosts_of(net, made.from);
  std::erase_if(hosts, [&](const Address& a) { return a.v6 != p.dst.v6; });
  p.src = random.of(hosts);
  if (p.protocol == kTcp) {
    p.src_port = one_of(kFewPorts, random);
    make_syn(p, random);
    fill_stream(p);
  } else if (p.protocol == kUdp) {
    p.src_port = one_of(kFewPorts, random);
  } else if (p.is_icmp()) {
    p.type = p.id != 0 || random.percent(50) ? some_query(p.src.v6, random) : other_type(p.src.v6, random);
    finish_icmp(p);
  }
  return made;
}

Made packet_of(const Network& net, const Model::Session& s, Random& random) {
  const Side side = random.percent(50) ? 0 : 1;
  Made made{way_in(net, s, side, random), {}};
  Packet& p = made.packet;
  dress(p, random);
  take_ends(p, s.ends[side]);
  if (s.tcp) {
    if (s.dropped && is_over(s.tcp->state) &&
        random.percent(60)) {  // its ends may be used again, but not yet
      make_syn(p, random);
    } else if (random.percent(78)) {
      make_next(p, *s.tcp, side, random);
    } else {
      make_odd(p, *s.tcp, side, random);
    }
    if ((p.flags & kSyn) == 0) p.scale.reset();
    fill_stream(p);
    return made;
  }
  p.payload = some_datagram(random);
  if (!p.is_icmp()) return made;
  p.sequence = static_cast<uint16_t>(random.next());
  const bool reply = (side == 1) != random.percent(15);
  p.type = s.icmp_type;
  if (s.changes_family() && side == 1) p.type = echo_of_other_family(p.type, true).value_or(p.type);
  if (random.percent(12)) p.type = some_query(p.src.v6, random);
  if (p.is_query() && reply) p.type = reply_to(p.type, p.src.v6);
  if (p.id == 0 && random.percent(10)) p.type = other_type(p.src.v6, random);
  finish_icmp(p);
  return made;
}

Made error_about(const Network& net, const Model::Session& s, Random& random) {
  const Side side = random.percent(50) ? 0 : 1;
  Made made{way_in(net, s, side, random), {}};
  Packet quoted;
  dress(quoted, random);
  take_ends(quoted, s.ends[side].reversed());
  if (s.tcp) {
    quoted.flags = kAck;
    quoted.seq = s.tcp->end_of(1 - side) - static_cast<uint32_t>(random.between(0, 20));
    if (random.percent(20)) quoted.seq += static_cast<uint32_t>(random.between(-150'000, 150'000));
    quoted.ack = s.tcp->end_of(side);
    quoted.payload = some_bytes(random, 60);
  } else if (quoted.is_icmp()) {
    quoted.sequence = 1;
    quoted.type = s.icmp_type;
    if (s.changes_family() && side == 1) quoted.type = echo_of_other_family(quoted.type, true).value_or(0);
    if (quoted.is_query() && side == 0) quoted.type = reply_to(quoted.type, quoted.src.v6);
  } else {
    quoted.payload = some_bytes(random, 60);
  }
  if (random.percent(6)) ++quoted.dst_port;
  if (random.percent(3)) quoted.dst.lo ^= 1;
  Packet& p = made.packet;
  dress(p, random);
  p.src = s.ends[side].src;
  if (random.percent(40)) p.src = random.of(hosts_of(net, made.from));  // a router on the way
  p.dst = quoted.src;
  if (random.percent(4)) p.dst.lo ^= 2;
  const bool six = p.dst.v6;
  if (p.src.v6 != six) p.src = s.ends[side].src;
  p.protocol = six ? kIcmpv6 : kIcmp;
  p.type = six ? 1 : 3;
  p.code = six ? 4 : 1;
  if (random.percent(30)) p.type = six ? 3 : 11;
  if (p.type == (six ? 3 : 11)) p.code = 0;
  const size_t header = six ? 40 : 20;
  p.quote_size =
      random.percent(50)
          ? 1'000
          : header + (quoted.protocol == kTcp || quoted.protocol == kUdp || quoted.is_icmp() ? 8 : 0);
  p.quoted = {quoted};
  return made;
}

}  // namespace weir::model
