// libmagic for the process: a desk for each worker, and the thread that answers.
//
// Nothing is taken, opened or started before a ruleset asks for it (start()); from then on it is there until
// the process ends, since sessions may still wait when the last such ruleset goes.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "dataplane/net/result.h"
#include "inspection/magic/magic_desk.h"

namespace weir::inspection {

class FileMagic {
 public:
  enum class Mode : uint8_t {
    beside,   // the hub: a thread of its own answers
    at_once,  // offline: whoever asks has the answer before it goes on, so that a run is as the one before
    by_hand,  // tests: whoever calls serve()
  };
  using Open = std::function<Result<std::unique_ptr<MagicTeller>>()>;

  /// `on_start` runs first on the thread: its name. The thread runs where that of start() may run.
  FileMagic(
      unsigned workers, const MagicSettings& settings, Mode mode, std::function<void()> on_start = [] {},
      Open open = open_libmagic);
  ~FileMagic();
  FileMagic(const FileMagic&) = delete;
  FileMagic& operator=(const FileMagic&) = delete;

  /// Any thread that may wait. The first call does all, unless it fails; then the next one tries again.
  Status start();
  /// Answers what is asked now, at most `max` of each worker. How many.
  size_t serve(size_t max);

  /// Whoever has a ruleset for which start() was called. Null: there is no such worker.
  MagicDesk* desk(unsigned worker) const { return worker < desks_.size() ? desks_[worker].get() : nullptr; }

 private:
  void loop();

  const unsigned workers_;
  const MagicSettings settings_;
  const Mode mode_;
  const std::function<void()> on_start_;
  const Open open_;
  std::mutex starting_;
  std::unique_ptr<MagicTeller> teller_;
  std::vector<std::unique_ptr<MagicDesk>> desks_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace weir::inspection
