// What a rule asks of a packet beside its bytes: header fields, flags, sizes, the session's numbers.
//
// Pure functions of their arguments. A packet without the field does not match.
#pragma once

#include <optional>

#include "inspection/compile/detection_rule.h"
#include "inspection/detect/inspected.h"

namespace weir::inspection {

bool packet_matches(const ast::PayloadSize& check, const PacketView& packet);
bool packet_matches(const ast::HeaderNumber& check, const PacketView& packet);
bool packet_matches(const ast::VlanId& check, const PacketView& packet);
bool packet_matches(const ast::BitFlags& check, const PacketView& packet);
bool packet_matches(const ast::IpOption& check, const PacketView& packet);
bool packet_matches(const ast::SameIp& check, const PacketView& packet);
bool packet_matches(const ast::Checksum& check, const PacketView& packet);
bool session_matches(const ast::StreamSize& check, const SessionFacts& facts);
bool session_matches(const ast::FlowNumber& check, const PacketView& packet, const SessionFacts& facts);
bool session_matches(const ast::AppLayerProtocol& check, const SessionFacts& facts, Direction direction);
bool transaction_matches(const ast::TransactionNumber& check, const Transaction& transaction,
                         Direction direction);
bool transaction_matches(const ast::TlsVersions& check, const Transaction& transaction, Direction direction);
bool transaction_matches(const ast::TlsCertificateTime& check, const Transaction& transaction,
                         Direction direction, uint64_t now_seconds);
/// That file has a checksum, and the list has it or, if negated, has it not.
bool file_matches(const FileHashCheck& check, Transaction& transaction, Direction direction, uint32_t file);
bool transaction_matches(const FileHashCheck& check, Transaction& transaction, Direction direction);

/// IP version and protocol of the header.
bool layer_matches(ast::Layer layer, const PacketView& packet);

/// The field's value; nullopt if the packet has no such field.
std::optional<uint64_t> header_number(ast::HeaderNumber::Field field, const PacketView& packet);

/// Buffers of the packet itself; nullopt if it has none.
std::optional<std::span<const uint8_t>> packet_buffer(BufferId buffer, const PacketView& packet,
                                                      std::span<uint8_t, 16> room);

}  // namespace weir::inspection
