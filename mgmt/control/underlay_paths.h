// The ways to all tunnel peers: asks the Underlay, keeps the workers' hops current. Control thread only.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include <spdlog/logger.h>

#include "mgmt/control/path_mtu.h"
#include "mgmt/model/model.h"
#include "mgmt/underlay/underlay.h"

namespace weir::control {

using HopMap = std::map<model::UnderlayPath, std::shared_ptr<dataplane::UnderlayHop>>;

class UnderlayPaths {
 public:
  UnderlayPaths(underlay::Underlay& underlay, const PathMtus& mtus, spdlog::logger& log)
      : underlay_(underlay), mtus_(mtus), log_(log) {}

  /// Watches exactly these paths from now on. Returns the hops that are no longer used; the caller keeps them
  /// until no worker can see them.
  std::vector<std::shared_ptr<dataplane::UnderlayHop>> use(const HopMap& hops);

  /// Asks about every path again and sets or clears its hop. True if a port or MTU is not what the model was
  /// compiled with, so that it has to be compiled again.
  bool refresh();

  /// What the underlay said about ports and MTUs, for the compiler.
  const model::PathTable& table() const { return table_; }
  bool resolved(const model::UnderlayPath& path) const;

 private:
  struct Watched {
    std::shared_ptr<dataplane::UnderlayHop> hop;
    bool resolved = false;
  };
  void update(const model::UnderlayPath& path, Watched& watched);

  underlay::Underlay& underlay_;
  const PathMtus& mtus_;
  spdlog::logger& log_;
  std::map<model::UnderlayPath, Watched> paths_;
  model::PathTable table_;
};

}  // namespace weir::control
