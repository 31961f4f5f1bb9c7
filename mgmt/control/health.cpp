#include "mgmt/control/health.h"

#include <algorithm>
#include <utility>

#include "mgmt/control/frames.h"
#include "mgmt/control/siphash.h"
#include "mgmt/underlay/neighbor_frames.h"

namespace weir::control {

using namespace dataplane;
using config::HealthProbe;

namespace {

constexpr NanoTime kLate = 100 * kNanosPerMilli;

HealthRules rules_of(const config::Health& settings) {
  return {settings.up_after, settings.down_after, settings.flap_half_life * kNanosPerSecond,
          settings.flap_limit};
}

AttachmentTotals operator-(const AttachmentTotals& a, const AttachmentTotals& b) {
  return {a.rx_packets - b.rx_packets, a.rx_bytes - b.rx_bytes, a.tx_packets - b.tx_packets,
          a.tx_bytes - b.tx_bytes};
}

}  // namespace

Health::Health(Dataplane& dataplane, AttachmentBoard& board, Neighbors& neighbors, uint64_t seed,
               OnChange on_change)
    : dataplane_(dataplane),
      board_(board),
      neighbors_(neighbors),
      random_(seed),
      key_{random_(), random_()},
      on_change_(std::move(on_change)) {}

void Health::add(AttachmentId attachment, const config::Health& settings, NanoTime now) {
  if (attachment.index() >= watched_.size()) watched_.resize(attachment.index() + 1);
  Watched& watched = watched_[attachment.index()];
  if (watched.id == attachment && watched.settings == settings) return;
  const bool same = watched.id == attachment;
  const AttachmentTotals base = same ? watched.base : dataplane_.attachment_totals(attachment);
  if (watched.id.valid()) remove(watched.id);
  watched = Watched{};
  watched.id = attachment;
  watched.settings = settings;
  watched.rules = rules_of(settings);
  watched.machine = HealthMachine(now);
  watched.base = base;
  watched.rx_seen = dataplane_.attachment_totals(attachment).rx_packets;
  board_.set_usable(attachment, true);
  board_.expect(attachment, {});
  neighbors_.set_usable(attachment, true);
  // Many attachments come at once, at a start: their first looks are spread over an interval.
  const NanoTime interval = settings.interval_ms * kNanosPerMilli;
  schedule(watched, now + random_() % interval);
}

void Health::schedule(Watched& watched, NanoTime at) {
  watched.due = at;
  due_.insert({at, watched.id.index()});
}

void Health::remove(AttachmentId attachment) {
  if (find(attachment) == nullptr) return;
  Watched& watched = watched_[attachment.index()];
  board_.set_usable(attachment, true);
  board_.expect(attachment, {});
  due_.erase({watched.due, attachment.index()});
  watched.id = {};
}

const Health::Watched* Health::find(AttachmentId attachment) const {
  if (!attachment.valid() || attachment.index() >= watched_.size()) return nullptr;
  const Watched& watched = watched_[attachment.index()];
  return watched.id == attachment ? &watched : nullptr;
}

bool Health::tick(NanoTime now) {
  for (unsigned looks = 0; !due_.empty() && due_.begin()->at <= now; ++looks) {
    if (looks == kPerTurn) return true;
    const Due due = *due_.begin();
    due_.erase(due_.begin());
    Watched& watched = watched_[due.slot];
    if (now - due.at > kLate) ++counters_.late;
    look(watched, now);
    schedule(watched, now + next_interval(watched.settings));
  }
  return false;
}

NanoTime Health::next_interval(const config::Health& settings) {
  const NanoTime interval = settings.interval_ms * kNanosPerMilli;
  const NanoTime most = interval * settings.jitter / 100;
  return most == 0 ? interval : interval - random_() % most;
}

void Health::look(Watched& watched, NanoTime now) {
  const Evidence evidence = evidence_of(watched);
  if (evidence == Evidence::traffic) watched.received = now;
  const bool first = watched.settings.probe != HealthProbe::none && watched.sequence == 0;
  const auto change = first ? std::nullopt : watched.machine.observe(evidence, watched.rules, now);
  if (watched.settings.probe != HealthProbe::none) probe(watched, now);
  if (!change) return;
  ++counters_.changes;
  const bool usable = change->to != HealthState::down;
  if (usable != (change->from != HealthState::down)) {
    // Workers that look a session's next hop up again, since it is gone, must not choose it a second time.
    board_.set_usable(watched.id, usable);
    neighbors_.set_usable(watched.id, usable);
  }
  on_change_({watched.id, *change, watched.settings.withdraw});
}

/// What the interval that ends now has shown.
Evidence Health::evidence_of(Watched& watched) {
  const uint64_t rx = dataplane_.attachment_totals(watched.id).rx_packets;
  const bool traffic = rx != std::exchange(watched.rx_seen, rx);
  if (watched.settings.probe == HealthProbe::none) return traffic ? Evidence::traffic : Evidence::silence;
  const auto answered =
      watched.token == ProbeToken{} ? std::nullopt : dataplane_.probe_answered(watched.id, watched.token);
  if (answered) {
    ++counters_.answered;
    watched.missed = 0;
    watched.rtt = *answered > watched.sent ? *answered - watched.sent : 0;
    return Evidence::answered;
  }
  if (watched.sequence != 0) {
    ++counters_.unanswered;
    ++watched.missed;
  }
  return traffic && watched.settings.traffic ? Evidence::traffic : Evidence::missed;
}

/// Who is to know a token without having been asked has to guess 63 bits.
uint64_t Health::secret_of(const Watched& watched) const {
  return siphash(key_, watched.id.value, watched.sequence);
}

void Health::probe(Watched& watched, NanoTime now) {
  ++watched.sequence;
  watched.token = {};
  const Attachment* attachment = dataplane_.current().attachment(watched.id);
  if (attachment != nullptr && watched.settings.address && send_probe(watched, *attachment, now)) {
    watched.sent = now;
    ++counters_.sent;
  } else {
    watched.token = {};
  }
}

/// The token is awaited before the probe is sent. False: it was not sent, which counts as not answered.
bool Health::send_probe(Watched& watched, const Attachment& attachment, NanoTime now) {
  const net::IpAddress& target = *watched.settings.address;
  const auto own = on_link_from(attachment, target);
  if (!own) return false;
  if (watched.settings.probe == HealthProbe::neighbor) {
    if (!attachment.ethernet) return false;  // the configuration's check refuses it
    watched.token = ProbeToken::neighbor(target, static_cast<uint32_t>(secret_of(watched)));
    board_.expect(watched.id, watched.token);
    // To the MAC that answered last; if it no longer does, to everybody.
    const auto known = watched.missed == 0 ? neighbors_.mac_of(watched.id, target) : std::nullopt;
    return dataplane_.send_inner(watched.id,
                                 underlay::neighbor_request(attachment.hub_mac, *own, target, known));
  }
  // What has no Ethernet inside has nobody to look for; the frame's header is taken off again.
  const auto mac = attachment.ethernet ? neighbors_.want(watched.id, target, now) : net::Mac{};
  if (!mac) {
    ++counters_.no_neighbor;
    return false;
  }
  watched.token = ProbeToken::echo(secret_of(watched));
  board_.expect(watched.id, watched.token);
  const EchoProbe echo{attachment.hub_mac,
                       *mac,
                       *own,
                       target,
                       static_cast<uint16_t>(watched.id.index()),
                       static_cast<uint16_t>(watched.sequence),
                       watched.token.value};
  return dataplane_.send_inner(watched.id, echo_request(echo));
}

HealthView Health::view(AttachmentId attachment) const {
  HealthView view;
  view.totals = dataplane_.attachment_totals(attachment);
  const Watched* watched = find(attachment);
  if (watched == nullptr) return view;
  view.state = watched->machine.state();
  view.since = watched->machine.since();
  view.reason = to_string(watched->machine.reason());
  view.dampened = watched->machine.dampened();
  if (view.dampened && watched->missed == 0) view.reason += "; held down, it went down too often";
  if (!view.dampened && watched->machine.reason() == HealthReason::nothing_received)
    view.received = watched->received;
  view.flaps = watched->machine.flaps();
  view.rtt = watched->rtt;
  view.totals = view.totals - watched->base;
  return view;
}

}  // namespace weir::control
