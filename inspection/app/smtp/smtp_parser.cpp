#include "inspection/app/smtp/smtp_parser.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "inspection/app/http/text.h"
#include "inspection/app/line_reader.h"
#include "inspection/app/smtp/smtp_transaction.h"

namespace weir::inspection {

namespace {

using Bytes = std::span<const uint8_t>;
using http::as_text;

constexpr Direction kServer = Direction::to_server, kClient = Direction::to_client;

/// What a command means to the parser.
enum class Command : uint8_t {
  other,
  helo,
  mail,
  rcpt,
  data,
  data_end,
  bdat,
  bdat_last,
  rset,
  quit,
  starttls
};

Command command_of(std::string_view line) {
  static constexpr std::pair<std::string_view, Command> kCommands[] = {
      {"helo", Command::helo},    {"ehlo", Command::helo}, {"mail from", Command::mail},
      {"rcpt to", Command::rcpt}, {"data", Command::data}, {"bdat", Command::bdat},
      {"rset", Command::rset},    {"quit", Command::quit}, {"starttls", Command::starttls}};
  for (const auto& [word, command] : kCommands) {
    if (http::starts_nocase(line, word)) return command;
  }
  return Command::other;
}

/// What stands behind the command, up to a blank: parameters may follow (RFC 1870).
std::string_view argument_of(std::string_view line, size_t word) {
  line.remove_prefix(std::min(line.size(), word));
  line.remove_prefix(std::min(line.size(), line.find_first_not_of(" :")));
  return line.substr(0, line.find(' '));
}

struct Chunk {
  uint64_t size = 0;
  bool last = false;
};
/// "BDAT 123" or "BDAT 123 LAST".
std::optional<Chunk> chunk_of(std::string_view line) {
  constexpr uint64_t kMost = uint64_t{1} << 40;
  line.remove_prefix(4);
  std::string_view rest = http::trim(line);
  if (rest.size() == line.size()) return std::nullopt;  // no blank behind the word
  Chunk chunk;
  size_t digits = 0;
  for (; digits < rest.size() && http::is_digit(rest[digits]); ++digits) {
    chunk.size = chunk.size * 10 + static_cast<uint64_t>(rest[digits] - '0');
    if (chunk.size > kMost) return std::nullopt;
  }
  if (digits == 0) return std::nullopt;
  rest = http::trim(rest.substr(digits));
  chunk.last = http::equals_nocase(rest, "last");
  return chunk.last || rest.empty() ? std::optional(chunk) : std::nullopt;
}

class SmtpParser final : public AppParser {
 public:
  // Transactions that are open, bytes of a command and of a reply that are looked at, commands that wait for
  // their reply (those without a meaning here count once for a row of them).
  static constexpr size_t kMaxOpen = 64, kCommandLine = 4'096, kReplyLine = 512, kMaxPending = 32;

  SmtpParser(BytePool& pool, const HttpLimits& limits, const MimeSettings& settings,
             uint64_t first_tx) noexcept
      : pool_(pool),
        limits_(limits),
        settings_(settings),
        next_id_(first_tx),
        helo_(pool),
        commands_(pool),
        replies_(pool),
        mail_line_(pool) {}
  ~SmtpParser() {
    for (size_t i = 0; i < count_; ++i) destroy_in(pool_, static_cast<SmtpTransaction*>(open_[i]));
  }
  SmtpParser(const SmtpParser&) = delete;
  SmtpParser& operator=(const SmtpParser&) = delete;

  AppProtocol protocol() const override { return AppProtocol::smtp; }
  Advance advance(Direction direction, Bytes bytes, uint64_t) override;
  Advance gap(Direction direction, uint64_t size, uint64_t) override;
  Advance end_of_stream(Direction direction, uint64_t) override;
  std::span<Transaction* const> transactions() override { return {open_.data(), count_}; }
  void drop_over() override;
  uint64_t app_events() const override { return 0; }
  void destroy() override {
    BytePool& pool = pool_;
    destroy_in(pool, this);
  }

 private:
  enum class Mode : uint8_t { command, data, chunk };
  enum class Step : uint8_t { go_on, again, other, no_memory, too_many };
  struct Pending {
    Command command = Command::other;
    uint64_t tx = 0;
    uint32_t count = 1;
  };

  SmtpTransaction& tx_at(size_t index) { return static_cast<SmtpTransaction&>(*open_[index]); }
  SmtpTransaction* tx_of(uint64_t id);
  Step begin_transaction();
  bool end_request();
  Step push(Command command, uint64_t tx);
  void pop();

