// Answers of the networks that a feed stands for: to ARP requests and neighbour solicitations that the
// contender sends, on the underlay or inside a VXLAN tunnel. Pure, without DPDK.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::feed {

/// Room that an answer needs, at most.
inline constexpr size_t kMaxAnswer = 160;

/// Could a sent frame of this length be a question? All are short; what the plan sends may be as long and is
/// then told apart by question_answer().
bool may_be_question(size_t length);

/// Writes the answer to `frame`, a whole Ethernet frame as the contender sent it, and returns its length; 0
/// if the frame is no question. Whoever is asked for exists: the MAC of an IPv4 address is 02:00 and its four
/// bytes, that of an IPv6 address 02:06 and its last four bytes.
size_t question_answer(std::span<const uint8_t> frame, std::span<uint8_t, kMaxAnswer> answer);

}  // namespace weir::feed
