// What an event says beside Event's own members, as bytes: one field after the other, each behind its id and
// length.
//
// A worker writes them from what it holds at that moment (event_maker.cpp), copying a bounded number of bytes
// and formatting nothing; the writer's thread reads them (eve.cpp). Nothing here allocates; the reader
// believes no length.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace weir::inspection {

enum class Field : uint8_t {
#define FIELD(id, object, key, kind, limit) id,
#include "inspection/events/event_fields.def"
#undef FIELD
  count_
};

/// The object of EVE that has the field. tls_ja3: `tls.ja3`, and so on.
enum class EveObject : uint8_t {
  root,
  http,
  http2,
  http2_request,
  http2_response,
  fileinfo,
  tls,
  tls_ja3,
  tls_ja3s,
  tls_client,
  dns,
  ssh_client,
  ssh_client_hassh,
  ssh_server,
  ssh_server_hassh,
  quic,
  quic_ja3,
  quic_ja3s,
  smtp,
  email,
  ftp,
  ftp_data,
  anomaly,
  alert,
  drop,
  weir,
  weir_kuma,
  weir_spiffe
};
enum class FieldKind : uint8_t { text, list, number, flag, hex, date, special };

struct FieldInfo {
  EveObject object;
  std::string_view key;
  FieldKind kind;
  uint32_t limit;  // bytes that a worker copies
};
const FieldInfo& info_of(Field field);

/// Writes fields into memory of its caller.
class FieldWriter {
 public:
  /// What no worker has to copy in bounded time is written whole, as far as there is room.
  enum class Limits : uint8_t { of_fields, none };

  explicit FieldWriter(std::span<uint8_t> room, Limits limits = Limits::of_fields)
      : room_(room), limits_(limits) {}

  void clear() { size_ = 0, cut_ = false; }
  /// What there is no room for is cut, or left out if not even its head has any.
  void bytes(Field field, std::span<const uint8_t> value);
  void text(Field field, std::string_view value) {
    bytes(field, {reinterpret_cast<const uint8_t*>(value.data()), value.size()});
  }
  /// Nothing, if it is empty.
  void text_if(Field field, std::string_view value) {
    if (!value.empty()) text(field, value);
  }
  void number(Field field, uint64_t value);
  void flag(Field field, bool value) { number(field, value ? 1 : 0); }

  /// Nothing is written yet; what `before` held when it was written here, and nothing has been since, is.
  void again(std::span<const uint8_t> before) {
    std::memmove(room_.data(), before.data(), before.size());
    size_ = before.size();
  }

  std::span<const uint8_t> written() const { return room_.first(size_); }
  /// Some field is not there, or not whole.
  bool cut() const { return cut_; }

 private:
  std::span<uint8_t> room_;
  size_t size_ = 0;
  Limits limits_;
  bool cut_ = false;
};

struct FieldValue {
  Field field{};
  bool cut = false;
  std::span<const uint8_t> bytes;

  std::string_view text() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
  /// 0 if it is none.
  uint64_t number() const;
};

/// Reads them in the order in which they were written.
class FieldReader {
 public:
  explicit FieldReader(std::span<const uint8_t> fields) : rest_(fields) {}
  /// nullopt: there are no more, or what follows is no field.
  std::optional<FieldValue> next();

 private:
  std::span<const uint8_t> rest_;
};

}  // namespace weir::inspection
