// FTP's control connection on hostile bytes, and data connections as it announces them; all memory goes back.
#include "inspection/app/ftp/ftp_data.h"
#include "inspection/app/ftp/ftp_parser.h"
#include "tests/fuzz/two_ends.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::inspection;
  const FtpSettings settings{.transactions = 16};
  const HttpLimits limits;
  std::optional<FtpTransfer> announced;
  fuzz::two_ends(
      data, size,
      [&](BytePool& pool) { return FtpParser::make(pool, settings, weir::net::Ipv4{0x0a000001}, 0); },
      [&](AppParser& parser) {
        if (auto transfer = static_cast<FtpParser&>(parser).take_transfer()) announced = transfer;
      });
  if (!announced) return 0;
  fuzz::two_ends(data, size,
                 [&](BytePool& pool) { return make_ftp_data_parser(pool, limits, announced->what, 0); });
  return 0;
}
