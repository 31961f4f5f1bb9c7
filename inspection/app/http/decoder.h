// gzip and deflate, one in another, of bodies that need not be what they say.
//
// A layer looks at its first bytes: gzip, zlib, or bare deflate. What fails before it has made kProof bytes
// was no coded body and passes as it is; what fails later ends there, as browsers show it. Headers of gzip
// are read here (zlib is strict with flags and checksums that browsers ignore), checksums are not looked at,
// members that follow are decoded too, other bytes behind the end are not part of the body.
//
// All memory is the pool's; pull() is bounded in what it makes and looks at. Worker thread.
#pragma once

#include <zlib.h>

#include <array>
#include <cstdint>
#include <span>

#include "inspection/app/http/text.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection::http {

/// zlib's memory out of the pool, which wants to know sizes when it gets something back.
class PoolForZlib {
 public:
  explicit PoolForZlib(BytePool& pool) : pool_(pool) {}
  static void* allocate(void* self, unsigned items, unsigned size);
  static void release(void* self, void* block);

 private:
  struct Slot {
    void* block = nullptr;
    size_t size = 0;
  };
  BytePool& pool_;
  std::array<Slot, 4> slots_;  // inflate() takes two
};

/// One coding. Bytes go in, bytes come out.
class DecoderLayer final {
 public:
  static constexpr size_t kProof = 64;     // decoded bytes after which it is what it says
  static constexpr size_t kReplay = 4096;  // bytes that are kept to pass them as they are
  static constexpr size_t kInput = 1024;   // of a layer below another one

  explicit DecoderLayer(BytePool& pool) noexcept : memory_(pool), replay_(pool) {}
  ~DecoderLayer();
  DecoderLayer(const DecoderLayer&) = delete;
  DecoderLayer& operator=(const DecoderLayer&) = delete;

  /// Takes from the front of `in`, writes to `out`; returns what it wrote. 0 with `in` empty: it waits.
  size_t run(Bytes& in, std::span<uint8_t> out, bool end);
  /// What comes is not part of anything.
  void kill() { mode_ = Mode::dead; }

  bool failed() const { return failed_; }
  bool out_of_memory() const { return out_of_memory_; }

  // Bytes that the layer before made for this one.
  std::array<uint8_t, kInput> input;
  size_t input_at = 0, input_size = 0;

 private:
  enum class Mode : uint8_t { trying, decoding, plain, dead };
  enum class Part : uint8_t { start, head, extra, name, comment, body, tail, next, over };
  enum class Status : uint8_t { ok, over, error };

  void try_run(Bytes& in, bool end, bool& waits);
  bool decide(bool end);
  Status machine(Bytes& in, std::span<uint8_t>& out);
  bool gzip_head(Bytes& in);
  bool skip_head_part(Bytes& in);
  void after_head(Part done);
  Status inflate_body(Bytes& in, std::span<uint8_t>& out);
  bool begin_body();
  void end_body();

  PoolForZlib memory_;
  z_stream zlib_{};
  PoolBytes replay_;
  Mode mode_ = Mode::trying;
  Part part_ = Part::start;
  bool gzip_ = false, zlib_open_ = false, failed_ = false, out_of_memory_ = false;
  uint8_t flags_ = 0;
  uint16_t left_ = 0;  // of a part of the head or of the tail
  uint8_t seen_ = 0;   // bytes of the fixed head, or of the next member's magic
  uint16_t fed_ = 0;   // of replay_
  uint8_t held_size_ = 0, held_at_ = 0;
  std::array<uint8_t, kProof> held_;
};

class Decoder final {
 public:
  static constexpr size_t kMaxLayers = 8;

  /// Null: the pool is at its ceiling. Give it back with destroy_in().
  static Decoder* make(BytePool& pool, size_t layers);
  explicit Decoder(BytePool& pool) noexcept : pool_(pool) {}
  ~Decoder();
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  struct Made {
    size_t bytes = 0;
    uint64_t work = 0;  // bytes that the layers took and made
    bool more = false;  // stopped at `allowance`: call again, even without input
  };
  /// Decodes from the front of `in` into `out`. `end`: nothing follows `in`. Nothing made, no input left and
  /// not `more`: it waits for input, or is done.
  Made pull(Bytes& in, std::span<uint8_t> out, bool end, uint64_t allowance);
  void kill();

  bool failed() const;
  bool out_of_memory() const;
  uint64_t taken() const { return taken_; }
  uint64_t made() const { return made_; }  // by all layers

 private:
  size_t pull_from(size_t layer, Bytes& in, std::span<uint8_t> out, bool end, Made& cost, uint64_t allowance);

  BytePool& pool_;
  std::array<DecoderLayer*, kMaxLayers> layers_{};  // the first takes what was sent
  size_t count_ = 0;
  uint64_t taken_ = 0, made_ = 0;
};

}  // namespace weir::inspection::http
