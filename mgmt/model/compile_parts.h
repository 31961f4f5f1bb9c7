// The parts of compile(): each builds one kind of table. Internal to mgmt/model.
#pragma once

#include "mgmt/model/compile.h"

namespace weir::model {

/// What the parts share while one model is compiled.
struct CompileState {
  const CompileInput& input;
  CompiledModel out;
  std::vector<Problem> problems;

  void problem(const config::Location& where, std::string message) {
    problems.push_back({where, "", std::move(message)});
  }
};

/// Ids, attachment table, tunnel table, underlay hops.
void compile_attachments(CompileState& state);
/// Domains, their routes and connections.
void compile_routes(CompileState& state);
/// Profiles, rules, connections and the version of each pair.
void compile_policy(CompileState& state);

}  // namespace weir::model
