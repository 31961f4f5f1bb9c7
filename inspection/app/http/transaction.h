// One HTTP/1 exchange: what rules and events can ask of it.
//
// Made and filled by HttpParser, in the session's BytePool. Computed buffers (normalised URI, joined fields)
// are kept until the parser's next call. Worker thread; views as Transaction says.
#pragma once

#include <optional>
#include <string_view>

#include "inspection/app/file.h"
#include "inspection/app/http/body_window.h"
#include "inspection/app/http/events.h"
#include "inspection/app/http/file_hash.h"
#include "inspection/app/http/limits.h"
#include "inspection/app/http/message_head.h"
#include "inspection/app/http/multipart.h"
#include "inspection/app/http/uri.h"
#include "inspection/app/transaction.h"
#include "inspection/magic/file_magics.h"
#include "inspection/memory/byte_pool.h"

namespace weir::inspection {

class HttpParser;

/// A file that was sent in a body, as far as it was inspected.
using HttpFile = AppFile;

class HttpTransaction final : public Transaction {
 public:
  HttpTransaction(BytePool& pool, const HttpLimits& limits) noexcept;
  ~HttpTransaction() override;
  HttpTransaction(const HttpTransaction&) = delete;
  HttpTransaction& operator=(const HttpTransaction&) = delete;

  AppProtocol protocol() const override { return AppProtocol::http1; }
  uint8_t progress(Direction direction) const override { return side(direction).progress; }
  uint8_t last_step(Direction) const override { return HttpStep::complete; }
  std::optional<BufferView> buffer(BufferId buffer, Direction direction, uint32_t instance) override;
  std::optional<uint64_t> number(NumberId number, Direction direction, uint32_t instance) const override;
  std::optional<std::span<const uint8_t>> file_digest(FileDigest kind, Direction direction,
                                                      uint32_t instance) override;
  bool take_magic(const MagicDesk::Answer& answer) override {
    return sides_[0].magics.take(answer) || sides_[1].magics.take(answer);
  }
  void judged(BufferId buffer, Direction direction) override;

  // What the events `http` and `fileinfo` say. nullptr text: there is none.
  bool has_request() const { return has_request_; }
  bool has_response() const { return has_response_; }
  std::string_view method() const { return part(Direction::to_server, 0); }
  std::string_view raw_uri() const { return part(Direction::to_server, 1); }
  std::string_view request_protocol() const { return part(Direction::to_server, 2); }
  std::string_view response_protocol() const { return part(Direction::to_client, 0); }
  std::string_view status_text() const { return part(Direction::to_client, 1); }
  std::string_view status_message() const { return part(Direction::to_client, 2); }
  /// 0: none, or no number from 1 to 999.
  unsigned status() const { return status_; }
  /// Lower case, without port: of the target if it is absolute, else of the Host field. Until the next call.
  std::string_view hostname();
  /// The port that goes with it; 0: none was said.
  uint16_t host_port() const;
  /// As http.uri sees it. Until the next call.
  std::string_view uri();
  /// The first field of that name (lower case).
  std::string_view field(Direction direction, std::string_view name) const {
    return side(direction).head.find(name);
  }
  const http::MessageHead& head(Direction direction) const { return side(direction).head; }
  /// Bytes of the body, without chunk framing, before decoding (`length` of events).
  uint64_t body_bytes(Direction direction) const { return side(direction).raw_bytes; }
  uint64_t decoded_bytes(Direction direction) const { return side(direction).body.total(); }
  size_t file_count(Direction direction) const override;
  HttpFile file(Direction direction, size_t index) const override;
  uint64_t start_ns() const { return start_ns_; }

 private:
  friend class HttpParser;

