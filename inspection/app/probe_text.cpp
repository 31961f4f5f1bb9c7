// Protocols of lines in clear: SSH's banner, the greetings and commands of SMTP and FTP, the greetings of
// POP3 and IMAP.
#include <algorithm>
#include <array>
#include <utility>

#include "inspection/app/probes.h"

namespace weir::inspection::probe {

namespace {

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

bool same(char a, char b) { return upper(a) == upper(b); }

bool contains(std::string_view all, std::string_view word) {
  return std::search(all.begin(), all.end(), word.begin(), word.end(), same) != all.end();
}

bool begins(std::string_view all, std::string_view word) {
  return all.size() >= word.size() && std::equal(word.begin(), word.end(), all.begin(), same);
}

/// The whole of `all` may still become `word`.
bool may_become(std::string_view all, std::string_view word) {
  return all.size() < word.size() && begins(word, all);
}

/// A word of the client, and what has to follow it: a blank, the line's end, or either.
struct Command {
  enum class Then : uint8_t { blank, end, either };
  std::string_view word;
  Then then;
  AppProtocol protocol;  // unknown: of both
};

using Then = Command::Then;
constexpr AppProtocol kSmtp = AppProtocol::smtp, kFtp = AppProtocol::ftp, kBoth = AppProtocol::unknown;
// RFC 5321 section 4.1, RFC 959 section 4.1, RFC 2228, RFC 2389, RFC 2428.
constexpr Command kCommands[] = {
    {"EHLO", Then::blank, kSmtp},      {"HELO", Then::blank, kSmtp},  {"MAIL FROM:", Then::either, kSmtp},
    {"RCPT TO:", Then::either, kSmtp}, {"AUTH TLS", Then::end, kFtp}, {"AUTH SSL", Then::end, kFtp},
    {"AUTH GSSAPI", Then::end, kFtp},  {"FEAT", Then::end, kFtp},     {"SYST", Then::end, kFtp},
    {"PASV", Then::end, kFtp},         {"EPSV", Then::either, kFtp},  {"PORT", Then::blank, kFtp},
    {"EPRT |", Then::either, kFtp},    {"USER", Then::blank, kBoth},  {"PASS", Then::blank, kBoth},
    {"OPTS UTF8", Then::either, kFtp}, {"CLNT", Then::blank, kFtp}};

bool follows(std::string_view rest, Then then) {
  const bool blank = rest[0] == ' ', end = rest[0] == '\r' || rest[0] == '\n';
  return then == Then::either || (then == Then::blank ? blank : end);
}

/// The names that only a server of that protocol has in its greeting.
Recognition greeting(std::string_view all) {
  constexpr std::string_view kReady = "220";
  if (may_become(all, kReady)) return kMore;
  if (!begins(all, kReady)) return kNo;
  if (all.size() == kReady.size()) return kMore;
  if (all[3] != ' ' && all[3] != '-') return kNo;
  if (contains(all, "SMTP") || contains(all, " mail ")) return yes(kSmtp, true);
  // "(vsFTPd 3.0.5)", "FTP server ready", "ProFTPD".
  if (contains(all, "FTP")) return yes(kFtp, true);
  return kMore;
}

/// A name to log in with is one word; IRC's USER has four.
bool one_word(std::string_view line) {
  const size_t begin = line.find_first_not_of(' ', line.find(' '));
  if (begin == std::string_view::npos) return false;
  return line.find(' ', begin) == std::string_view::npos;
}

/// USER and PASS: FTP's where the server greeted so, or where nothing is known of the server (one direction
/// alone is seen). POP3, IRC and others have them, too.
Recognition log_in(std::string_view all, const StreamBefore& before) {
  if (before.none) return kNo;
  if (!before.begin.empty()) return begins(text(before.begin), "220") ? yes(kFtp) : kMore;
  const size_t end = all.find_first_of("\r\n");
  if (end == std::string_view::npos) return kMore;
  return begins(all, "USER") && one_word(all.substr(0, end)) ? yes(kFtp) : kMore;
}

}  // namespace

Recognition ssh(Direction direction, Bytes bytes) {
  // RFC 4253 section 4.2; versions are "2.0", "1.99", and those of the old protocol.
  constexpr std::string_view kBanner = "SSH-";
  const std::string_view all = text(bytes);
  const std::string_view begin = all.substr(0, kBanner.size());
  if (begin != kBanner.substr(0, begin.size())) return kNo;
  if (all.size() <= kBanner.size()) return kMore;
  const bool version = all[kBanner.size()] == '1' || all[kBanner.size()] == '2';
  return version ? yes(AppProtocol::ssh, direction == Direction::to_client) : kNo;
}

Recognition mail_or_files(Direction direction, Bytes bytes, const StreamBefore& before) {
  const std::string_view all = text(bytes);
  if (direction == Direction::to_client) return greeting(all);
  for (const Command& command : kCommands) {
    if (may_become(all, command.word) || all.size() == command.word.size()) {
      if (begins(command.word, all)) return kMore;
      continue;
    }
    if (!begins(all, command.word) || !follows(all.substr(command.word.size()), command.then)) continue;
    return command.protocol == kBoth ? log_in(all, before) : yes(command.protocol);
  }
  return kNo;
}

Recognition mailbox(Direction direction, Bytes bytes, const StreamBefore& before) {
  // RFC 1939 section 4; RFC 9051 section 7.1. Redis answers "+OK", too, but does not greet.
  constexpr std::pair<std::string_view, AppProtocol> kGreetings[] = {{"+OK ", AppProtocol::pop3},
                                                                     {"* OK ", AppProtocol::imap},
                                                                     {"* PREAUTH ", AppProtocol::imap},
                                                                     {"* BYE ", AppProtocol::imap}};
  if (direction == Direction::to_server || before.none || before.midstream || !before.begin.empty())
    return kNo;
  const std::string_view all = text(bytes);
  for (const auto& [word, protocol] : kGreetings) {
    if (begins(all, word)) return yes(protocol, true);
    if (may_become(all, word)) return kMore;
  }
  return kNo;
}

}  // namespace weir::inspection::probe
