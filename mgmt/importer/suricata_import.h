// suricata.yaml -> a profile, and a list of all that a profile cannot say.
//
// Source: Suricata 8's documentation, "Suricata.yaml".
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "mgmt/config/config.h"
#include "mgmt/importer/yaml_tree.h"

namespace weir::importer {

/// A value of the file that did not become a key of the profile.
struct LeftOut {
  std::string file;
  uint32_t line = 0;
  std::string path;    // "af-packet", "stream.memcap", "vars.address-groups.X"
  std::string reason;  // a sentence
};

struct ImportedProfile {
  config::Profile profile;
  std::vector<LeftOut> left_out;   // in the order of the file
  std::vector<std::string> notes;  // sentences about what was taken
};

/// The files that a name with wildcards means now; glob(3) but in tests.
using FindFiles = std::function<std::vector<std::string>(const std::string& pattern)>;
std::vector<std::string> files_like(const std::string& pattern);

/// Takes from `tree` what a profile called `name` can say. Looks for the files that `rule-files` means; reads
/// none.
ImportedProfile import_suricata(YamlTree tree, const std::string& name, const FindFiles& find = files_like);

/// "suricata.yaml:123: af-packet: Packets come by the hub's own ports."
std::string to_string(const LeftOut& left);

/// The profile as TOML, with notes and what was left out as comments.
std::string imported_toml(const ImportedProfile& imported, const std::string& source);

}  // namespace weir::importer
