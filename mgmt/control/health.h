// Watches the attachments: sends probes where it is asked to, looks what came in, and says which are up.
//
// Each attachment has a moment at which it is looked at; they lie in order, so that a turn touches only what
// is due, and at most kPerTurn of them. Workers recognise a probe's answer by the token that the
// AttachmentBoard says they wait for, so answers cost control nothing, and neither a flood of replies nor a
// guess makes or hides one. What the findings mean is the HealthMachine's. Control thread only; time is an
// input.
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "dataplane/tunnel/attachment_board.h"
#include "dataplane/worker/dataplane.h"
#include "mgmt/config/config.h"
#include "mgmt/control/health_state.h"
#include "mgmt/control/neighbors.h"

namespace weir::control {

struct HealthCounters {
  uint64_t sent = 0;         // probes
  uint64_t answered = 0;     // of them
  uint64_t unanswered = 0;   // of them; probes that could not be sent included
  uint64_t no_neighbor = 0;  // not sent: the probed host answers no ARP or ND
  uint64_t late = 0;         // looks that came more than a tenth of a second after their time
  uint64_t changes = 0;      // of a state
};

/// What is known of one attachment's health.
struct HealthView {
  HealthState state = HealthState::unknown;
  dataplane::NanoTime since = 0;
  std::string reason;  // in words
  /// Of one from which nothing comes any more: when something was seen to have come last.
  std::optional<dataplane::NanoTime> received;
  bool dampened = false;
  uint32_t flaps = 0;
  std::optional<dataplane::NanoTime> rtt;  // of the last answer
  dataplane::AttachmentTotals totals;      // since the attachment came
};

/// A change of one attachment's state.
struct HealthTransition {
  dataplane::AttachmentId attachment;
  HealthChange change;
  bool withdraw = false;  // its routes follow its state
};

class Health {
 public:
  /// Looks at most in one turn, so that many attachments never hold up the rest of control's work.
  static constexpr unsigned kPerTurn = 64;
  /// From one turn to the next that had more to do, control does not sleep.
  using OnChange = std::function<void(const HealthTransition&)>;

  /// `seed` makes the secret of the probes and the jitter; production takes it from the system. `on_change`
  /// is called from tick().
  Health(dataplane::Dataplane& dataplane, dataplane::AttachmentBoard& board, Neighbors& neighbors,
         uint64_t seed, OnChange on_change);

  /// The attachment is in the snapshot. Its state starts as unknown; with the same settings as before it
  /// stays.
  void add(dataplane::AttachmentId attachment, const config::Health& settings, dataplane::NanoTime now);
  void remove(dataplane::AttachmentId attachment);
  /// Looks at what is due. True if there is more than one turn's worth.
  bool tick(dataplane::NanoTime now);

  /// As unknown for an attachment that is not watched.
  HealthView view(dataplane::AttachmentId attachment) const;
  const HealthCounters& counters() const { return counters_; }

 private:
  struct Watched {
    dataplane::AttachmentId id;  // invalid: free
    config::Health settings;
    HealthRules rules;
    HealthMachine machine{0};
    dataplane::NanoTime due = 0;  // as in due_
    uint32_t sequence = 0;        // of the last probe
    dataplane::ProbeToken token;  // of the probe under way; zero: none
    dataplane::NanoTime sent = 0;
    std::optional<dataplane::NanoTime> rtt;
    unsigned missed = 0;                          // probes in a row
    dataplane::AttachmentTotals base;             // when it came
    uint64_t rx_seen = 0;                         // packets, at the last look
    std::optional<dataplane::NanoTime> received;  // the last look that found more
  };
  struct Due {
    dataplane::NanoTime at = 0;
    uint32_t slot = 0;
    friend auto operator<=>(const Due&, const Due&) = default;
  };

  void schedule(Watched& watched, dataplane::NanoTime at);
  void look(Watched& watched, dataplane::NanoTime now);
  Evidence evidence_of(Watched& watched);
  void probe(Watched& watched, dataplane::NanoTime now);
  bool send_probe(Watched& watched, const dataplane::Attachment& attachment, dataplane::NanoTime now);
  dataplane::NanoTime next_interval(const config::Health& settings);
  uint64_t secret_of(const Watched& watched) const;
  const Watched* find(dataplane::AttachmentId attachment) const;

  dataplane::Dataplane& dataplane_;
  dataplane::AttachmentBoard& board_;
  Neighbors& neighbors_;
  std::mt19937_64 random_;
  uint64_t key_[2];
  OnChange on_change_;
  // Neither is ever moved as a whole: it would be the largest thing that a new attachment makes.
  std::deque<Watched> watched_;  // by slot
  std::set<Due> due_;            // of each that is watched, one
  HealthCounters counters_;
};

}  // namespace weir::control
