#include "inspection/offline/settings.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <utility>

#include "inspection/app/http/file_hash.h"

namespace weir::inspection::offline {

namespace {

using Json = nlohmann::json;

/// The value at "stream.reassembly.depth"; null if there is none. Members of lists go by their number, or by
/// the one key that they have.
const Json* at_path(const Json& root, std::string_view path) {
  const Json* here = &root;
  while (!path.empty()) {
    const size_t dot = path.find('.');
    const std::string word(path.substr(0, dot));
    path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
    if (here->is_array()) {
      const bool number = !word.empty() && std::all_of(word.begin(), word.end(),
                                                       [](unsigned char c) { return std::isdigit(c); });
      const size_t index = number && word.size() < 6 ? std::stoul(word) : here->size();
      if (index >= here->size()) return nullptr;
      here = &(*here)[index];
      continue;
    }
    const auto found = here->is_object() ? here->find(word) : here->end();
    if (!here->is_object() || found == here->end()) return nullptr;
    here = &*found;
  }
  return here;
}

void set_path(Json& root, const std::string& path, const std::string& value) {
  Json* here = &root;
  std::istringstream words(path);
  for (std::string word; std::getline(words, word, '.');) {
    if (here->is_array()) {
      const bool number = !word.empty() && std::all_of(word.begin(), word.end(),
                                                       [](unsigned char c) { return std::isdigit(c); });
      if (!number || word.size() > 4 || std::stoul(word) >= here->size()) return;
      here = &(*here)[std::stoul(word)];
    } else {
      if (!here->is_object()) *here = Json::object();
      here = &(*here)[word];
    }
  }
  *here = value;
}

std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_null() ? std::string() : value.dump();
}

bool yes(const Json& value) {
  if (value.is_boolean()) return value.get<bool>();
  std::string text = text_of(value);
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text == "yes" || text == "true" || text == "1" || text == "on";
}

/// "1mb", "64 KiB", 4096.
std::optional<uint64_t> size_of(const Json& value) {
  const std::string text = text_of(value);
  size_t at = 0;
  uint64_t number = 0;
  while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) &&
         number < (uint64_t{1} << 40))
    number = number * 10 + static_cast<uint64_t>(text[at++] - '0');
  if (at == 0) return std::nullopt;
  while (at < text.size() && text[at] == ' ') ++at;
  const char unit =
      at < text.size() ? static_cast<char>(std::tolower(static_cast<unsigned char>(text[at]))) : 'b';
  return unit == 'k' ? number << 10 : unit == 'm' ? number << 20 : unit == 'g' ? number << 30 : number;
}

class Reader {
 public:
  explicit Reader(const Json& root) : root_(root) {}
  const Json* at(std::string_view path) const { return at_path(root_, path); }
  void flag(std::string_view path, bool& out) const {
    if (const Json* value = at(path)) out = yes(*value);
  }
  template <typename T>
  void size(std::string_view path, T& out) const {
    const Json* const value = at(path);
    if (value == nullptr) return;
    if (const auto size = size_of(*value)) out = static_cast<T>(*size);
  }
  void word(std::string_view path, std::string& out) const {
    if (const Json* value = at(path); value != nullptr && value->is_string()) out = value->get<std::string>();
  }

 private:
  const Json& root_;
};

