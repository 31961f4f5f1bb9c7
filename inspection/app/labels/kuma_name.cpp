#include "inspection/app/labels/kuma_name.h"

#include <algorithm>
#include <array>

namespace weir::inspection {

namespace {

constexpr size_t kLongest = 253;  // of a name in dots: RFC 1035 section 2.3.4
constexpr std::string_view kSpiffe = "spiffe://", kKuma = "kuma://";
constexpr std::string_view kZoneTag = "kuma.io/zone", kNamespaceTag = "k8s.kuma.io/namespace";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_label(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-';
  });
}

/// Cuts off the last label.
std::string_view take_last(std::string_view& name) {
  const size_t dot = name.rfind('.');
  const std::string_view last = dot == name.npos ? name : name.substr(dot + 1);
  name = dot == name.npos ? std::string_view() : name.substr(0, dot);
  return last;
}

void note_tag(KumaName& name, std::string_view tag, std::string_view value) {
  if (tag == "mesh") name.mesh = value;
  if (tag == kZoneTag) name.zone = value;
  if (tag == kNamespaceTag) name.name_space = value;
}

/// service{tag=value,...}
std::optional<KumaName> read_tags(std::string_view text) {
  const size_t open = text.find('{');
  if (open == 0 || open == text.npos || text.back() != '}') return std::nullopt;
  KumaName name;
  name.service = text.substr(0, open);
  std::string_view rest = text.substr(open + 1, text.size() - open - 2);
  if (name.service.find('}') != text.npos || rest.find_first_of("{}") != rest.npos) return std::nullopt;
  while (!rest.empty()) {
    const std::string_view tag = rest.substr(0, rest.find(','));
    const size_t equal = tag.find('=');
    if (equal == 0 || equal == tag.npos) return std::nullopt;
    note_tag(name, tag.substr(0, equal), tag.substr(equal + 1));
    if (tag.size() + 1 == rest.size()) return std::nullopt;  // a comma with nothing behind it
    rest.remove_prefix(std::min(rest.size(), tag.size() + 1));
  }
  if (name.mesh.empty()) return std::nullopt;
  return name;
}

/// a<16 hexadecimal digits>.<name>.<port>.<mesh>.<ms|mes|mzms>
std::optional<KumaName> read_hashed(std::string_view text) {
  constexpr size_t kHash = 17;
  if (text.size() < kHash + 1 || text[0] != 'a' || text[kHash] != '.') return std::nullopt;
  const std::string_view hash = text.substr(1, kHash - 1);
  if (!std::all_of(hash.begin(), hash.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }))
    return std::nullopt;
  std::string_view rest = text.substr(kHash + 1);
  const std::string_view kind = take_last(rest);
  if (kind != "ms" && kind != "mes" && kind != "mzms") return std::nullopt;
  KumaName name;
  name.mesh = take_last(rest);
  const std::string_view port = take_last(rest);
  name.service = rest;
  const bool number = !port.empty() && port.size() <= 5 && std::all_of(port.begin(), port.end(), is_digit);
  if (!number || name.mesh.empty() || name.service.empty()) return std::nullopt;
  return name;
}

/// sni.<msvc|extsvc|mzsvc>.<mesh>[.<zone>[.<namespace>]].<name>.<sectionName>
std::optional<KumaName> read_labels(std::string_view text) {
  if (text.size() > kLongest || !text.starts_with("sni.")) return std::nullopt;
  std::array<std::string_view, 7> labels;
  size_t count = 0;
  for (std::string_view rest = text;;) {
    if (count == labels.size()) return std::nullopt;
    const size_t dot = rest.find('.');
    labels[count] = rest.substr(0, dot);
    if (!is_label(labels[count++])) return std::nullopt;
    if (dot == rest.npos) break;
    rest.remove_prefix(dot + 1);
  }
  if (count < 5 || (labels[1] != "msvc" && labels[1] != "extsvc" && labels[1] != "mzsvc"))
    return std::nullopt;
  KumaName name;
  name.mesh = labels[2];
  if (count > 5) name.zone = labels[3];
  if (count > 6) name.name_space = labels[4];
  name.service = labels[count - 2];
  return name;
}

/// MESH.ZONE.mesh.local and what stands behind it.
KumaName read_identity(std::string_view domain, std::string_view path) {
  constexpr std::string_view kLocal = ".mesh.local", kNamespace = "ns/";
  KumaName name;
  domain.remove_suffix(kLocal.size());
  const size_t dot = domain.find('.');
  name.mesh = domain.substr(0, dot);
  if (dot != domain.npos) name.zone = domain.substr(dot + 1);
  if (path.starts_with(kNamespace)) {
    path.remove_prefix(kNamespace.size());
    name.name_space = path.substr(0, path.find('/'));
  }
  return name;
}

}  // namespace

void KumaName::complete(const KumaName& other) {
  for (const auto part : {&KumaName::service, &KumaName::mesh, &KumaName::zone, &KumaName::name_space}) {
    if ((this->*part).empty()) this->*part = other.*part;
  }
}

std::optional<KumaName> read_kuma_sni(std::string_view name) {
  if (name.empty()) return std::nullopt;
  if (name.find('{') != name.npos) return read_tags(name);
  if (auto read = read_hashed(name)) return read;
  return read_labels(name);
}

KumaName read_kuma_uri(std::string_view uri) {
  KumaName name;
  if (uri.starts_with(kKuma)) {
    uri.remove_prefix(kKuma.size());
    // A tag's own name may have slashes in it, its value has none.
    const size_t slash = uri.rfind('/');
    if (slash != uri.npos) note_tag(name, uri.substr(0, slash), uri.substr(slash + 1));
  } else if (is_spiffe(uri)) {
    uri.remove_prefix(kSpiffe.size());
    const size_t slash = uri.find('/');
    const std::string_view domain = uri.substr(0, slash);
    const std::string_view path = slash == uri.npos ? std::string_view() : uri.substr(slash + 1);
    if (domain.ends_with(".mesh.local")) return read_identity(domain, path);
    name.mesh = domain;
    if (path.find('/') == path.npos) name.service = path;
  }
  return name;
}

bool is_spiffe(std::string_view uri) { return uri.starts_with(kSpiffe) && uri.size() > kSpiffe.size(); }

}  // namespace weir::inspection
