// What rules and events can ask of one transaction: an HTTP exchange, a DNS query and its answer, a TLS
// handshake.
//
// Each protocol's parser (app/http, app/dns, app/tls) has its own class of transaction; detection and events
// know this face of it only. Worker thread; views are valid until the session's next packet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "inspection/app/file.h"
#include "inspection/direction.h"
#include "inspection/magic/magic_desk.h"

namespace weir::inspection {

enum class AppProtocol : uint8_t {
  unknown,  // not known yet, or none that is told apart
  failed,   // looked at to the end of what detection reads, and none
#define APP(id, name) id,
#include "inspection/app/protocols.def"
#undef APP
};

/// All that are told apart.
inline constexpr AppProtocol kAppProtocols[] = {
#define APP(id, name) AppProtocol::id,
#include "inspection/app/protocols.def"
#undef APP
};

/// What rules and EVE call it: "http", "tls", "unknown", "failed".
std::string_view name_of(AppProtocol protocol);

/// How far a parser has come in one direction; only grows. A transaction whose both directions are complete,
/// or that will see nothing more, is over once it was inspected.
struct HttpStep {
  static constexpr uint8_t none = 0, line = 1, headers = 2, body = 3, trailer = 4, complete = 5;
};
struct DnsStep {
  static constexpr uint8_t none = 0, complete = 1;
};
/// Files have the steps of HTTP here, since rules ask for them without naming a protocol.
struct SmtpStep {
  static constexpr uint8_t none = 0, sender = 1, envelope = 2, body = 3, complete = 5;
};
struct FtpStep {
  static constexpr uint8_t none = 0, command = 1, body = 3, complete = 5;
};
/// The hello has the step of HTTP's header fields, since rules ask for weir.app without naming a protocol.
struct TlsStep {
  static constexpr uint8_t none = 0, hello = 2, certificate = 3, complete = 4;
};
struct SshStep {
  static constexpr uint8_t none = 0, banner = 1, keys = 2, complete = 3;
};
/// As with TLS, whose hello it carries.
struct QuicStep {
  static constexpr uint8_t none = 0, complete = 2;
};

enum class BufferKind : uint8_t { whole, list, grows };
enum class BufferDirection : uint8_t { to_server, to_client, either };

enum class BufferId : uint8_t {
#define BUFFER(id, keyword, modifier, protocol, direction, step, kind) id,
#include "inspection/app/buffers.def"
#undef BUFFER
};

struct BufferInfo {
  BufferId id;
  std::string_view keyword;   // "http.uri": the contents that follow look into it
  std::string_view modifier;  // "http_uri": the content before looks into it; empty if there is none
  AppProtocol protocol;       // unknown: of several
  BufferDirection direction;
  uint8_t step;
  BufferKind kind;
};

/// One row for each buffer, in the order of BufferId.
std::span<const BufferInfo> buffer_infos();
inline const BufferInfo& info_of(BufferId id) { return buffer_infos()[static_cast<size_t>(id)]; }

/// Bytes to judge: `old_size` of carry-over, then bytes that nobody has judged. What is not of kind grows is
/// all new and complete.
struct BufferView {
  std::span<const uint8_t> bytes;
  size_t old_size = 0;
  uint64_t base = 0;     // the place of bytes[0] in the whole buffer
  bool complete = true;  // nothing will follow
};

/// Numbers that keywords compare, beside the buffers.
enum class NumberId : uint8_t {
  http_content_length,  // what the header says
  dns_opcode,
  dns_rcode,
  dns_rrtype,   // of the query; list
  tls_version,  // as on the wire: 0x0303
  tls_cert_chain_len,
  tls_cert_not_before,  // seconds since 1970
  tls_cert_not_after,
  file_size,
  ftp_dynamic_port,    // of the data connection that was agreed on
  ftp_mode,            // FtpMode
  ftp_reply_received,  // 0 or 1, once it is decided
  ftp_bounce,          // 1: PORT names another host than the client
  ftpdata_command,     // FtpDataCommand
  http2_frame_type,    // list, as those that follow
  http2_error_code,
  http2_priority,
  http2_window,
  http2_size_update,
  http2_setting,  // its id << 32, and its value
};

enum class FileDigest : uint8_t { md5, sha1, sha256 };

/// What rules of HTTP ask of HTTP/1 and HTTP/2 alike bears the name of HTTP/1.
inline bool is_of(AppProtocol asked, AppProtocol spoken) {
  return asked == spoken || (asked == AppProtocol::http1 && spoken == AppProtocol::http2);
}

class TransactionDetection;  // detect/: what rules have matched so far

class Transaction {
 public:
  virtual ~Transaction() = default;
  virtual AppProtocol protocol() const = 0;
  virtual uint8_t progress(Direction direction) const = 0;
  /// The last step of that direction, after which nothing follows.
  virtual uint8_t last_step(Direction direction) const = 0;
  /// Nothing more of it comes, either way.
  bool is_complete() const {
    return progress(Direction::to_server) >= last_step(Direction::to_server) &&
           progress(Direction::to_client) >= last_step(Direction::to_client);
  }
  /// Rules of that direction may still have to know what a file is.
  bool awaits_files(Direction direction) const { return files_awaited[static_cast<size_t>(direction)] != 0; }
  /// The value of `buffer`, that of the `instance`-th for lists; nullopt: there is none, or not yet. The
  /// first call in a packet may compute it (normalised URI); then it is kept until the next packet.
  virtual std::optional<BufferView> buffer(BufferId buffer, Direction direction, uint32_t instance) = 0;
  virtual std::optional<uint64_t> number(NumberId number, Direction direction, uint32_t instance) const = 0;
  /// The checksum of the `instance`-th file, once it is complete and was seen without gaps; else nullopt.
  virtual std::optional<std::span<const uint8_t>> file_digest(FileDigest, Direction, uint32_t) {
    return std::nullopt;
  }
  virtual size_t file_count(Direction) const { return 0; }
  /// What libmagic says of one of its files. False: it is not one of its.
  virtual bool take_magic(const MagicDesk::Answer&) { return false; }
  /// Its event may be written, though more of it will come: nothing of that would stand in it.
  virtual bool says_all() const { return false; }
  /// `index` is below file_count().
  virtual AppFile file(Direction, size_t) const { return {}; }
  /// Its event says something.
  virtual bool worth_telling() const { return true; }
  /// The window of `grows` buffers was judged up to its end: what follows is new.
  virtual void judged(BufferId buffer, Direction direction) = 0;

  uint64_t id = 0;                 // counts from 0 in its session, as EVE's tx_id
  uint64_t app_events = 0;         // bits by the protocol's own list of anomalies (app-layer-event)
  bool logged = false;             // the engine has written its event
  bool unlogged = false;           // a rule says that it gets none
  uint32_t files_told[2] = {};     // by direction: files that have their event
  uint32_t files_awaited[2] = {};  // by direction: files of which libmagic has not said yet what they are
  TransactionDetection* detection[2] =
      {};  // by direction; owned by the detector, given back when the transaction ends
};

}  // namespace weir::inspection
