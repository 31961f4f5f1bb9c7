#include "mgmt/daemon/hub.h"

#include <poll.h>
#include <rte_mempool.h>

#include <algorithm>
#include <csignal>
#include <set>

#include "dataplane/io/interface.h"
#include "dataplane/session/session_table.h"
#include "inspection/detect/saved_sets.h"
#include "inspection/engine/ruleset.h"
#include "mgmt/config/memory_plan.h"
#include "mgmt/daemon/machine.h"
#include "mgmt/daemon/stats.h"
#include "mgmt/daemon/translate.h"
#include "mgmt/events/log.h"
#include "mgmt/events/wall_clock.h"
#include "mgmt/model/file_changes.h"
#include "mgmt/model/transaction.h"
#include "mgmt/underlay/kernel_links.h"

namespace weir::daemon {

using namespace dataplane;

namespace {

using control::in_words;

Lines at(const config::Location& where, const Error& error) {
  return {config::to_string(config::Problem{where, "", error.message})};
}

}  // namespace

void Hub::PoolDeleter::operator()(rte_mempool* pool) const { rte_mempool_free(pool); }

Hub::Hub(config::Config config, std::shared_ptr<spdlog::logger> log, std::string version, OpenPort open_port)
    : file_(control::FileConfig::of(std::move(config))),
      config_(file_.whole),
      log_(std::move(log)),
      version_(std::move(version)),
      open_port_(std::move(open_port)) {}

Hub::~Hub() { stop(); }

Lines Hub::start() {
  const auto steps = {&Hub::start_eal,    &Hub::open_ports,      &Hub::gather_addresses, &Hub::make_model,
                      &Hub::start_events, &Hub::start_dataplane, &Hub::start_control,    &Hub::start_api};
  for (const auto step : steps) {
    if (Lines problems = (this->*step)(); !problems.empty()) return problems;
  }
  log_->info("weir is ready");
  return {};
}

Lines Hub::start_eal() {
  const std::vector<uint32_t> usable = usable_cores();
  cores_ = control_cores(*config_, usable);
  EalSettings settings = eal_settings(*config_, cores_.front());
  const config::MemoryPlan plan = config::memory_plan(*config_, SessionTable::bytes_for);
  if (const auto problem = config::too_little_memory(*config_, plan)) return in_words({*problem});
  if (settings.memory_mib == 0) settings.memory_mib = plan.eal_mib;
  settings.log = [log = log_](int level, std::string_view line) { events::log_eal_line(*log, level, line); };
  eal_ = std::make_unique<EalRunning>();
  const auto facts = eal_start(settings);
  if (!facts) return at(config_->eal.where, facts.error());
  if (!facts->memory_note.empty()) log_->info("memory: {}", facts->memory_note);
  run_on(cores_);  // EAL has bound this thread to one core; threads started from here on inherit these
  const config::PacketBuffers buffers = config::packet_buffers(*config_);
  const uint32_t count = config_->limits.packet_buffers;
  auto pool = make_packet_pool(count, Dataplane::mbuf_private_size(), buffers.data);
  if (!pool) return at(config_->limits.where, pool.error());
  pool_.reset(*pool);
  if (buffers.af_xdp_data != 0) {
    pool = make_packet_pool(count, Dataplane::mbuf_private_size(), buffers.af_xdp_data, "weir_af_xdp");
    if (!pool) return at(config_->limits.where, pool.error());
    af_xdp_pool_.reset(*pool);
  }
  builder_ = std::make_unique<control::Builder>([] { name_thread("weir-builder"); });
  return {};
}

rte_mempool* Hub::pool_of(PortKind kind) const {
  return kind == PortKind::af_xdp && af_xdp_pool_ != nullptr ? af_xdp_pool_.get() : pool_.get();
}

Lines Hub::open_ports() {
  for (const config::Port& port : config_->ports) {
    PortSpec spec = port_spec(port);
    if (spec.kind == PortKind::af_xdp) {
      auto object = XdpSteering::object_file();
      if (!object) return at(port.where, object.error());
      spec.xdp_object = *object;
    }
    auto opened = open_port_(spec, static_cast<unsigned>(config_->workers.cores.size()), pool_of(spec.kind));
    if (!opened) return at(port.device_where, opened.error());
    const auto index = static_cast<PortIndex>(ports_.size());
    ports_.push_back(std::move(*opened));
    warn_of_large_packets(spec);
    if (spec.kind != PortKind::af_xdp) continue;
    auto steering = XdpSteering::attach_to(ports_.back()->kernel_ifindex());
    if (!steering) return at(port.device_where, steering.error());
    steering_.emplace(index, std::move(*steering));
  }
  return {};
}

/// Of a kernel's interface whose MTU is larger than the buffers, which is no error where nobody uses it.
void Hub::warn_of_large_packets(const PortSpec& spec) const {
  if (spec.mtu != 0 || (spec.kind != PortKind::af_xdp && spec.kind != PortKind::af_packet)) return;
  const auto facts = find_interface(spec.interface);
  const uint16_t mtu = ports_.back()->mtu();
  if (!facts || facts->mtu <= mtu) return;
  log_->warn(
      "port {}: interface {} has an MTU of {}, of which the hub's packet buffers carry {}; set port.mtu",
      spec.name, spec.interface, facts->mtu, mtu);
}

/// The kernel may have the underlay's addresses on a VLAN interface on the port's: the one of port.vlan or,
/// if that is not set and the port's own interface has none of them, the one that has.
Status Hub::find_underlay_interface(size_t index, underlay::Underlay& kernel) {
  model::PortFacts& facts = facts_.ports[index];
  const auto has_them = [&](uint32_t ifindex) {
    const auto addresses = kernel.kernel_addresses(ifindex);
    if (!addresses || facts.addresses.empty()) return addresses && !addresses->empty();
    return std::any_of(addresses->begin(), addresses->end(),
                       [&](const auto& a) { return a.address == facts.addresses.front().address; });
  };
  const auto vlans = underlay::vlans_on(ports_[index]->kernel_ifindex());
  if (!vlans) return tl::unexpected(vlans.error());
  if (facts.vlan == 0 && has_them(ports_[index]->kernel_ifindex())) return {};
  std::vector<underlay::VlanInterface> meant;
  std::copy_if(vlans->begin(), vlans->end(), std::back_inserter(meant), [&](const auto& vlan) {
    return (facts.vlan == 0 || vlan.vlan == facts.vlan) && has_them(vlan.ifindex);
  });
  if (meant.size() > 1) {
    return fail(ErrorCode::invalid, "the kernel has addresses on " + meant[0].name + " and " + meant[1].name +
                                        "; port.vlan or port.address says which is the underlay's");
  }
  if (meant.empty()) return {};
  log_->info("port {}: its underlay is the kernel's interface {}, VLAN {}", facts.name, meant[0].name,
             meant[0].vlan);
  facts.vlan = meant[0].vlan;
  kernel_ifindexes_[index] = meant[0].ifindex;
  return {};
}

/// The hub's underlay addresses: those that the file names, or on af_xdp the kernel's own.
Lines Hub::gather_addresses() {
  facts_.workers = static_cast<uint16_t>(config_->workers.cores.size());
  facts_.policy_rules = config_->limits.policy_rules;
  for (size_t i = 0; i < ports_.size(); ++i) {
    const config::Port& port = config_->ports[i];
    facts_.ports.push_back({ports_[i]->name(), static_cast<PortIndex>(i), port.mac.value_or(ports_[i]->mac()),
                            ports_[i]->mtu(), port.driver == config::PortDriver::af_xdp, port.vlan,
                            ports_[i]->tx_checksums(), port.addresses,
                            port.driver == config::PortDriver::tap});
  }
  auto kernel = underlay::Underlay::create(underlay_ports(), [](PortIndex, std::span<const uint8_t>) {});
  if (!kernel) return {kernel.error().message};
  Lines problems;
  for (size_t i = 0; i < ports_.size(); ++i) {
    model::PortFacts& facts = facts_.ports[i];
    kernel_ifindexes_.push_back(ports_[i]->kernel_ifindex());
    if (!facts.kernel_shared) continue;
    if (const Status found = find_underlay_interface(i, **kernel); !found)
      return at(config_->ports[i].where, found.error());
    const auto addresses = (*kernel)->kernel_addresses(kernel_ifindexes_[i]);
    if (!addresses) return at(config_->ports[i].where, addresses.error());
    for (const net::InterfaceAddress& wanted : facts.addresses) {
      const bool there = std::any_of(addresses->begin(), addresses->end(),
                                     [&](const auto& a) { return a.address == wanted.address; });
      if (there) continue;
      problems.push_back(config::to_string(config::Problem{
          config_->ports[i].addresses_where, "port[].address",
          net::to_string(wanted) + " is not configured on interface " + config_->ports[i].interface +
              "; the kernel has to have it on an af_xdp port"}));
    }
    if (facts.addresses.empty()) facts.addresses = *addresses;
  }
  return problems;
}

/// One transaction of all that the file has, before any worker looks.
Lines Hub::make_model() {
  rules_share_.magic = std::make_shared<inspection::FileMagic>(
      facts_.workers, magic_settings(config_->limits), inspection::FileMagic::Mode::beside,
      [] { name_thread("weir-magic"); });
  control::RuleBuild rules = control::build_rules(*config_, facts_.workers, rules_share_);
  if (!rules.problems.empty()) return in_words(rules.problems);
  for (const std::string& line : rules.refused) log_->warn("{}", line);
  if (!rules.cache.empty()) log_->info("{}", rules.cache);
  file_.profiles = std::move(rules.profiles);
  const uint32_t attachments = config_->limits.attachments;
  auto adjacencies = AdjacencyTable::create(config_->limits.adjacencies);
  if (!adjacencies) return at(config_->limits.where, adjacencies.error());
  adjacencies_ = std::move(*adjacencies);
  board_ = std::make_unique<AttachmentBoard>(attachments);
  auto routes = Routes::create({.routes = config_->limits.routes});
  if (!routes) return at(config_->limits.where, routes.error());
  routes_ = std::move(*routes);
  model_ = std::make_unique<model::LiveModel>(
      facts_, model::Tables{*routes_, std::make_shared<AttachmentTable>(attachments),
                            std::make_shared<TunnelTable>(model::tunnel_entries(attachments)),
                            adjacencies_.get(), board_.get()});
  model::Transaction transaction(*model_, model::Origin::file);
  model::FileChanges(nullptr, config_).add_to(transaction);
  transaction.settings(control::settings_of(*config_, std::move(rules.rulesets)));
  if (const auto problems = transaction.check(); !problems.empty()) return in_words(problems);
  model::Plan plan = transaction.plan();
  plan.narrow();
  plan.widen();
  routes_->finish(routes_->take_pending());
  for (const std::string& line : in_words(plan.warnings)) log_->warn("{}", line);
  first_ = std::move(plan.snapshot);
  return {};
}

Lines Hub::start_events() {
  if (config_->events.eve.empty()) return {};
  auto file = events::EveFile::open(config_->events.eve);
  if (!file) return at(config_->events.where, file.error());
  eve_ = std::move(*file);
  return {};
}

Lines Hub::start_dataplane() {
  std::vector<Port*> ports;
  for (const auto& port : ports_) ports.push_back(port.get());
  DataplaneSettings settings = dataplane_settings(*config_);
  const auto workers = static_cast<uint32_t>(settings.cores.size());
  const uint32_t pending = worker_share(settings.pending, workers).sessions;
  auto names = inspection::make_name_finders(workers, {.sessions = pending});
  if (!names) return at(config_->limits.where, names.error());
  settings.names = std::move(*names);
  auto made = Dataplane::create(settings, std::move(ports), pool_.get(), std::move(first_));
  if (!made) return at(config_->limits.where, made.error());
  dataplane_ = std::move(*made);
  dataplane_->set_wall_offset(events::wall_offset_ns(dataplane_->now()));
  if (const Status started = dataplane_->start(); !started)
    return at(config_->workers.where, started.error());
  events::WriterParts parts{
      [this](size_t max, const inspection::TakeEvent& take) { return dataplane_->take_events(max, take); },
      std::move(eve_), [this] { return dataplane_->now(); }, *log_, [] { name_thread("weir-writer"); }};
  parts.format = eve_options(config_->events);
  parts.hub = &hub_events_;
  parts.alerts = &alerts_;
  parts.stats_interval_ns = config_->events.stats_interval * kNanosPerSecond;
  parts.stats = [this, started = dataplane_->now()](NanoTime now, int64_t offset_ns) {
    return stats_event(*dataplane_, started, now, offset_ns);
  };
  writer_ = std::make_unique<events::Writer>(std::move(parts));
  return {};
}

Lines Hub::start_control() {
  auto underlay = underlay::Underlay::create(
      underlay_ports(),
      [this](PortIndex port, std::span<const uint8_t> f) { dataplane_->send_frame(port, f); });
  if (!underlay) return {underlay.error().message};
  underlay_ = std::move(*underlay);
  if (std::any_of(facts_.ports.begin(), facts_.ports.end(), [](const auto& p) { return p.kernel_shared; })) {
    for (const net::Family family : {net::Family::ipv4, net::Family::ipv6}) {
      auto socket = underlay::IcmpSocket::open(family);
      if (!socket) return {socket.error().message};
      icmp_sockets_.push_back(std::move(*socket));
    }
  }
  std::vector<const underlay::IcmpSocket*> icmp;
  for (const auto& socket : icmp_sockets_) icmp.push_back(&socket);
  std::vector<const Port*> ports;
  for (const auto& port : ports_) ports.push_back(port.get());
  std::map<PortIndex, XdpSteering*> steering;
  for (const auto& [index, s] : steering_) steering.emplace(index, s.get());
  control_ = std::make_unique<control::Control>(
      control::ControlParts{*dataplane_, *underlay_, *adjacencies_, *board_, *builder_, mailbox_, *log_,
                            std::move(ports), std::move(steering), version_,
                            [this](const control::AttachmentChange& c) {
                              hub_events_.put({c.at, c.attachment, c.domain, std::string(to_string(c.state)),
                                               std::string(to_string(c.was)), c.reason});
                            },
                            std::move(icmp), rules_share_},
      facts_, std::move(model_), std::move(file_), dataplane_->now());
  if (const Status started = control_->start(); !started) return {started.error().message};
  return {};
}

Lines Hub::start_api() {
  source_ = std::make_unique<api::ControlSource>(*control_, mailbox_, alerts_);
  auto server = api::Server::start(config_->api.socket, config_->api.max_request_mib, *source_,
                                   [] { name_thread("weir-api"); });
  if (!server) return at(config_->api.where, server.error());
  api_ = std::move(*server);
  return {};
}

std::vector<underlay::PortFacts> Hub::underlay_ports() const {
  std::vector<underlay::PortFacts> ports;
  for (size_t i = 0; i < ports_.size(); ++i) {
    const model::PortFacts& known = facts_.ports[i];
    const PortKind kind = port_spec(config_->ports[i]).kind;
    underlay::PortFacts facts;
    facts.index = known.index;
    facts.name = known.name;
    facts.kernel_shared = known.kernel_shared;
    facts.kernel_ifindex = i < kernel_ifindexes_.size() ? kernel_ifindexes_[i] : ports_[i]->kernel_ifindex();
    facts.kernel_mac = kind == PortKind::af_xdp || kind == PortKind::af_packet;
    facts.mac = known.mac;
    facts.mtu = known.mtu;
    facts.max_mtu = largest_mtu(kind, data_bytes_of(*pool_of(kind)));
    facts.addresses = known.addresses;
    facts.gateways = config_->ports[i].gateways;
    ports.push_back(std::move(facts));
  }
  return ports;
}

void Hub::run(Signals& signals) {
  constexpr int kIdleMillis = 2;  // punted packets come by rings, which no descriptor tells of
  std::vector<pollfd> fds{{signals.fd(), POLLIN, 0}, {mailbox_.fd(), POLLIN, 0}};
  const size_t first_underlay = fds.size();
  for (const int fd : underlay_->fds()) fds.push_back({fd, POLLIN, 0});
  bool worked = true;
  while (true) {
    ::poll(fds.data(), fds.size(), worked ? 0 : kIdleMillis);
    for (int signal = signals.next(); signal != 0; signal = signals.next()) {
      if (!handle(signal)) return;
    }
    const bool underlay_ready = std::any_of(fds.begin() + static_cast<std::ptrdiff_t>(first_underlay),
                                            fds.end(), [](const pollfd& p) { return p.revents != 0; });
    const NanoTime now = dataplane_->now();
    dataplane_->set_wall_offset(events::wall_offset_ns(now));
    worked = control_->turn(now, underlay_ready);
  }
}

/// False: it is time to stop.
bool Hub::handle(int signal) {
  switch (signal) {
    case SIGHUP:
      control_->reload([](const control::ChangeView&) {});
      return true;  // control logs what comes of it
    case SIGUSR1:
      writer_->reopen();
      return true;
    default:
      log_->info("stopping");
      return false;
  }
}

/// What rules have added to data sets, where they say so.
void Hub::save_sets() {
  std::set<const inspection::DetectionRuleset*> saved;
  for (const dataplane::Profile& profile : dataplane_->current().profiles) {
    const inspection::DetectionRuleset& ruleset = profile.ruleset->profile().ruleset();
    if (!saved.insert(&ruleset).second) continue;
    for (const std::string& problem : inspection::save_sets(ruleset, *dataplane_->rule_memory().values))
      log_->error(problem);
  }
}

bool Hub::stop() {
  mailbox_.close();  // what API threads have asked control but not told it yet: answered with nothing
  if (control_) control_->abandon();
  api_.reset();
  if (dataplane_) {
    dataplane_->stop();
    save_sets();
  }
  writer_.reset();
  control_.reset();
  underlay_.reset();
  dataplane_.reset();
  steering_.clear();
  ports_.clear();
  af_xdp_pool_.reset();
  pool_.reset();
  eal_.reset();
  return builder_ == nullptr || !builder_->busy();
}

}  // namespace weir::daemon
