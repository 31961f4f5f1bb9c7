// The answers of HttpTraffic, to what was asked. None is compressed: nginx, Kong and Envoy do so only if
// told.
#pragma once

#include "bench/inspection/http_requests.h"

namespace weir::bench {

/// Writes the answer to a request: of what a page is made of, half are "304 Not Modified", for the browser
/// asks whether what it has is still good.
void write_answer(const HttpText& text, HttpRequest request);

}  // namespace weir::bench
