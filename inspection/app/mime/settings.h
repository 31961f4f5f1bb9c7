// How mail is read, beside the ceilings of files (http/limits.h).
#pragma once

#include <cstdint>

namespace weir::inspection {

/// Which addresses in the text of mail are told: `email.url`.
enum UrlScheme : uint8_t { kUrlHttp = 1, kUrlHttps = 2, kUrlFtp = 4, kUrlMailto = 8 };

struct MimeSettings {
  uint8_t url_schemes = kUrlHttp | kUrlHttps | kUrlFtp;
  bool url_with_scheme = false;  // "http://a.example/" instead of "a.example/"
  bool body_md5 = false;         // MD5 of the bodies of messages, also for no rule
};

}  // namespace weir::inspection
