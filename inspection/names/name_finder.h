// Finding what a session's packets say about whom it wants to talk to: the name of a server, a kind of
// application. Policy rules may ask for such a name; until it is known a session is pending.
//
// One NameFinder belongs to one worker. Nothing here knows DPDK.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>

#include "inspection/inspector.h"
#include "inspection/names/name_question.h"

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
  /// One packet of the session, in the order in which they come. Its TCP segment lies within the windows; it
  /// may be a repeated one, and one may be missing.
  virtual void read(NameHandle, const Packet&) = 0;
  /// Once yes, no or given_up it stays that.
  virtual NameAnswer ask(NameHandle, const NameQuestion&) const = 0;
  /// All that it has read is of a handshake, behind which a name may still come that the other end has to
  /// answer for: those packets may pass.
  virtual bool passes(NameHandle) const = 0;
  virtual void close(NameHandle) = 0;
};

/// Makes the one of a worker, with what all workers remember. At the start.
using NameFinderFactory =
    std::function<Result<std::unique_ptr<NameFinder>>(unsigned worker, std::shared_ptr<RuleMemory> memory)>;

struct NameFinderLimits {
  uint32_t sessions = 1'024;  // of one worker

  /// Of each: its streams, its handshake, the certificates in it.
  static constexpr uint32_t kSessionBytes = 32 * 1'024;
  static constexpr uint64_t kLeastMemory = uint64_t{4} << 20;
  /// Bytes that they may grow together; a session for which there are none is decided without its names.
  uint64_t memory() const { return std::max(kLeastMemory, uint64_t{sessions} * kSessionBytes); }
};

/// The engine's finder (engine/name_finder.cpp): streams put together, protocols told, as in inspection,
/// without a rule.
Result<NameFinderFactory> make_name_finders(unsigned workers, const NameFinderLimits& limits);

}  // namespace weir::inspection
