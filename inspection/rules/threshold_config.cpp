#include "inspection/rules/threshold_config.h"

#include <charconv>
#include <map>
#include <optional>
#include <string>

namespace weir::inspection::ast {

namespace {

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

using Fields = std::map<std::string, std::string, std::less<>>;

/// "type limit, track by_src, ip [a,b]" -> its fields; commas in brackets do not part them.
std::optional<Fields> fields_of(std::string_view text) {
  Fields fields;
  size_t begin = 0;
  int depth = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] == '[') ++depth;
    if (i < text.size() && text[i] == ']') --depth;
    if (i < text.size() && (text[i] != ',' || depth > 0)) continue;
    const std::string_view field = trim(text.substr(begin, i - begin));
    begin = i + 1;
    const size_t space = field.find_first_of(" \t");
    if (space == std::string_view::npos) return std::nullopt;
    const bool added =
        fields.emplace(std::string(field.substr(0, space)), std::string(trim(field.substr(space)))).second;
    if (!added) return std::nullopt;
  }
  return fields;
}

/// One line; the error is a sentence.
class LineReader {
 public:
  LineReader(const Fields& fields, ThresholdConfig& out) : fields_(fields), out_(out) {}

  std::string suppress() {
    Suppression suppression;
    if (!rule(suppression.rule)) return error_;
    const std::string* track = text("track");
    if (track == nullptr) {
      out_.suppressions.push_back(std::move(suppression));
      return {};
    }
    const std::map<std::string_view, Suppression::Of> words = {{"by_src", Suppression::Of::source},
                                                               {"by_dst", Suppression::Of::destination},
                                                               {"by_either", Suppression::Of::either}};
    const auto word = words.find(*track);
    const std::string* ip = text("ip");
    if (word == words.end() || ip == nullptr) return "Its track is by_src, by_dst or by_either, with an ip.";
    auto addresses = parse_address_expression(*ip);
    if (!addresses) return addresses.error();
    suppression.of = word->second;
    suppression.addresses = std::move(*addresses);
    out_.suppressions.push_back(std::move(suppression));
    return {};
  }

  std::string rate_filter() {
    RateFilter filter;
    if (!rule(filter.rule) || !track(filter.track) || !number("count", filter.count, 1) ||
        !number("seconds", filter.seconds, 1) || !number("timeout", filter.timeout, 0)) {
      return error_;
    }
    const std::map<std::string_view, Action> words = {
        {"alert", Action::alert}, {"drop", Action::drop}, {"pass", Action::pass}, {"reject", Action::reject}};
    const std::string* action = text("new_action");
    const auto word = action == nullptr ? words.end() : words.find(*action);
    if (word == words.end()) return "Its new_action is alert, drop, pass or reject.";
    filter.new_action = word->second;
    out_.rate_filters.push_back(filter);
    return {};
  }

  std::string threshold() {
    ConfiguredThreshold configured;
    Threshold& threshold = configured.threshold;
    if (!rule(configured.rule) || !track(threshold.track) || !number("count", threshold.count, 1) ||
        !number("seconds", threshold.seconds, 1)) {
      return error_;
    }
    const std::map<std::string_view, Threshold::Type> words = {{"limit", Threshold::Type::limit},
                                                               {"threshold", Threshold::Type::threshold},
                                                               {"both", Threshold::Type::both}};
    const std::string* type = text("type");
    const auto word = type == nullptr ? words.end() : words.find(*type);
    if (word == words.end()) return "Its type is limit, threshold or both.";
    threshold.type = word->second;
    out_.thresholds.push_back(configured);
    return {};
  }

 private:
  const std::string* text(std::string_view name) const {
    const auto field = fields_.find(name);
    return field == fields_.end() ? nullptr : &field->second;
  }
  bool number(std::string_view name, uint32_t& value, uint32_t least) {
    const std::string* field = text(name);
    const char* const end = field == nullptr ? nullptr : field->data() + field->size();
    if (field != nullptr) {
      const auto [rest, code] = std::from_chars(field->data(), end, value);
      if (code == std::errc{} && rest == end && value >= least) return true;
    }
    error_ = "It needs a number for " + std::string(name) + ".";
    return false;
  }
  bool rule(RuleNumber& rule) { return number("gen_id", rule.gid, 0) && number("sig_id", rule.sid, 0); }
  bool track(Threshold::Track& track) {
    using Track = Threshold::Track;
    const std::map<std::string_view, Track> words = {{"by_src", Track::by_source},
                                                     {"by_dst", Track::by_destination},
                                                     {"by_both", Track::by_both},
                                                     {"by_rule", Track::by_rule},
                                                     {"by_flow", Track::by_flow}};
    const std::string* field = text("track");
    const auto word = field == nullptr ? words.end() : words.find(*field);
    if (word == words.end()) {
      error_ = "Its track is by_src, by_dst, by_both, by_rule or by_flow.";
      return false;
    }
    track = word->second;
    return true;
  }

  const Fields& fields_;
  ThresholdConfig& out_;
  std::string error_;
};

std::string read_line(std::string_view line, ThresholdConfig& out) {
  const size_t space = line.find_first_of(" \t");
  const std::string_view what = line.substr(0, space);
  const auto fields = space == std::string_view::npos ? std::nullopt : fields_of(line.substr(space));
  if (!fields) return "It is a word with fields, `name value`, parted by commas.";
  LineReader reader(*fields, out);
  if (what == "suppress") return reader.suppress();
  if (what == "rate_filter") return reader.rate_filter();
  if (what == "threshold" || what == "event_filter") return reader.threshold();
  return "It begins with threshold, event_filter, rate_filter or suppress.";
}

}  // namespace

ThresholdConfig parse_threshold_config(std::string_view text) {
  ThresholdConfig out;
  std::string logical;
  uint32_t number = 0, first = 0;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = trim(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    ++number;
    if (logical.empty()) first = number;
    const bool goes_on = line.ends_with('\\');
    if (goes_on) line.remove_suffix(1);
    logical += line;
    if (goes_on && !text.empty()) continue;
    const std::string whole = std::exchange(logical, {});
    if (trim(whole).empty() || trim(whole).front() == '#') continue;
    std::string error = read_line(trim(whole), out);
    if (error.empty()) continue;
    Issue issue;
    issue.line = first;
    issue.column = 1;
    issue.message = std::move(error);
    out.issues.push_back(std::move(issue));
  }
  return out;
}

}  // namespace weir::inspection::ast
