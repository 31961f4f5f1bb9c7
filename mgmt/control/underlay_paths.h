// The ways to all tunnel peers: asks the Underlay, keeps the workers' hops current. Control thread only.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <spdlog/logger.h>

#include "mgmt/control/path_mtu.h"
#include "mgmt/model/model.h"
#include "mgmt/underlay/underlay.h"

namespace weir::control {

class UnderlayPaths {
 public:
  /// Ways that are asked about in one step(), so that many peers never hold up the rest of control's work.
  static constexpr size_t kPerStep = 256;

  UnderlayPaths(underlay::Underlay& underlay, const PathMtus& mtus, spdlog::logger& log)
      : underlay_(underlay), mtus_(mtus), log_(log) {}

  /// Watches a way from now on, and asks about it at once. Workers read `hop`.
  void add(const model::UnderlayPath& path, std::shared_ptr<dataplane::UnderlayHop> hop);
  /// No longer. Who keeps its hop until no worker can see it is the caller.
  void remove(const model::UnderlayPath& path);

  /// Asks about one way again. One that is not watched: does nothing.
  void ask(const model::UnderlayPath& path);
  /// Any way may be another one now: from here on all are asked about once more.
  void ask_all() { left_ = paths_.size(); }
  /// Asks about some of those; true if there are more.
  bool step();

  using Changed = std::vector<std::pair<model::UnderlayPath, model::PathFacts>>;
  /// The ways whose port or MTU is not what it was when they were taken last.
  Changed take_changed();
  bool resolved(const model::UnderlayPath& path) const;

 private:
  struct Watched {
    std::shared_ptr<dataplane::UnderlayHop> hop;
    bool resolved = false;
    std::optional<model::PathFacts> facts;
  };
  void update(const model::UnderlayPath& path, Watched& watched);

  underlay::Underlay& underlay_;
  const PathMtus& mtus_;
  spdlog::logger& log_;
  std::map<model::UnderlayPath, Watched> paths_;
  std::map<model::UnderlayPath, model::PathFacts> changed_;
  size_t left_ = 0;             // to be asked about, the first one behind last_
  model::UnderlayPath last_{};  // asked about
};

}  // namespace weir::control
