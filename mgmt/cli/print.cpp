#include "mgmt/cli/print.h"

#include <algorithm>

#include "mgmt/cli/fields.h"

namespace weir::cli {

namespace {

using Row = std::vector<std::string>;

/// A table whose columns are fields of the same name in each element.
std::string columns(const Json& elements, const std::vector<const char*>& keys,
                    size_t first_number = SIZE_MAX) {
  Row head;
  std::vector<bool> right;
  for (size_t i = 0; i < keys.size(); ++i) {
    head.emplace_back(keys[i]);
    right.push_back(i >= first_number);
  }
  std::vector<Row> rows;
  for (const Json& element : elements) {
    Row row;
    for (const char* key : keys) row.push_back(text(element, key));
    rows.push_back(std::move(row));
  }
  return table(head, rows, right);
}

std::string duration(uint64_t seconds) {
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7'200) return std::to_string(seconds / 60) + " min";
  if (seconds < 172'800) return std::to_string(seconds / 3'600) + " h";
  return std::to_string(seconds / 86'400) + " d";
}

std::string end_point(const Json& session, const char* address, const char* port) {
  std::string host = text(session, address);
  if (number(session, port) == 0) return host;
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + text(session, port);
}

std::string both(const Json& session, const char* key) {
  const Json& values = list(session, key);
  return values.size() == 2 ? values[0].dump() + "/" + values[1].dump() : "-";
}

std::string lines(const Json& strings, const char* indent) {
  std::string out;
  for (const Json& line : strings) {
    if (line.is_string()) out += indent + line.get<std::string>() + "\n";
  }
  return out;
}

}  // namespace

std::string table(const Row& head, const std::vector<Row>& rows, const std::vector<bool>& right) {
  std::vector<size_t> width;
  for (const std::string& cell : head) width.push_back(cell.size());
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
  }
  std::string out;
  const auto add = [&](const Row& row) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string pad(width[i] - row[i].size(), ' ');
      line += right[i] ? pad + row[i] : row[i] + pad;
      line += i + 1 < row.size() ? "  " : "";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  add(head);
  for (const Row& row : rows) add(row);
  return out;
}

std::string print_status(const Json& answer) {
  const Json config = child(answer, "config");
  std::string out = "hub " + text(answer, "hub") + ", version " + text(answer, "version") + ", up " +
                    duration(number(answer, "uptime_s")) + "\n";
  out += "configuration " + text(config, "file") + ", reloaded " + text(config, "reloads") + " times";
  if (text(config, "last_reload") != "-") out += ", last: " + text(config, "last_reload");
  out += "\nheld packets " + text(answer, "held") + ", events lost " + text(answer, "events_lost") +
         ", control stalls " + text(answer, "control_stalls") + "\n\n";
  out += columns(list(answer, "workers"),
                 {"worker", "core", "rx", "tx", "forwarded", "answered", "punted", "handed_over", "dropped",
                  "sessions", "alerts"},
                 0);
  out += "\n" + columns(list(answer, "ports"), {"name", "driver", "mac", "mtu", "link"});
  out += "\n" + columns(list(answer, "attachments"),
                        {"name", "domain", "tunnel", "local", "remote", "underlay", "mtu", "state"});
  if (!list(answer, "profiles").empty()) {
    out += "\n" + columns(list(answer, "profiles"), {"name", "rules_loaded", "rules_refused"}, 1);
  }
  return out;
}

std::string print_rules(const Json& answer) {
  std::vector<Row> rows;
  std::string more;
  const auto word = [](const Json& value) { return text(Json{{"v", value}}, "v"); };
  for (const Json& p : list(answer, "profiles")) {
    rows.push_back({text(p, "name"), text(p, "rules_loaded"), text(p, "rules_refused"),
                    text(p, "digest").substr(0, 12), std::to_string(number(p, "bytes") >> 20) + " MiB"});
    for (const Json& file : list(p, "files")) more += "\n" + text(p, "name") + ": " + word(file);
    for (const Json& line : list(p, "refused")) more += "\n  " + word(line);
  }
  std::string out = "rules in force for " + duration(number(answer, "since_s")) + ", rulesets live " +
                    text(answer, "rulesets_live");
  if (number(answer, "sessions_before") != 0)
    out += ", sessions that end a transaction by the ones before " + text(answer, "sessions_before");
  if (flag(answer, "reload_waits")) out += ", a further reload waits";
  if (rows.empty()) return out + "\nno profile is configured\n";
  return out + "\n\n" +
         table({"profile", "loaded", "refused", "digest", "memory"}, rows, {false, true, true, false, true}) +
         more + "\n";
}

std::string print_attachments(const Json& answer) {
  std::vector<Row> rows;
  for (const Json& a : list(answer, "attachments")) {
    const uint64_t rtt = number(a, "rtt_us");
    rows.push_back({text(a, "name"), text(a, "domain"), text(a, "origin"), text(a, "underlay"),
                    text(a, "state"), duration(number(a, "since_s")), text(a, "reason"),
                    rtt == 0 ? "-" : std::to_string(rtt) + " us", text(a, "flaps"), text(a, "rx_packets"),
                    text(a, "rx_bytes"), text(a, "tx_packets"), text(a, "tx_bytes")});
  }
  std::vector<bool> right(13, false);
  for (const size_t column : {5, 7, 8, 9, 10, 11, 12}) right[column] = true;
  return table({"name", "domain", "origin", "underlay", "state", "since", "reason", "rtt", "flaps",
                "rx packets", "rx bytes", "tx packets", "tx bytes"},
               rows, right);
}

/// What is other than the session's own ends once its packets leave.
static std::string translation(const Json& s) {
  const std::string src = end_point(s, "new_src", "new_sport"), dst = end_point(s, "new_dst", "new_dport");
  std::string out;
  if (src != end_point(s, "src", "sport")) out = "from " + src;
  if (dst != end_point(s, "dst", "dport")) out += (out.empty() ? "to " : " to ") + dst;
  return out.empty() ? "-" : out;
}

std::string print_sessions(const Json& answer) {
  std::vector<Row> rows;
  for (const Json& s : list(answer, "sessions")) {
    const bool dropped = flag(s, "dropped"), inspected = flag(s, "inspected");
    rows.push_back({text(s, "id"), text(s, "proto"), end_point(s, "src", "sport"),
                    end_point(s, "dst", "dport"), translation(s), text(s, "from") + " > " + text(s, "to"),
                    text(s, "state"), text(s, "rule"), dropped ? "dropped" : (inspected ? "inspected" : "-"),
                    both(s, "packets"), both(s, "bytes"), duration(number(s, "age_s")),
                    duration(number(s, "idle_s"))});
  }
  std::string out =
      table({"id", "proto", "source", "destination", "translated", "domains", "state", "rule", "inspection",
             "packets", "bytes", "age", "idle"},
            rows, {true, false, false, false, false, false, false, false, false, true, true, true, true});
  return out + std::to_string(rows.size()) + " of " + text(answer, "total") + " sessions\n";
}

std::string print_nat(const Json& answer) {
  std::string out = print_configured(answer, "nat");
  if (const Json& pools = list(answer, "pools"); !pools.empty()) {
    out += "\npools\n" + columns(pools,
                                 {"name", "domain", "addresses", "capacity", "taken", "given_out",
                                  "preserved", "exhausted"},
                                 2);
  }
  if (const Json& servers = list(answer, "servers"); !servers.empty())
    out += "\nservers\n" + columns(servers, {"rule", "server", "port", "weight", "up"}, 3);
  return out;
}

std::string print_nat_map(const Json& answer) {
  const Json& mappings = list(answer, "mappings");
  if (mappings.empty())
    return "no static or published rule, and no pool with fixed ports, has this address\n";
  return columns(mappings, {"rule", "kind", "domain", "inside", "inside_ports", "outside", "outside_ports"});
}

std::string print_routes(const Json& answer) {
  std::string out;
  for (const Json& domain : list(answer, "domains")) {
    out += (out.empty() ? "" : "\n") + ("domain " + text(domain, "name") + "\n");
    out += columns(list(domain, "routes"),
                   {"prefix", "kind", "attachment", "via", "weight", "from_domain", "origin"});
  }
  if (flag(answer, "more")) out += "and more; --domain and --prefix ask for fewer, --max for more of them\n";
  return out;
}

std::string print_drops(const Json& answer, bool all) {
  std::vector<Row> rows;
  for (const Json& drop : list(answer, "drops")) {
    if (!all && number(drop, "count") == 0) continue;
    rows.push_back({text(drop, "count"), text(drop, "reason"), text(drop, "stage"), text(drop, "help")});
  }
  if (rows.empty()) return "nothing was dropped\n";
  return table({"count", "reason", "stage", "meaning"}, rows, {true, false, false, false});
}

std::string print_path(const Json& answer) {
  std::string out;
  for (const Json& step : list(answer, "steps")) {
    const std::string name = text(step, "step");
    out += std::string(flag(step, "ok") ? "  ok    " : "  STOP  ") + name +
           std::string(name.size() < 14 ? 14 - name.size() : 1, ' ') + text(step, "text") + "\n";
  }
  return out + text(answer, "verdict") + " (" + text(answer, "reason") + ")\n";
}

namespace {

/// The lines that the answer has, what it leaves out, and the notes.
std::string changes_and_notes(const Json& answer, const std::string& title, const std::string& nothing) {
  const Json& changes = list(answer, "changes");
  std::string out = changes.empty() ? nothing + "\n" : title + "\n" + lines(changes, "  ");
  const uint64_t total = number(answer, "changes_total");
  if (total > changes.size()) out += "  and " + std::to_string(total - changes.size()) + " more\n";
  if (!list(answer, "notes").empty()) out += "to note:\n" + lines(list(answer, "notes"), "  ");
  return out;
}

}  // namespace

std::string print_reload(const Json& answer) {
  return changes_and_notes(answer, "reloaded:", "reloaded: nothing was different");
}

std::string print_changes(const Json& answer, bool dry_run) {
  return dry_run ? changes_and_notes(answer, "would change:", "nothing would change")
                 : changes_and_notes(answer, "changed:", "nothing was different");
}

namespace {

/// A value as people write it: lists with commas, without quotes.
std::string plain(const Json& value) {
  if (value.is_string()) return text(Json{{"v", value}}, "v");
  if (!value.is_array()) return value.dump();
  std::string out;
  for (const Json& element : value) out += (out.empty() ? "" : ",") + plain(element);
  return out;
}

/// All keys of an object that are not in `shown`, as KEY=VALUE.
std::string others(const Json& object, const std::vector<std::string>& shown) {
  std::string out;
  if (!object.is_object()) return out;
  for (const auto& [key, value] : object.items()) {
    // NOLINTNEXTLINE(readability-container-size-empty): an empty text is no empty() JSON
    if (std::find(shown.begin(), shown.end(), key) != shown.end() || value == false || value == "") continue;
    const std::string one =
        value.is_object() ? key + " (" + others(value, {}) + ")" : key + "=" + plain(value);
    out += (out.empty() ? "" : " ") + one;
  }
  return out;
}

}  // namespace

std::string print_configured(const Json& answer, const std::string& kind) {
  // The first column is what the thing is called; the last one whatever else it has.
  const std::vector<std::string> shown =
      kind == "policy"        ? std::vector<std::string>{"id", "action", "sessions", "last_s", "origin"}
      : kind == "attachments" ? std::vector<std::string>{"name", "domain", "origin"}
      : kind == "connections" ? std::vector<std::string>{"domains", "origin"}
                              : std::vector<std::string>{"name", "origin"};
  std::vector<Row> rows;
  bool more = false;
  for (const Json& thing : list(answer, kind.c_str())) {
    Row row;
    for (const std::string& key : shown)
      row.push_back(thing.is_object() && thing.contains(key) ? plain(thing[key]) : "-");
    row.push_back(others(thing, shown));
    more |= !row.back().empty();
    rows.push_back(std::move(row));
  }
  if (rows.empty()) return "there are none\n";
  Row head = shown;
  head.emplace_back(more ? "with" : "");
  return table(head, rows, std::vector<bool>(head.size(), false));
}

std::string print_policy_test(const Json& answer) {
  // The reason of what is let through is its rule; of what is not it is a drop reason's name.
  const std::string verdict = text(answer, "verdict");
  const bool refused = verdict == "deny" || verdict == "reject";
  std::string out = verdict + " (" + text(answer, "reason") +
                    (refused && answer.contains("rule") ? ", rule " + text(answer, "rule") : "") + ")\n";
  const auto line = [&](const std::string& name, const std::string& what) {
    out += "  " + name + std::string(name.size() < 9 ? 9 - name.size() : 1, ' ') + what + "\n";
  };
  for (const char* part : {"from", "to", "service", "names"}) {
    if (const Json& why = child(answer, "why"); why.contains(part)) line(part, text(why, part));
  }
  for (const Json& rule : list(answer, "watched"))
    line("watched", "rule " + plain(rule) + " would have decided");
  for (const Json& step : list(answer, "steps")) {
    if (!flag(step, "ok") && text(step, "step") != "policy") line(text(step, "step"), text(step, "text"));
  }
  return out;
}

std::string print_saved(const Json& answer) {
  std::string out;
  for (const Json& file : list(answer, "saved")) out += "saved " + plain(file) + "\n";
  if (!list(answer, "notes").empty()) out += "to note:\n" + lines(list(answer, "notes"), "  ");
  return out.empty() ? "nothing was saved\n" : out;
}

std::string print_error(const Json& answer) {
  const Json error = child(answer, "error");
  return text(error, "message") + "\n" + lines(list(error, "problems"), "  ");
}

}  // namespace weir::cli
