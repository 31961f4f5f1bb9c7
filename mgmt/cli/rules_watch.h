// `weirctl rules explain SID --session ID`: how far a rule gets in a live session, from now on.
#pragma once

#include <string>

#include "mgmt/cli/client.h"

namespace weir::cli {

struct RuleWatchRequest {
  Client::Parameters rule;  // gid and sid
  std::string session;
  double seconds = 10;  // how long it is watched, unless the rule fires before
};

/// Asks the hub a few times a second, and prints where it ended; the exit code.
int watch_rule(const Client& client, bool json, const RuleWatchRequest& request);

/// What GET /v1/rules/watch answers, as a sentence.
std::string print_rule_watch(const Json& answer, const RuleWatchRequest& request);

}  // namespace weir::cli
