#include "inspection/app/http2/http2_parser.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "inspection/app/http2/hpack.h"
#include "inspection/app/http2/http2_transaction.h"
#include "inspection/app/transaction_list.h"

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;
using Type = Http2FrameType;

constexpr Direction kServer = Direction::to_server, kClient = Direction::to_client;
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr size_t kFrameHeader = 9;
constexpr uint8_t kEndStream = 1, kAck = 1, kEndHeaders = 4, kPadded = 8, kHasPriority = 32;
constexpr uint16_t kHeaderTableSize = 1;
constexpr uint32_t kLongFrame = 64 * 1024;
constexpr uint32_t kNoStream = UINT32_MAX;

uint32_t u32(Bytes bytes, size_t at) {
  return static_cast<uint32_t>(bytes[at]) << 24 | static_cast<uint32_t>(bytes[at + 1]) << 16 |
         static_cast<uint32_t>(bytes[at + 2]) << 8 | bytes[at + 3];
}

/// As far as it is base64url and there is room.
Bytes from_base64url(std::string_view text, std::span<uint8_t> room) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  size_t size = 0;
  uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos || size == room.size()) break;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    room[size++] = static_cast<uint8_t>(bits >> count);
  }
  return room.first(size);
}

class Http2Parser final : public AppParser {
 public:
  // Bytes of a frame without a body or fields that are looked at; frames by themselves after which the
  // engine judges.
  static constexpr size_t kSmallFrame = 384, kFramesAtOnce = 32;

  Http2Parser(BytePool& pool, const HttpLimits& limits, uint64_t first_tx) noexcept
      : pool_(pool), limits_(limits), next_id_(first_tx), list_(pool), lanes_{Lane(pool), Lane(pool)} {}
  Http2Parser(const Http2Parser&) = delete;
  Http2Parser& operator=(const Http2Parser&) = delete;

  /// False: the pool is at its ceiling.
  bool adopt(const UpgradedRequest& request);

  AppProtocol protocol() const override { return AppProtocol::http2; }
  Advance advance(Direction direction, Bytes bytes, uint64_t) override;
  Advance gap(Direction direction, uint64_t size, uint64_t) override;
  Advance end_of_stream(Direction direction, uint64_t) override;
  std::span<Transaction* const> transactions() override { return list_.view(); }
  void drop_over() override { list_.drop_over(); }
  uint64_t app_events() const override { return 0; }
  void destroy() override {
    BytePool& pool = pool_;
    destroy_in(pool, this);
  }

 private:
  enum class Step : uint8_t { go_on, again, malformed, no_memory, too_many };
  struct Lane {
    explicit Lane(BytePool& pool) noexcept : hpack(pool) {}
    std::array<uint8_t, kFrameHeader> header{};
    size_t header_size = 0;
    std::array<uint8_t, kSmallFrame> small{};  // a frame's payload, or what stands before its fragment
    size_t small_size = 0, small_wanted = 0;
    uint32_t left = 0;     // of the payload
    uint32_t padding = 0;  // of that, at its end
    uint32_t stream = 0;
    uint8_t type = 0, flags = 0;
    bool in_frame = false, failed = false;
    size_t preface = 0;          // bytes that were seen of it
    uint32_t block = kNoStream;  // whose header block is under way
    bool block_begins = false, block_complete = false, block_ends_stream = false, block_promised = false;
    uint32_t ending = kNoStream;  // whose body has to be finished
    Hpack hpack;
  };

  Lane& lane(Direction direction) { return lanes_[static_cast<size_t>(direction)]; }
  Http2Transaction* find(uint32_t stream);
  Http2Transaction* make(uint32_t stream);
  Step take(Direction direction, Bytes& bytes);
  Step take_preface(Lane& lane, Bytes& bytes);
  Step begin_frame(Direction direction);
  Step begin_exchange(Direction direction, uint32_t stream);
  Step take_data(Direction direction, Bytes& bytes);
  Step take_small(Direction direction, Bytes& bytes);
  Step take_fragment(Direction direction, Bytes& bytes);
  Step on_small(Direction direction, Bytes payload);
  void on_settings(Direction direction, Http2Transaction& tx, Bytes payload);
  Step end_fragment(Direction direction);
  Step end_side(Direction direction, uint32_t stream);
  void raise(Http2Event event) {
    if (list_.size() > 0) list_[list_.size() - 1].raise(event);
  }

