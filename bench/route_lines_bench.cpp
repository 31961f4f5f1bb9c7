// A routes file of a million lines: reading them, and reading and checking them with the configuration.
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "mgmt/config/reader.h"
#include "mgmt/config/route_lines.h"

namespace weir::config {
namespace {

constexpr uint32_t kLines = 1'000'000;
constexpr uint32_t kDomains = 100;

/// Lines in the order of their domains, 10,000 each, prefixes of /24.
std::string lines() {
  std::string text;
  char line[128];
  for (uint32_t i = 0; i < kLines; ++i) {
    const uint32_t d = i / (kLines / kDomains), p = i % (kLines / kDomains);
    std::snprintf(line, sizeof line, "domain-%u 20.%u.%u.0/24 attachment spoke-%u via 10.1.0.2\n", d, p >> 8,
                  p & 255, d);
    text += line;
  }
  return text;
}

std::string hub() {
  std::string text =
      "[worker]\ncores = [1]\n[[port]]\nname = \"wan0\"\ninterface = \"eth1\"\naddress = "
      "[\"198.18.0.1/24\"]\n"
      "[routes]\nfile = \"hub.routes\"\n";
  for (uint32_t d = 0; d < kDomains; ++d) {
    const std::string n = std::to_string(d);
    text += "[[domain]]\nname = \"domain-" + n + "\"\n[[attachment]]\nname = \"spoke-" + n +
            "\"\ndomain = \"domain-" + n + "\"\ngateway = [\"10.1.0.1/24\"]\nvxlan = { vni = " + n +
            ", local = \"198.18.0.1\", remote = \"198.18.0.2\" }\n";
  }
  return text;
}

void read_lines(benchmark::State& state) {
  const std::string text = lines();
  size_t read = kLines;
  bench::run(state, kLines, [&](uint64_t) {
    Problems problems;
    std::vector<Route> routes;
    read_route_lines(text, "/etc/weir/hub.routes", routes, problems);
    read = routes.size();
  });
  if (read != kLines) state.SkipWithError("lines are refused");
}

void read_and_check(benchmark::State& state) {
  char folder[] = "/tmp/weir-bench-XXXXXX";
  const std::string path = mkdtemp(folder);
  std::ofstream(path + "/hub.toml") << hub();
  std::ofstream(path + "/hub.routes") << lines();
  bool right = true;
  bench::run(state, kLines, [&](uint64_t) { right = right && read_config(path + "/hub.toml").has_value(); });
  std::filesystem::remove_all(path);
  if (!right) state.SkipWithError("the configuration is refused");
}

BENCHMARK(read_lines)->Unit(benchmark::kMillisecond);
BENCHMARK(read_and_check)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace weir::config
