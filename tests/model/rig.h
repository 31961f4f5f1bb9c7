// The hub under test: the whole data plane on a memory port, its workers turned one after the other by this
// thread, at the time that the test says. The only file beside rig.cpp that knows dataplane/.
#pragma once

#include <memory>

#include "tests/model/model.h"

namespace weir::model {

class Rig final : public Looks {
 public:
  /// The same `secret` and the same packets: the same run, whichever ports are given out by chance.
  /// Throws std::runtime_error.
  Rig(const Network& network, uint64_t secret);
  ~Rig() override;
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  /// What is on the wire (tunnel.h) comes in, in one burst to worker `worker`; what became of it when all
  /// workers are idle again.
  Outcome inject(const std::vector<Bytes>& burst, int worker);
  /// Time passes, and nothing comes in.
  Outcome pass(unsigned ticks);
  /// `next` is configured. Only what differs is touched: routes and neighbours change without a new snapshot.
  void change(const Network& next);

  std::vector<Listed> sessions() override;
  /// Sums over the workers.
  uint64_t sessions_live() const;
  uint64_t half_open() const;
  uint64_t fragments_held() const;
  uint64_t bindings() const;
  /// Decided by each rule since the last change of rules, and by none.
  std::vector<uint64_t> hits() const;
  /// What does not add up: packets in and out of each worker, buffers. Empty: all does.
  std::string imbalance() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::model
