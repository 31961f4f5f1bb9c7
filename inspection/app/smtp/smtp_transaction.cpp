#include "inspection/app/smtp/smtp_transaction.h"

#include <array>
#include <cstring>
#include <utility>

#include "inspection/app/http/text.h"

namespace weir::inspection {

namespace {

/// The field of the message's header that a buffer holds; empty for other buffers.
std::string_view field_of(BufferId buffer) {
  switch (buffer) {
    case BufferId::email_from:
      return "from";
    case BufferId::email_to:
      return "to";
    case BufferId::email_cc:
      return "cc";
    case BufferId::email_subject:
      return "subject";
    case BufferId::email_date:
      return "date";
    case BufferId::email_message_id:
      return "message-id";
    case BufferId::email_x_mailer:
      return "x-mailer";
    case BufferId::email_received:
      return "received";
    default:
      return {};
  }
}

std::optional<BufferView> some(std::string_view text) {
  if (text.empty()) return std::nullopt;
  return BufferView{.bytes = http::as_bytes(text)};
}

}  // namespace

std::span<const std::string_view> smtp_event_names() {
  static constexpr std::string_view kNames[] = {
#define SMTP_EVENT(id, name) name,
#include "inspection/app/smtp/smtp_events.def"
#undef SMTP_EVENT
  };
  return kNames;
}

std::string_view SmtpTransaction::text_of(Piece piece) const {
  return http::as_text(text_.view()).substr(piece.at, piece.size);
}

bool SmtpTransaction::set(Piece& piece, std::string_view text) {
  if (text_.size() + text.size() > kText) return true;
  piece = {static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(text.size())};
  return text_.append(http::as_bytes(text));
}

bool SmtpTransaction::add_recipient(std::string_view recipient) {
  if (recipient_count() >= kRecipients || text_.size() + recipient.size() > kText) return true;
  Piece piece;
  return set(piece, recipient) &&
         recipients_.append({reinterpret_cast<const uint8_t*>(&piece), sizeof piece});
}

std::string_view SmtpTransaction::recipient(size_t index) const {
  Piece piece;
  std::memcpy(&piece, recipients_.view().data() + index * sizeof piece, sizeof piece);
  return text_of(piece);
}

bool SmtpTransaction::begin_message(const MimeSettings& settings) {
  message_ = make_in<MailMessage>(pool_, pool_, settings, files_);
  return message_ != nullptr;
}

void SmtpTransaction::drop_message() { destroy_in(pool_, std::exchange(message_, nullptr)); }

void SmtpTransaction::note_oddities() {
  static constexpr std::pair<MailOddity, SmtpEvent> kEvents[] = {
      {kMailInvalidBase64, SmtpEvent::mime_invalid_base64},
      {kMailInvalidQuoted, SmtpEvent::mime_invalid_quoted},
      {kMailLongLine, SmtpEvent::mime_long_line},
      {kMailLongEncodedLine, SmtpEvent::mime_long_encoded_line},
      {kMailLongFieldName, SmtpEvent::mime_long_header_name},
      {kMailLongFieldValue, SmtpEvent::mime_long_header_value},
      {kMailLongBoundary, SmtpEvent::mime_long_boundary},
      {kMailLongFileName, SmtpEvent::mime_long_filename},
      {kMailTooDeep, SmtpEvent::mime_malformed}};
  const uint16_t oddities = message_ != nullptr ? message_->oddities() : 0;
  if (oddities == 0) return;
  for (const auto& [oddity, event] : kEvents) {
    if ((oddities & oddity) != 0) raise(event);
  }
}

std::optional<BufferView> SmtpTransaction::of_mail(BufferId buffer, uint32_t instance) const {
  if (message_ == nullptr || !message_->has_header()) return std::nullopt;
  if (buffer == BufferId::email_url) {
    if (instance >= message_->urls().count()) return std::nullopt;
    return BufferView{.bytes = message_->urls().url(instance)};
  }
  if (buffer == BufferId::email_body_md5) {
    return some(message_->body_md5());
  }
  const std::string_view name = field_of(buffer);
  if (name.empty()) return std::nullopt;
  return some(message_->field(name, instance).value_or(std::string_view{}));
}

std::optional<BufferView> SmtpTransaction::buffer(BufferId buffer, Direction direction, uint32_t instance) {
  if (direction != Direction::to_server) return std::nullopt;
  const BufferInfo& info = info_of(buffer);
  if (info.kind != BufferKind::list && instance > 0) return std::nullopt;
  if (buffer == BufferId::file_name) return files_.name(instance);
  if (buffer == BufferId::file_magic) return files_.magic(instance);
  if (progress(direction) < info.step) return std::nullopt;
  switch (buffer) {
    case BufferId::file_data:
      return files_.data();
    case BufferId::smtp_helo:
      return some(helo());
    case BufferId::smtp_mail_from:
      return some(mail_from());
    case BufferId::smtp_rcpt_to:
      return instance < recipient_count() ? some(recipient(instance)) : std::nullopt;
    default:
      return info.protocol == AppProtocol::smtp ? of_mail(buffer, instance) : std::nullopt;
  }
}

std::optional<uint64_t> SmtpTransaction::number(NumberId number, Direction direction,
                                                uint32_t instance) const {
  if (number != NumberId::file_size || instance >= file_count(direction)) return std::nullopt;
  return files_.file(instance).size;
}

std::optional<std::span<const uint8_t>> SmtpTransaction::file_digest(FileDigest kind, Direction direction,
                                                                     uint32_t instance) {
  if (direction != Direction::to_server) return std::nullopt;
  return files_.digest(kind, instance);
}

}  // namespace weir::inspection
