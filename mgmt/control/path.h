// Why a packet passes or not, without a packet: the decision that workers take, told step by step.
//
// Calls decide_first_packet() itself, so that the explanation cannot differ from what happens. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/core/snapshot.h"
#include "dataplane/decide/first_packet.h"
#include "dataplane/net/result.h"
#include "inspection/names/name_question.h"

namespace weir::control {

struct PathQuery {
  std::optional<std::string> domain;  // of `from`; needed only if several domains have it
  net::IpAddress from;
  net::IpAddress to;
  uint8_t protocol = 0;
  uint16_t port = 0;  // destination; TCP and UDP
  /// The names that the session has; those that are not told stay unknown.
  std::vector<std::pair<inspection::NameKind, std::string>> names = {};
};

struct PathStep {
  std::string step;  // reverse_path, route, connection, policy, next_hop
  bool ok = false;
  std::string text;
};

struct PathAnswer {
  std::string verdict;  // allow, deny, reject, inspect, drop
  std::string reason;   // a drop reason's name, or the rule that decided
  std::vector<PathStep> steps;
  // Once policy was asked:
  std::string rule;                  // the one that decided; empty: none, so the default
  std::vector<PathStep> why;         // from, to, service, names: by what the rule matches, all of them ok
  std::vector<std::string> watched;  // rules that only watch and would have decided before
};

/// Fails with `not_found` if there is no such domain, or none that has `from`; with `invalid` if several have
/// it and none was named, or the families differ.
Result<PathAnswer> explain_path(const dataplane::Snapshot& snapshot, const PathQuery& query);

/// The same for a decision that was taken already: the words only.
PathAnswer explain(const dataplane::Snapshot& snapshot, const dataplane::FirstPacket& packet,
                   const dataplane::FirstDecision& decision);

}  // namespace weir::control
