#include "mgmt/config/reader.h"

#include <utility>

#include "mgmt/config/document.h"
#include "mgmt/config/schema.h"
#include "mgmt/config/sections.h"
#include "mgmt/config/validate.h"

namespace weir::config {

tl::expected<Config, std::vector<Problem>> read_config_text(std::string_view text, const std::string& file) {
  auto document = parse_document(text, file);
  if (!document) return tl::unexpected(std::vector<Problem>{std::move(document.error())});
  Problems problems;
  check_schema(*document, problems);
  Draft draft = read_sections(*document);
  validate(draft, problems);
  if (!problems.empty()) return tl::unexpected(problems.take());
  return std::move(draft.config);
}

tl::expected<Config, std::vector<Problem>> read_config(const std::string& path) {
  auto text = read_whole_file(path);
  if (!text) return tl::unexpected(std::vector<Problem>{std::move(text.error())});
  return read_config_text(*text, path);
}

}  // namespace weir::config
