// Both streams of a session through the HTTP/1 parser, as the engine drives it, and what came out as text.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "inspection/app/http/parser.h"

namespace weir::inspection::test {

inline std::string text_of(std::span<const uint8_t> bytes) { return {bytes.begin(), bytes.end()}; }

/// One exchange, as it was when it was over.
struct Exchange {
  uint64_t id = 0;
  std::map<std::string, std::string> buffers;  // "http.uri", "http.header<" (to the client)
  std::vector<std::string> files;              // "name:size:state"
  std::string events;                          // names, with spaces between
  std::string hostname;
  unsigned status = 0;
  uint64_t request_bytes = 0, response_bytes = 0;
  bool operator==(const Exchange&) const = default;

  std::string operator[](const std::string& buffer) const {
    const auto found = buffers.find(buffer);
    return found == buffers.end() ? "(none)" : found->second;
  }
  bool has(std::string_view event) const {
    return (" " + events + " ").find(" " + std::string(event) + " ") != std::string::npos;
  }
};

class Reading {
 public:
  explicit Reading(const HttpLimits& with = {}, size_t pool_bytes = 8 << 20)
      : limits(with), pool(pool_bytes), parser_(HttpParser::make(pool, limits, counters)) {}
  ~Reading() {
    if (parser_ != nullptr) parser_->destroy();
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  /// In portions of that size; 0: all at once.
  Reading& client(std::string_view bytes, size_t portion = 0) {
    return feed(Direction::to_server, bytes, portion);
  }
  Reading& server(std::string_view bytes, size_t portion = 0) {
    return feed(Direction::to_client, bytes, portion);
  }
  Reading& feed(Direction direction, std::string_view bytes, size_t portion = 0) {
    if (portion == 0) portion = std::max<size_t>(bytes.size(), 1);
    while (!bytes.empty() && last.next != Next::other) {
      const std::string_view part = bytes.substr(0, portion);
      bytes.remove_prefix(part.size());
      drive(direction, http::as_bytes(part));
    }
    return *this;
  }
  Reading& close(Direction direction) {
    last = parser_->end_of_stream(direction, 0);
    look();
    while (last.next == Next::again) drive(direction, {});
    return *this;
  }
  Reading& close() { return close(Direction::to_server).close(Direction::to_client); }
  Reading& gap(Direction direction, uint64_t size) {
    last = parser_->gap(direction, size, 0);
    look();
    return *this;
  }

  /// Judges what there is; called after every step.
  void look() {
    ++rounds;
    work += last.work;
    if (last.error != AppError::none) error = last.error;
    for (Transaction* const transaction : parser_->transactions()) {
      for (const Direction d : {Direction::to_server, Direction::to_client}) look_at(*transaction, d);
    }
    if (!judging) return;
    release_over(*parser_,
                 [&](Transaction& transaction) { keep(static_cast<HttpTransaction&>(transaction)); });
  }

  HttpParser& parser() { return *parser_; }

  const HttpLimits limits;
  HttpCounters counters;
  BytePool pool;
  std::vector<Exchange> done;
  Advance last;
  AppError error = AppError::none;
  uint64_t rounds = 0, work = 0;
  size_t largest_view = 0;
  bool judging = true;  // whether detection says what it has judged, and the engine releases

 private:
  void drive(Direction direction, std::span<const uint8_t> bytes) {
    do {
      last = parser_->advance(direction, bytes, 0);
      bytes = bytes.subspan(last.consumed);
      rest = text_of(bytes);
      look();
    } while (last.next == Next::again);
  }

  static std::string key(const BufferInfo& info, Direction direction) {
    return std::string(info.keyword) + (direction == Direction::to_client ? "<" : "");
  }

  void look_at(Transaction& transaction, Direction direction) {
    for (const BufferInfo& info : buffer_infos()) {
      if (info.kind != BufferKind::grows) continue;
      const auto view = transaction.buffer(info.id, direction, 0);
      if (!view) continue;
      largest_view = std::max(largest_view, view->bytes.size());
      grown_[{transaction.id, key(info, direction)}] += text_of(view->bytes.subspan(view->old_size));
      if (judging) transaction.judged(info.id, direction);
    }
  }

  void keep(HttpTransaction& tx) {
    Exchange e;
    e.id = tx.id;
    for (const Direction d : {Direction::to_server, Direction::to_client}) {
      for (const BufferInfo& info : buffer_infos()) {
        if (info.kind == BufferKind::grows) {
          const auto found = grown_.find({tx.id, key(info, d)});
          if (found != grown_.end()) e.buffers[key(info, d)] = found->second;
          continue;
        }
        for (uint32_t i = 0; const auto view = tx.buffer(info.id, d, i); ++i) {
          std::string& value = e.buffers[key(info, d)];
          if (info.kind == BufferKind::list && i > 0) value += "|";
          value += text_of(view->bytes);
          if (info.kind != BufferKind::list) break;
        }
      }
      for (size_t i = 0; i < tx.file_count(d); ++i) {
        const HttpFile f = tx.file(d, i);
        static constexpr const char* kStates[] = {"open", "closed", "truncated"};
        e.files.push_back(std::string(f.name) + ":" + std::to_string(f.size) + ":" +
                          kStates[static_cast<int>(f.state)] + (f.gaps ? ":gaps" : ""));
      }
    }
    for (unsigned i = 0; i < static_cast<unsigned>(HttpEvent::count); ++i) {
      if ((tx.app_events >> i & 1) == 0) continue;
      e.events += (e.events.empty() ? "" : " ") + std::string(name_of(static_cast<HttpEvent>(i)));
    }
    e.hostname = tx.hostname();
    e.status = tx.status();
    e.request_bytes = tx.body_bytes(Direction::to_server);
    e.response_bytes = tx.body_bytes(Direction::to_client);
    done.push_back(e);
  }

  HttpParser* parser_;
  std::map<std::pair<uint64_t, std::string>, std::string> grown_;

 public:
  std::string rest;  // what the last call did not consume
};

/// `text` as a coding; `bits`: 15 + 16 gzip, 15 zlib, -15 bare deflate.
inline std::string coded(std::string_view text, int bits) {
  z_stream z{};
  deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, text.size()) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}
inline std::string gzip(std::string_view text) { return coded(text, 15 + 16); }
inline std::string zlib(std::string_view text) { return coded(text, 15); }
inline std::string bare_deflate(std::string_view text) { return coded(text, -15); }

inline const std::string kGet = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

}  // namespace weir::inspection::test