  BytePool& pool_;
  const HttpLimits& limits_;
  uint64_t next_id_;
  TransactionList<Http2Transaction> list_;
  Lane lanes_[2];
  size_t frames_ = 0;  // by themselves, in the call under way
  uint64_t work_ = 0;
  bool waits_[2] = {};  // the last call stopped for the detector
  bool both_moved_ = false;
};

Http2Transaction* Http2Parser::find(uint32_t stream) {
  for (size_t i = list_.size(); i-- > 0;) {
    Http2Transaction& tx = list_[i];
    if (tx.stream() == stream && !tx.is_complete()) return &tx;
  }
  return nullptr;
}

Http2Transaction* Http2Parser::make(uint32_t stream) {
  Http2Transaction* const made = list_.make(pool_, limits_, stream);
  if (made != nullptr) made->id = next_id_++;
  return made;
}

bool Http2Parser::adopt(const UpgradedRequest& request) {
  std::array<uint8_t, kSmallFrame> room;
  if (const Bytes settings = from_base64url(request.settings, room); !settings.empty()) {
    Http2Transaction* const frame = make(0);
    if (frame == nullptr) return false;
    frame->be_frame();
    frame->note_frame(kServer, Type::settings);
    on_settings(kServer, *frame, settings);
  }
  Http2Transaction* const tx = make(1);
  if (tx == nullptr) return false;
  const std::pair<std::string_view, std::string_view> fields[] = {
      {":method", request.method}, {":path", request.path}, {":authority", request.authority}};
  for (const auto& [name, value] : fields) {
    if (!value.empty() && !tx->add_field(kServer, name, value)) return false;
  }
  tx->end_header(kServer);
  return tx->end(kServer, false);
}

Http2Parser::Step Http2Parser::take_preface(Lane& at, Bytes& bytes) {
  while (at.preface < kPreface.size() && !bytes.empty()) {
    if (bytes[0] != static_cast<uint8_t>(kPreface[at.preface])) {
      // Picked up in the middle, or something else altogether, which shows soon.
      if (at.preface > 0) return Step::malformed;
      at.preface = kPreface.size();
      break;
    }
    ++at.preface;
    bytes = bytes.subspan(1);
  }
  return Step::go_on;
}

Http2Parser::Step Http2Parser::take(Direction direction, Bytes& bytes) {
  Lane& at = lane(direction);
  if (at.ending != kNoStream) {
    const Step step = end_side(direction, std::exchange(at.ending, kNoStream));
    if (step != Step::go_on || bytes.empty()) return step;
  }
  if (direction == kServer && at.preface < kPreface.size()) return take_preface(at, bytes);
  if (!at.in_frame) {
    const size_t size = std::min(bytes.size(), kFrameHeader - at.header_size);
    std::copy_n(bytes.begin(), size, at.header.begin() + static_cast<ptrdiff_t>(at.header_size));
    at.header_size += size;
    bytes = bytes.subspan(size);
    return at.header_size < kFrameHeader ? Step::go_on : begin_frame(direction);
  }
  if (at.small_size < at.small_wanted) return take_small(direction, bytes);
  switch (static_cast<Type>(at.type)) {
    case Type::data:
      return take_data(direction, bytes);
    case Type::headers:
    case Type::push_promise:
    case Type::continuation:
      return take_fragment(direction, bytes);
    default: {
      const size_t size = std::min<size_t>(bytes.size(), at.left);
      bytes = bytes.subspan(size);
      at.left -= static_cast<uint32_t>(size);
      at.in_frame = at.left > 0;
      return Step::go_on;
    }
  }
}

