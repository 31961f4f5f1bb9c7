#include "bench/inspection/http_traffic.h"

#include <algorithm>
#include <random>

#include "bench/inspection/http_answers.h"
#include "bench/inspection/http_requests.h"
#include "bench/inspection/http_text.h"

namespace weir::bench {

namespace {

using inspection::Direction;

/// Cuts what begins at `at` and is in no segment yet.
void cut(HttpTraffic::Stream& stream, size_t at, Direction direction) {
  for (; at < stream.bytes.size(); at += HttpTraffic::kSegmentBytes) {
    const size_t size = std::min(HttpTraffic::kSegmentBytes, stream.bytes.size() - at);
    const auto field =
        std::lower_bound(stream.fields.begin(), stream.fields.end(), at) - stream.fields.begin();
    stream.segments.push_back(
        {static_cast<uint32_t>(at), static_cast<uint32_t>(size), static_cast<uint32_t>(field), direction});
  }
}

void write_exchanges(const HttpText& text, HttpTraffic::Stream& stream, size_t bytes) {
  for (; stream.bytes.size() < bytes; ++stream.requests) {
    const size_t request_at = stream.bytes.size();
    const HttpRequest request = write_request(text);
    cut(stream, request_at, Direction::to_server);
    const size_t answer_at = stream.bytes.size();
    write_answer(text, request);
    cut(stream, answer_at, Direction::to_client);
  }
}

void write_requests(const HttpText& text, HttpTraffic::Stream& stream, size_t bytes) {
  for (; stream.bytes.size() < bytes; ++stream.requests) write_request(text);
  cut(stream, 0, Direction::to_server);
}

}  // namespace

HttpTraffic::HttpTraffic(uint64_t seed, size_t streams, size_t stream_bytes, Kind kind) : streams_(streams) {
  std::mt19937_64 random(seed);
  uint64_t fields = 0;
  for (Stream& stream : streams_) {
    const HttpText text(random, stream);
    (kind == Kind::exchanges ? write_exchanges : write_requests)(text, stream, stream_bytes);
    stream.first_number = fields;
    fields += stream.fields.size();
    bytes_ += stream.bytes.size();
    longest_ = std::max(longest_, stream.segments.size());
  }
}

}  // namespace weir::bench
