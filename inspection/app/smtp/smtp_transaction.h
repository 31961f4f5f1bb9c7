// One exchange of SMTP (RFC 5321): from the first command to the end of the mail that it sends, or to what
// ends it short of that (RSET, EHLO again, STARTTLS). As in Suricata 8, the commands before the first MAIL
// belong to it.
//
// Made and filled by the parser. Worker thread; all that it grows lies in the worker's pool.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "inspection/app/file_list.h"
#include "inspection/app/mime/message.h"
#include "inspection/app/transaction.h"

namespace weir::inspection {

/// Anomalies, by Suricata's names: bits of Transaction::app_events.
enum class SmtpEvent : uint8_t {
#define SMTP_EVENT(id, name) id,
#include "inspection/app/smtp/smtp_events.def"
#undef SMTP_EVENT
};
std::span<const std::string_view> smtp_event_names();

class SmtpTransaction final : public Transaction {
 public:
  // Of one exchange: recipients that are kept, and bytes of all that commands say.
  static constexpr size_t kRecipients = 1'024, kText = 48 * 1024;

  SmtpTransaction(BytePool& pool, const HttpLimits& limits) noexcept
      : pool_(pool), text_(pool), recipients_(pool), files_(pool, limits, files_awaited[0]) {}
  ~SmtpTransaction() override { destroy_in(pool_, message_); }

  AppProtocol protocol() const override { return AppProtocol::smtp; }
  uint8_t progress(Direction direction) const override { return progress_[static_cast<size_t>(direction)]; }
  uint8_t last_step(Direction) const override { return SmtpStep::complete; }
  std::optional<BufferView> buffer(BufferId buffer, Direction direction, uint32_t instance) override;
  std::optional<uint64_t> number(NumberId number, Direction direction, uint32_t instance) const override;
  std::optional<std::span<const uint8_t>> file_digest(FileDigest kind, Direction direction,
                                                      uint32_t instance) override;
  size_t file_count(Direction direction) const override {
    return direction == Direction::to_server ? files_.count() : 0;
  }
  AppFile file(Direction, size_t index) const override { return files_.file(index); }
  bool take_magic(const MagicDesk::Answer& answer) override { return files_.take_magic(answer); }
  void judged(BufferId buffer, Direction direction) override {
    if (buffer == BufferId::file_data && direction == Direction::to_server) files_.judged();
  }

  // What the event `smtp` says. Empty: it was not said.
  std::string_view helo() const { return text_of(helo_); }
  std::string_view mail_from() const { return text_of(mail_from_); }
  size_t recipient_count() const { return recipients_.size() / sizeof(Piece); }
  std::string_view recipient(size_t index) const;
  /// The mail, once DATA or BDAT was sent; else null.
  const MailMessage* message() const { return message_; }

  // The parser's side. False: the pool is at its ceiling.
  [[nodiscard]] bool set_helo(std::string_view name) { return set(helo_, name); }
  [[nodiscard]] bool set_mail_from(std::string_view sender) { return set(mail_from_, sender); }
  [[nodiscard]] bool add_recipient(std::string_view recipient);
  [[nodiscard]] bool begin_message(const MimeSettings& settings);
  void drop_message();
  MailMessage* message() { return message_; }
  FileList& files() { return files_; }
  /// What the message found since the last call, as events.
  void note_oddities();
  void raise(SmtpEvent event) { app_events |= uint64_t{1} << static_cast<unsigned>(event); }
  void advance_to(Direction direction, uint8_t step) {
    uint8_t& progress = progress_[static_cast<size_t>(direction)];
    if (progress < step) progress = step;
  }
  bool request_over() const { return progress(Direction::to_server) == SmtpStep::complete; }

 private:
  struct Piece {
    uint32_t at = 0, size = 0;
  };
  std::string_view text_of(Piece piece) const;
  bool set(Piece& piece, std::string_view text);
  std::optional<BufferView> of_mail(BufferId buffer, uint32_t instance) const;

  BytePool& pool_;
  uint8_t progress_[2] = {};
  PoolBytes text_;
  PoolBytes recipients_;  // Piece
  Piece helo_, mail_from_;
  FileList files_;
  MailMessage* message_ = nullptr;
};

}  // namespace weir::inspection
