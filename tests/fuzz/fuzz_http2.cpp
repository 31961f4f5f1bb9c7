// HTTP/2 on hostile bytes: frames, header blocks, bodies, both ends in any portions, gaps; all memory goes
// back.
#include "inspection/app/http2/http2_parser.h"
#include "tests/fuzz/two_ends.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::inspection;
  HttpLimits limits;
  limits.transactions = 64;
  const UpgradedRequest upgraded{"GET", "/", "h", "AAMAAABk"};
  const bool has_upgraded = size % 2 == 0;
  fuzz::two_ends(data, size, [&](BytePool& pool) {
    return make_http2_parser(pool, limits, 0, has_upgraded ? &upgraded : nullptr);
  });
  return 0;
}
