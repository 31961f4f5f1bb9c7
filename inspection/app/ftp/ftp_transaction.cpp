#include "inspection/app/ftp/ftp_transaction.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "inspection/app/http/text.h"

namespace weir::inspection {

namespace {

std::optional<BufferView> some(std::string_view text) {
  if (text.empty()) return std::nullopt;
  return BufferView{.bytes = http::as_bytes(text)};
}

}  // namespace

std::span<const std::string_view> ftp_event_names() {
  static constexpr std::string_view kNames[] = {
#define FTP_EVENT(id, name) name,
#include "inspection/app/ftp/ftp_events.def"
#undef FTP_EVENT
  };
  return kNames;
}

std::string_view FtpTransaction::text_of(Piece piece) const {
  return http::as_text(text_.view()).substr(piece.at, piece.size);
}

bool FtpTransaction::set_command(std::string_view line, size_t word, bool cut) {
  progress_[0] = FtpStep::command;
  command_cut_ = cut;
  if (!text_.append(http::as_bytes(line))) return false;
  const std::span<uint8_t> text = text_.bytes();
  for (size_t i = 0; i < word; ++i) {
    if (text[i] >= 'a' && text[i] <= 'z') text[i] = static_cast<uint8_t>(text[i] - 'a' + 'A');
  }
  command_ = {0, static_cast<uint32_t>(word)};
  const size_t argument = std::min(line.find_first_not_of(' ', word), line.size());
  argument_ = {static_cast<uint32_t>(argument), static_cast<uint32_t>(line.size() - argument)};
  return true;
}

bool FtpTransaction::add_reply(std::string_view line, bool cut) {
  reply_cut_ = reply_cut_ || cut;
  if (reply_count() >= kReplies || text_.size() + line.size() > kText) return true;
  Reply reply;
  reply.line = {static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(line.size())};
  reply.has_code =
      line.size() >= 3 && http::is_digit(line[0]) && http::is_digit(line[1]) && http::is_digit(line[2]);
  return text_.append(http::as_bytes(line)) &&
         replies_.append({reinterpret_cast<const uint8_t*>(&reply), sizeof reply});
}

FtpTransaction::Reply FtpTransaction::reply_at(size_t index) const {
  Reply reply;
  std::memcpy(&reply, replies_.view().data() + index * sizeof reply, sizeof reply);
  return reply;
}

std::string_view FtpTransaction::code(size_t index) const {
  const Reply reply = reply_at(index);
  return reply.has_code ? text_of(reply.line).substr(0, 3) : std::string_view{};
}

std::string_view FtpTransaction::reply(size_t index) const {
  const Reply reply = reply_at(index);
  const std::string_view line = text_of(reply.line);
  return reply.has_code ? line.substr(std::min<size_t>(4, line.size())) : line;
}

std::optional<BufferView> FtpTransaction::buffer(BufferId buffer, Direction direction, uint32_t instance) {
  if (progress(direction) < info_of(buffer).step) return std::nullopt;
  const bool to_server = direction == Direction::to_server;
  switch (buffer) {
    case BufferId::ftp_command:
      return to_server && instance == 0 ? some(command()) : std::nullopt;
    case BufferId::ftp_command_data:
      return to_server && instance == 0 ? some(argument()) : std::nullopt;
    case BufferId::ftp_reply:
      if (to_server || instance >= reply_count()) return std::nullopt;
      return BufferView{.bytes = http::as_bytes(reply(instance))};
    case BufferId::ftp_completion_code:
      if (to_server || instance >= reply_count()) return std::nullopt;
      return BufferView{.bytes = http::as_bytes(code(instance))};
    default:
      return std::nullopt;
  }
}

std::optional<uint64_t> FtpTransaction::number(NumberId number, Direction direction,
                                               uint32_t instance) const {
  if (instance > 0) return std::nullopt;
  if (number == NumberId::ftp_bounce) {
    return direction == Direction::to_server && bounce_ ? std::optional<uint64_t>(1) : std::nullopt;
  }
  if (!is_complete()) return std::nullopt;
  switch (number) {
    case NumberId::ftp_dynamic_port:
      return port_ != 0 ? std::optional<uint64_t>(port_) : std::nullopt;
    case NumberId::ftp_mode:
      return mode_ != 0 ? std::optional<uint64_t>(mode_) : std::nullopt;
    case NumberId::ftp_reply_received:
      return replied_ ? 1 : 0;
    default:
      return std::nullopt;
  }
}

}  // namespace weir::inspection
