#include "mgmt/config/route_lines.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "mgmt/config/change_reader.h"
#include "mgmt/config/schema.h"
#include "mgmt/config/values.h"

namespace weir::config {

namespace {

constexpr bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/// Dotted IPv4 with a length and no host bits, the form that nearly every line has; all else is left to
/// net::parse_prefix().
bool parse_ipv4_prefix(std::string_view text, net::Prefix& out) {
  const char* at = text.data();
  const char* const end = at + text.size();
  uint32_t address = 0;
  for (unsigned part = 0; part < 4; ++part) {
    unsigned value = 0;
    const char* const digits = at;
    while (at != end && *at >= '0' && *at <= '9' && at - digits < 3)
      value = value * 10 + unsigned(*at++ - '0');
    const bool leading_zero = at - digits > 1 && *digits == '0';
    if (at == digits || value > 255 || leading_zero) return false;
    address = address << 8 | value;
    if (at == end || *at != (part < 3 ? '.' : '/')) return false;
    ++at;
  }
  unsigned length = 0;
  const auto [stop, error] = std::from_chars(at, end, length);
  if (error != std::errc{} || stop != end || length > 32) return false;
  const uint32_t mask = length == 0 ? 0 : ~0u << (32 - length);
  if ((address & ~mask) != 0) return false;
  out = {net::Ipv4{address}, static_cast<uint8_t>(length)};
  return true;
}

bool parse_any_prefix(std::string_view text, net::Prefix& out) {
  if (parse_ipv4_prefix(text, out)) return true;
  const auto prefix = net::parse_prefix(text);
  if (prefix) out = *prefix;
  return prefix.has_value();
}

Route route_of(const RouteLine& line, const std::string& file) {
  Route route;
  route.domain = line.domain;
  route.prefix = line.prefix;
  route.attachment = line.attachment;
  route.via = line.via;
  route.weight = line.weight;
  route.ecmp = line.ecmp;
  route.blackhole = line.blackhole;
  if (!file.empty()) route.where = {file, line.line, 1};
  return route;
}

}  // namespace

bool RouteLines::next(RouteLine& line) {
  while (!rest_.empty() && !problems_.full()) {
    const void* newline = std::memchr(rest_.data(), '\n', rest_.size());
    const size_t length = newline == nullptr
                              ? rest_.size()
                              : static_cast<size_t>(static_cast<const char*>(newline) - rest_.data());
    const std::string_view text = rest_.substr(0, length);
    rest_.remove_prefix(std::min(length + 1, rest_.size()));
    ++number_;
    if (parse(text, line)) return true;
  }
  return false;
}

/// False for a line that says nothing, or is wrong.
bool RouteLines::parse(std::string_view text, RouteLine& line) {
  line_ = left_ = text;
  line = RouteLine{};
  line.line = number_;
  return !word().empty() && parse_words(line);
}

/// The next word, which is `word_` then; empty at the end of the line or where a comment begins.
std::string_view RouteLines::word() {
  size_t begin = 0;
  while (begin < left_.size() && is_space(left_[begin])) ++begin;
  size_t end = begin;
  while (end < left_.size() && !is_space(left_[end])) ++end;
  if (begin < left_.size() && left_[begin] == '#') begin = end = left_.size();
  word_ = left_.substr(begin, end - begin);
  left_.remove_prefix(end);
  return word_;
}

bool RouteLines::parse_words(RouteLine& line) {
  if (verb_) {
    line.verb = *verb_;
  } else {
    const auto verb = verb_of(word_);
    if (!verb || is_of_members(*verb)) {
      return report("",
                    in_quotes(word_) + " is no verb; a line begins with \"add\", \"remove\" or \"replace\"");
    }
    line.verb = *verb;
    word();
  }
  if (!name("route[].domain", line.domain)) return false;
  if (word().empty()) return wrong("route[].prefix", "");
  if (!parse_any_prefix(word_, line.prefix)) return wrong("route[].prefix", word_);
  word();
  if (word_.empty() && line.verb == ChangeVerb::remove) return true;
  return parse_target(line);
}

bool RouteLines::parse_target(RouteLine& line) {
  if (word_ == "blackhole") {
    line.blackhole = true;
    if (word().empty()) return true;
    return report("route[].blackhole", "a blackhole route leads nowhere; nothing follows it on the line");
  }
  if (word_ != "attachment") {
    const std::string found = word_.empty() ? "the line ends" : "found " + in_quotes(word_);
    return report("route[]", "after the prefix comes \"attachment NAME\" or \"blackhole\"; " + found);
  }
  word();
  if (!name("route[].attachment", line.attachment)) return false;
  bool weighed = false;
  while (!word().empty()) {
    const bool twice =
        (word_ == "via" && line.via) || (word_ == "weight" && weighed) || (word_ == "ecmp" && line.ecmp);
    if (twice) return report("route[]." + std::string(word_), "it stands twice on the line");
    weighed |= word_ == "weight";
    if (!parse_option(word_, line)) return false;
  }
  return true;
}

bool RouteLines::parse_option(std::string_view option, RouteLine& line) {
  if (option == "via") {
    line.via = net::parse_ip(word());
    return line.via || wrong("route[].via", word_);
  }
  if (line.verb == ChangeVerb::remove) {
    return report("route[]", "a removal says no more than what names the route, so " + in_quotes(option) +
                                 " does not belong here");
  }
  if (option == "ecmp") {
    line.ecmp = true;
    return true;
  }
  if (option != "weight") {
    return report("route[]",
                  in_quotes(option) +
                      " is no word of a route; after the attachment there may be \"via ADDRESS\", \"weight "
                      "N\" and \"ecmp\"");
  }
  word();
  if (problem_of_text("route[].weight", word_)) return wrong("route[].weight", word_);
  std::from_chars(word_.data(), word_.data() + word_.size(), line.weight);
  return true;
}

bool RouteLines::name(std::string_view key, std::string_view& out) {
  if (!is_name(word_)) return wrong(key, word_);
  out = word_;
  return true;
}

/// A value that the key table refuses, in its words.
bool RouteLines::wrong(std::string_view key, std::string_view value) {
  const auto message =
      value.empty() ? missing_text(key) : problem_of_text(key, value).value_or("it is not understood");
  return report(key, message);
}

bool RouteLines::report(std::string_view key, std::string message) {
  const bool at_end = word_.empty();
  const auto column = static_cast<uint32_t>(at_end ? line_.size() : word_.data() - line_.data()) + 1;
  problems_.add(file_.empty() ? Location{} : Location{file_, number_, column}, std::string(key),
                std::move(message));
  return false;
}

void read_route_lines(std::string_view text, const std::string& file, std::vector<Route>& routes,
                      Problems& problems) {
  RouteLines lines(text, ChangeVerb::add, file, problems);
  routes.reserve(routes.size() + static_cast<size_t>(std::count(text.begin(), text.end(), '\n')));
  for (RouteLine line; lines.next(line);) routes.push_back(route_of(line, file));
}

tl::expected<ModelChanges, std::vector<Problem>> read_route_changes(std::string_view text,
                                                                    const std::string& source,
                                                                    std::optional<ChangeVerb> verb) {
  Problems problems;
  if (verb && is_of_members(*verb)) {
    problems.add({source, 0, 0}, "", "routes have no members; only groups do");
    return tl::unexpected(problems.take());
  }
  RouteLines lines(text, verb, source, problems);
  ModelChanges changes;
  for (RouteLine line; lines.next(line);) changes.push_back({line.verb, route_of(line, source)});
  if (!problems.empty()) return tl::unexpected(problems.take());
  return changes;
}

std::string to_line(const Route& route) {
  std::string line = route.domain + " " + net::to_string(route.prefix);
  if (route.blackhole) return line + " blackhole";
  if (route.attachment.empty()) return line;
  line += " attachment " + route.attachment;
  if (route.via) line += " via " + net::to_string(*route.via);
  if (route.weight != 1) line += " weight " + std::to_string(route.weight);
  return route.ecmp ? line + " ecmp" : line;
}

}  // namespace weir::config
