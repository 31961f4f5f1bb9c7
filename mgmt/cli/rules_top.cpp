#include "mgmt/cli/rules_top.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <vector>

#include "mgmt/cli/fields.h"
#include "mgmt/cli/print.h"

namespace weir::cli {

namespace {

constexpr double kNanosPerSecond = 1e9;
constexpr size_t kLongestMessage = 60;

std::string decimal(double value, int digits) {
  char out[64];
  std::snprintf(out, sizeof out, "%.*f", digits, value);
  return out;
}

std::string names_of(const Json& object, const char* key) {
  std::string out;
  for (const Json& name : list(object, key)) {
    if (name.is_string()) out += (out.empty() ? "" : ",") + text(Json{{"name", name}}, "name");
  }
  return out.empty() ? "-" : out;
}

/// Elements of an answer by what tells them apart.
using Known = std::map<std::string, const Json*>;

std::string rule_key(const Json& rule) {
  return text(rule, "gid") + ":" + text(rule, "sid") + " " + names_of(rule, "profiles");
}
std::string buffer_key(const Json& buffer) {
  return text(buffer, "buffer") + " " + text(buffer, "direction") + " " + names_of(buffer, "profiles");
}

template <typename Key>
Known known_of(const Json& answer, const char* field, Key&& key) {
  Known known;
  for (const Json& element : list(answer, field)) known.emplace(key(element), &element);
  return known;
}

/// How far a counter moved since the element of that name was seen.
class Since {
 public:
  Since(const Known& known, const std::string& key) {
    const auto found = known.find(key);
    if (found != known.end()) before_ = found->second;
  }
  uint64_t moved(const Json& after, const char* key) const {
    const uint64_t now = number(after, key), then = before_ != nullptr ? number(*before_, key) : 0;
    return now >= then ? now - then : now;
  }

 private:
  const Json* before_ = nullptr;
};

struct RuleRow {
  uint64_t work = 0;
  std::vector<std::string> cells;  // without its share
};

std::string rules_table(const Json& before, const Json& after, size_t max) {
  const Known known = known_of(before, "rules", rule_key);
  std::vector<RuleRow> rows;
  uint64_t all = 0;
  for (const Json& rule : list(after, "rules")) {
    const Since since(known, rule_key(rule));
    const uint64_t work = since.moved(rule, "work"), matched = since.moved(rule, "matched");
    all += work;
    if (work == 0 && matched == 0) continue;
    std::string message = text(rule, "msg").substr(0, kLongestMessage);
    if (const std::string out = names_of(rule, "fuse_out"); out != "-")
      message = "[fuse out: " + out + "] " + message;
    rows.push_back({work,
                    {std::to_string(work), std::to_string(since.moved(rule, "verified")),
                     std::to_string(matched), std::to_string(since.moved(rule, "given_up")),
                     text(rule, "gid") + ":" + text(rule, "sid"), message}});
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const RuleRow& a, const RuleRow& b) { return a.work > b.work; });
  std::vector<std::vector<std::string>> cells;
  for (size_t i = 0; i < std::min(max, rows.size()); ++i) {
    cells.push_back(
        {all == 0 ? "-"
                  : decimal(static_cast<double>(rows[i].work) * 100 / static_cast<double>(all), 1) + " %"});
    cells.back().insert(cells.back().end(), rows[i].cells.begin(), rows[i].cells.end());
  }
  return table({"share", "work", "verified", "matched", "given up", "rule", "message"}, cells,
               {true, true, true, true, true, false, false});
}

std::string buffers_table(const Json& before, const Json& after) {
  const Known known = known_of(before, "buffers", buffer_key);
  std::vector<std::pair<uint64_t, std::vector<std::string>>> rows;
  for (const Json& buffer : list(after, "buffers")) {
    const Since since(known, buffer_key(buffer));
    const uint64_t bytes = since.moved(buffer, "bytes"), candidates = since.moved(buffer, "candidates");
    if (since.moved(buffer, "scans") == 0) continue;
    rows.push_back(
        {bytes,
         {text(buffer, "buffer"), text(buffer, "direction"), std::to_string(since.moved(buffer, "scans")),
          std::to_string(bytes), std::to_string(candidates),
          bytes == 0 ? "-" : decimal(static_cast<double>(candidates) * 1024 / static_cast<double>(bytes), 2),
          text(buffer, "literals"), names_of(buffer, "profiles")}});
  }
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::vector<std::string>> cells;
  for (auto& [bytes, row] : rows) cells.push_back(std::move(row));
  return table({"buffer", "direction", "scans", "bytes", "candidates", "per KB", "literals", "profiles"},
               cells, {false, false, true, true, true, true, true, false});
}

}  // namespace

std::string print_rules_top(const Json& before, const Json& after, size_t max) {
  std::string out;
  if (before.is_object()) {
    const double seconds =
        static_cast<double>(number(after, "now_ns") - number(before, "now_ns")) / kNanosPerSecond;
    out = "in " + decimal(seconds, 2) + " s\n\n";
  } else {
    out = "since the rules were read\n\n";
  }
  return out + rules_table(before, after, max) + "\n" + buffers_table(before, after);
}

std::string print_rules_explain(const Json& answer) {
  std::string out;
  for (const Json& rule : list(answer, "rules")) {
    const bool proposed = text(rule, "proposed_in") != "-" && !text(rule, "proposed_in").empty();
    out += (out.empty() ? "" : "\n") + text(rule, "rule") + ": " + text(rule, "msg") + "\n";
    const std::pair<const char*, std::string> lines[] = {
        {"stands at", text(rule, "place")},
        {"profiles", names_of(rule, "profiles")},
        {"action",
         text(rule, "action") +
             (names_of(rule, "fuse_out") == "-" ? "" : ", its fuse is out in " + names_of(rule, "fuse_out"))},
        {"judged by", text(rule, "judged_by")},
        {"proposed by", proposed ? "\"" + text(rule, "proposed_by") + "\"" +
                                       (rule.value("nocase", false) ? " (nocase)" : "") + " in " +
                                       text(rule, "proposed_in")
                                 : "nothing"},
        {"conditions", text(rule, "conditions").empty() ? "the header alone" : text(rule, "conditions")},
        {"so far", "verified " + text(rule, "verified") + ", matched " + text(rule, "matched") + ", work " +
                       text(rule, "work") + ", given up " + text(rule, "given_up")}};
    for (const auto& [name, value] : lines)
      out += "  " + std::string(name) + std::string(13 - std::string(name).size(), ' ') + value + "\n";
  }
  return out;
}

}  // namespace weir::cli
