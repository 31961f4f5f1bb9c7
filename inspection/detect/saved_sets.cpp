#include "inspection/detect/saved_sets.h"

#include <algorithm>
#include <fstream>
#include <set>

#include "dataplane/net/address.h"
#include "inspection/events/eve_text.h"

namespace weir::inspection {

namespace {

std::string to_line(ast::DatasetType type, std::string_view value) {
  const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(value.data()), value.size());
  switch (type) {
    case ast::DatasetType::string:
      return to_base64(bytes);
    case ast::DatasetType::md5:
    case ast::DatasetType::sha256:
      return to_hex(bytes);
    case ast::DatasetType::ip:
    case ast::DatasetType::ipv4:
      break;
  }
  if (bytes.size() == 16) return net::to_string(net::IpAddress(net::Ipv6::load(bytes.data())));
  if (bytes.size() != 4) return {};
  const uint32_t v4 =
      uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
  return net::to_string(net::IpAddress(net::Ipv4{v4}));
}

/// Empty: it was written.
std::string write(const SavedSet& set, const std::set<std::string>& values) {
  const std::string fresh = set.file + ".new";
  std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
  for (const std::string& value : values) {
    const std::string line = to_line(set.type, value);
    if (!line.empty()) out << line << '\n';
  }
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(fresh, set.file, error);
  if (out && !error) return {};
  return "the data set " + set.file + " cannot be written" + (error ? ": " + error.message() : "");
}

}  // namespace

std::vector<std::string> save_sets(const DetectionRuleset& ruleset, const DatasetTable& values) {
  std::vector<std::string> problems;
  for (const SavedSet& set : ruleset.saved_sets()) {
    std::set<std::string> now;
    if (set.loaded != nullptr) set.loaded->for_each([&](const std::string& value) { now.insert(value); });
    bool changed = false;
    values.for_each(set.number, [&](std::span<const uint8_t> bytes, bool in) {
      const std::string value(bytes.begin(), bytes.end());
      changed |= in ? now.insert(value).second : now.erase(value) != 0;
    });
    if (!changed) continue;
    if (std::string problem = write(set, now); !problem.empty()) problems.push_back(std::move(problem));
  }
  return problems;
}

}  // namespace weir::inspection
