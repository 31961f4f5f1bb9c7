#include "mgmt/daemon/translate.h"

#include <algorithm>
#include <cctype>
#include <iterator>

#include "mgmt/config/memory_plan.h"

namespace weir::daemon {

using namespace dataplane;

namespace {

PortKind kind_of(config::PortDriver driver) {
  switch (driver) {
    case config::PortDriver::af_xdp:
      return PortKind::af_xdp;
    case config::PortDriver::af_packet:
      return PortKind::af_packet;
    case config::PortDriver::tap:
      return PortKind::tap;
    case config::PortDriver::pcap:
      return PortKind::pcap;
    case config::PortDriver::null:
      return PortKind::null;
    case config::PortDriver::pci:
      return PortKind::pci;
    case config::PortDriver::memory:
      return PortKind::memory;
  }
  return PortKind::null;
}

Hugepages hugepages_of(config::Hugepages hugepages) {
  switch (hugepages) {
    case config::Hugepages::automatic:
      return Hugepages::automatic;
    case config::Hugepages::on:
      return Hugepages::on;
    case config::Hugepages::off:
      return Hugepages::off;
  }
  return Hugepages::automatic;
}

}  // namespace

EalSettings eal_settings(const config::Config& config, uint32_t control_core) {
  EalSettings settings;
  settings.worker_cores = config.workers.cores;
  settings.control_core = control_core;
  settings.hugepages = hugepages_of(config.eal.hugepages);
  settings.memory_mib = config.eal.memory_mib;
  for (const config::Port& port : config.ports) {
    if (port.driver == config::PortDriver::pci) settings.pci_devices.push_back(port.pci);
  }
  settings.extra_args = config.eal.extra_args;
  return settings;
}

PortSpec port_spec(const config::Port& port) {
  PortSpec spec;
  spec.name = port.name;
  spec.kind = kind_of(port.driver);
  spec.interface = port.interface;
  spec.pci = port.pci;
  spec.rx_pcap = port.rx_pcap;
  spec.rx_loop = port.rx_loop;
  spec.tx_pcap = port.tx_pcap;
  spec.mtu = port.mtu;
  spec.mac = port.mac;
  return spec;
}

static PendingLimits pending_limits(const config::Limits& l) {
  // What waits for whatever reason has a quarter of the packet buffers; check() sees to the other two.
  const uint32_t held = l.held_packets + l.held_fragments, quarter = l.packet_buffers / 4;
  return {l.pending_sessions, std::min(l.pending_packets, quarter - std::min(held, quarter)),
          l.pending_packets_per_session, l.pending_bytes_per_session, l.pending_ms * kNanosPerMilli};
}

namespace {

/// What inspection says in its events.
inspection::EventSettings event_settings(const config::Events& events) {
  using inspection::EventKind;
  static constexpr EventKind kKinds[] = {EventKind::alert,    EventKind::drop,     EventKind::http,
                                         EventKind::tls,      EventKind::dns,      EventKind::ssh,
                                         EventKind::quic,     EventKind::smtp,     EventKind::ftp,
                                         EventKind::ftp_data, EventKind::fileinfo, EventKind::anomaly};
  static_assert(std::size(kKinds) == config::kEventTypes.size());
  inspection::EventSettings settings;
  // What happens to the hub's own rules is always told.
  settings.kinds = inspection::EventKinds().set(EventKind::fuse);
  for (size_t i = 0; i < std::size(kKinds); ++i) {
    const bool wanted = std::ranges::find(events.types, config::kEventTypes[i]) != events.types.end();
    settings.kinds.set(kKinds[i], wanted);
  }
  settings.all_drops = events.drops == config::DropEvents::all;
  settings.payload = events.payload;
  settings.payload_printable = events.payload_printable;
  if (events.xff != config::XffMode::off) settings.xff_header = events.xff_header;
  std::ranges::transform(settings.xff_header, settings.xff_header.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  settings.xff_reverse = events.xff_deployment == config::XffDeployment::reverse;
  return settings;
}

}  // namespace

inspection::EveOptions eve_options(const config::Events& events) {
  inspection::EveOptions options;
  using Xff = inspection::EveOptions::Xff;
  options.xff = events.xff == config::XffMode::extra_data  ? Xff::extra_data
                : events.xff == config::XffMode::overwrite ? Xff::overwrite
                                                           : Xff::none;
  options.community_id = events.community_id;
  options.community_seed = events.community_id_seed;
  return options;
}

inspection::MagicSettings magic_settings(const config::Limits& limits) {
  return {.bytes = limits.file_magic_bytes,
          .queue = limits.file_magic_queue,
          .domain_share = limits.inspection_domain_share};
}

DataplaneSettings dataplane_settings(const config::Config& config) {
  DataplaneSettings settings;
  settings.cores = config.workers.cores;
  settings.idle = config.workers.idle == config::Idle::poll ? IdleMode::poll : IdleMode::adaptive;
  settings.burst = config.workers.burst;
  settings.stall_ns = config.workers.stall_us * kNanosPerMicro;
  settings.sessions = config.limits.sessions;
  settings.ring_size = config.limits.ring_size;
  settings.attachments = config.limits.attachments;
  settings.policy_rules = config.limits.policy_rules;
  settings.punts_per_second = config.limits.punts_per_second;
  settings.punts_per_attachment = config.limits.punts_per_attachment;
  settings.fragments = {config.limits.held_fragments, config.limits.fragmented_datagrams,
                        config.limits.fragments_per_datagram};
  settings.event_queue = config.limits.event_queue;
  settings.nat_bindings = config.limits.nat_bindings;
  settings.ftp_controls = config.limits.ftp_controls;
  settings.pending = pending_limits(config.limits);
  settings.flow_events = config.events.flow;
  settings.rule_events_per_second = config.events.rule_events_per_second;
  settings.drop_events_per_second = config.events.drop_events_per_second;
  settings.flow_interval = Tick::duration(config.events.flow_interval * kNanosPerSecond);
  const config::Limits& limits = config.limits;
  settings.half_open = limits.half_open_sessions;
  settings.when_full = limits.when_full == config::WhenFull::refuse ? WhenFull::refuse : WhenFull::half_open;
  settings.budgets = config::session_budgets(limits);
  settings.inspection = {.flows = limits.inspected_sessions,
                         .stream_window = limits.stream_window,
                         .out_of_order_segments = limits.out_of_order_segments,
                         .host_marks = limits.host_marks,
                         .dataset_values = limits.dataset_values,
                         .tls_identities = limits.tls_identities,
                         .domain_share = limits.inspection_domain_share,
                         .rule_work = limits.rule_work,
                         .regex_steps = limits.regex_steps};
  settings.inspect = {limits.inspection_queue, limits.inspection_packet_work, limits.inspection_turn_work,
                      limits.overload_begin, limits.overload_end};
  settings.inspection_events = event_settings(config.events);
  return settings;
}

}  // namespace weir::daemon
