// One message's body: from the bytes behind its head to the decoded bytes that rules see.
//
// Framing (length, chunks, to the end of the stream), then content coding, then the window. Stops when the
// window is full or the call's allowance is used up; goes on with the rest in the next call.
#pragma once

#include <cstdint>

#include "inspection/app/http/body_window.h"
#include "inspection/app/http/chunk_reader.h"
#include "inspection/app/http/decoder.h"
#include "inspection/app/http/framing.h"
#include "inspection/app/http/limits.h"
#include "inspection/app/http/text.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection::http {

/// Who wants decoded bytes. append() takes as much as it has room for and says how much; no_memory is its
/// error.
class BodySink {
 public:
  virtual size_t room() const = 0;
  virtual bool append(Bytes bytes) = 0;  // at most room(); false: out of memory

 protected:
  ~BodySink() = default;
};

class BodyReader {
 public:
  enum class Kind : uint8_t { none, length, chunked, until_close };
  enum class Take : uint8_t {
    more,        // all bytes are taken
    full,        // the sink has to be judged first, or the allowance is used up
    done,        // the body is complete; `bytes` has what follows
    last_chunk,  // complete but for the trailer
    unread,      // it was not chunked: unread() comes before `bytes` again
    no_memory,
  };

  explicit BodyReader(BytePool& pool) : pool_(pool), chunks_(pool) {}
  ~BodyReader() { destroy_in(pool_, decoder_); }
  BodyReader(const BodyReader&) = delete;
  BodyReader& operator=(const BodyReader&) = delete;

  /// False: no memory.
  bool begin(Kind kind, uint64_t length, size_t codings);
  /// Goes on with another framing after Take::unread.
  void go_on_as(Kind kind, uint64_t length) {
    kind_ = kind;
    left_ = length;
  }
  Take take(Bytes& bytes, BodySink& sink, const HttpLimits& limits, uint64_t body_limit, uint64_t allowance);
  /// Nothing follows: gives what the decoder still has. more: that was all.
  Take finish(BodySink& sink, const HttpLimits& limits, uint64_t body_limit, uint64_t allowance);
  /// `size` bytes of the stream are missing. False: the framing is lost.
  bool skip(uint64_t size);

  Kind kind() const { return kind_; }
  Bytes unread() const { return chunks_.unread(); }
  bool invalid_chunk() const { return invalid_chunk_; }
  bool chunk_extension() const { return chunks_.extension(); }
  bool decode_failed() const { return decoder_ != nullptr && decoder_->failed(); }
  bool bomb() const { return bomb_; }
  /// More decoded bytes came than are inspected.
  bool beyond_limit() const { return beyond_limit_; }
  /// The stream ended before the body did.
  bool truncated() const { return kind_ == Kind::length && left_ > 0; }
  uint64_t raw_bytes() const { return raw_; }       // without chunk framing
  uint64_t decoded_bytes() const { return made_; }  // given to the sink
  uint64_t decoder_made() const { return decoder_ == nullptr ? 0 : decoder_->made(); }
  uint64_t work() const { return work_; }  // of the last call

 private:
  bool deliver(Bytes& payload, BodySink& sink, const HttpLimits& limits, uint64_t body_limit,
               uint64_t allowance, bool end);
  bool decode(Bytes& payload, BodySink& sink, const HttpLimits& limits, uint64_t body_limit,
              uint64_t allowance, bool end);

  BytePool& pool_;
  ChunkReader chunks_;
  Decoder* decoder_ = nullptr;
  Kind kind_ = Kind::none;
  bool invalid_chunk_ = false, bomb_ = false, beyond_limit_ = false, no_memory_ = false;
  uint64_t left_ = 0;
  uint64_t raw_ = 0, made_ = 0, work_ = 0;
};

}  // namespace weir::inspection::http
