// Outer key -> attachment: which tunnel a received packet belongs to.
#pragma once

#include <nmmintrin.h>

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/core/ids.h"
#include "dataplane/net/address.h"
#include "dataplane/net/result.h"
#include "dataplane/tunnel/live_hash.h"
#include "dataplane/tunnel/tunnel.h"

namespace weir::dataplane {

/// What identifies a tunnel in a received packet. `peer` is no tunnel: its entry says that the outer source
/// is the peer of some attachment, which tells an unknown VNI from an unknown peer.
enum class KeyKind : uint8_t { none, vxlan, geneve, gre, gre_keyed, ipip4, ipip6, native, peer };

/// Of a tunnel over UDP.
constexpr KeyKind udp_kind(TunnelKind kind) {
  return kind == TunnelKind::vxlan ? KeyKind::vxlan : KeyKind::geneve;
}

/// As it lies in a received outer header. The peer's address is part of it: a packet from anyone else with
/// the right VNI finds nothing. One layout for all kinds, so that there is one table and one comparison; an
/// IPv6 key does not have the hub's own address but its number (HubAddress::number), which is never 0.
struct TunnelKey {
  uint64_t hi = 0;    // IPv6: first half of the peer's address
  uint64_t lo = 0;    // IPv6: second half; IPv4: the hub's address, the peer's
  uint64_t rest = 0;  // id, UDP port, kind, number of the hub's IPv6 address

  static constexpr uint64_t pack(KeyKind kind, uint32_t id, uint16_t port, uint16_t number) {
    return static_cast<uint64_t>(id) << 32 | static_cast<uint64_t>(port) << 16 |
           static_cast<uint64_t>(kind) << 12 | number;
  }
  static constexpr TunnelKey v4(KeyKind kind, net::Ipv4 local, net::Ipv4 remote, uint32_t id = 0,
                                uint16_t port = 0) {
    return {0, static_cast<uint64_t>(local.value) << 32 | remote.value, pack(kind, id, port, 0)};
  }
  static constexpr TunnelKey v6(KeyKind kind, uint16_t local_number, const net::Ipv6& remote, uint32_t id = 0,
                                uint16_t port = 0) {
    return {remote.hi, remote.lo, pack(kind, id, port, local_number)};
  }
  static constexpr TunnelKey native(PortIndex port, uint16_t outer_vlan, uint16_t vlan) {
    return {0, 0, pack(KeyKind::native, static_cast<uint32_t>(outer_vlan) << 16 | vlan, port, 0)};
  }
  /// The same endpoints as those of this key, whatever the tunnel.
  constexpr TunnelKey peer() const { return {hi, lo, pack(KeyKind::peer, 0, 0, number())}; }

  constexpr KeyKind kind() const { return static_cast<KeyKind>(rest >> 12 & 0xf); }
  constexpr uint32_t id() const { return static_cast<uint32_t>(rest >> 32); }
  constexpr uint16_t port() const { return static_cast<uint16_t>(rest >> 16); }
  constexpr uint16_t number() const { return rest & kMaxNumber; }
  static constexpr uint16_t kMaxNumber = 0xfff;

  friend constexpr auto operator<=>(const TunnelKey&, const TunnelKey&) = default;
};
static_assert(sizeof(TunnelKey) == 24);

inline std::array<uint64_t, 3> words_of(const TunnelKey& key) { return {key.hi, key.lo, key.rest}; }

inline uint32_t hash_of(const TunnelKey& key) {
  return static_cast<uint32_t>(_mm_crc32_u64(_mm_crc32_u64(key.hi, key.lo), key.rest));
}

/// For people.
std::string to_string(const TunnelKey& key);

/// The keys by which packets of `tunnel` are found; an IP-in-IP tunnel for both families has two.
/// `local_number` is that of its local address, if that is IPv6.
std::vector<TunnelKey> keys_of(const Tunnel& tunnel, uint16_t local_number);

/// UDP ports on which the hub expects tunnels, and what kind. One port speaks one language.
struct UdpTunnels {
  static constexpr size_t kMax = 16;
  struct Entry {
    uint16_t port = 0;  // host order
    KeyKind kind = KeyKind::none;
  };
  /// In the order of first use; VXLAN's and GENEVE's own ports should come first.
  Entry entries[kMax] = {};
  uint32_t count = 0;

  /// KeyKind::none if the hub expects nothing there.
  KeyKind find(uint16_t port) const {
    for (uint32_t i = 0; i < count; ++i) {
      if (entries[i].port == port) return entries[i].kind;
    }
    return KeyKind::none;
  }
  /// False: no room, or the port speaks another kind already.
  bool add(uint16_t port, KeyKind kind) {
    const KeyKind known = find(port);
    if (known != KeyKind::none) return known == kind;
    if (count == kMax) return false;
    entries[count++] = {port, kind};
    return true;
  }
};

/// One for the hub's life; control changes it in place (see LiveHash), any worker looks up.
class TunnelTable : public LiveHash<TunnelKey, AttachmentId> {
 public:
  using LiveHash::LiveHash;

  struct Entry {
    TunnelKey key;
    AttachmentId attachment;
  };
  /// What entries of kind `peer` lead to: nothing but a valid id.
  static constexpr AttachmentId kPeer = AttachmentId::make(AttachmentId::kMaxIndex, 1);

  /// Room in what build() makes, at least: in a table for two of them, two share a slot too easily, and a
  /// packet for the second one then costs a branch that is guessed wrong.
  static constexpr uint32_t kLeastRoom = 1'024;
  /// A table of these. Fails with `in_use` if two entries have the same key (but those of peers, of
  /// which there is one each), with `invalid` if an attachment id is.
  static Result<TunnelTable> build(const std::vector<Entry>& entries);
};

}  // namespace weir::dataplane
