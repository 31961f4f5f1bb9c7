// Any text is a configuration or a list of problems, never anything else.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mgmt/config/diff.h"
#include "mgmt/config/reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = weir::config::read_config_text(text, "hub.toml");
  if (config) {
    if (!weir::config::diff(*config, *config).empty()) __builtin_trap();
  } else if (config.error().empty()) {
    __builtin_trap();
  }
  return 0;
}
