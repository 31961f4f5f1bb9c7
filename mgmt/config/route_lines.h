// Routes as lines of words, for sets too large for TOML: a routes file has one a line, a batch has a verb
// before each.
//
//     prod 10.9.0.0/16 attachment spoke-7 via 10.1.0.2 weight 3 ecmp
//     prod 10.66.0.0/16 blackhole                  # a comment
//     add prod 10.9.0.0/16 attachment spoke-7      (in a batch)
//     remove prod 10.9.0.0/16
//
// Hand-written over a span: a million lines take a fraction of a second. Checks and words of messages are
// those of the key table. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "mgmt/config/change.h"
#include "mgmt/config/problem.h"

namespace weir::config {

/// One line; the names are views into the text.
struct RouteLine {
  ChangeVerb verb = ChangeVerb::add;
  std::string_view domain;
  net::Prefix prefix;
  std::string_view attachment;
  std::optional<net::IpAddress> via;
  uint32_t weight = 1;
  bool ecmp = false;
  bool blackhole = false;
  uint32_t line = 0;
};

class RouteLines {
 public:
  /// Without a `verb` each line begins with one. `file` names the text in `problems`, which outlive the
  /// reader.
  RouteLines(std::string_view text, std::optional<ChangeVerb> verb, std::string file, Problems& problems)
      : rest_(text), verb_(verb), file_(std::move(file)), problems_(problems) {}

  /// The next line that is right; what is wrong with lines before it was reported. False at the end, or when
  /// there are too many problems to go on.
  bool next(RouteLine& line);

 private:
  bool parse(std::string_view text, RouteLine& line);
  bool parse_words(RouteLine& line);
  bool parse_target(RouteLine& line);
  bool parse_option(std::string_view word, RouteLine& line);
  std::string_view word();
  bool name(std::string_view key, std::string_view& out);
  bool wrong(std::string_view key, std::string_view value);
  bool report(std::string_view key, std::string message);

  std::string_view rest_;
  std::optional<ChangeVerb> verb_;
  std::string file_;
  Problems& problems_;
  std::string_view line_;  // the line that is read, to count columns
  std::string_view left_;  // of it
  std::string_view word_;  // the last word of it
  uint32_t number_ = 0;
};

/// A routes file, appended to `routes`; problems are reported and their lines left out.
void read_route_lines(std::string_view text, const std::string& file, std::vector<Route>& routes,
                      Problems& problems);

/// A batch, in its order, or every problem that it has. With a `verb` its lines begin with none.
tl::expected<ModelChanges, std::vector<Problem>> read_route_changes(
    std::string_view text, const std::string& source, std::optional<ChangeVerb> verb = std::nullopt);

/// One route as a line of a routes file, without the end of the line.
std::string to_line(const Route& route);

}  // namespace weir::config
