// Finding what a session's packets say about whom it wants to talk to: the name of a server, a kind of
// application. Policy rules may ask for such a name; until it is known a session is pending.
//
// One NameFinder belongs to one worker. Nothing here knows DPDK.
#pragma once

#include <cstdint>

#include "inspection/inspector.h"
#include "inspection/name_answer.h"

namespace weir::inspection {

/// Names one session inside one NameFinder. Zero is none.
struct NameHandle {
  uint32_t value = 0;
  bool valid() const { return value != 0; }
};

class NameFinder {
 public:
  virtual ~NameFinder() = default;

  /// Starts to look. An invalid handle: there is no room; the caller takes the session's names for given up.
  virtual NameHandle open(const FlowInfo& flow) = 0;
  /// One packet of the session that carries something, in the order in which they come. Its TCP segment lies
  /// within the windows; it may be a repeated one, and one may be missing.
  virtual void read(NameHandle, const Packet&) = 0;
  /// `term` is the one of the rule. Once yes, no or given_up it stays that.
  virtual NameAnswer ask(NameHandle, uint32_t term) const = 0;
  virtual void close(NameHandle) = 0;
};

}  // namespace weir::inspection