void read_policies(const Reader& reader, bool is_inline, ExceptionPolicies& policies) {
  const auto read = [&](std::string_view path) -> std::optional<ExceptionPolicy> {
    const Json* const value = reader.at(path);
    if (value == nullptr || text_of(*value) == "auto") return std::nullopt;
    return exception_policy(text_of(*value));
  };
  // One for all, which inline is drop-flow, and one for each.
  const ExceptionPolicy all = read("exception-policy").value_or(automatic(is_inline));
  policies.fill(all);
  constexpr std::pair<Ceiling, std::string_view> kPaths[] = {
      {Ceiling::session_memory, "flow.memcap-policy"},
      {Ceiling::reassembly_memory, "stream.reassembly.memcap-policy"},
      {Ceiling::midstream, "stream.midstream-policy"},
      {Ceiling::app_memory, "app-layer.error-policy"},
      {Ceiling::app_transactions, "app-layer.error-policy"},
      {Ceiling::app_malformed, "app-layer.error-policy"}};
  // Suricata has no policy for these: what lies beyond is not looked at.
  for (const Ceiling own :
       {Ceiling::domain_memory, Ceiling::dns_pointers, Ceiling::certificates, Ceiling::rule_work}) {
    policies[static_cast<size_t>(own)] = ExceptionPolicy::ignore;
  }
  for (const auto& [ceiling, path] : kPaths) {
    if (const auto policy = read(path)) policies[static_cast<size_t>(ceiling)] = *policy;
  }
}

void read_stream(const Reader& reader, OfflineSettings& out) {
  StreamSettings& stream = out.session.stream;
  if (const Json* value = reader.at("stream.inline"); value != nullptr && text_of(*value) != "auto")
    stream.is_inline = yes(*value);
  reader.flag("stream.midstream", stream.midstream);
  reader.flag("stream.bypass", out.engine.bypass_done);
  reader.flag("stream.async-oneside", stream.async_oneside);
  reader.size("stream.reassembly.depth", stream.depth);
  if (const Json* policy = reader.at("stream.reassembly.urgent.policy"))
    stream.urgent_inline = text_of(*policy) == "inline";
  reader.flag("stream.checksum-validation", out.decode.checksums);
}

/// As Suricata, which looks for http alone unless told.
void read_mime(const Reader& reader, MimeSettings& out) {
  static constexpr std::pair<std::string_view, uint8_t> kSchemes[] = {
      {"http", kUrlHttp}, {"https", kUrlHttps}, {"ftp", kUrlFtp}, {"mailto", kUrlMailto}};
  const std::string base = "app-layer.protocols.smtp.mime.";
  bool urls = true;
  reader.flag(base + "extract-urls", urls);
  reader.flag(base + "log-url-scheme", out.url_with_scheme);
  reader.flag(base + "body-md5", out.body_md5);
  out.url_schemes = urls ? kUrlHttp : 0;
  const Json* const list = reader.at(base + "extract-urls-schemes");
  if (!urls || list == nullptr || !list->is_array()) return;
  out.url_schemes = 0;
  for (const Json& word : *list) {
    for (const auto& [name, bit] : kSchemes) {
      if (text_of(word) == name) out.url_schemes |= bit;
    }
  }
}

void read_timeouts(const Reader& reader, FlowTimeouts& out) {
  constexpr std::pair<std::string_view, FlowTimeouts::Of FlowTimeouts::*> kKinds[] = {
      {"default", &FlowTimeouts::other},
      {"tcp", &FlowTimeouts::tcp},
      {"udp", &FlowTimeouts::udp},
      {"icmp", &FlowTimeouts::icmp}};
  for (const auto& [name, member] : kKinds) {
    const std::string base = "flow-timeouts." + std::string(name) + ".";
    reader.size(base + "new", (out.*member).fresh);
    reader.size(base + "established", (out.*member).established);
    reader.size(base + "closed", (out.*member).closed);
    reader.size(base + "bypassed", (out.*member).bypassed);
  }
}

void read_decoder(const Reader& reader, OfflineSettings& out) {
  reader.flag("decoder.vxlan.enabled", out.decode.vxlan);
  reader.flag("decoder.geneve.enabled", out.decode.geneve);
  reader.flag("decoder.teredo.enabled", out.decode.teredo);
  reader.flag("decoder.erspan.typeI.enabled", out.decode.erspan_type1);
  reader.flag("vlan.use-for-tracking", out.use_vlans);
  reader.flag("decoder.recursion-level.use-for-tracking", out.use_levels);
}

