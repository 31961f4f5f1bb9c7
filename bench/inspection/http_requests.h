// The requests of HttpTraffic: of browsers for what a page is made of, for pages, and with what a user has
// written; and of programs.
#pragma once

#include <cstdint>

#include "bench/inspection/http_text.h"

namespace weir::bench {

/// What is asked for, or sent.
enum class HttpRequest : uint8_t { script, style, drawing, picture, font, data, page, json, form };

/// Writes one request, of 805 bytes on average. Says of what kind it is.
HttpRequest write_request(const HttpText& text);

}  // namespace weir::bench
