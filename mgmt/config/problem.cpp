#include "mgmt/config/problem.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <tuple>

namespace weir::config {

namespace {

/// Levenshtein's distance, or `limit` if it is at least that.
size_t edit_distance(std::string_view a, std::string_view b, size_t limit) {
  const size_t gap = a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
  if (gap >= limit) return limit;
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    size_t least = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
      least = std::min(least, row[j]);
    }
    if (least >= limit) return limit;
  }
  return std::min(row[b.size()], limit);
}

}  // namespace

std::string to_string(const Problem& problem) {
  std::string text = problem.where.file;
  if (problem.where.line != 0) {
    text += ":" + std::to_string(problem.where.line);
    if (problem.where.column != 0) text += ":" + std::to_string(problem.where.column);
  }
  if (!text.empty()) text += ": ";
  if (!problem.key.empty()) text += problem.key + ": ";
  return text + problem.message;
}

void Problems::add(Location where, std::string key, std::string message) {
  if (!full()) list_.push_back({std::move(where), std::move(key), std::move(message)});
}

std::vector<Problem> Problems::take() {
  if (list_.empty()) return {};
  const bool cut = full();
  const std::string own = list_.front().where.file;  // before those of the files that it names
  std::stable_sort(list_.begin(), list_.end(), [&own](const Problem& a, const Problem& b) {
    const bool first = a.where.file == own, second = b.where.file == own;
    if (first != second) return first;
    return std::tie(a.where.line, a.where.column) < std::tie(b.where.line, b.where.column);
  });
  if (cut) {
    list_.push_back({{list_.front().where.file, 0, 0},
                     "",
                     "there may be more problems; " + std::to_string(kMax) + " are shown"});
  }
  return std::move(list_);
}

std::string escaped(std::string_view text, size_t max) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    // A cut falls between characters: UTF-8 continuation bytes are 10xxxxxx.
    if (i >= max && (static_cast<uint8_t>(text[i]) & 0xc0) != 0x80) {
      out += "...";
      break;
    }
    const auto c = static_cast<uint8_t>(text[i]);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += text[i];
    } else if (c < 0x20 || c == 0x7f) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", c);
      out += code;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string in_quotes(std::string_view text) { return '"' + escaped(text) + '"'; }

std::string_view nearest(std::string_view text, const std::vector<std::string_view>& known) {
  constexpr size_t kMaxCompared = 128;
  if (text.size() > kMaxCompared) return {};
  // Half of the letters may differ: `prd` finds `prod`, `wan` does not find `shared`.
  size_t best = text.size() / 2 + 2;
  std::string_view result;
  for (const std::string_view candidate : known) {
    if (candidate.size() > kMaxCompared) continue;
    const size_t limit = std::min(best, std::max(text.size(), candidate.size()));
    const size_t distance = edit_distance(text, candidate, limit);
    if (distance < limit) {
      best = distance;
      result = candidate;
    }
  }
  return result;
}

std::string no_such(std::string_view kind, std::string_view name,
                    const std::vector<std::string_view>& known) {
  std::string text = "no " + std::string(kind) + " is called " + in_quotes(name);
  const auto near = nearest(name, known);
  return near.empty() ? text : text + "; the nearest is " + in_quotes(near);
}

std::string listed(const std::vector<std::string_view>& names, size_t max) {
  std::string out;
  const size_t shown = std::min(names.size(), max);
  for (size_t i = 0; i < shown; ++i) {
    if (i > 0) out += i + 1 == names.size() ? " and " : ", ";
    out += in_quotes(names[i]);
  }
  if (shown < names.size()) out += " and " + std::to_string(names.size() - shown) + " more";
  return out;
}

}  // namespace weir::config