  struct Part {
    uint32_t at = 0, size = 0;
    bool there = false;
  };
  struct FileEntry {
    uint32_t name_at = 0, name_size = 0;
    uint64_t size = 0;
    HttpFile::State state = HttpFile::State::open;
    bool gaps = false;
    uint8_t hashes = 0;
    http::FileDigests digests;
  };
  /// What is known of one direction.
  struct Side {
    Side(BytePool& pool, Direction direction) : head(pool, direction), body(pool), names(pool), files(pool) {}
    http::MessageHead head;
    http::BodyWindow body;
    Part parts[3];  // of the first line
    uint64_t raw_bytes = 0;
    uint64_t decoder_made = 0;  // by all layers of the decoder
    uint8_t progress = HttpStep::none;
    PoolBytes names;  // of files
    PoolBytes files;  // FileEntry
    FileMagics magics;
    http::FileHash* hash = nullptr;  // of the file under way
  };
  /// The files of a form.
  struct Form {
    explicit Form(BytePool& pool) noexcept : reader(pool), window(pool) {}
    http::MultipartReader reader;
    http::BodyWindow window;  // of the file under way, or the last
    uint64_t read = 0;        // bytes of the body that the reader has taken
    http::Bytes data;         // of the file, not yet in the window; lies in the body's window
    bool has_file = false, next_file = false;
  };
  /// A buffer that had to be put together.
  struct Computed {
    explicit Computed(BytePool& pool) noexcept : bytes(pool) {}
    BufferId id{};
    Direction direction{};
    uint32_t instance = 0;
    PoolBytes bytes;
    Computed* next = nullptr;
  };

  Side& side(Direction direction) { return sides_[static_cast<size_t>(direction)]; }
  const Side& side(Direction direction) const { return sides_[static_cast<size_t>(direction)]; }
  std::string_view part(Direction direction, size_t index) const;
  http::Target target() const;
  void raise(HttpEvent event) { app_events |= bit_of(event); }
  void raise(Direction direction, HttpEvent request, HttpEvent response) {
    raise(direction == Direction::to_server ? request : response);
  }

  // In transaction_parse.cpp: reads the first line, and judges the fields once they are complete.
  void parse_request_line();
  void parse_response_line();
  void check_request();
  void check_fields(Direction direction);
  [[nodiscard]] bool add_file(Direction direction, std::string_view name);
  [[nodiscard]] bool name_response_file();
  [[nodiscard]] bool add_file_of_path(Direction direction);
  FileEntry file_entry(Direction direction, size_t index) const;
  void put_file(Direction direction, size_t index, const FileEntry& entry);
  /// The file under way, that is the last one. Nothing happens if there is none.
  void add_to_file(Direction direction, std::span<const uint8_t> bytes);
  void gap_in_file(Direction direction, uint64_t size);
  void close_file(Direction direction, bool truncated);

  // In transaction.cpp.
  std::optional<BufferView> from_line(BufferId buffer, Direction direction);
  std::optional<BufferView> from_fields(BufferId buffer, Direction direction, uint32_t instance);
  std::optional<BufferView> one_field(std::string_view name, BufferId buffer, Direction direction);
  std::optional<BufferView> nth_field(BufferId buffer, Direction direction, uint32_t instance);
  std::optional<BufferView> body_view(BufferId buffer, Direction direction) const;
  std::optional<BufferView> file_name_view(Direction direction, uint32_t instance) const;
  Computed* find_computed(BufferId buffer, Direction direction, uint32_t instance);
  template <typename F>
  std::optional<BufferView> compute(BufferId buffer, Direction direction, uint32_t instance, F&& fill);
  void drop_computed();

  BytePool& pool_;
  const HttpLimits& limits_;
  Side sides_[2];
  Form* form_ = nullptr;
  Computed* computed_ = nullptr;
  uint64_t start_ns_ = 0;
  unsigned status_ = 0;
  bool has_request_ = false, has_response_ = false;
  bool old_protocol_ = false;  // HTTP/0.9: the request has no fields
  bool continue_seen_ = false;
  bool is_head_ = false, is_connect_ = false;
};

}  // namespace weir::inspection
