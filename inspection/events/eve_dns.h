// EVE's `dns` object, version 3, as Suricata 8 writes it. Offline tool and writer thread; allocates.
#pragma once

#include <nlohmann/json.hpp>

#include "inspection/app/dns/dns_transaction.h"

namespace weir::inspection {

nlohmann::ordered_json dns_object(const DnsTransaction& transaction);

}  // namespace weir::inspection
