// What events say of a transaction: EVE's object of its protocol. Offline tool and writer thread; allocates.
#pragma once

#include <nlohmann/json.hpp>

#include "inspection/app/app_events.h"
#include "inspection/app/transaction.h"

namespace weir::inspection {

/// Puts the protocol's object (`http`, `dns`, `tls`) into an event.
void add_app_object(nlohmann::ordered_json& json, Transaction& transaction);

}  // namespace weir::inspection