Http2Parser::Step Http2Parser::begin_frame(Direction direction) {
  Lane& at = lane(direction);
  const Bytes header = at.header;
  at.header_size = 0;
  at.left = static_cast<uint32_t>(header[0]) << 16 | static_cast<uint32_t>(header[1]) << 8 | header[2];
  at.type = header[3];
  at.flags = header[4];
  at.stream = u32(header, 5) & 0x7fff'ffff;
  at.small_size = at.small_wanted = at.padding = 0;
  at.in_frame = true;
  if (at.left > kLongFrame) raise(Http2Event::long_frame_data);
  const auto type = static_cast<Type>(at.type);
  if (at.block != kNoStream && (type != Type::continuation || at.stream != at.block)) {
    raise(Http2Event::invalid_frame_header);
    return Step::malformed;
  }
  const bool padded = (at.flags & kPadded) != 0;
  switch (type) {
    case Type::data:
      at.small_wanted = padded ? 1 : 0;
      if (at.stream == 0) raise(Http2Event::data_stream_zero);
      break;
    case Type::headers:
      at.small_wanted = (padded ? 1u : 0u) + ((at.flags & kHasPriority) != 0 ? 5u : 0u);
      break;
    case Type::push_promise:
      at.small_wanted = (padded ? 1u : 0u) + 4u;
      break;
    case Type::continuation:
      if (at.block == kNoStream) {
        raise(Http2Event::invalid_frame_header);
        return Step::malformed;
      }
      break;
    case Type::priority:
    case Type::rst_stream:
    case Type::settings:
    case Type::ping:
    case Type::goaway:
    case Type::window_update:
      at.small_wanted = std::min<size_t>(at.left, kSmallFrame);
      if (at.small_wanted == 0) return on_small(direction, {});
      return Step::go_on;
    default:  // an extension
      at.in_frame = at.left > 0;
      return Step::go_on;
  }
  if (at.small_wanted > at.left) {
    raise(Http2Event::invalid_frame_length);
    return Step::malformed;
  }
  if (type == Type::headers && at.small_wanted == 0) return begin_exchange(direction, at.stream);
  if (type == Type::data && at.left == 0) {
    at.in_frame = false;
    if ((at.flags & kEndStream) != 0) return end_side(direction, at.stream);
  }
  if (type == Type::continuation && at.left == 0) {
    Bytes none;
    return take_fragment(direction, none);
  }
  return Step::go_on;
}

