// Any bytes as both streams of an HTTP/1 session: whole and in portions the parser makes the same exchanges,
// buffers, files and events, and all memory comes back.
//
// Input: the client's bytes, then, behind the first "\0|\0", the server's.
#include <cstdlib>

#include "tests/unit/inspection/http/reading.h"

using namespace weir::inspection;
using weir::inspection::test::Exchange;
using weir::inspection::test::Reading;

namespace {

std::vector<Exchange> read(std::string_view requests, std::string_view responses, size_t portion) {
  HttpLimits limits;
  limits.head_bytes = 4096;
  limits.fields = 64;
  Reading reading(limits, 4 << 20);
  reading.client(requests, portion).server(responses, portion).close();
  // Rounds differ with the portions; that they end is what counts. What is open has to be over.
  if (!reading.parser().transactions().empty() && reading.last.next != Next::other) std::abort();
  if (reading.largest_view > limits.window + limits.fresh) std::abort();
  return reading.done;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace std::string_view_literals;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t split = input.find("\0|\0"sv);
  const std::string_view requests = input.substr(0, split);
  const std::string_view responses = split == std::string_view::npos ? ""sv : input.substr(split + 3);
  const std::vector<Exchange> whole = read(requests, responses, 0);
  for (const size_t portion : {size_t{1}, size_t{3}, size_t{64}}) {
    if (read(requests, responses, portion) != whole) std::abort();
  }
  return 0;
}
