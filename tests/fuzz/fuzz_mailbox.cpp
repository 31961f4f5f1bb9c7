// POP3 and IMAP on hostile bytes: both ends in any portions, gaps; all memory goes back.
#include "inspection/app/mailbox/mailbox_parser.h"
#include "tests/fuzz/two_ends.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::inspection;
  const AppProtocol protocol = size % 2 == 0 ? AppProtocol::pop3 : AppProtocol::imap;
  fuzz::two_ends(data, size, [&](BytePool& pool) { return make_mailbox_parser(pool, protocol); });
  return 0;
}
