// One rule against the header, the session's state and the buffers of a packet.
#include <algorithm>

#include "dataplane/net/headers.h"
#include "inspection/compile/compile_rule.h"
#include "inspection/detect/detector_core.h"
#include "inspection/detect/header_checks.h"
#include "inspection/detect/transforms.h"

namespace weir::inspection {

bool DetectorCore::addresses_match(const Call& call, const RuleHeader& rule, Direction d) const {
  if (rule.any_addresses && rule.any_ports) return true;
  using End = HeaderMemo::End;
  const auto port_in = [&](uint32_t set, End end) {
    return call.scratch.header.port(set, end, [&] {
      return call.profile.ports(set).contains(end == End::source ? call.packet.src_port
                                                                 : call.packet.dst_port);
    });
  };
  const auto one_way = [&](End from, End to) {
    return (rule.any_ports || (port_in(rule.source_ports, from) && port_in(rule.destination_ports, to))) &&
           (rule.any_addresses ||
            (address_in(call, rule.source, from) && address_in(call, rule.destination, to)));
  };
  const bool same = d == call.packet.direction;
  const End from = same ? End::source : End::destination, to = same ? End::destination : End::source;
  return one_way(from, to) || (rule.both_ways && one_way(to, from));
}

bool DetectorCore::address_in(const Call& call, uint32_t set, HeaderMemo::End end) const {
  return call.scratch.header.address(set, end, [&] {
    return call.profile.addresses(set).contains(end == HeaderMemo::End::source ? call.packet.src
                                                                               : call.packet.dst);
  });
}

/// HTTP or TLS, at one of the ports where it is expected.
static bool is_web(const PacketView& packet, AppProtocol protocol) {
  const uint16_t server_port = packet.direction == Direction::to_server ? packet.dst_port : packet.src_port;
  return packet.protocol == net::kProtoTcp && std::ranges::find(kWebPorts, server_port) != kWebPorts.end() &&
         std::ranges::find(kWebProtocols, protocol) != kWebProtocols.end();
}

SessionTraits DetectorCore::traits_of(const Call& call, Direction d) const {
  const SessionTraits off_web = is_web(call.packet, call.facts.protocol) ? SessionTraits{0} : kOffWeb;
  const auto& outward = call.ruleset.outward();
  if (!outward) return off_web | kLeaves | kEnters;
  using End = HeaderMemo::End;
  const bool same = d == call.packet.direction;
  const End from = same ? End::source : End::destination, to = same ? End::destination : End::source;
  const bool leaves = address_in(call, outward->first, from) && address_in(call, outward->second, to);
  const bool enters = address_in(call, outward->second, from);
  return static_cast<SessionTraits>(off_web | (leaves ? kLeaves : 0U) | (enters ? kEnters : 0U));
}

bool DetectorCore::flow_matches(const Call& call, const ast::Flow& flow) const {
  if (flow.established && !call.facts.established) return false;
  if (flow.not_established && call.facts.established) return false;
  if (flow.only_frag && !call.packet.fragment_rebuilt) return false;
  return !flow.no_frag || !call.packet.fragment_rebuilt;
}

bool DetectorCore::header_matches(const Call& call, const RuleHeader& rule, Direction d) const {
  if (!rule.direction[static_cast<size_t>(d)]) return false;
  if (!layer_matches(rule.layer, call.packet)) return false;
  if (rule.flow_start && call.facts.packets[static_cast<size_t>(d)] != 1) return false;
  if (!rule.is_about(call.facts.protocol)) return false;
  return flow_matches(call, rule.flow) && addresses_match(call, rule, d);
}

size_t DetectorCore::failing_check(const Call& call, const DetectionRule& rule, Direction d,
                                   Transaction* transaction) const {
  const auto holds = [&]<typename Check>(const Check& c) {
    if constexpr (std::is_same_v<Check, FlowBitCheck>) {
      const SessionState* const state = call.session.state_;
      const bool any = state != nullptr && std::any_of(c.bits.begin(), c.bits.end(),
                                                       [&](uint16_t bit) { return state->has(bit); });
      return any != c.negated;
    } else if constexpr (std::is_same_v<Check, FlowIntCheck>) {
      return flowint_holds(call, c);
    } else if constexpr (std::is_same_v<Check, HostBitCheck>) {
      return hostbit_is_set(call, c.track, c.bit, d) != c.negated;
    } else if constexpr (std::is_same_v<Check, PacketEvent>) {
      return call.packet.events.has(c);
    } else if constexpr (std::is_same_v<Check, ast::StreamSize>) {
      return session_matches(c, call.facts);
    } else if constexpr (std::is_same_v<Check, ast::FlowNumber>) {
      return session_matches(c, call.packet, call.facts);
    } else if constexpr (std::is_same_v<Check, ast::AppLayerProtocol>) {
      return session_matches(c, call.facts, d);
    } else if constexpr (std::is_same_v<Check, ast::TransactionNumber> ||
                         std::is_same_v<Check, ast::TlsVersions> || std::is_same_v<Check, FileHashCheck>) {
      return transaction != nullptr && transaction_matches(c, *transaction, d);
    } else if constexpr (std::is_same_v<Check, ast::TlsCertificateTime>) {
      return transaction != nullptr && transaction_matches(c, *transaction, d, call.packet.wall_seconds);
    } else {
      return packet_matches(c, call.packet);
    }
  };
  for (size_t i = 0; i < rule.packet_checks.size(); ++i) {
    if (!std::visit(holds, rule.packet_checks[i])) return i;
  }
  return rule.packet_checks.size();
}

std::optional<std::span<const uint8_t>> DetectorCore::transformed(Call& call, ChainId chain,
                                                                  std::span<const uint8_t> bytes) {
  for (size_t i = 0; i < transformed_count_; ++i) {
    const Transformed& t = transformed_[i];
    if (t.chain == chain && t.data == bytes.data() && t.size == bytes.size()) return t.made;
  }
  const auto made = apply_transforms(call.ruleset.chains()[chain], bytes, scratch_bytes_, call.scratch.pcre);
  if (!made) {
    ++counters_.transforms_lost;
    return std::nullopt;
  }
  if (transformed_count_ < transformed_.size()) {
    transformed_[transformed_count_++] = {bytes.data(), bytes.size(), chain, *made};
  }
  return made;
}

bool DetectorCore::bytes_match(Call& call, const BufferPart& part, MatchBytes bytes) {
  if (part.chain != 0) {
    const auto made = transformed(call, part.chain, bytes.bytes);
    if (!made) return false;
    bytes.bytes = *made;
    // Places before and behind a transform have nothing to do with each other.
    bytes.base = bytes.old_size = 0;
    bytes.must_be_new = false;
  }
  const MatchMemory memory = match_memory(call);
  return ByteMatcher(bytes, memory).match(part.checks);
}

/// Of the packet's own headers; nullopt: it has none of that kind.
std::optional<std::span<const uint8_t>> DetectorCore::packet_bytes(Call& call, BufferId buffer) {
  std::array<uint8_t, 16> room{};
  const auto bytes = packet_buffer(buffer, call.packet, room);
  if (!bytes || bytes->data() != room.data()) return bytes;
  // An address lies in memory that is used again: copied, so that what is kept of it stays true.
  const std::span<uint8_t> copy = scratch_bytes_.take(bytes->size());
  if (copy.empty()) {
    ++counters_.transforms_lost;
    return std::nullopt;
  }
  std::copy(bytes->begin(), bytes->end(), copy.begin());
  return copy;
}

bool DetectorCore::packet_parts_match(Call& call, const DetectionRule& rule) {
  for (const BufferPart& part : rule.parts) {
    if (!is_packet_buffer(part.buffer)) continue;
    const auto buffer = packet_bytes(call, part.buffer);
    if (!buffer) {
      if (part.absent || part.absent_or_else) continue;
      return false;
    }
    if (part.absent) return false;
    MatchBytes bytes;
    bytes.bytes = *buffer;
    if (!bytes_match(call, part, bytes)) return false;
  }
  return true;
}

bool DetectorCore::parts_match(Call& call, const DetectionRule& rule, const MatchBytes& payload) {
  for (const BufferPart& part : rule.parts) {
    if (part.of_payload() && (payload.bytes.empty() || !bytes_match(call, part, payload))) return false;
  }
  return packet_parts_match(call, rule);
}

}  // namespace weir::inspection
