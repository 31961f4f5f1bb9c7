// Any text is a list of changes or a list of problems, as TOML and as lines; what a line of routes means,
// written again, means the same.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "mgmt/config/change_reader.h"
#include "mgmt/config/route_lines.h"

namespace {

using namespace weir::config;

void check(const tl::expected<ModelChanges, std::vector<Problem>>& changes) {
  if (!changes && changes.error().empty()) __builtin_trap();
}

void check_lines(std::string_view text) {
  Problems problems;
  std::vector<Route> routes;
  read_route_lines(text, "a.routes", routes, problems);
  std::string written;
  for (const Route& route : routes) written += to_line(route) + "\n";
  Problems none;
  std::vector<Route> again;
  read_route_lines(written, "b.routes", again, none);
  if (!none.empty() || again.size() != routes.size()) __builtin_trap();
  for (size_t i = 0; i < routes.size(); ++i) {
    if (to_line(again[i]) != to_line(routes[i]) || again[i].prefix != routes[i].prefix) __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(read_changes_text(text, "batch.toml"));
  check(read_changes_text(text, "", ChangeVerb::replace));
  check(read_route_changes(text, "batch"));
  check_lines(text);
  return 0;
}
