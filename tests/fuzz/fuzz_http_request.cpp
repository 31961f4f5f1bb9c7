// Any bytes as a client's stream: whole and in portions the parser tells the same.
#include <cstdlib>
#include <memory>
#include <string>

#include "inspection/app/http_request.h"

using namespace weir::inspection;

namespace {

std::string parse(std::span<const uint8_t> stream, size_t portion) {
  const auto request = std::make_unique<HttpRequest>();
  request->reset(true);
  std::string log;
  while (!stream.empty()) {
    auto bytes = stream.first(std::min(portion, stream.size()));
    stream = stream.subspan(bytes.size());
    while (!bytes.empty()) {
      const HttpRequest::Step step = request->advance(bytes);
      if (step.consumed == 0 || step.consumed > bytes.size()) std::abort();
      bytes = bytes.subspan(step.consumed);
      if (step.point == HttpRequest::Point::not_http) return log + "stop";
      if (step.point == HttpRequest::Point::none) continue;
      std::array<uint8_t, HttpRequest::kMaxHead> out;
      log += std::string(request->method()) + ' ';
      const size_t uri = normalise_uri(request->raw_uri(), out);
      log.append(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(uri));
      size_t host = header_values(request->header_lines(), "host", out);
      host = normalise_host({out.data(), host});
      log.append(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(host));
      log += std::to_string(headers_without_cookies(request->header_lines(), out)) + '\n';
    }
  }
  return log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string whole = parse({data, size}, size + 1);
  for (size_t portion : {size_t{1}, size_t{3}, size_t{64}}) {
    if (parse({data, size}, portion) != whole) std::abort();
  }
  return 0;
}
