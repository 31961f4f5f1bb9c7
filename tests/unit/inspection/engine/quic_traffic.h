// QUIC packets made by hand for tests: Initials as a client and a server protect them, and Google's hello.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "inspection/direction.h"

namespace weir::inspection::test {

/// The connection id that the client's first Initial goes to.
inline const std::string kQuicId = "\x83\x94\xc8\xf0\x3e\x51\x57\x08";

struct QuicPiece {
  uint64_t offset = 0;
  std::string bytes;
};
/// A CRYPTO frame.
std::string crypto_frame(const QuicPiece& piece);

struct QuicInitial {
  Direction direction = Direction::to_server;
  uint32_t version = 1;
  std::string destination = kQuicId;
  std::string keys_of = kQuicId;  // what the keys are made of
  uint32_t number = 0;
};
/// A datagram with one protected Initial; a client's is padded to 1,200 bytes.
std::string quic_initial(const QuicInitial& initial, const std::string& frames);

/// A hello of Q046 in clear, for `name` and from `agent`: with the tags PAD, SNI, VER, UAID.
std::string google_hello(const std::string& name, const std::string& agent);

}  // namespace weir::inspection::test
