// SMTP with mail in it on hostile bytes: both ends in any portions, gaps, every buffer asked for; all memory
// goes back.
#include "inspection/app/smtp/smtp_parser.h"
#include "tests/fuzz/two_ends.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::inspection;
  MimeSettings settings;
  HttpLimits limits;
  settings.body_md5 = size % 2 == 0;
  limits.file_hashes = size % 3 == 0 ? 7 : 0;
  fuzz::two_ends(data, size, [&](BytePool& pool) { return make_smtp_parser(pool, limits, settings, 0); });
  return 0;
}
