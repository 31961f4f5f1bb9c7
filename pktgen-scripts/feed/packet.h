// A packet out of a template and a step, and whether a plan's parts can be trusted with memory. Pure.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include "plan.h"
#include "step.h"

namespace weir::feed {

template <typename T>
inline void put(uint8_t* data, uint16_t offset, T host_order) {
  T value;
  if constexpr (sizeof(T) == 2) value = __builtin_bswap16(host_order);
  if constexpr (sizeof(T) == 4) value = __builtin_bswap32(host_order);
  if constexpr (sizeof(T) == 8) value = __builtin_bswap64(host_order);
  std::memcpy(data + offset, &value, sizeof value);
}

/// What write_packet() copies at a time: a call of memcpy() for a length that is not known before costs more.
inline constexpr unsigned kCopy = 32;
static_assert(FEED_MAX_LENGTH % kCopy == 0);

/// Writes the packet, frame.length bytes rounded up to kCopy, to `data`.
inline void write_packet(uint8_t* data, const feed_frame& frame, const feed_step& step) {
  for (unsigned at = 0; at < frame.length; at += kCopy) std::memcpy(data + at, frame.bytes + at, kCopy);
  put<uint32_t>(data, frame.client_address, step.client_address);
  put<uint16_t>(data, frame.client_port, step.client_port);
  if (frame.entropy != 0) put<uint16_t>(data, frame.entropy, step.entropy);
  if (frame.ip_checksum != 0) put<uint16_t>(data, frame.ip_checksum, feed_ip_checksum(&frame, &step));
  if (frame.l4_checksum != 0) put<uint16_t>(data, frame.l4_checksum, feed_l4_checksum(&frame, &step));
  if (frame.seq != 0) {
    put<uint32_t>(data, frame.seq, step.seq);
    put<uint32_t>(data, frame.ack, step.ack);
  }
  if (frame.number != 0) put<uint64_t>(data, frame.number, feed_digits(step.number));
}

/// Every field lies inside the frame, and the frame inside its room.
inline bool frame_fits(const feed_frame& f) {
  const auto inside = [&f](uint16_t offset, unsigned bytes) {
    return offset == 0 || offset + bytes <= f.length;
  };
  return f.length != 0 && f.length <= FEED_MAX_LENGTH && f.client_address != 0 && f.client_port != 0 &&
         inside(f.client_address, 4) && inside(f.client_port, 2) && inside(f.ip_checksum, 2) &&
         inside(f.l4_checksum, 2) && inside(f.seq, 4) && inside(f.ack, 4) && (f.seq == 0) == (f.ack == 0) &&
         inside(f.entropy, 2) && inside(f.number, 8);
}

inline bool class_fits(const feed_class& c, uint32_t frames) {
  if (c.sessions == 0 || c.stride == 0 || c.stride > c.sessions || c.sessions > 1u << 30) return false;
  if (c.tcp != 0 && c.life != 0 && c.life < 4) return false;              // open, data, close, last
  if (c.tcp != 0 && c.one_way == 0 && c.lag >= c.sessions) return false;  // data before the handshake
  for (const auto& phase : c.frame) {
    for (const __u16 frame : phase) {
      if (frame >= frames) return false;
    }
  }
  return true;
}

/// Why the plan cannot be run, a sentence; empty if it can. A feed reads it without further checks.
inline std::string plan_fault(const feed_plan& plan) {
  if (plan.magic != FEED_MAGIC || plan.version != FEED_VERSION) return "this is no plan of this version";
  if (plan.frames == 0 || plan.frames > FEED_MAX_FRAMES || plan.classes == 0 ||
      plan.classes > FEED_MAX_CLASSES || plan.schedule_length == 0 ||
      plan.schedule_length > FEED_MAX_SCHEDULE) {
    return "the plan's numbers are out of range";
  }
  for (uint32_t i = 0; i < plan.schedule_length; ++i) {
    if (plan.schedule[i] >= plan.classes) return "the schedule names a class that the plan does not have";
  }
  for (uint32_t i = 0; i < plan.frames; ++i) {
    if (!frame_fits(plan.frames_[i])) return "a field of frame " + std::to_string(i) + " lies outside it";
  }
  for (uint32_t i = 0; i < plan.classes; ++i) {
    if (!class_fits(plan.classes_[i], plan.frames)) return "class " + std::to_string(i) + " is not possible";
  }
  return {};
}

}  // namespace weir::feed