void read_xff(const Reader& reader, EveSettings& eve) {
  bool enabled = false;
  reader.flag("xff.enabled", enabled);
  if (!enabled) return;
  std::string mode = "extra-data", deployment = "reverse";
  reader.word("xff.mode", mode);
  reader.word("xff.deployment", deployment);
  reader.word("xff.header", eve.xff_header);
  eve.xff = mode == "overwrite" ? EveSettings::Xff::overwrite : EveSettings::Xff::extra_data;
  eve.xff_reverse = deployment != "forward";
  std::transform(eve.xff_header.begin(), eve.xff_header.end(), eve.xff_header.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
}

void alert_options(const Json& options, EveSettings& eve) {
  const Reader reader(options);
  read_xff(reader, eve);
  reader.flag("payload", eve.payload);
  reader.flag("payload-printable", eve.payload_printable);
  reader.flag("packet", eve.packet);
  reader.flag("verdict", eve.verdict);
  reader.flag("metadata", eve.metadata);
  if (const Json* metadata = reader.at("metadata"); metadata != nullptr && metadata->is_object()) {
    eve.metadata = true;
    reader.flag("metadata.app-layer", eve.app_layer);
    reader.flag("metadata.rule.metadata", eve.metadata);
    reader.flag("metadata.rule.raw", eve.rule_text);
    reader.flag("metadata.rule.reference", eve.references);
  }
}

/// Checksums of files that events have even where no rule asks for them.
void read_force_hash(const Json* list, EveSettings& eve) {
  if (list == nullptr || !list->is_array()) return;
  for (const Json& name : *list) {
    const std::string text = text_of(name);
    if (text == "md5") eve.file_hashes |= http::kHashMd5;
    if (text == "sha1") eve.file_hashes |= http::kHashSha1;
    if (text == "sha256") eve.file_hashes |= http::kHashSha256;
  }
}

void one_type(const std::string& name, const Json& options, EveSettings& eve) {
  if (const Json* enabled = at_path(options, "enabled"); enabled != nullptr && !yes(*enabled)) return;
  const std::pair<std::string_view, bool EveSettings::*> kTypes[] = {
      {"alert", &EveSettings::alert}, {"anomaly", &EveSettings::anomaly}, {"drop", &EveSettings::drop},
      {"flow", &EveSettings::flow},   {"netflow", &EveSettings::netflow}, {"http", &EveSettings::http},
      {"http2", &EveSettings::http},  {"tls", &EveSettings::tls},         {"dns", &EveSettings::dns},
      {"ssh", &EveSettings::ssh},     {"quic", &EveSettings::quic},       {"smtp", &EveSettings::smtp},
      {"ftp", &EveSettings::ftp},     {"files", &EveSettings::fileinfo},  {"stats", &EveSettings::stats}};
  for (const auto& [known, member] : kTypes) {
    if (name == known) eve.*member = true;
  }
  const Reader reader(options);
  if (name == "alert") alert_options(options, eve);
  if (name == "drop") reader.flag("alerts", eve.drop_alerts);
  if (name == "files") read_force_hash(reader.at("force-hash"), eve);
  if (name == "smtp") {
    if (const Json* md5 = reader.at("md5"); md5 != nullptr && md5->is_array())
      for (const Json& of : *md5) eve.subject_md5 = eve.subject_md5 || text_of(of) == "subject";
  }
  if (name == "dns") {
    reader.size("version", eve.dns_version);
    reader.flag("requests", eve.dns_requests);
    reader.flag("responses", eve.dns_responses);
    if (const Json* types = reader.at("types"); types != nullptr && types->is_array()) {
      for (const Json& type : *types) eve.dns_types.push_back(text_of(type));
    }
  }
  if (name == "tls") {
    reader.flag("extended", eve.tls_extended);
    if (const Json* custom = reader.at("custom"); custom != nullptr && custom->is_array()) {
      eve.tls_custom = true;
      for (const Json& field : *custom) eve.tls_fields.push_back(text_of(field));
    }
  }
}

/// The policies of the receiving systems; only one for all addresses is looked at.
void read_host_policy(const Reader& reader, OfflineSettings& out) {
  const Json* const policies = reader.at("host-os-policy");
  if (policies == nullptr || !policies->is_object()) return;
  constexpr std::pair<std::string_view, TcpOverlap> kKnown[] = {{"windows", TcpOverlap::bsd},
                                                                {"bsd", TcpOverlap::bsd},
                                                                {"bsd-right", TcpOverlap::last},
                                                                {"linux", TcpOverlap::linux_},
                                                                {"old-linux", TcpOverlap::old_linux},
                                                                {"solaris", TcpOverlap::solaris},
                                                                {"hpux10", TcpOverlap::bsd},
                                                                {"hpux11", TcpOverlap::solaris},
                                                                {"irix", TcpOverlap::bsd},
                                                                {"macos", TcpOverlap::bsd},
                                                                {"vista", TcpOverlap::first},
                                                                {"windows2k3", TcpOverlap::bsd},
                                                                {"first", TcpOverlap::first},
                                                                {"last", TcpOverlap::last}};
  for (const auto& [name, hosts] : policies->items()) {
    const std::string text = hosts.dump();
    if (text.find("0.0.0.0/0") == std::string::npos) continue;
    for (const auto& [known, policy] : kKnown) {
      if (name == known) out.session.stream.overlap = policy;
    }
  }
}

/// The eve-log's own settings; without any, all that is written by default.
void read_eve(const Reader& reader, EveSettings& eve) {
  const Json* const outputs = reader.at("outputs");
  if (outputs == nullptr || !outputs->is_array()) return;
  bool first = true;
  for (const Json& output : *outputs) {
    read_force_hash(at_path(output, "file-store.force-hash"), eve);
    // What is stored is named by its SHA-256.
    if (const Json* store = at_path(output, "file-store.enabled"); store != nullptr && yes(*store))
      eve.file_hashes |= http::kHashSha256;
    const Json* const log = at_path(output, "eve-log");
    if (log == nullptr) continue;
    if (const Json* enabled = at_path(*log, "enabled"); enabled != nullptr && !yes(*enabled)) continue;
    const Json* const types = at_path(*log, "types");
    if (types == nullptr || !types->is_array()) continue;
    if (first) {
      eve.alert = eve.anomaly = eve.drop = eve.flow = eve.netflow = eve.http = eve.tls = eve.dns = eve.ssh =
          eve.quic = eve.smtp = eve.ftp = eve.fileinfo = eve.stats = false;
      first = false;
    }
    read_xff(Reader(*log), eve);
    Reader(*log).flag("community-id", eve.community_id);
    Reader(*log).size("community-id-seed", eve.community_seed);
    for (const Json& type : *types) {
      if (type.is_string()) one_type(type.get<std::string>(), Json::object(), eve);
      if (!type.is_object()) continue;
      for (const auto& [name, options] : type.items())
        one_type(name, options.is_object() ? options : Json::object(), eve);
    }
  }
}

void read_variables(const Json& root, ast::RuleVariables& out) {
  const std::pair<std::string_view, std::map<std::string, std::string, std::less<>> ast::RuleVariables::*>
      kGroups[] = {{"vars.address-groups", &ast::RuleVariables::addresses},
                   {"vars.port-groups", &ast::RuleVariables::ports}};
  for (const auto& [path, member] : kGroups) {
    const Json* const group = at_path(root, path);
    if (group == nullptr || !group->is_object()) continue;
    for (const auto& [name, value] : group->items()) (out.*member)[name] = text_of(value);
  }
}

void read_action_order(const Reader& reader, std::vector<ast::Action>& out) {
  const Json* const list = reader.at("action-order");
  if (list == nullptr || !list->is_array()) return;
  const std::pair<std::string_view, ast::Action> kWords[] = {{"pass", ast::Action::pass},
                                                             {"drop", ast::Action::drop},
                                                             {"reject", ast::Action::reject},
                                                             {"alert", ast::Action::alert}};
  for (const Json& word : *list) {
    for (const auto& [name, action] : kWords) {
      if (text_of(word) == name) out.push_back(action);
    }
  }
}

/// What of a command line is no option and no option's value: a filter of the capture.
void read_filter(const Json& root, std::string& filter) {
  const auto args = root.find("args");
  if (args == root.end() || !args->is_array()) return;
  constexpr std::string_view kWithValue[] = {"-k", "--set", "-S", "-s", "--rules", "--runmode", "--data-dir"};
  bool is_value = false;
  for (const Json& arg : *args) {
    const std::string text = text_of(arg);
    if (std::exchange(is_value, false)) continue;
    if (text.starts_with('-')) {
      is_value = std::find(std::begin(kWithValue), std::end(kWithValue), text) != std::end(kWithValue);
      continue;
    }
    if (!filter.empty()) filter += ' ';
    filter += text;
  }
}

}  // namespace

