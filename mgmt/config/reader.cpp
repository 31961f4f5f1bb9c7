#include "mgmt/config/reader.h"

#include <utility>

#include "mgmt/config/document.h"
#include "mgmt/config/route_lines.h"
#include "mgmt/config/save.h"
#include "mgmt/config/schema.h"
#include "mgmt/config/sections.h"
#include "mgmt/config/validate.h"

namespace weir::config {

namespace {

void read_routes_file(Config& config, Problems& problems) {
  if (config.routes_file.empty()) return;
  const auto text = read_whole_file(config.routes_file, kMaxRoutesFileBytes);
  if (!text) return problems.add(config.routes_file_where, "routes.file", to_string(text.error()));
  read_route_lines(*text, config.routes_file, config.routes, problems);
}

tl::expected<Config, std::vector<Problem>> read(std::string_view text, const std::string& file,
                                                bool routes_file) {
  auto document = parse_document(text, file);
  if (!document) return tl::unexpected(std::vector<Problem>{std::move(document.error())});
  Problems problems;
  check_schema(*document, problems);
  Draft draft = read_sections(*document);
  if (routes_file) read_routes_file(draft.config, problems);
  validate(draft, problems);
  if (!problems.empty()) return tl::unexpected(problems.take());
  draft.config.digest = digest_of(text);
  return std::move(draft.config);
}

}  // namespace

tl::expected<Config, std::vector<Problem>> read_config_text(std::string_view text, const std::string& file) {
  return read(text, file, false);
}

tl::expected<Config, std::vector<Problem>> read_config(const std::string& path) {
  auto text = read_whole_file(path);
  if (!text) return tl::unexpected(std::vector<Problem>{std::move(text.error())});
  return read(*text, path, true);
}

}  // namespace weir::config
