// A file that passed in a transaction, as rules and events know it, whatever the protocol. Plain values.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace weir::inspection {

/// MD5, SHA-1 and SHA-256; all zero where none was asked for.
struct FileDigests {
  std::array<uint8_t, 16> md5{};
  std::array<uint8_t, 20> sha1{};
  std::array<uint8_t, 32> sha256{};
};

/// As far as it was inspected.
struct AppFile {
  enum class State : uint8_t { open, closed, truncated };
  std::string_view name;
  uint64_t size = 0;  // decoded bytes, with those that are missing
  State state = State::open;
  bool gaps = false;
  uint8_t hashes = 0;         // http::FileHashKind: those of `digests` that were made
  FileDigests digests;        // of what was seen before the first gap, once it is not open
  std::string_view magic;     // what libmagic says of it; empty: nobody asked, or it is not known
  bool awaits_magic = false;  // it was asked, and has not answered
};

}  // namespace weir::inspection
