// ARP and neighbour discovery as values: the questions that control asks, and what others say of themselves.
//
// Pure: bytes in, values out. What is malformed is nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/net/address.h"

namespace weir::underlay {

/// The frame that asks who has `target`, from the hub's `own` address and MAC. `known` is the MAC that a
/// probe goes to; without it the question goes to everybody: broadcast (RFC 826), or the solicited-node
/// multicast group (RFC 4861 section 7.2.2, with hop limit 255 and the source link-layer option). `own` and
/// `target` are of one family.
std::vector<uint8_t> neighbor_request(net::Mac hub_mac, const net::IpAddress& own,
                                      const net::IpAddress& target, const std::optional<net::Mac>& known);

/// `address` says that it has `mac`.
struct NeighborClaim {
  enum class Kind : uint8_t {
    answer,        // to a question that `to` asked
    question,      // to `to`, from its sender
    announcement,  // to everybody: gratuitous ARP (RFC 5227 section 3), unsolicited advertisement
  };
  Kind kind{};
  net::IpAddress address;
  net::Mac mac;
  net::IpAddress to;
  /// An advertisement without the override flag does not replace another MAC (RFC 4861 section 7.2.5).
  bool overrides = true;
};

/// What an Ethernet frame with ARP for IPv4, or with a neighbour solicitation or advertisement, claims.
/// Nothing if it is anything else, malformed, fails the checks of RFC 4861 section 7.1, or claims no MAC that
/// one host can have.
std::optional<NeighborClaim> parse_neighbor_claim(std::span<const uint8_t> frame);

}  // namespace weir::underlay
