#include "dataplane/net/ftp_text.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace weir::net {

namespace {

using Found = FtpScanner::Found;

constexpr size_t kDigits = 5;  // of a number, with zeros in front

/// The words that lines with an endpoint begin with; the second one's is extended.
constexpr std::string_view kCommands[] = {"PORT ", "EPRT "};
constexpr std::string_view kReplies[] = {"227 ", "229 "};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
char in_capitals(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

/// Takes a number from the front.
std::optional<unsigned> take_number(std::string_view& text) {
  size_t size = 0;
  unsigned value = 0;
  while (size < text.size() && size < kDigits && is_digit(text[size]))
    value = value * 10 + static_cast<unsigned>(text[size++] - '0');
  if (size == 0) return std::nullopt;
  text.remove_prefix(size);
  return value;
}

Found judge_host_port(std::string_view text, FtpEndpoint& out) {
  std::array<unsigned, 6> numbers{};
  std::string_view rest = text;
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0) {
      if (rest.front() != ',') return Found::no;
      rest.remove_prefix(std::min(rest.find_first_not_of(' ', 1), rest.size()));
      if (rest.empty()) return Found::held;
    }
    const auto number = take_number(rest);
    if (!number || *number > 255) return Found::no;
    if (rest.empty()) return Found::held;  // further digits may follow
    numbers[i] = *number;
  }
  out.form = FtpEndpoint::Form::host_port;
  out.size = static_cast<uint16_t>(text.size() - rest.size());
  out.address = IpAddress(Ipv4{numbers[0] << 24 | numbers[1] << 16 | numbers[2] << 8 | numbers[3]});
  out.port = static_cast<uint16_t>(numbers[4] << 8 | numbers[5]);
  return out.port != 0 && !is_digit(rest.front()) ? Found::endpoint : Found::no;
}

/// It begins with the delimiter, which may be any sign.
Found judge_extended(std::string_view text, bool reply, FtpEndpoint& out) {
  if (text.back() == '\r' || text.back() == '\n') return Found::no;
  std::array<std::string_view, 3> fields;
  size_t at = 1;
  for (std::string_view& field : fields) {
    const size_t end = text.find(text.front(), at);
    if (end == std::string_view::npos) return Found::held;
    field = text.substr(at, end - at);
    at = end + 1;
  }
  const bool port_alone = reply && fields[1].empty();
  out.form = port_alone ? FtpEndpoint::Form::port_alone : FtpEndpoint::Form::extended;
  out.size = static_cast<uint16_t>(at);
  const auto port = take_number(fields[2]);
  if (!port || *port == 0 || *port > UINT16_MAX || !fields[2].empty()) return Found::no;
  out.port = static_cast<uint16_t>(*port);
  if (port_alone) return Found::endpoint;
  const auto address = parse_ip(fields[1]);
  if (!address) return Found::no;
  out.address = *address;
  return Found::endpoint;
}

std::optional<FtpEndpoint> read_line(std::string_view line, bool reply) {
  FtpScanner scanner(reply);
  size_t begin = 0;
  for (size_t i = 0; i <= line.size() && !scanner.skips(); ++i) {
    FtpEndpoint found;
    const Found what = scanner.take(i < line.size() ? line[i] : '\n', found);
    if (what == Found::held && scanner.held().size() == 1) begin = i;
    if (what != Found::endpoint) continue;
    found.begin = static_cast<uint16_t>(begin);
    return found;
  }
  return std::nullopt;
}

char* write_number(char* at, unsigned value) { return std::to_chars(at, at + 5, value).ptr; }

}  // namespace

void FtpScanner::begin_line() {
  state_ = State::word;
  at_ = 0;
  words_ = 0b11;
}

void FtpScanner::read_word(char c) {
  for (unsigned i = 0; i < 2; ++i) {
    const std::string_view word = (reply_ ? kReplies : kCommands)[i];
    if ((words_ >> i & 1) == 0) continue;
    if (word[at_] != in_capitals(c)) {
      words_ = static_cast<uint8_t>(words_ & ~(1u << i));
    } else if (at_ + 1u == word.size()) {
      state_ = State::seek;
      behind_digit_ = false;
    }
  }
  if (words_ == 0) state_ = State::skip;
}

bool FtpScanner::begins_endpoint(char c) {
  if ((words_ & 1) != 0) {
    const bool goes_on = std::exchange(behind_digit_, is_digit(c));
    return is_digit(c) && !goes_on;
  }
  if (!reply_) return c != ' ';
  if (state_ == State::open) return true;
  if (c == '(') state_ = State::open;
  return false;
}

Found FtpScanner::judge(FtpEndpoint& out) const {
  const Found found = (words_ & 1) != 0 ? judge_host_port(held(), out) : judge_extended(held(), reply_, out);
  return found == Found::held && held_size_ == held_.size() ? Found::no : found;
}

Found FtpScanner::take(char c, FtpEndpoint& out) {
  Found found = Found::nothing;
  if (state_ == State::held) {
    held_[held_size_++] = c;
    found = judge(out);
    if (found == Found::no) behind_digit_ = is_digit(c);
    if (found == Found::no && (words_ & 1) != 0)
      state_ = State::seek;
    else if (found != Found::held)
      state_ = State::skip;
  } else if (c != '\n' && state_ != State::skip) {
    if (at_ >= kFtpLine) {
      state_ = State::skip;
    } else if (state_ == State::word) {
      read_word(c);
    } else if (begins_endpoint(c)) {
      held_[0] = c;
      held_size_ = 1;
      state_ = State::held;
      found = Found::held;
    }
  }
  ++at_;
  if (c == '\n') begin_line();
  return found;
}

std::optional<FtpEndpoint> read_ftp_command(std::string_view line) { return read_line(line, false); }
std::optional<FtpEndpoint> read_ftp_reply(std::string_view line) { return read_line(line, true); }

size_t write_ftp_endpoint(FtpEndpoint::Form form, const IpAddress& address, uint16_t port,
                          std::span<char, kFtpEndpointText> out) {
  char* at = out.data();
  if (form == FtpEndpoint::Form::host_port) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      at = write_number(at, address.v4().value >> shift & 0xff);
      *at++ = ',';
    }
    at = write_number(at, port >> 8u);
    *at++ = ',';
    at = write_number(at, port & 0xffu);
    return static_cast<size_t>(at - out.data());
  }
  *at++ = '|';
  if (form == FtpEndpoint::Form::extended) {
    std::array<uint8_t, 16> bytes{};
    *at++ = address.is_v4() ? '1' : '2';
    *at++ = '|';
    if (address.is_v4()) {
      const uint32_t v4 = htonl(address.v4().value);
      std::copy_n(reinterpret_cast<const uint8_t*>(&v4), sizeof v4, bytes.begin());
    } else {
      address.v6().store(bytes.data());
    }
    // It writes INET6_ADDRSTRLEN bytes at most, and takes nothing from the heap.
    inet_ntop(address.is_v4() ? AF_INET : AF_INET6, bytes.data(), at, INET6_ADDRSTRLEN);
    at = std::find(at, at + INET6_ADDRSTRLEN, '\0');
  } else {
    *at++ = '|';
  }
  *at++ = '|';
  at = write_number(at, port);
  *at++ = '|';
  return static_cast<size_t>(at - out.data());
}

}  // namespace weir::net
