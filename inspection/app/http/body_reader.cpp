#include "inspection/app/http/body_reader.h"

#include <algorithm>
#include <array>

namespace weir::inspection::http {

bool BodyReader::begin(Kind kind, uint64_t length, size_t codings) {
  kind_ = kind;
  left_ = length;
  if (codings == 0 || kind == Kind::none) return true;
  decoder_ = Decoder::make(pool_, codings);
  return decoder_ != nullptr;
}

/// Decodes until the input is used up (true) or it has to stop.
bool BodyReader::decode(Bytes& payload, BodySink& sink, const HttpLimits& limits, uint64_t body_limit,
                        uint64_t allowance, bool end) {
  std::array<uint8_t, 4096> out;
  for (;;) {
    if (beyond_limit_) {  // what nobody looks at is not decoded
      payload = {};
      return true;
    }
    if (work_ >= allowance) return false;
    size_t room = std::min(sink.room(), out.size());
    if (room == 0) return false;
    const Decoder::Made made = decoder_->pull(payload, std::span(out).first(room), end, allowance - work_);
    work_ += made.work;
    if (decoder_->out_of_memory()) {
      no_memory_ = true;
      return false;
    }
    if (decoder_->made() > limits.decode_bomb_bytes &&
        decoder_->made() / limits.decode_ratio > decoder_->taken()) {
      bomb_ = true;
      decoder_->kill();
    }
    size_t size = made.bytes;
    if (body_limit != 0 && made_ + size > body_limit) {
      size = static_cast<size_t>(body_limit - made_);
      beyond_limit_ = true;
    }
    if (size > 0 && !sink.append(std::span(out).first(size))) {
      no_memory_ = true;
      return false;
    }
    made_ += size;
    if (made.bytes == 0 && !made.more && payload.empty()) return true;
  }
}

/// Gives payload to the sink. False: it has to stop before all is given.
bool BodyReader::deliver(Bytes& payload, BodySink& sink, const HttpLimits& limits, uint64_t body_limit,
                         uint64_t allowance, bool end) {
  const size_t before = payload.size();
  bool all = true;
  if (decoder_ != nullptr) {
    all = decode(payload, sink, limits, body_limit, allowance, end);
  } else {
    while (!payload.empty()) {
      size_t size = payload.size();
      if (body_limit != 0 && made_ + size > body_limit) {
        size = static_cast<size_t>(body_limit - made_);
        beyond_limit_ = true;
      }
      if (size == 0) {
        work_ += 1;
        payload = {};
        break;
      }
      size = std::min(size, sink.room());
      if (size == 0) {
        all = false;
        break;
      }
      if (!sink.append(payload.first(size))) {
        no_memory_ = true;
        all = false;
        break;
      }
      work_ += size;
      made_ += size;
      payload = payload.subspan(size);
    }
  }
  raw_ += before - payload.size();
  return all;
}

BodyReader::Take BodyReader::take(Bytes& bytes, BodySink& sink, const HttpLimits& limits, uint64_t body_limit,
                                  uint64_t allowance) {
  work_ = 0;
  for (;;) {
    Bytes payload;
    switch (kind_) {
      case Kind::none:
        return Take::done;
      case Kind::length:
        if (left_ == 0) return Take::done;
        payload = bytes.first(static_cast<size_t>(std::min<uint64_t>(left_, bytes.size())));
        break;
      case Kind::until_close:
        payload = bytes;
        break;
      case Kind::chunked: {
        const size_t before = bytes.size();
        const ChunkReader::Take take = chunks_.take(bytes);
        work_ += before - bytes.size();
        if (take == ChunkReader::Take::last) return Take::last_chunk;
        if (take == ChunkReader::Take::no_memory) return Take::no_memory;
        if (take == ChunkReader::Take::not_chunked || take == ChunkReader::Take::invalid) {
          invalid_chunk_ = true;
          kind_ = Kind::until_close;
          if (take == ChunkReader::Take::not_chunked) return Take::unread;
          continue;
        }
        if (take == ChunkReader::Take::data) payload = chunks_.data(bytes);
        break;
      }
    }
    const size_t size = payload.size();
    const bool all = deliver(payload, sink, limits, body_limit, allowance, false);
    const size_t taken = size - payload.size();
    bytes = bytes.subspan(taken);
    if (kind_ == Kind::length) left_ -= taken;
    if (kind_ == Kind::chunked) chunks_.took(taken);
    if (no_memory_) return Take::no_memory;
    if (!all) return Take::full;
    if (bytes.empty() && !(kind_ == Kind::length && left_ == 0)) return Take::more;
  }
}

BodyReader::Take BodyReader::finish(BodySink& sink, const HttpLimits& limits, uint64_t body_limit,
                                    uint64_t allowance) {
  work_ = 0;
  Bytes nothing;
  if (decoder_ == nullptr) return Take::more;
  const bool all = deliver(nothing, sink, limits, body_limit, allowance, true);
  if (no_memory_) return Take::no_memory;
  return all ? Take::more : Take::full;
}

bool BodyReader::skip(uint64_t size) {
  if (decoder_ != nullptr) decoder_->kill();
  switch (kind_) {
    case Kind::until_close:
      return true;
    case Kind::length:
      if (size > left_) return false;
      left_ -= size;
      return true;
    case Kind::chunked:
      if (size > chunks_.left()) return false;
      chunks_.took(static_cast<size_t>(size));
      return true;
    case Kind::none:
      return false;
  }
  return false;
}

}  // namespace weir::inspection::http
