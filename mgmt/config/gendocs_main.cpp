// weir_gendocs FOLDER: writes configuration.md, change-options.md, drops.md and rules.md into the folder,
// docs/ as a rule.
#include <cstdio>
#include <fstream>
#include <string>

#include "inspection/rules/keyword_docs.h"
#include "mgmt/config/markdown.h"

namespace {

bool write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (file) return true;
  std::fprintf(stderr, "weir_gendocs: %s cannot be written\n", path.c_str());
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: weir_gendocs FOLDER\n");
    return 2;
  }
  const std::string folder = argv[1];
  const bool written = write_file(folder + "/configuration.md", weir::config::configuration_markdown()) &&
                       write_file(folder + "/change-options.md", weir::config::change_options_markdown()) &&
                       write_file(folder + "/drops.md", weir::config::drops_markdown()) &&
                       write_file(folder + "/rules.md", weir::inspection::ast::rules_markdown());
  return written ? 0 : 1;
}
