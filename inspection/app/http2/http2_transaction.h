// One stream of HTTP/2 (RFC 9113) as a transaction; a frame of stream 0 is one by itself, as in Suricata 8.
//
// What HTTP/1 has, too, is asked for by the same buffers: fields as they come, with the pseudo fields among
// them. Made and filled by the parser. Worker thread; all that it grows lies in the worker's pool.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "inspection/app/file_list.h"
#include "inspection/app/http/body_reader.h"
#include "inspection/app/http/framing.h"
#include "inspection/app/transaction.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection {

/// Anomalies, by Suricata's names: bits of Transaction::app_events.
enum class Http2Event : uint8_t {
#define HTTP2_EVENT(id, name) id,
#include "inspection/app/http2/http2_events.def"
#undef HTTP2_EVENT
};
std::span<const std::string_view> http2_event_names();

/// RFC 9113 section 6.
enum class Http2FrameType : uint8_t {
  data,
  headers,
  priority,
  rst_stream,
  settings,
  push_promise,
  ping,
  goaway,
  window_update,
  continuation
};

class Http2Transaction final : public Transaction {
 public:
  /// Numbers of frames that are kept of one direction.
  static constexpr size_t kNumbers = 128;

  Http2Transaction(BytePool& pool, const HttpLimits& limits, uint32_t stream) noexcept
      : pool_(pool),
        limits_(limits),
        stream_(stream),
        sides_{{pool, limits, files_awaited[0]}, {pool, limits, files_awaited[1]}} {}
  ~Http2Transaction() override;

  AppProtocol protocol() const override { return AppProtocol::http2; }
  uint8_t progress(Direction direction) const override { return side(direction).progress; }
  uint8_t last_step(Direction) const override { return HttpStep::complete; }
  std::optional<BufferView> buffer(BufferId buffer, Direction direction, uint32_t instance) override;
  std::optional<uint64_t> number(NumberId number, Direction direction, uint32_t instance) const override;
  std::optional<std::span<const uint8_t>> file_digest(FileDigest kind, Direction direction,
                                                      uint32_t instance) override {
    return side(direction).files.digest(kind, instance);
  }
  size_t file_count(Direction direction) const override { return side(direction).files.count(); }
  AppFile file(Direction direction, size_t index) const override { return side(direction).files.file(index); }
  bool take_magic(const MagicDesk::Answer& answer) override {
    return sides_[0].files.take_magic(answer) || sides_[1].files.take_magic(answer);
  }
  void judged(BufferId buffer, Direction direction) override;
  bool worth_telling() const override;

  // What the event `http` says.
  uint32_t stream() const { return stream_; }
  struct Field {
    std::string_view name, value;
  };
  size_t field_count(Direction direction) const { return side(direction).fields.size() / sizeof(Entry); }
  Field field(Direction direction, size_t index) const;
  /// The value of the first field of that name (lower case); nullptr text: there is none.
  std::string_view find(Direction direction, std::string_view name) const;
  uint64_t body_bytes(Direction direction) const { return side(direction).raw_bytes; }

  // --- the parser's side ---
  struct Number {
    NumberId kind{};
    uint64_t value = 0;
  };
  /// False: the pool is at its ceiling.
  [[nodiscard]] bool add_field(Direction direction, std::string_view name, std::string_view value);
  void add_number(Direction direction, NumberId kind, uint64_t value);
  /// A frame of that type came.
  void note_frame(Direction direction, Http2FrameType type);
  /// The header fields are complete.
  void end_header(Direction direction);
  /// Bytes of a body, without padding. Takes from the front of `bytes`; what is left waits for the detector.
  /// False: the pool is at its ceiling.
  [[nodiscard]] bool take_data(Direction direction, std::span<const uint8_t>& bytes, uint64_t allowance,
                               uint64_t& work);
  /// Nothing follows in that direction. False: what a decoder holds waits for the detector; call again.
  [[nodiscard]] bool end(Direction direction, bool truncated);
  void gap(Direction direction, uint64_t size);
  void shown(Direction direction) { side(direction).files.shown(); }
  bool is_ended(Direction direction) const { return progress(direction) == HttpStep::complete; }
  /// Only a frame, not an exchange.
  void be_frame() { sides_[0].progress = sides_[1].progress = HttpStep::complete; }
  void raise(Http2Event event) { app_events |= uint64_t{1} << static_cast<unsigned>(event); }
  void advance_to(Direction direction, uint8_t step) {
    if (side(direction).progress < step) side(direction).progress = step;
  }

 private:
  struct Entry {
    uint32_t at = 0, name_size = 0, value_size = 0;
  };
  struct Side {
    Side(BytePool& pool, const HttpLimits& limits, uint32_t& awaited) noexcept
        : text(pool), fields(pool), numbers(pool), files(pool, limits, awaited) {}
    PoolBytes text;    // names and values, one behind the other
    PoolBytes fields;  // Entry
    PoolBytes numbers;
    FileList files;  // the body is its only file
    std::optional<http::BodyReader> body;
    http::Framing framing;
    uint64_t raw_bytes = 0;
    uint16_t frames = 0;  // bits by Http2FrameType
    uint8_t progress = HttpStep::none;
    bool has_header = false, has_body = false;
  };
  /// A buffer that had to be put together.
  struct Computed {
    explicit Computed(BytePool& pool) noexcept : bytes(pool) {}
    BufferId id{};
    Direction direction{};
    uint32_t instance = 0;
    size_t fields = 0;  // so many there were
    PoolBytes bytes;
    Computed* next = nullptr;
  };
  class Sink;

  Side& side(Direction direction) { return sides_[static_cast<size_t>(direction)]; }
  const Side& side(Direction direction) const { return sides_[static_cast<size_t>(direction)]; }
  bool begin_body(Direction direction);
  std::string_view authority() const;
  template <typename F>
  std::optional<BufferView> compute(BufferId buffer, Direction direction, uint32_t instance, F&& fill);
  std::optional<BufferView> one_field(BufferId buffer, Direction direction, std::string_view name);
  std::optional<BufferView> from_fields(BufferId buffer, Direction direction, uint32_t instance);

  BytePool& pool_;
  const HttpLimits& limits_;
  const uint32_t stream_;
  Side sides_[2];
  Computed* computed_ = nullptr;
};

}  // namespace weir::inspection
