// EVE's `http` object, as Suricata 8 writes its extended form, and the files of an exchange. Offline tool and
// writer thread; allocates.
#pragma once

#include <nlohmann/json.hpp>

#include "inspection/app/http/transaction.h"

namespace weir::inspection {

nlohmann::ordered_json http_object(HttpTransaction& transaction);
nlohmann::ordered_json fileinfo_object(const HttpTransaction& transaction, const HttpFile& file);

}  // namespace weir::inspection
