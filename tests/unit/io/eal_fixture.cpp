#include "tests/unit/io/eal_fixture.h"

#include <rte_log.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

namespace weir::test {
namespace {

std::string start(dataplane::Hugepages hugepages) {
  dataplane::EalSettings settings;
  settings.worker_cores = {0};
  settings.control_core = 0;
  settings.hugepages = hugepages;
  settings.memory_mib = 128;
  settings.log = [](int level, std::string_view line) {
    if (level <= int{RTE_LOG_ERR}) fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
  };
  if (const auto facts = dataplane::eal_start(settings); !facts) return facts.error().message;
  atexit([] { dataplane::eal_stop(); });
  return "";
}

}  // namespace

const std::string& shared_eal(dataplane::Hugepages hugepages) {
  static const std::string error = start(hugepages);
  return error;
}

std::string in_child(const std::function<std::string()>& work) {
  int channel[2];
  if (pipe(channel) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    close(channel[0]);
    const std::string text = work();
    const bool told = write(channel[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
    _exit(told ? 0 : 1);
  }
  close(channel[1]);
  std::string text;
  std::array<char, 4096> chunk;
  for (ssize_t got; (got = read(channel[0], chunk.data(), chunk.size())) > 0;) {
    text.append(chunk.data(), static_cast<size_t>(got));
  }
  close(channel[0]);
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0) text += " [the child failed]";
  return text;
}

}  // namespace weir::test
