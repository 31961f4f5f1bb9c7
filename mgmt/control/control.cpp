#include "mgmt/control/control.h"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <random>
#include <utility>

#include "dataplane/net/headers.h"
#include "dataplane/net/parse.h"

namespace weir::control {

using namespace dataplane;

namespace {

constexpr size_t kPacketsPerTurn = 256;
constexpr NanoTime kUnderlayTick = 100 * kNanosPerMilli;
constexpr NanoTime kPoolReport = 10 * kNanosPerSecond;

NeighborLimits neighbor_limits(const config::Config& config) {
  return {config.limits.held_packets, config.limits.held_per_neighbor,
          config.limits.neighbors_per_attachment};
}

uint64_t random_seed() {
  std::random_device random;
  return static_cast<uint64_t>(random()) << 32 | random();
}

}  // namespace

Control::Control(ControlParts parts, model::StartFacts facts, std::unique_ptr<model::LiveModel> model,
                 FileConfig file, NanoTime now)
    : parts_(std::move(parts)),
      facts_(std::move(facts)),
      model_(std::move(model)),
      file_(std::move(file)),
      steering_(parts_.steering, facts_),
      paths_(parts_.underlay, path_mtus_, parts_.log),
      neighbors_(parts_.dataplane, parts_.adjacencies, neighbor_limits(*file_.settings)),
      health_(parts_.dataplane, parts_.board, neighbors_, random_seed(),
              [this](const HealthTransition& transition) { on_health(transition); }),
      icmp_errors_(parts_.dataplane, file_.settings->limits.icmp_errors_per_second),
      rule_counts_(parts_.dataplane),
      now_(now),
      started_(now),
      compiler_([] { pthread_setname_np(pthread_self(), "weir-compiler"); }) {
  neighbors_.on_unreachable([this](const Punt& punt) { icmp_errors_.on_unreachable(punt, now_); });
  // A model of which nothing was planned yet has none.
  if (const auto& policy = parts_.dataplane.current().policy; policy != nullptr)
    rule_counts_.on_policy(policy);
}

Status Control::start() {
  std::vector<const config::Attachment*> coming;
  for (const auto& [name, record] : model_->attachments()) coming.push_back(&record.config);
  if (Status steered = steering_.widen(coming); !steered) return steered;
  model_->for_each_path([this](const auto& path, const auto& hop) { paths_.add(path, hop); });
  for (const auto& [name, record] : model_->attachments()) health_.add(record.id, record.config.health, now_);
  make_changes();
  return {};
}

void Control::on_health(const HealthTransition& transition) {
  AttachmentChange change;
  change.at = now_;
  if (const Attachment* a = parts_.dataplane.current().attachment(transition.attachment)) {
    change.attachment = a->name;
    change.domain = model_->domain_name(a->domain);
  }
  change.state = transition.change.to;
  change.was = transition.change.from;
  change.reason = to_string(transition.change.reason);
  const auto level = change.state == HealthState::down ? spdlog::level::warn : spdlog::level::info;
  parts_.log.log(level, "attachment {} is {}, was {}: {}", change.attachment, to_string(change.state),
                 to_string(change.was), change.reason);
  withdrawals_.insert_or_assign(transition.attachment,
                                transition.withdraw && change.state == HealthState::down);
  if (parts_.on_attachment_change) parts_.on_attachment_change(change);
}

bool Control::turn(NanoTime now, bool underlay_ready) {
  now_ = now;
  bool worked = parts_.mailbox.run() != 0;
  bool changed = underlay_ready && parts_.underlay.process();
  if (now >= next_underlay_tick_) {
    next_underlay_tick_ = now + kUnderlayTick;
    changed |= parts_.underlay.tick(now);
    take_kernel_icmp();
    changed |= path_mtus_.tick(now);
  }
  if (changed) paths_.ask_all();
  macs_asked_ |= changed;
  worked |= take_packets();
  worked |= paths_.step();
  neighbors_.tick(now);
  worked |= health_.tick(now);
  report_pools();
  parts_.dataplane.housekeeping();
  settle_rules();
  worked |= make_changes();
  purge();
  if (parts_.dataplane.now() > now + kStall) ++stalls_;
  // The workers are quiescent soon.
  return worked || changed || installing_;
}

/// What asks pools for ports in vain is dropped and counted by the workers; here it is told.
void Control::report_pools() {
  if (now_ < next_pool_report_) return;
  next_pool_report_ = now_ + kPoolReport;
  for (const PoolView& pool : pool_views(parts_.dataplane.current())) {
    uint64_t& known = pools_exhausted_[pool.name];
    if (pool.use.exhausted > known) {
      parts_.log.warn("pool {} had no port for {} sessions; {} of them are taken, {} an address and protocol",
                      pool.name, pool.use.exhausted - known, pool.use.taken, pool.capacity / pool.addresses);
    }
    known = pool.use.exhausted;
  }
}

bool Control::take_packets() {
  const auto notes = parts_.dataplane.take_notes(kPacketsPerTurn);
  for (const NeighborNote& note : notes) {
    if (note.attachment.valid()) {
      neighbors_.on_note(note, now_);
    } else if (parts_.underlay.on_neighbor_note(note.port, note.address, note.mac)) {
      paths_.ask_all();
    }
  }
  const auto punts = parts_.dataplane.take_punts(kPacketsPerTurn);
  for (const Punt& punt : punts) on_punt(punt);
  return !notes.empty() || !punts.empty();
}

void Control::on_punt(const Punt& punt) {
  switch (punt.reason) {
    case PuntReason::resolve:
      return neighbors_.on_punt(punt, now_);
    case PuntReason::ttl_exceeded:
    case PuntReason::mtu_exceeded:
      return icmp_errors_.on_punt(punt, now_);
    case PuntReason::reject:
      return icmp_errors_.on_reject(punt, now_);
    case PuntReason::underlay_icmp: {
      net::EthView eth;
      const bool whole = net::parse_ethernet(punt.frame, eth) == net::ParseError::none;
      if (whole) on_underlay_icmp(read_too_big(punt.frame.subspan(eth.offset)));
      return parts_.dataplane.discard(punt, DropReason::none);
    }
    case PuntReason::multicast: {
      const Attachment* from = parts_.dataplane.current().attachment(punt.attachment);
      if (from == nullptr || !from->multicast_port) break;  // it changed meanwhile
      const bool sent = parts_.dataplane.send_frame(*from->multicast_port, punt.frame);
      return parts_.dataplane.discard(punt, sent ? DropReason::none : DropReason::punt_full);
    }
    case PuntReason::underlay_arp: {
      if (parts_.underlay.on_neighbor_frame(punt.port, punt.frame)) paths_.ask_all();
      return parts_.dataplane.discard(punt, DropReason::none);  // it has served its purpose
    }
  }
  parts_.dataplane.discard(punt, DropReason::punt_unwanted);
}

/// What an ICMP error for one of the hub's underlay addresses said.
void Control::on_underlay_icmp(const std::optional<TooBig>& said) {
  const auto is_ours = [this](const TooBig& about) {
    const auto users = model_->users_of({about.local, about.remote});
    return std::any_of(users.begin(), users.end(), [&](const model::AttachmentRecord* record) {
      return is_about(about, record->config.tunnel);
    });
  };
  if (path_mtus_.on_icmp(said, is_ours, now_)) paths_.ask({said->local, said->remote});
}

void Control::take_kernel_icmp() {
  std::array<uint8_t, 1'024> buffer;
  for (const underlay::IcmpSocket* socket : parts_.icmp) {
    for (size_t i = 0; i < PathMtus::kPerSecond; ++i) {
      const auto bytes = socket->take(buffer);
      if (bytes.empty()) break;
      const bool v4 = socket->family() == net::Family::ipv4;
      on_underlay_icmp(v4 ? read_too_big(bytes) : read_too_big_message(net::Family::ipv6, bytes));
    }
  }
}

}  // namespace weir::control
