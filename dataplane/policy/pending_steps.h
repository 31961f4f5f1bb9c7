// What becomes of a session whose policy rule is not known yet, and of its packets, as a table.
//
// A pending session is one that an earlier rule may still decide, once a name is known. Packets without
// anything in them pass, so that a handshake completes; the first one with something in it is read, and waits
// with all that follow until the name is known or given up. Then they all go on, in order, or none does. What
// is a handshake itself, behind which the name stands (of TLS before its certificates, CONNECT), passes too,
// with all that waits. What went on so is inspected later, if the rule is one that inspects.
// Pure.
#pragma once

#include <cstdint>

namespace weir::dataplane {

/// A packet without or with something in it; one with which all that came is a handshake; or the time is up.
enum class PendingEvent : uint8_t { bare, load, handshake, time_up, count_ };

/// What the rules say then.
enum class PendingVerdict : uint8_t { open, allowed, refused, count_ };

/// The packet passes or is held, or all that was held passes and the packet behind it, and the session is
/// pending still; or the session goes on as one that is allowed, with all that was held, the packet behind
/// it; or nothing of it passes.
enum class PendingStep : uint8_t { pass, hold, release, settle, refuse };

/// With the time up no verdict is open: names are given up first. So they are for a packet that is to be held
/// and for which there is no room.
constexpr PendingStep pending_step(PendingEvent event, PendingVerdict verdict) {
  using enum PendingStep;
  // By event, then by verdict.
  constexpr PendingStep kTable[4][3] = {
      {pass, settle, refuse},     // bare
      {hold, settle, refuse},     // load
      {release, settle, refuse},  // handshake
      {refuse, settle, refuse}    // time_up
  };
  return kTable[static_cast<unsigned>(event)][static_cast<unsigned>(verdict)];
}

}  // namespace weir::dataplane
