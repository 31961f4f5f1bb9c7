// Model -> the hub-wide routes, by what differs between two models.
//
// In two steps around the publication of the snapshot that names the new attachments: what goes goes before,
// while its attachments are there still; what comes comes after. Control thread, or the main thread before
// workers run.
#pragma once

#include "dataplane/fib/routes.h"
#include "mgmt/model/model.h"

namespace weir::model {

/// Routes, connections and domains that `before` has and `after` has not.
void withdraw_routes(dataplane::Routes& routes, const Model& before, const Model& after);
/// Those that `after` has and `before` has not, and routes that lead elsewhere. Fails only without memory:
/// the compiler has checked that they fit.
Status add_routes(dataplane::Routes& routes, const Model& before, const Model& after);

}  // namespace weir::model
