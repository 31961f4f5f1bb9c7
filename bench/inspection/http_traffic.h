// Ordinary HTTP/1 of browsers and programs, as the streams of some sessions, cut into TCP segments: what
// every contender of the inspection row is given. Either whole exchanges, request and answer in turn, or
// requests alone, one behind the other.
//
// The text is made once from a seed. It carries fields of 16 hexadecimal digits (a session cookie, a
// request's id, an answer's tag, a place in a body), of which every full segment has at least one; on each
// pass they get other values, so that no two passes give the same bytes and no length ever changes.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "inspection/direction.h"

namespace weir::bench {

class HttpTraffic {
 public:
  static constexpr size_t kSegmentBytes = 1'400;  // the most; the last one of a message may be shorter
  static constexpr size_t kFieldBytes = 16;
  enum class Kind : uint8_t {
    exchanges,  // each request is followed by its answer; neither shares a segment with another message
    requests,   // no answers; a segment is filled with what comes next
  };

  struct Segment {
    uint32_t at;           // in the stream's bytes
    uint32_t size;         // at most kSegmentBytes
    uint32_t first_field;  // the first one that begins here or later: index into the stream's fields
    inspection::Direction direction;
  };
  struct Stream {
    std::vector<uint8_t> bytes;    // of both directions, in the order of time; whole messages
    std::vector<uint32_t> fields;  // where the stepped fields begin, ascending
    std::vector<Segment> segments;
    uint64_t first_number = 0;  // of the first field, counted over all streams
    size_t requests = 0;

    std::span<const uint8_t> payload(const Segment& segment) const {
      return std::span<const uint8_t>(bytes).subspan(segment.at, segment.size);
    }
  };

  /// `streams` streams of at least `stream_bytes` each.
  HttpTraffic(uint64_t seed, size_t streams, size_t stream_bytes, Kind kind);

  const std::vector<Stream>& streams() const { return streams_; }
  /// Payload bytes of one pass.
  uint64_t bytes() const { return bytes_; }

  /// Gives the fields that begin in this segment the values of pass `number`.
  void step(Stream& stream, size_t segment, uint64_t number) {
    const size_t next = segment + 1;
    const size_t end =
        next < stream.segments.size() ? stream.segments[next].first_field : stream.fields.size();
    for (size_t i = stream.segments[segment].first_field; i < end; ++i) {
      write_hex(mixed(number << 32 | (stream.first_number + i)), stream.bytes.data() + stream.fields[i]);
    }
  }

  /// One segment of each stream in turn until all have ended: `begin(stream)`, `segment(stream, direction,
  /// bytes)` for each, `end(stream)`. A segment is stepped right before it is handed out.
  template <typename Consumer>
  void pass(uint64_t number, Consumer& consumer) {
    for (size_t s = 0; s < streams_.size(); ++s) consumer.begin(s);
    for (size_t index = 0; index < longest_; ++index) {
      for (size_t s = 0; s < streams_.size(); ++s) {
        Stream& stream = streams_[s];
        if (index >= stream.segments.size()) continue;
        step(stream, index, number);
        const Segment& segment = stream.segments[index];
        touch(stream.payload(segment));
        consumer.segment(s, segment.direction, stream.payload(segment));
        if (index + 1 == stream.segments.size()) consumer.end(s);
      }
    }
  }

 private:
  /// Reads each cache line: whoever is measured finds the bytes near, and nobody pays for the first access,
  /// of which the engine has one for each byte and its parts by themselves would have one each.
  static void touch(std::span<const uint8_t> bytes) {
    constexpr size_t kLine = 64;
    uint8_t all = 0;
    for (size_t i = 0; i < bytes.size(); i += kLine) all |= bytes[i];
    asm volatile("" : : "r"(all));
  }
  /// The finaliser of SplitMix64: neighbours get values that have nothing in common.
  static uint64_t mixed(uint64_t x) {
    x += 0x9e37'79b9'7f4a'7c15ULL;
    x = (x ^ x >> 30) * 0xbf58'476d'1ce4'e5b9ULL;
    x = (x ^ x >> 27) * 0x94d0'49bb'1331'11ebULL;
    return x ^ x >> 31;
  }
  /// 16 digits in a few instructions, so that stepping stays far below the cost of what is measured.
  static void write_hex(uint64_t value, uint8_t* out) {
    for (const uint64_t half : {value & 0xffff'ffff, value >> 32}) {
      const uint64_t nibbles = _pdep_u64(half, 0x0f0f'0f0f'0f0f'0f0fULL);
      const uint64_t letters = (nibbles + 0x0606'0606'0606'0606ULL) >> 4 & 0x0101'0101'0101'0101ULL;
      const uint64_t text = nibbles + 0x3030'3030'3030'3030ULL + letters * ('a' - '0' - 10);
      std::memcpy(out, &text, sizeof text);
      out += sizeof text;
    }
  }

  std::vector<Stream> streams_;
  uint64_t bytes_ = 0;
  size_t longest_ = 0;  // segments
};

}  // namespace weir::bench