  Step take_command(Bytes& bytes);
  Step on_command(std::string_view line);
  Step on_helo(std::string_view line);
  Step on_bdat(std::string_view line);
  Step begin_message();
  Step take_mail(Bytes& bytes);
  Step feed(Bytes content, Bytes end);
  Step flush_line();
  Step end_message();
  Step end_chunk();

  Step take_reply(Bytes& bytes);
  Step on_reply(std::string_view line);
  void reject_data(SmtpTransaction* tx);
  void complete(uint64_t tx);
  void raise(SmtpEvent event) {
    if (count_ > 0) tx_at(count_ - 1).raise(event);
  }

  BytePool& pool_;
  const HttpLimits& limits_;
  const MimeSettings& settings_;
  uint64_t next_id_;
  std::array<Transaction*, kMaxOpen> open_{};
  size_t count_ = 0;
  SmtpTransaction* current_ = nullptr;  // whose request is not over
  PoolBytes helo_;                      // the name that the client said last
  std::array<Pending, kMaxPending> pending_{};
  size_t pending_count_ = 0;
  LineReader commands_, replies_;
  PoolBytes mail_line_;      // the beginning of a line of mail
  uint64_t chunk_left_ = 0;  // bytes
  Mode mode_ = Mode::command;
  bool chunk_last_ = false;
  bool line_begins_ = true;  // the next byte of mail begins a line
  bool any_ = false;         // there was a transaction
  bool greeted_ = false;
  bool waits_ = false;  // the last call stopped for the detector
  bool failed_ = false;
  bool resync_[2] = {};    // by direction: what comes first is the rest of a line
  bool mail_gap_ = false;  // of the mail under way; its end may be missing
};

SmtpTransaction* SmtpParser::tx_of(uint64_t id) {
  for (size_t i = count_; i-- > 0;) {
    if (open_[i]->id == id) return &tx_at(i);
  }
  return nullptr;
}

SmtpParser::Step SmtpParser::begin_transaction() {
  if (count_ == kMaxOpen) return Step::too_many;
  auto* const tx = make_in<SmtpTransaction>(pool_, pool_, limits_);
  if (tx == nullptr) return Step::no_memory;
  tx->id = next_id_++;
  open_[count_++] = current_ = tx;
  any_ = true;
  return helo_.empty() || tx->set_helo(as_text(helo_.view())) ? Step::go_on : Step::no_memory;
}

/// Nothing more of it is sent; a mail that is under way was not sent whole. False: no memory.
bool SmtpParser::end_request() {
  if (current_ == nullptr) return true;
  mail_line_.reset();
  const bool ok = current_->message() == nullptr || current_->message()->finish(true);
  current_->note_oddities();
  current_->advance_to(kServer, SmtpStep::complete);
  current_ = nullptr;
  return ok;
}

SmtpParser::Step SmtpParser::push(Command command, uint64_t tx) {
  if (pending_count_ > 0) {
    Pending& last = pending_[pending_count_ - 1];
    // DATA and STARTTLS are the last of a group of commands (RFC 2920 section 3.1).
    if (last.command == Command::data || last.command == Command::starttls)
      raise(SmtpEvent::invalid_pipelined_sequence);
    if (last.command == Command::other && command == Command::other) {
      ++last.count;
      return Step::go_on;
    }
  }
  if (pending_count_ == kMaxPending) return Step::too_many;
  pending_[pending_count_++] = {command, tx, 1};
  return Step::go_on;
}

void SmtpParser::pop() {
  if (--pending_[0].count > 0) return;
  std::move(pending_.begin() + 1, pending_.begin() + static_cast<ptrdiff_t>(pending_count_),
            pending_.begin());
  --pending_count_;
}

// --- the client ---

SmtpParser::Step SmtpParser::take_command(Bytes& bytes) {
  if (current_ == nullptr && count_ == kMaxOpen && !waits_ &&
      std::any_of(open_.begin(), open_.end(), [](const Transaction* t) { return is_over(*t); })) {
    return Step::again;  // some go when they were judged
  }
  switch (commands_.take(bytes, kCommandLine)) {
    case LineReader::Take::more:
      return Step::go_on;
    case LineReader::Take::no_memory:
      return Step::no_memory;
    case LineReader::Take::line:
      break;
  }
  if (std::exchange(resync_[0], false)) return Step::go_on;
  const Command command = command_of(as_text(commands_.content()));
  const bool goes_on = command == Command::rset || command == Command::quit;
  if (current_ == nullptr && !(any_ && goes_on)) {
    const Step step = begin_transaction();
    if (step != Step::go_on) return step;
  }
  if (commands_.cut()) raise(SmtpEvent::truncated_line);
  if (!greeted_) raise(SmtpEvent::no_welcome);
  return on_command(as_text(commands_.content()));
}

SmtpParser::Step SmtpParser::on_command(std::string_view line) {
  const Command command = command_of(line);
  const uint64_t tx = current_ != nullptr ? current_->id : UINT64_MAX;
  switch (command) {
    case Command::helo:
      return on_helo(line);
    case Command::mail:
      if (!current_->mail_from().empty()) {
        raise(SmtpEvent::duplicate_fields);
      } else if (!current_->set_mail_from(argument_of(line, 9))) {
        return Step::no_memory;
      }
      current_->advance_to(kServer, SmtpStep::sender);
      return push(Command::other, tx);
    case Command::rcpt:
      if (!current_->add_recipient(argument_of(line, 7))) return Step::no_memory;
      return push(Command::other, tx);
    case Command::data: {
      const Step step = push(Command::data, tx);
      if (step != Step::go_on) return step;
      mode_ = Mode::data;
      return begin_message();
    }
    case Command::bdat:
      return on_bdat(line);
    case Command::rset:
      return end_request() ? push(Command::rset, tx) : Step::no_memory;
    case Command::starttls:
      return push(Command::starttls, tx);
    default:
      return push(Command::other, tx);
  }
}

SmtpParser::Step SmtpParser::on_helo(std::string_view line) {
  const uint64_t tx = current_->id;
  const bool again = !helo_.empty();
  if (again) raise(SmtpEvent::duplicate_fields);
  helo_.shrink(0);
  const std::string_view name = argument_of(line, 4);
  if (!helo_.append(http::as_bytes(name))) return Step::no_memory;
  if (again && !current_->mail_from().empty()) {
    // What was said so far is void (RFC 5321 section 4.1.4).
    return end_request() ? push(Command::helo, tx) : Step::no_memory;
  }
  return current_->set_helo(name) ? push(Command::other, tx) : Step::no_memory;
}

SmtpParser::Step SmtpParser::on_bdat(std::string_view line) {
  const std::optional<Chunk> chunk = chunk_of(line);
  if (!chunk) {
    raise(SmtpEvent::invalid_bdat);
    return push(Command::other, current_->id);
  }
  const Step step = push(chunk->last ? Command::bdat_last : Command::bdat, current_->id);
  if (step != Step::go_on) return step;
  mode_ = Mode::chunk;
  chunk_left_ = chunk->size;
  chunk_last_ = chunk->last;
  if (current_->message() == nullptr) {
    const Step begun = begin_message();
    if (begun != Step::go_on) return begun;
  }
  return chunk_left_ == 0 ? end_chunk() : Step::go_on;
}

SmtpParser::Step SmtpParser::begin_message() {
  if (current_->message() != nullptr) {
    // A mail that never ended; this one is another transaction.
    current_->raise(SmtpEvent::unparsable_content);
    if (!end_request()) return Step::no_memory;
    const Step step = begin_transaction();
    if (step != Step::go_on) return step;
  }
  line_begins_ = true;
  mail_gap_ = false;
  mail_line_.reset();
  current_->advance_to(kServer, SmtpStep::envelope);
  return current_->begin_message(settings_) ? Step::go_on : Step::no_memory;
}

/// The next line of mail, or a piece of one.
SmtpParser::Step SmtpParser::take_mail(Bytes& bytes) {
  const Bytes here =
      mode_ == Mode::chunk ? bytes.first(std::min<uint64_t>(bytes.size(), chunk_left_)) : bytes;
  const size_t space = MailMessage::kPiece - mail_line_.size();
  const void* const at = std::memchr(here.data(), '\n', std::min(here.size(), space));
  const size_t size = at != nullptr ? static_cast<size_t>(static_cast<const uint8_t*>(at) - here.data()) + 1
                                    : std::min(here.size(), space);
  const bool complete = at != nullptr, full = size == space;
  FileList& files = current_->files();
  if ((complete || full) && !files.nothing_waits() &&
      (current_->message()->may_open_file() ||
       files.room() < mail_line_.size() + size + 2 + MimeDecoder::kSlack)) {
    return Step::again;
  }
  const Bytes piece = here.first(size);
  bytes = bytes.subspan(size);
  if (mode_ == Mode::chunk) chunk_left_ -= size;
  Step step = Step::go_on;
  if ((complete || full) && mail_line_.empty()) {
    step = complete ? feed(piece.first(size - 1), piece.last(1)) : feed(piece, {});
  } else {
    if (!mail_line_.append(piece)) return Step::no_memory;
    if (complete || full) step = flush_line();
  }
  if (step != Step::go_on || mode_ != Mode::chunk || chunk_left_ > 0) return step;
  return end_chunk();
}

/// What is held of a line goes to the message.
SmtpParser::Step SmtpParser::flush_line() {
  if (mail_line_.empty()) return Step::go_on;
  PoolBytes line = std::move(mail_line_);
  mail_line_ = PoolBytes(pool_);
  const Bytes all = line.view();
  const bool complete = all.back() == '\n';
  const Step step = complete ? feed(all.first(all.size() - 1), all.last(1)) : feed(all, {});
  if (step == Step::go_on && current_ != nullptr) {
    line.shrink(0);
    if (mail_line_.empty()) mail_line_ = std::move(line);  // its memory serves the next one
  }
  return step;
}

/// `end`: LF, or nothing if the line goes on.
SmtpParser::Step SmtpParser::feed(Bytes content, Bytes end) {
  static constexpr uint8_t kCrLf[] = {'\r', '\n'};
  if (!end.empty() && !content.empty() && content.back() == '\r') {
    content = content.first(content.size() - 1);
    end = kCrLf;
  }
  const bool begins = line_begins_;
  line_begins_ = !end.empty();
  if (begins && mode_ == Mode::data && !content.empty() && content[0] == '.') {
    if (content.size() == 1 && !end.empty()) return end_message();
    content = content.subspan(1);  // RFC 5321 section 4.5.2
    current_->message()->stuffed_dot();
  }
  if (content.empty() && end.empty()) return Step::go_on;
  MailMessage& message = *current_->message();
  if (!message.line(content, end, begins)) return Step::no_memory;
  current_->note_oddities();
  if (message.has_header()) current_->advance_to(kServer, SmtpStep::body);
  return Step::go_on;
}

SmtpParser::Step SmtpParser::end_message() {
  mode_ = Mode::command;
  if (!current_->message()->finish(false)) return Step::no_memory;
  const Step step = push(Command::data_end, current_->id);
  return end_request() ? step : Step::no_memory;
}

SmtpParser::Step SmtpParser::end_chunk() {
  mode_ = Mode::command;
  if (!chunk_last_) return Step::go_on;
  const Step step = flush_line();
  if (step != Step::go_on) return step;
  return current_->message()->finish(false) && end_request() ? Step::go_on : Step::no_memory;
}

// --- the server ---

SmtpParser::Step SmtpParser::take_reply(Bytes& bytes) {
  switch (replies_.take(bytes, kReplyLine)) {
    case LineReader::Take::more:
      return Step::go_on;
    case LineReader::Take::no_memory:
      return Step::no_memory;
    case LineReader::Take::line:
      break;
  }
  if (std::exchange(resync_[1], false)) return Step::go_on;
  if (replies_.cut()) raise(SmtpEvent::reply_too_long);
  return on_reply(as_text(replies_.content()));
}

SmtpParser::Step SmtpParser::on_reply(std::string_view line) {
  if (line.empty()) return Step::go_on;
  const bool code = line.size() >= 3 && line[0] >= '2' && line[0] <= '5' && http::is_digit(line[1]) &&
                    http::is_digit(line[2]);
  if (!code) {
    raise(SmtpEvent::invalid_reply);
    return Step::go_on;
  }
  if (line.size() > 3 && line[3] == '-') return Step::go_on;  // more lines follow
  const std::string_view number = line.substr(0, 3);
  const Command waiting = pending_count_ > 0 ? pending_[0].command : Command::other;
  if (!std::exchange(greeted_, true) && number == "220" && waiting != Command::starttls) return Step::go_on;
  if (pending_count_ == 0) {
    // The end of a mail was missing, and this is the answer to it.
    if (mode_ == Mode::data && mail_gap_) {
      mode_ = Mode::command;
      const uint64_t tx = current_->id;
      if (!end_request()) return Step::no_memory;
      complete(tx);
    }
    return Step::go_on;
  }
  const Pending answered = pending_[0];
  pop();
  switch (answered.command) {
    case Command::starttls:
      if (number != "220") {
        raise(SmtpEvent::tls_rejected);
        return Step::go_on;
      }
      if (!end_request()) return Step::no_memory;
      for (size_t i = 0; i < count_; ++i) {
        for (const Direction direction : {kServer, kClient})
          tx_at(i).advance_to(direction, SmtpStep::complete);
      }
      return Step::other;
    case Command::data:
      if (number[0] != '3') reject_data(tx_of(answered.tx));
      return Step::go_on;
    case Command::data_end:
    case Command::bdat_last:
    case Command::rset:
    case Command::helo:
      complete(answered.tx);
      return Step::go_on;
    default:
      return Step::go_on;
  }
}

/// What follows is commands again; what came so far may have been, too, but was read as mail.
void SmtpParser::reject_data(SmtpTransaction* tx) {
  if (tx == nullptr) return;
  tx->raise(SmtpEvent::data_rejected);
  if (tx != current_ || mode_ != Mode::data) return;
  mode_ = Mode::command;
  mail_line_.reset();
  tx->files().close(true);
  tx->drop_message();
}

void SmtpParser::complete(uint64_t tx) {
  if (SmtpTransaction* const found = tx_of(tx); found != nullptr)
    found->advance_to(kClient, SmtpStep::complete);
}

// --- both ---

Advance SmtpParser::advance(Direction direction, Bytes bytes, uint64_t) {
  Advance done;
  if (failed_) {
    done.consumed = bytes.size();
    return done;
  }
  Bytes rest = bytes;
  Step step = Step::go_on;
  if (direction == kServer && waits_) {
    for (size_t i = 0; i < count_; ++i) tx_at(i).files().shown();
  }
  while (!rest.empty() && step == Step::go_on) {
    if (direction == kClient) {
      step = take_reply(rest);
    } else {
      step = mode_ == Mode::command ? take_command(rest) : take_mail(rest);
    }
    if (direction == kServer) waits_ = step == Step::again;
    if (step == Step::go_on && bytes.size() - rest.size() >= limits_.work_per_call && !rest.empty())
      step = Step::again;
  }
  done.work = done.consumed = bytes.size() - rest.size();
  switch (step) {
    case Step::go_on:
      return done;
    case Step::again:
      done.next = Next::again;
      return done;
    case Step::other:
      done.next = Next::other;
      return done;
    case Step::no_memory:
    case Step::too_many:
      break;
  }
  failed_ = true;
  done.error = step == Step::no_memory ? AppError::memory : AppError::transactions;
  done.consumed = bytes.size();
  done.next = Next::ended;
  for (size_t i = 0; i < count_; ++i) {
    for (const Direction way : {kServer, kClient}) tx_at(i).advance_to(way, SmtpStep::complete);
  }
  current_ = nullptr;
  return done;
}

Advance SmtpParser::gap(Direction direction, uint64_t size, uint64_t) {
  if (failed_) return {};
  if (direction == kClient) {
    // Which replies are missing is not known: what was asked so far counts as answered.
    replies_.forget();
    resync_[1] = true;
    pending_count_ = 0;
    for (size_t i = 0; i < count_; ++i) {
      if (tx_at(i).request_over()) tx_at(i).advance_to(kClient, SmtpStep::complete);
    }
    return {};
  }
  if (mode_ == Mode::command) {
    commands_.forget();
    resync_[0] = true;
    return {};
  }
  const uint64_t here = mode_ == Mode::chunk ? std::min(size, chunk_left_) : size;
  mail_line_.reset();
  line_begins_ = false;
  mail_gap_ = true;
  current_->message()->gap(here);
  if (mode_ == Mode::data) return {};
  chunk_left_ -= here;
  if (chunk_left_ > 0) return {};
  Advance done;
  if (end_chunk() == Step::no_memory) done.error = AppError::memory;
  resync_[0] = size > here;
  return done;
}

Advance SmtpParser::end_of_stream(Direction direction, uint64_t) {
  Advance done;
  if (direction == kServer) {
    // What is there of a line may end the mail's last word.
    const bool mail = current_ != nullptr && current_->message() != nullptr;
    const bool flushed = !mail || flush_line() == Step::go_on;
    if (!end_request() || !flushed) done.error = AppError::memory;
    mode_ = Mode::command;
  }
  for (size_t i = 0; i < count_; ++i) tx_at(i).advance_to(direction, SmtpStep::complete);
  return done;
}

void SmtpParser::drop_over() {
  size_t kept = 0;
  for (size_t i = 0; i < count_; ++i) {
    if (is_over(*open_[i])) {
      destroy_in(pool_, &tx_at(i));
    } else {
      open_[kept++] = open_[i];
    }
  }
  count_ = kept;
}

}  // namespace

AppParser* make_smtp_parser(BytePool& pool, const HttpLimits& limits, const MimeSettings& settings,
                            uint64_t first_tx) {
  return make_in<SmtpParser>(pool, pool, limits, settings, first_tx);
}

}  // namespace weir::inspection
