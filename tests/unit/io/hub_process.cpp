// The least of a hub: opens an af_xdp port on the interface that it is told, says "ready", and closes at
// SIGTERM. Tests kill it in every way.
#include <rte_mempool.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>

#include "dataplane/io/eal.h"
#include "dataplane/io/port.h"
#include "dataplane/io/xdp_steering.h"

namespace weir::dataplane {
namespace {

Result<std::unique_ptr<Port>> open_port(const char* interface, rte_mempool*& pool) {
  EalSettings settings;
  settings.worker_cores = {0};
  settings.hugepages = Hugepages::off;
  settings.memory_mib = 64;
  if (auto facts = eal_start(settings); !facts) return tl::unexpected(facts.error());
  auto made = make_packet_pool(8192, 64);
  if (!made) return tl::unexpected(made.error());
  pool = *made;
  auto object = XdpSteering::object_file();
  if (!object) return tl::unexpected(object.error());
  PortSpec spec;
  spec.name = "wan";
  spec.kind = PortKind::af_xdp;
  spec.interface = interface;
  spec.xdp_object = *object;
  return Port::open(spec, 1, pool);
}

int hub(const char* interface) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  rte_mempool* pool = nullptr;
  auto port = open_port(interface, pool);
  puts(port ? "ready" : port.error().message.c_str());
  fflush(stdout);
  if (!port) return 1;
  int signal = 0;
  sigwait(&signals, &signal);
  port->reset();
  rte_mempool_free(pool);
  eal_stop();
  return 0;
}

}  // namespace
}  // namespace weir::dataplane

int main(int argc, char** argv) { return argc == 2 ? weir::dataplane::hub(argv[1]) : 2; }
