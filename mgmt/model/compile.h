// The compiler: configuration -> the tables that workers read. Pure: reads no clock, no file, no device.
//
// Unchanged tables are shared with the model before; a version moves only if what it stands for has changed.
// Builder thread (or the main thread before the hub starts).
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "mgmt/config/config.h"
#include "mgmt/model/model.h"

namespace weir::model {

struct CompileInput {
  const config::Config& config;
  const StartFacts& facts;
  const PathTable& paths;
  const Rulesets& rulesets;
  const Model& before;  // a default-constructed one at the start
  /// Ids removed earlier that every worker has purged since: their indices may be given out again.
  std::vector<dataplane::AttachmentId> released_attachments = {};
  std::vector<dataplane::DomainId> released_domains = {};
  /// Down, and so configured that their routes are not there meanwhile.
  std::set<dataplane::AttachmentId> withdrawn = {};
};

struct CompiledModel {
  std::unique_ptr<dataplane::Snapshot> snapshot;
  Model model;
  /// Gone since `before`: to be purged, then released in the model's ids.
  std::vector<dataplane::AttachmentId> removed_attachments;
  std::vector<dataplane::DomainId> removed_domains;
  /// Not wrong, but somebody should know.
  std::vector<Problem> warnings;
};

/// All problems at once; nothing of `input` is changed in either case.
tl::expected<CompiledModel, std::vector<Problem>> compile(const CompileInput& input);

/// The hub's MAC inside an attachment when the configuration names none: locally administered, the same for
/// the same name on every start.
net::Mac default_hub_mac(std::string_view attachment_name);

}  // namespace weir::model
