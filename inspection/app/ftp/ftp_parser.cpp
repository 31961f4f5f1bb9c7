#include "inspection/app/ftp/ftp_parser.h"

#include <algorithm>
#include <cstring>

#include "inspection/app/http/text.h"

namespace weir::inspection {

namespace {

using http::as_text;

constexpr Direction kServer = Direction::to_server;

size_t index_of(Direction direction) { return static_cast<size_t>(direction); }

FtpTransferKind transfer_of(std::string_view command) {
  static constexpr std::pair<std::string_view, FtpTransferKind> kKinds[] = {
      {"RETR", FtpTransferKind::retrieve}, {"STOR", FtpTransferKind::store}, {"APPE", FtpTransferKind::store},
      {"STOU", FtpTransferKind::store},    {"LIST", FtpTransferKind::list},  {"NLST", FtpTransferKind::list},
      {"MLSD", FtpTransferKind::list}};
  for (const auto& [name, kind] : kKinds) {
    if (command == name) return kind;
  }
  return FtpTransferKind::none;
}

bool is_code(std::string_view line) {
  return line.size() >= 3 && line[0] >= '1' && line[0] <= '6' && http::is_digit(line[1]) &&
         http::is_digit(line[2]);
}

/// Telnet's commands, which some clients send before ABOR (RFC 959 section 4.1.3), are no part of a line.
std::string_view without_telnet(std::string_view line) {
  while (!line.empty() && (static_cast<uint8_t>(line.front()) >= 0xf0)) line.remove_prefix(1);
  return line;
}

}  // namespace

FtpTransaction* FtpParser::oldest_open() {
  for (size_t i = 0; i < list_.size(); ++i) {
    if (!list_[i].is_complete()) return &list_[i];
  }
  return nullptr;
}

FtpTransaction* FtpParser::make_transaction() {
  FtpTransaction* const made = list_.make(pool_);
  if (made != nullptr) made->id = next_id_++;
  return made;
}

FtpParser::Step FtpParser::on_command(std::string_view line, bool cut) {
  line = without_telnet(line);
  if (line.empty()) return Step::go_on;
  uint32_t open = 0;
  for (size_t i = 0; i < list_.size(); ++i) open += list_[i].is_complete() ? 0 : 1;
  if (open >= settings_.transactions) {
    list_[list_.size() - 1].raise(FtpEvent::too_many_transactions);
    return Step::too_many;
  }
  FtpTransaction* const tx = make_transaction();
  if (tx == nullptr) return Step::no_memory;
  const size_t word = std::min(line.find(' '), line.size());
  if (!tx->set_command(line, word, cut)) return Step::no_memory;
  if (cut) tx->raise(FtpEvent::request_too_long);
  const std::string_view command = tx->command();
  if (command == "PORT" || command == "EPRT") {
    on_port(*tx, line);
  } else if (const FtpTransferKind kind = transfer_of(command); kind != FtpTransferKind::none) {
    announce(*tx, kind);
  }
  return Step::go_on;
}

/// Where the client waits for the server.
void FtpParser::on_port(FtpTransaction& tx, std::string_view line) {
  const auto where = net::read_ftp_command(line);
  if (!where) return;
  tx.set_port(where->port, FtpMode::active);
  if (where->address != client_) tx.set_bounce();
  data_ = where;
  active_ = true;
}

/// Where the server waits for the client.
void FtpParser::on_passive(FtpTransaction& tx, std::string_view reply) {
  const auto where = net::read_ftp_reply(reply);
  if (!where) return;
  tx.set_port(where->port, FtpMode::passive);
  data_ = where;
  active_ = false;
}

void FtpParser::announce(FtpTransaction& tx, FtpTransferKind kind) {
  if (!data_) {
    if (kind != FtpTransferKind::list) tx.raise(FtpEvent::file_before_port);
    return;
  }
  FtpTransfer transfer;
  transfer.active = active_;
  transfer.where = *data_;
  transfer.what.kind = kind;
  // Whoever stores has the client's role in it, which it opens only if it is passive.
  transfer.what.to_server = (kind == FtpTransferKind::store) != active_;
  const std::string_view command = tx.command();
  std::copy_n(command.begin(), std::min(command.size(), transfer.what.command.size()),
              transfer.what.command.begin());
  if (kind != FtpTransferKind::list) {
    const std::string_view name = tx.argument().substr(0, Expectation::kName);
    std::copy(name.begin(), name.end(), transfer.what.name.begin());
    transfer.what.name_size = static_cast<uint16_t>(name.size());
  }
  transfer_ = transfer;
  data_.reset();
}

FtpParser::Step FtpParser::on_reply(std::string_view line, bool cut) {
  if (line.empty()) return Step::go_on;
  FtpTransaction* tx = oldest_open();
  if (tx == nullptr && (tx = make_transaction()) == nullptr) return Step::no_memory;
  if (!tx->add_reply(line, cut)) return Step::no_memory;
  if (cut) tx->raise(FtpEvent::response_too_long);
  const std::string_view code = is_code(line) ? line.substr(0, 3) : std::string_view{};
  const std::string_view begun(multiline_.data(), multiline_.front() == 0 ? 0 : multiline_.size());
  // A reply of several lines ends with its code and a blank (RFC 959 section 4.2).
  if (!begun.empty() && (code != begun || (line.size() > 3 && line[3] == '-'))) return Step::go_on;
  if (begun.empty() && !code.empty() && line.size() > 3 && line[3] == '-') {
    std::copy(code.begin(), code.end(), multiline_.begin());
    return Step::go_on;
  }
  multiline_ = {};
  if (!code.empty() && code[0] == '1') return Step::go_on;  // another one follows
  const std::string_view command = tx->command();
  if ((code == "227" && command == "PASV") || (code == "229" && command == "EPSV")) on_passive(*tx, line);
  tx->complete(true);
  const bool secured = code == "234" && command == "AUTH";
  return secured ? Step::other : Step::go_on;
}

Advance FtpParser::advance(Direction direction, std::span<const uint8_t> bytes, uint64_t) {
  constexpr size_t kLinesAtOnce = 16;
  Advance done;
  if (failed_) {
    done.consumed = bytes.size();
    return done;
  }
  std::span<const uint8_t> rest = bytes;
  LineReader& lines = lines_[index_of(direction)];
  Step step = Step::go_on;
  size_t taken = 0;
  while (!rest.empty() && step == Step::go_on) {
    // What is announced has to be fetched before the next is.
    if (taken == kLinesAtOnce || transfer_) {
      step = Step::again;
      break;
    }
    switch (lines.take(rest, kLine)) {
      case LineReader::Take::more:
        break;
      case LineReader::Take::no_memory:
        step = Step::no_memory;
        break;
      case LineReader::Take::line: {
        ++taken;
        if (std::exchange(resync_[index_of(direction)], false)) break;
        const std::string_view line = as_text(lines.content());
        step = direction == kServer ? on_command(line, lines.cut()) : on_reply(line, lines.cut());
        break;
      }
    }
  }
  done.work = done.consumed = bytes.size() - rest.size();
  done.both_moved = direction != kServer;
  if (step == Step::again) done.next = Next::again;
  if (step == Step::other) {
    done.next = Next::other;
    for (size_t i = 0; i < list_.size(); ++i) list_[i].complete(false);
  }
  if (step == Step::no_memory || step == Step::too_many) {
    failed_ = true;
    done.error = step == Step::no_memory ? AppError::memory : AppError::transactions;
    done.next = Next::ended;
    done.consumed = bytes.size();
  }
  return done;
}

Advance FtpParser::gap(Direction direction, uint64_t, uint64_t) {
  lines_[index_of(direction)].forget();
  resync_[index_of(direction)] = true;
  multiline_ = {};
  return {};
}

Advance FtpParser::end_of_stream(Direction direction, uint64_t) {
  Advance done;
  if (direction == kServer) return done;  // replies may still come
  for (size_t i = 0; i < list_.size(); ++i) list_[i].complete(false);
  done.both_moved = true;
  return done;
}

}  // namespace weir::inspection