/// What stands before the rest of a frame, or all of it if it is small.
Http2Parser::Step Http2Parser::take_small(Direction direction, Bytes& bytes) {
  Lane& at = lane(direction);
  const size_t size = std::min(bytes.size(), at.small_wanted - at.small_size);
  std::copy_n(bytes.begin(), size, at.small.begin() + static_cast<ptrdiff_t>(at.small_size));
  at.small_size += size;
  at.left -= static_cast<uint32_t>(size);
  bytes = bytes.subspan(size);
  if (at.small_size < at.small_wanted) return Step::go_on;
  const Bytes small = Bytes(at.small).first(at.small_size);
  const auto type = static_cast<Type>(at.type);
  if (type != Type::data && type != Type::headers && type != Type::push_promise)
    return on_small(direction, small);
  const bool padded = (at.flags & kPadded) != 0;
  if (padded) at.padding = small[0];
  if (at.padding > at.left) {
    raise(Http2Event::invalid_frame_data);
    return Step::malformed;
  }
  if (type == Type::data) {
    if (at.left > 0) return Step::go_on;
    at.in_frame = false;
    return (at.flags & kEndStream) != 0 ? end_side(direction, at.stream) : Step::go_on;
  }
  const size_t behind = padded ? 1 : 0;
  if (type == Type::push_promise) return begin_exchange(direction, u32(small, behind) & 0x7fff'ffff);
  const Step step = begin_exchange(direction, at.stream);
  if (step == Step::go_on && (at.flags & kHasPriority) != 0) {
    if (Http2Transaction* const tx = find(at.stream); tx != nullptr)
      tx->add_number(direction, NumberId::http2_priority, small[behind + 4]);
  }
  return step;
}

/// A header block begins, of that stream.
Http2Parser::Step Http2Parser::begin_exchange(Direction direction, uint32_t stream) {
  Lane& at = lane(direction);
  const auto type = static_cast<Type>(at.type);
  Http2Transaction* tx = find(stream);
  if (tx == nullptr) {
    if (list_.size() >= limits_.transactions) {
      raise(Http2Event::too_many_streams);
      return Step::too_many;
    }
    tx = make(stream);
    if (tx == nullptr) return Step::no_memory;
  } else if (tx->is_ended(direction)) {
    tx->raise(Http2Event::stream_id_reuse);
  }
  tx->note_frame(direction, type);
  at.block = type == Type::push_promise ? at.stream : stream;
  at.block_begins = true;
  at.block_complete = false;
  at.block_promised = type == Type::push_promise;
  at.block_ends_stream = type == Type::headers && (at.flags & kEndStream) != 0;
  if (at.block_promised) {
    // What the server promises to answer: a request that nobody sent. The block's own stream is another one.
    at.block = at.stream;
    at.stream = stream;
    both_moved_ = true;
  }
  if (at.left > 0) return Step::go_on;
  Bytes none;
  return take_fragment(direction, none);
}

Http2Parser::Step Http2Parser::take_fragment(Direction direction, Bytes& bytes) {
  Lane& at = lane(direction);
  const uint32_t fields = at.left - std::min(at.left, at.padding);
  const Bytes part = bytes.first(std::min<size_t>(bytes.size(), fields));
  const bool all = part.size() == fields, last = all && (at.flags & kEndHeaders) != 0;
  if (!part.empty() || (last && !at.block_complete)) {
    at.block_complete = last;
    // A promise is a request, whoever sends it.
    Http2Transaction* const tx = find(at.stream);
    const Direction side = at.block_promised ? kServer : direction;
    if (std::exchange(at.block_begins, false) && tx != nullptr) {
      if (const auto size = Hpack::size_update(part))
        tx->add_number(side, NumberId::http2_size_update, *size);
    }
    const Hpack::Take take = at.hpack.take(part, last, [&](std::string_view name, std::string_view value) {
      work_ += name.size() + value.size();
      return tx == nullptr || tx->add_field(side, name, value);
    });
    if (take == Hpack::Take::no_memory) return Step::no_memory;
    if (take == Hpack::Take::malformed) {
      if (tx != nullptr) tx->raise(Http2Event::invalid_header);
      return Step::malformed;
    }
  }
  bytes = bytes.subspan(part.size());
  at.left -= static_cast<uint32_t>(part.size());
  const size_t padding = all ? std::min<size_t>(bytes.size(), at.left) : 0;
  bytes = bytes.subspan(padding);
  at.left -= static_cast<uint32_t>(padding);
  at.padding = std::min(at.padding, at.left);
  return all && at.left == 0 ? end_fragment(direction) : Step::go_on;
}

Http2Parser::Step Http2Parser::end_fragment(Direction direction) {
  Lane& at = lane(direction);
  at.in_frame = false;
  if ((at.flags & kEndHeaders) == 0) return Step::go_on;
  at.block = kNoStream;
  Http2Transaction* const tx = find(at.stream);
  if (tx == nullptr) return Step::go_on;
  if (std::exchange(at.block_promised, false)) {
    tx->end_header(kServer);
    return end_side(kServer, at.stream);
  }
  tx->end_header(direction);
  return at.block_ends_stream ? end_side(direction, at.stream) : Step::go_on;
}

Http2Parser::Step Http2Parser::end_side(Direction direction, uint32_t stream) {
  Http2Transaction* const tx = find(stream);
  if (tx == nullptr || tx->end(direction, false)) return Step::go_on;
  lane(direction).ending = stream;
  return Step::again;
}

Http2Parser::Step Http2Parser::take_data(Direction direction, Bytes& bytes) {
  Lane& at = lane(direction);
  const uint32_t data = at.left - at.padding;
  Bytes part = bytes.first(std::min<size_t>(bytes.size(), data));
  if (!part.empty()) {
    Http2Transaction* tx = find(at.stream);
    if (tx == nullptr) {
      // Picked up in the middle of a stream.
      if (list_.size() >= limits_.transactions) return Step::too_many;
      if ((tx = make(at.stream)) == nullptr) return Step::no_memory;
    }
    tx->note_frame(direction, Type::data);
    const size_t before = part.size();
    if (!tx->take_data(direction, part, limits_.work_per_call - std::min(work_, limits_.work_per_call),
                       work_))
      return Step::no_memory;
    const size_t taken = before - part.size();
    bytes = bytes.subspan(taken);
    at.left -= static_cast<uint32_t>(taken);
    if (!part.empty()) return Step::again;
  }
  if (at.left == at.padding) {
    const size_t padding = std::min<size_t>(bytes.size(), at.left);
    bytes = bytes.subspan(padding);
    at.left -= static_cast<uint32_t>(padding);
    at.padding = at.left;
  }
  if (at.left > 0) return Step::go_on;
  at.in_frame = false;
  return (at.flags & kEndStream) != 0 ? end_side(direction, at.stream) : Step::go_on;
}

/// A frame that is no exchange: part of one that is open, or a transaction by itself.
Http2Parser::Step Http2Parser::on_small(Direction direction, Bytes payload) {
  Lane& at = lane(direction);
  at.in_frame = at.left > 0;  // the rest is passed over
  const auto type = static_cast<Type>(at.type);
  Http2Transaction* tx = at.stream != 0 ? find(at.stream) : nullptr;
  if (tx == nullptr) {
    if (list_.size() >= limits_.transactions) return Step::go_on;  // full of open streams: it is not told
    if ((tx = make(at.stream)) == nullptr) return Step::no_memory;
    tx->be_frame();
    both_moved_ = true;
    ++frames_;
  }
  tx->note_frame(direction, type);
  const auto wants = [&](size_t size) {
    if (payload.size() >= size) return true;
    tx->raise(Http2Event::invalid_frame_length);
    return false;
  };
  switch (type) {
    case Type::settings:
      on_settings(direction, *tx, payload);
      break;
    case Type::goaway:
      if (wants(8)) tx->add_number(direction, NumberId::http2_error_code, u32(payload, 4));
      break;
    case Type::rst_stream:
      if (wants(4)) tx->add_number(direction, NumberId::http2_error_code, u32(payload, 0));
      for (const Direction way : {kServer, kClient}) (void)tx->end(way, true);
      both_moved_ = true;
      break;
    case Type::priority:
      if (wants(5)) tx->add_number(direction, NumberId::http2_priority, payload[4]);
      break;
    case Type::window_update:
      if (wants(4)) tx->add_number(direction, NumberId::http2_window, u32(payload, 0) & 0x7fff'ffff);
      break;
    default:
      break;
  }
  return frames_ >= kFramesAtOnce ? Step::again : Step::go_on;
}

void Http2Parser::on_settings(Direction direction, Http2Transaction& tx, Bytes payload) {
  if ((lane(direction).flags & kAck) != 0) return;
  for (; payload.size() >= 6; payload = payload.subspan(6)) {
    const auto id = static_cast<uint16_t>(payload[0] << 8 | payload[1]);
    const uint32_t value = u32(payload, 2);
    tx.add_number(direction, NumberId::http2_setting, uint64_t{id} << 32 | value);
    if (id == kHeaderTableSize) lane(opposite(direction)).hpack.limit_table(value);
  }
}

Advance Http2Parser::advance(Direction direction, Bytes bytes, uint64_t) {
  Lane& at = lane(direction);
  Advance done;
  if (at.failed) {
    done.consumed = bytes.size();
    return done;
  }
  Bytes rest = bytes;
  work_ = 0;
  frames_ = 0;
  both_moved_ = false;
  if (std::exchange(waits_[static_cast<size_t>(direction)], false)) {
    for (size_t i = 0; i < list_.size(); ++i) list_[i].shown(direction);
  }
  Step step = Step::go_on;
  while (step == Step::go_on && (!rest.empty() || at.ending != kNoStream)) {
    step = take(direction, rest);
    if (step == Step::go_on && work_ >= limits_.work_per_call && !rest.empty()) step = Step::again;
  }
  done.consumed = bytes.size() - rest.size();
  done.work = done.consumed + work_;
  done.both_moved = both_moved_;
  if (step == Step::go_on) return done;
  if (step == Step::again) {
    waits_[static_cast<size_t>(direction)] = true;
    done.next = Next::again;
    return done;
  }
  at.failed = true;
  done.consumed = bytes.size();
  done.error = step == Step::no_memory  ? AppError::memory
               : step == Step::too_many ? AppError::transactions
                                        : AppError::malformed;
  for (size_t i = 0; i < list_.size(); ++i) (void)list_[i].end(direction, true);
  return done;
}

Advance Http2Parser::gap(Direction direction, uint64_t size, uint64_t) {
  Lane& at = lane(direction);
  if (at.failed) return {};
  const bool in_body = at.in_frame && static_cast<Type>(at.type) == Type::data &&
                       at.small_size == at.small_wanted && size <= at.left - at.padding;
  if (in_body) {
    if (Http2Transaction* const tx = find(at.stream); tx != nullptr) tx->gap(direction, size);
    at.left -= static_cast<uint32_t>(size);
    return {};
  }
  // Where the next frame begins is not known, nor what the table of fields would be.
  at.failed = true;
  for (size_t i = 0; i < list_.size(); ++i) (void)list_[i].end(direction, true);
  return {};
}

Advance Http2Parser::end_of_stream(Direction direction, uint64_t) {
  for (size_t i = 0; i < list_.size(); ++i) (void)list_[i].end(direction, true);
  return {};
}

}  // namespace

AppParser* make_http2_parser(BytePool& pool, const HttpLimits& limits, uint64_t first_tx,
                             const UpgradedRequest* upgraded) {
  auto* const parser = make_in<Http2Parser>(pool, pool, limits, first_tx);
  if (parser == nullptr || upgraded == nullptr || parser->adopt(*upgraded)) return parser;
  parser->destroy();
  return nullptr;
}

}  // namespace weir::inspection
