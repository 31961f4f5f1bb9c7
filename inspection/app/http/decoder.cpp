#include "inspection/app/http/decoder.h"

#include <algorithm>
#include <cstring>

namespace weir::inspection::http {
namespace {

constexpr uint8_t kFlagHeadCrc = 2, kFlagExtra = 4, kFlagName = 8, kFlagComment = 16;  // RFC 1952 2.3.1
constexpr uint16_t kGzipTail = 8, kZlibTail = 4;

}  // namespace

void* PoolForZlib::allocate(void* self, unsigned items, unsigned size) {
  auto& memory = *static_cast<PoolForZlib*>(self);
  const auto free = std::find_if(memory.slots_.begin(), memory.slots_.end(),
                                 [](const Slot& slot) { return slot.block == nullptr; });
  if (free == memory.slots_.end()) return nullptr;
  free->size = size_t{items} * size;
  free->block = memory.pool_.allocate(free->size);
  return free->block;
}

void PoolForZlib::release(void* self, void* block) {
  auto& memory = *static_cast<PoolForZlib*>(self);
  for (Slot& slot : memory.slots_) {
    if (slot.block != block || block == nullptr) continue;
    memory.pool_.release(slot.block, slot.size);
    slot = {};
    return;
  }
}

DecoderLayer::~DecoderLayer() { end_body(); }

void DecoderLayer::end_body() {
  if (zlib_open_) inflateEnd(&zlib_);
  zlib_open_ = false;
}

bool DecoderLayer::begin_body() {
  part_ = Part::body;
  if (zlib_open_) return inflateReset(&zlib_) == Z_OK;
  zlib_ = {};
  zlib_.zalloc = PoolForZlib::allocate;
  zlib_.zfree = PoolForZlib::release;
  zlib_.opaque = &memory_;
  zlib_open_ = inflateInit2(&zlib_, -MAX_WBITS) == Z_OK;
  out_of_memory_ |= !zlib_open_;
  return zlib_open_;
}

/// Goes on with what follows `done` in the head of a gzip member.
void DecoderLayer::after_head(Part done) {
  left_ = 0;
  seen_ = 0;
  if (done < Part::extra && (flags_ & kFlagExtra) != 0) {
    part_ = Part::extra;
  } else if (done < Part::name && (flags_ & kFlagName) != 0) {
    part_ = Part::name;
  } else if (done < Part::comment && (flags_ & kFlagComment) != 0) {
    part_ = Part::comment;
  } else {
    part_ = Part::body;
    left_ = (flags_ & kFlagHeadCrc) != 0 ? 2 : 0;
  }
}

/// The ten fixed bytes. False: no gzip.
bool DecoderLayer::gzip_head(Bytes& in) {
  constexpr uint8_t kSize = 10;
  while (!in.empty() && seen_ < kSize) {
    const uint8_t byte = in.front();
    if ((seen_ == 0 && byte != 0x1f) || (seen_ == 1 && byte != 0x8b) || (seen_ == 2 && byte != Z_DEFLATED))
      return false;
    if (seen_ == 3) flags_ = byte;
    in = in.subspan(1);
    ++seen_;
  }
  if (seen_ == kSize) after_head(Part::head);
  return true;
}

/// Extra field, name, comment: looked over. True: one more part is done or the input is.
bool DecoderLayer::skip_head_part(Bytes& in) {
  if (part_ == Part::extra) {
    while (seen_ < 2 && !in.empty()) {
      left_ = static_cast<uint16_t>(left_ | (in.front() << (8 * seen_++)));
      in = in.subspan(1);
    }
    const size_t skip = std::min<size_t>(left_, in.size());
    in = in.subspan(skip);
    left_ = static_cast<uint16_t>(left_ - skip);
    if (seen_ == 2 && left_ == 0) after_head(Part::extra);
    return true;
  }
  const void* const zero = in.empty() ? nullptr : std::memchr(in.data(), 0, in.size());
  if (zero == nullptr) {
    in = {};
    return true;
  }
  in = in.subspan(static_cast<size_t>(static_cast<const uint8_t*>(zero) - in.data()) + 1);
  after_head(part_);
  return true;
}

DecoderLayer::Status DecoderLayer::inflate_body(Bytes& in, std::span<uint8_t>& out) {
  zlib_.next_in = const_cast<Bytef*>(in.data());
  zlib_.avail_in = static_cast<uInt>(std::min<size_t>(in.size(), UINT32_MAX));
  zlib_.next_out = out.data();
  zlib_.avail_out = static_cast<uInt>(out.size());
  const int result = inflate(&zlib_, Z_NO_FLUSH);
  in = in.subspan(static_cast<size_t>(zlib_.next_in - in.data()));
  out = out.subspan(static_cast<size_t>(zlib_.next_out - out.data()));
  if (result == Z_STREAM_END) {
    part_ = Part::tail;
    left_ = gzip_ ? kGzipTail : kZlibTail;
    return Status::ok;
  }
  if (result == Z_OK || result == Z_BUF_ERROR) return Status::ok;
  out_of_memory_ |= result == Z_MEM_ERROR;
  return Status::error;
}

/// Takes input until it is used up, `out` is full, or the data is over or wrong.
DecoderLayer::Status DecoderLayer::machine(Bytes& in, std::span<uint8_t>& out) {
  for (;;) {
    switch (part_) {
      case Part::start:
      case Part::head:
        if (in.empty()) return Status::ok;
        if (!gzip_head(in)) return Status::error;
        continue;
      case Part::extra:
      case Part::name:
      case Part::comment:
        if (in.empty()) return Status::ok;
        skip_head_part(in);
        continue;
      case Part::body: {
        if (left_ > 0) {  // the head's checksum
          if (in.empty()) return Status::ok;
          const size_t skip = std::min<size_t>(left_, in.size());
          in = in.subspan(skip);
          left_ = static_cast<uint16_t>(left_ - skip);
          continue;
        }
        if (out.empty()) return Status::ok;
        if (!zlib_open_ && !begin_body()) return Status::error;
        const Status status = inflate_body(in, out);
        // A member that came to its end has proved itself, whatever follows it.
        if (status != Status::ok || part_ == Part::body || mode_ == Mode::trying) return status;
        continue;
      }
      case Part::tail: {
        if (in.empty()) return Status::ok;
        const size_t skip = std::min<size_t>(left_, in.size());
        in = in.subspan(skip);
        left_ = static_cast<uint16_t>(left_ - skip);
        if (left_ > 0) return Status::ok;
        part_ = gzip_ ? Part::next : Part::over;
        seen_ = 0;
        continue;
      }
      case Part::next: {  // another member, or bytes that nobody reads
        if (in.empty()) return Status::ok;
        if (!gzip_head(in)) {
          part_ = Part::over;
          continue;
        }
        if (part_ != Part::next && zlib_open_ && inflateReset(&zlib_) != Z_OK) return Status::error;
        continue;
      }
      case Part::over:
        in = {};
        return Status::over;
    }
  }
}

/// What the first bytes say. False: not enough of them yet.
bool DecoderLayer::decide(bool end) {
  const Bytes seen = replay_.view();
  if (seen.size() < 2) {
    if (!end) return false;
    mode_ = Mode::plain;
    return true;
  }
  if (seen[0] == 0x1f && seen[1] == 0x8b) {
    gzip_ = true;
    part_ = Part::head;
  } else {
    part_ = Part::body;
    // RFC 1950 2.2: deflate, and the first two bytes are a multiple of 31.
    if ((seen[0] & 0x0f) == Z_DEFLATED && (seen[0] >> 4) <= 7 && (seen[0] * 256 + seen[1]) % 31 == 0 &&
        (seen[1] & 0x20) == 0) {
      fed_ = 2;
    }
  }
  return true;
}

void DecoderLayer::try_run(Bytes& in, bool end, bool& waits) {
  const size_t take = std::min(in.size(), kReplay - replay_.size());
  if (!replay_.append(in.first(take))) {
    out_of_memory_ = true;
    mode_ = Mode::dead;
    return;
  }
  in = in.subspan(take);
  if (part_ == Part::start && !decide(end)) {
    waits = true;
    return;
  }
  if (mode_ != Mode::trying) return;
  Bytes rest = replay_.view().subspan(fed_);
  std::span<uint8_t> room = std::span(held_).subspan(held_size_);
  const Status status = machine(rest, room);
  fed_ = static_cast<uint16_t>(replay_.size() - rest.size());
  held_size_ = static_cast<uint8_t>(kProof - room.size());
  if (out_of_memory_) {
    mode_ = Mode::dead;
  } else if (status == Status::error) {
    failed_ = true;
    mode_ = Mode::plain;
    fed_ = 0;
    end_body();
  } else if (room.empty() || status == Status::over || part_ == Part::tail || part_ == Part::next ||
             replay_.size() == kReplay) {
    mode_ = Mode::decoding;
  } else if (rest.empty() && in.empty()) {
    if (!end) {
      waits = true;
    } else if (held_size_ > 0) {
      mode_ = Mode::decoding;
    } else {
      mode_ = Mode::plain;
      fed_ = 0;
      failed_ = true;
    }
  }
}

size_t DecoderLayer::run(Bytes& in, std::span<uint8_t> out, bool end) {
  const std::span<uint8_t> whole = out;
  const auto made = [&] { return whole.size() - out.size(); };
  const auto pass = [&](Bytes from) {
    const size_t size = std::min(from.size(), out.size());
    std::copy_n(from.begin(), size, out.begin());
    out = out.subspan(size);
    return size;
  };
  while (!out.empty()) {
    if (mode_ == Mode::trying) {
      bool waits = false;
      try_run(in, end, waits);
      if (waits) return 0;
      continue;
    }
    if (mode_ == Mode::dead) {
      in = {};
      return made();
    }
    const bool plain = mode_ == Mode::plain;
    if (!plain && held_at_ < held_size_) {
      held_at_ = static_cast<uint8_t>(held_at_ + pass(Bytes(held_).first(held_size_).subspan(held_at_)));
      continue;
    }
    const bool replaying = fed_ < replay_.size();
    Bytes source = replaying ? replay_.view().subspan(fed_) : in;
    const size_t before = source.size(), room_before = out.size();
    if (plain) {
      source = source.subspan(pass(source));
    } else if (machine(source, out) == Status::error) {
      failed_ = true;
      mode_ = Mode::dead;
      end_body();
      continue;
    }
    if (replaying) {
      fed_ = static_cast<uint16_t>(replay_.size() - source.size());
      if (fed_ == replay_.size()) {
        replay_.reset();
        fed_ = 0;
      }
    } else {
      in = source;
    }
    if (before == source.size() && room_before == out.size()) break;  // it waits
  }
  return made();
}

Decoder* Decoder::make(BytePool& pool, size_t layers) {
  Decoder* const decoder = make_in<Decoder>(pool, pool);
  if (decoder == nullptr) return nullptr;
  for (; decoder->count_ < std::min(layers, kMaxLayers); ++decoder->count_) {
    decoder->layers_[decoder->count_] = make_in<DecoderLayer>(pool, pool);
    if (decoder->layers_[decoder->count_] != nullptr) continue;
    destroy_in(pool, decoder);
    return nullptr;
  }
  return decoder;
}

Decoder::~Decoder() {
  for (DecoderLayer* layer : layers_) destroy_in(pool_, layer);
}

void Decoder::kill() {
  for (size_t i = 0; i < count_; ++i) layers_[i]->kill();
}

bool Decoder::failed() const {
  return std::any_of(layers_.begin(), layers_.begin() + static_cast<std::ptrdiff_t>(count_),
                     [](const DecoderLayer* layer) { return layer->failed(); });
}

bool Decoder::out_of_memory() const {
  return std::any_of(layers_.begin(), layers_.begin() + static_cast<std::ptrdiff_t>(count_),
                     [](const DecoderLayer* layer) { return layer->out_of_memory(); });
}

size_t Decoder::pull_from(size_t index, Bytes& in, std::span<uint8_t> out, bool end, Made& cost,
                          uint64_t allowance) {
  DecoderLayer& layer = *layers_[index];
  const auto run = [&](Bytes& source, bool last) {
    const size_t before = source.size();
    const size_t made = layer.run(source, out, last);
    cost.work += before - source.size() + made;
    made_ += made;
    return made;
  };
  if (index == 0) return run(in, end);
  bool last = false;
  for (;;) {
    Bytes source = Bytes(layer.input).first(layer.input_size).subspan(layer.input_at);
    const size_t made = run(source, last);
    layer.input_at = layer.input_size - source.size();
    if (made > 0 || last) return made;
    if (cost.work >= allowance) {
      cost.more = true;
      return 0;
    }
    if (!source.empty()) continue;
    layer.input_at = 0;
    layer.input_size = pull_from(index - 1, in, layer.input, end, cost, allowance);
    if (cost.more) return 0;
    if (layer.input_size > 0) continue;
    if (!end || !in.empty()) return 0;
    last = true;
  }
}

Decoder::Made Decoder::pull(Bytes& in, std::span<uint8_t> out, bool end, uint64_t allowance) {
  Made result;
  const size_t before = in.size();
  result.bytes = pull_from(count_ - 1, in, out, end, result, allowance);
  taken_ += before - in.size();
  return result;
}

}  // namespace weir::inspection::http
