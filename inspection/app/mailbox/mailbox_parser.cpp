#include "inspection/app/mailbox/mailbox_parser.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "inspection/app/http/text.h"
#include "inspection/app/line_reader.h"

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;
using http::as_text;

// Of a line so much is looked at; a tag of IMAP that is longer than kTag is none to remember.
constexpr size_t kLine = 512, kTag = 32;
// The first byte of TLS (RFC 8446 section 5.1), with which no command begins.
constexpr uint8_t kTlsHandshake = 0x16;

/// What a command means here.
enum class Command : uint8_t {
  harmless,  // it may come before STARTTLS, and brings nothing but lines
  starttls,
  other,  // a login, or nothing that comes before one
};

Command command_of(AppProtocol protocol, std::string_view words) {
  const std::string_view word = words.substr(0, words.find(' '));
  const bool pop3 = protocol == AppProtocol::pop3;
  if (http::equals_nocase(word, pop3 ? "stls" : "starttls")) return Command::starttls;
  static constexpr std::array<std::string_view, 4> kPop3 = {"capa", "noop", "lang", "utf8"};
  static constexpr std::array<std::string_view, 4> kImap = {"capability", "noop", "id", "enable"};
  const auto& known = pop3 ? kPop3 : kImap;
  const bool harmless = std::any_of(known.begin(), known.end(),
                                    [&](std::string_view one) { return http::equals_nocase(word, one); });
  // A literal of IMAP: bytes follow that are no line (RFC 9051 section 4.3).
  return harmless && !words.ends_with('}') ? Command::harmless : Command::other;
}

class MailboxParser final : public AppParser {
 public:
  MailboxParser(BytePool& pool, AppProtocol protocol) noexcept
      : pool_(pool), protocol_(protocol), commands_(pool), replies_(pool) {}
  MailboxParser(const MailboxParser&) = delete;
  MailboxParser& operator=(const MailboxParser&) = delete;

  AppProtocol protocol() const override { return protocol_; }
  Advance advance(Direction direction, Bytes bytes, uint64_t) override {
    Advance step{.consumed = bytes.size(), .work = bytes.size()};
    if (in_clear_) return step;
    Bytes rest = bytes;
    if (direction == Direction::to_client) {
      read_replies(rest, step);
    } else if (read_commands(rest)) {
      step.next = Next::other;
      step.consumed = bytes.size() - rest.size();
    } else if (no_memory_) {
      step.error = AppError::memory;
    }
    return step;
  }
  Advance gap(Direction, uint64_t, uint64_t) override {
    stop();
    return {};
  }
  Advance end_of_stream(Direction, uint64_t) override { return {}; }
  std::span<Transaction* const> transactions() override { return {}; }
  void drop_over() override {}
  uint64_t app_events() const override { return 0; }
  void destroy() override {
    BytePool& pool = pool_;
    destroy_in(pool, this);
  }

 private:
  /// Nothing more of it leads to TLS.
  void stop() {
    in_clear_ = true;
    commands_.forget();
    replies_.forget();
  }
  /// True: `bytes` begin with TLS.
  bool read_commands(Bytes& bytes);
  void on_command(std::string_view line);
  void read_replies(Bytes bytes, Advance& step);
  bool grants(std::string_view line) const;

  BytePool& pool_;
  const AppProtocol protocol_;
  LineReader commands_, replies_;
  std::array<char, kTag> tag_{};  // of the command that asks for TLS
  uint8_t tag_size_ = 0;
  bool asked_ = false;    // the last command asks for TLS
  bool granted_ = false;  // and the server's last line says that it may begin
  bool in_clear_ = false, no_memory_ = false;
};

bool MailboxParser::read_commands(Bytes& bytes) {
  while (!bytes.empty() && !in_clear_) {
    if (asked_ && commands_.at_begin()) {
      if (bytes[0] == kTlsHandshake && granted_) return true;
      asked_ = granted_ = false;  // it was refused, or the client goes on as if it had been
    }
    switch (commands_.take(bytes, kLine)) {
      case LineReader::Take::line:
        commands_.cut() ? stop() : on_command(as_text(commands_.content()));
        break;
      case LineReader::Take::more:
        break;
      case LineReader::Take::no_memory:
        no_memory_ = true;
        stop();
        break;
    }
  }
  return false;
}

void MailboxParser::on_command(std::string_view line) {
  std::string_view tag;
  if (protocol_ == AppProtocol::imap) {
    tag = line.substr(0, line.find(' '));
    line.remove_prefix(std::min(line.size(), tag.size() + 1));
    if (tag.empty() || tag.size() > kTag) return stop();
  }
  switch (command_of(protocol_, line)) {
    case Command::harmless:
      return;
    case Command::starttls:
      asked_ = true;
      granted_ = false;
      std::copy(tag.begin(), tag.end(), tag_.begin());
      tag_size_ = static_cast<uint8_t>(tag.size());
      return;
    case Command::other:
      return stop();
  }
}

void MailboxParser::read_replies(Bytes bytes, Advance& step) {
  while (!bytes.empty() && !in_clear_) {
    switch (replies_.take(bytes, kLine)) {
      case LineReader::Take::line:
        granted_ = asked_ && grants(as_text(replies_.content()));
        break;
      case LineReader::Take::more:
        break;
      case LineReader::Take::no_memory:
        step.error = AppError::memory;
        stop();
        break;
    }
  }
}

bool MailboxParser::grants(std::string_view line) const {
  if (protocol_ == AppProtocol::pop3) return line.starts_with("+OK");
  const std::string_view tag(tag_.data(), tag_size_);
  return line.starts_with(tag) && http::starts_nocase(line.substr(tag.size()), " ok");
}

}  // namespace

AppParser* make_mailbox_parser(BytePool& pool, AppProtocol protocol) {
  return make_in<MailboxParser>(pool, pool, protocol);
}

}  // namespace weir::inspection
