// EVE's `tls` object, as Suricata 8 writes its extended form. Offline tool and writer thread; allocates.
#pragma once

#include <nlohmann/json.hpp>

#include "inspection/app/tls/tls_transaction.h"

namespace weir::inspection {

nlohmann::ordered_json tls_object(const TlsTransaction& transaction);

}  // namespace weir::inspection
