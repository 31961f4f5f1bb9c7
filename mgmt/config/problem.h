// What is wrong with a configuration: a place, a key, a sentence.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mgmt/config/config.h"

namespace weir::config {

/// One thing that is wrong. `key` is a path of the key table, as `attachment[].domain`; empty if it is no one
/// key.
struct Problem {
  Location where;
  std::string key;
  std::string message;  // a sentence for a network engineer, without a full stop
};

/// `FILE:LINE:COLUMN: KEY: message`; parts that are not known are left out.
std::string to_string(const Problem& problem);

/// Gathers problems up to a ceiling, so that a hostile file cannot make the list (or the search for the
/// nearest known name, which each one costs) grow without bound.
class Problems {
 public:
  static constexpr size_t kMax = 1'000;

  void add(Location where, std::string key, std::string message);
  bool full() const { return list_.size() >= kMax; }
  bool empty() const { return list_.empty(); }
  /// In the order of the file. Once the ceiling is reached a last line says that there may be more.
  std::vector<Problem> take();

 private:
  std::vector<Problem> list_;
};

/// `text` with control characters, quotes and backslashes escaped, cut when it is longer than `max` bytes:
/// fit for a message about hostile input.
std::string escaped(std::string_view text, size_t max = 80);
/// The same in double quotes.
std::string in_quotes(std::string_view text);

/// The element of `known` with the least edit distance to `text`, or an empty view if none resembles it.
std::string_view nearest(std::string_view text, const std::vector<std::string_view>& known);

/// `no domain is called "x"`, and the nearest of `known` if one resembles it.
std::string no_such(std::string_view kind, std::string_view name,
                    const std::vector<std::string_view>& known = {});

/// `"a", "b" and "c"`, cut after `max` elements.
std::string listed(const std::vector<std::string_view>& names, size_t max = 12);

}  // namespace weir::config
