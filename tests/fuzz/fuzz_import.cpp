// Any text as a suricata.yaml: a profile in TOML, with all else listed, or an error with a sentence.
#include <cstdlib>
#include <string_view>

#include "mgmt/importer/suricata_import.h"

using namespace weir;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto tree = importer::parse_yaml("fuzz.yaml", {reinterpret_cast<const char*>(data), size});
  if (!tree) {
    if (tree.error().message.empty()) std::abort();
    return 0;
  }
  const auto imported = importer::import_suricata(std::move(*tree), "fuzz", [](const std::string& pattern) {
    return pattern.size() % 2 == 0 ? std::vector<std::string>{pattern} : std::vector<std::string>{};
  });
  for (const importer::LeftOut& left : imported.left_out) {
    if (left.reason.empty() || left.line == 0) std::abort();
  }
  if (!importer::imported_toml(imported, "fuzz.yaml").starts_with("# Of fuzz.yaml\n\n[[profile]]\n"))
    std::abort();
  return 0;
}