OfflineSettings::OfflineSettings() : variables(ast::RuleVariables::defaults()) {
  engine.memory = size_t{256} << 20;
}

Result<OfflineSettings> read_settings(const std::string& file) {
  std::ifstream in(file);
  if (!in) return fail(ErrorCode::io, file + ": cannot be read");
  const Json root = Json::parse(in, nullptr, false);
  if (root.is_discarded() || !root.is_object()) return fail(ErrorCode::invalid, file + ": no JSON object");
  Json config = root.value("config", Json::object());
  if (!config.is_object()) config = Json::object();
  if (const auto set = root.find("set"); set != root.end() && set->is_object()) {
    for (const auto& [path, value] : set->items()) set_path(config, path, text_of(value));
  }
  OfflineSettings out;
  const auto top = [&](const char* name, bool& flag) {
    if (const auto found = root.find(name); found != root.end()) flag = yes(*found);
  };
  top("ips", out.session.stream.is_inline);
  top("checksums", out.decode.checksums);
  top("midstream", out.session.stream.midstream);
  const Reader reader(config);
  // Streams can be put together as if inline without anything being dropped.
  const bool ips = out.session.stream.is_inline;
  if (ips) out.session.mode = InspectMode::ips;
  out.eve.drop = ips;
  const bool checksums = out.decode.checksums;
  read_stream(reader, out);
  out.decode.checksums = out.decode.checksums && checksums;
  read_policies(reader, ips, out.session.policies);
  read_timeouts(reader, out.timeouts);
  read_host_policy(reader, out);
  reader.size("app-layer.protocols.http.libhtp.default-config.request-body-limit",
              out.session.http.request_body_limit);
  reader.size("app-layer.protocols.http.libhtp.default-config.response-body-limit",
              out.session.http.response_body_limit);
  // "auto", and what is not said: where a rule asks for them.
  out.session.ssh_fingerprints = false;
  reader.flag("app-layer.protocols.ssh.hassh", out.session.ssh_fingerprints);
  read_mime(reader, out.session.mime);
  reader.size("app-layer.protocols.ftp.max-tx", out.session.ftp.transactions);
  read_decoder(reader, out);
  read_eve(reader, out.eve);
  out.session.http.file_hashes = out.eve.file_hashes;
  reader.size("packet-alert-max", out.engine.detector.alerts_per_packet);
  reader.word("classification-file", out.classification_file);
  reader.word("threshold-file", out.threshold_file);
  read_action_order(reader, out.action_order);
  read_variables(root, out.variables);
  read_filter(root, out.capture_filter);
  return out;
}

}  // namespace weir::inspection::offline
