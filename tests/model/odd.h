// Frames that no session's traffic is made of, by chance: what an attacker, a broken host or a bridge sends
// into its attachment. Nobody says what has to become of them, but nothing of them may get where it must not.
#pragma once

#include "tests/model/model.h"
#include "tests/model/random.h"

namespace weir::model {

struct OddFrame {
  Attachment from = 0;  // whose tunnel or VLAN it comes by
  Bytes wire;
  bool forged = false;  // from the underlay address of another peer: nothing may leave
  std::string words;
};
/// ARP, neighbour discovery, group and broadcast addresses, frames that carry no IP, source routes, tunnels
/// inside, forged peers, addresses of other domains, errors about other people's sessions, broken packets.
OddFrame odd_frame(const Network& net, const Model& model, Random& random);

}  // namespace weir::model
