// What one HTTP/1 parser may use, and what all parsers of a worker count.
#pragma once

#include <cstddef>
#include <cstdint>

#include "inspection/event_count.h"

namespace weir::inspection {

class MagicDesk;

/// Ceilings of HTTP/1 parsing; sizes in bytes, 0 of a limit of bodies: no limit. One set for each profile.
struct HttpLimits {
  size_t head_bytes = 64 * 1024;  // of one message's first line and fields; at most BytePool::kLargest
  uint32_t fields = 1024;         // header fields of one message
  uint32_t transactions = 512;    // open in one session
  size_t window = 16 * 1024;      // of a body: judged bytes that stay in sight for what follows
  size_t fresh = 16 * 1024;       // of a body: bytes that wait to be judged, at most
  uint64_t request_body_limit = 100 * 1024;   // decoded bytes that are inspected
  uint64_t response_body_limit = 100 * 1024;  // decoded bytes that are inspected
  uint32_t decode_layers = 3;                 // content codings, one in another
  uint64_t decode_bomb_bytes = 1024 * 1024;   // only above this the ratio counts
  uint64_t decode_ratio = 2048;               // decoded bytes, of all layers, for each byte of the body
  uint64_t work_per_call = 64 * 1024;         // bytes looked at or made before a call says Next::again
  uint32_t multipart_files = 64;              // files of one form that are told apart
  uint8_t file_hashes = 0;     // checksums that are made of files: http::FileHashKind, also for no rule
  MagicDesk* magic = nullptr;  // who tells what files are; null: nobody asks
  uint64_t message_gap = 1024 * 1024;  // bytes that are looked through for a message after a gap
};

/// Written by the worker, read by anybody.
struct HttpCounters {
  EventCount requests;
  EventCount responses;
  EventCount body_bytes;            // as sent, without chunk framing
  EventCount decoded_bytes;         // made by gzip and deflate, all layers
  EventCount decode_failed;         // bodies whose coding was not what it said
  EventCount decode_refused;        // bodies in a coding that is not decoded: br, zstd, lzma ...
  EventCount decode_bombs;          // decoding stopped by decode_ratio
  EventCount gaps;                  // lost bytes, counted by event
  EventCount tunnels;               // CONNECT and upgrades
  EventCount heads_too_long;        // sessions that ended at head_bytes or fields
  EventCount transactions_refused;  // sessions that ended at transactions
  EventCount memory_refused;        // sessions that ended because the pool was at its ceiling
};

}  // namespace weir::inspection
