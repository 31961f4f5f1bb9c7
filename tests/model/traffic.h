// Packets made up by chance: such as hosts would send, and such as nobody should.
#pragma once

#include "tests/model/model.h"
#include "tests/model/random_network.h"

namespace weir::model {

struct Made {
  Attachment from = 0;
  Packet packet;
};

/// From some host to anywhere; most begin a session.
Made first_packet(const Network& net, Random& random);
/// The same to the address and port that the session's initiator is seen by, from anywhere.
Made first_packet_to(const Network& net, const Model::Session& session, Random& random);
/// One of a session's: of TCP mostly the one that comes next, else one that should not come.
Made packet_of(const Network& net, const Model::Session& session, Random& random);
/// An ICMP error about a packet of the session; some quote what was never sent.
Made error_about(const Network& net, const Model::Session& session, Random& random);

}  // namespace weir::model
