#include "tests/hitless/rig.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "mgmt/config/reader.h"
#include "mgmt/daemon/machine.h"
#include "mgmt/daemon/signals.h"
#include "mgmt/events/log.h"
#include "tests/hitless/traffic.h"

namespace weir::hitless {

using namespace dataplane;

namespace {

/// From the hub the checker may be late without a loss.
constexpr MemoryPort::Depth kDepth{.rx = kPortDepth, .tx = 16'384};

}  // namespace

Rig::Rig(const World& world, const RigOptions& options)
    : world_(world), options_(options), cores_(daemon::usable_cores()) {
  char folder[] = "/tmp/weir-hitless-XXXXXX";
  if (::mkdtemp(folder) == nullptr) throw std::runtime_error("cannot make a folder in /tmp");
  folder_ = folder;
}

Rig::~Rig() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

bool Rig::enough_cores() const { return !cores_.empty() && world_.size().workers <= cores_.size(); }

void Rig::write_rules(unsigned edition) const {
  std::ofstream(folder_ + "/test.rules") << World::rules(edition);
}

/// Control on the first core, workers on the last ones, so that the first is a worker's only where it has to
/// be.
std::string Rig::settings() const {
  std::ostringstream out;
  out << "[worker]\ncores = [";
  for (unsigned w = 0; w < world_.size().workers; ++w)
    out << (w == 0 ? "" : ", ") << cores_[cores_.size() - 1 - w];
  out << "]\nidle = \"" << (options_.poll ? "poll" : "adaptive")
      << "\"\nstall_us = 1000\n[control]\ncore = " << cores_.front() << "\n[eal]\nhugepages = \""
      << (options_.hugepages ? "auto" : "off") << "\"\n[api]\nsocket = \"" << folder_
      << "/weir.sock\"\n[log]\nlevel = \"" << options_.log_level << "\"\n";
  return out.str();
}

bool Rig::on_control(std::function<void(control::Control&)> what) {
  return hub_->mailbox().post([this, what = std::move(what)] { what(hub_->control()); });
}

std::vector<std::string> Rig::run(const std::function<void()>& test) {
  auto signals = daemon::Signals::block();
  if (!signals) return {signals.error().message};
  const std::string file = folder_ + "/weir.toml";
  std::ofstream(file) << settings() << world_.config("test.rules");
  write_rules(0);
  auto config = config::read_config(file);
  if (!config) {
    std::vector<std::string> problems;
    for (const auto& problem : config.error()) problems.push_back(config::to_string(problem));
    return problems;
  }
  hub_ = std::make_unique<daemon::Hub>(
      std::move(*config), events::make_log(options_.log_level), "test",
      [this](const PortSpec& spec, unsigned workers, rte_mempool* pool) -> Result<std::unique_ptr<Port>> {
        auto port = MemoryPort::create(spec.name, workers, pool, world_.link().hub, kDepth);
        if (!port) return tl::unexpected(port.error());
        port_ = port->get();
        pool_ = pool;
        return std::move(*port);
      });
  if (auto problems = hub_->start(); !problems.empty()) return problems;
  std::thread tester([&] {
    ::prctl(PR_SET_TIMERSLACK, 1UL);
    ::prctl(PR_SET_NAME, "tester");
    // It is the wire, which does not wait for control. Refused to all but root, which does no harm.
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), -10);
    test();
    ::kill(::getpid(), SIGTERM);
  });
  hub_->run(*signals);
  tester.join();
  hub_->stop();
  hub_.reset();
  return {};
}

}  // namespace weir::hitless
