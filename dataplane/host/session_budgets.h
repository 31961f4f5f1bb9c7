// Who may begin how many sessions: budgets of the initiator's host, its attachment and its domain, of all
// workers together. Limits are fixed for the hub's life. Any worker.
#pragma once

#include <memory>
#include <vector>

#include "dataplane/core/ids.h"
#include "dataplane/host/host_table.h"

namespace weir::dataplane {

struct SessionBudgetLimits {
  BudgetLimits source = {};
  BudgetLimits attachment = {};
  BudgetLimits domain = {};
  uint32_t hosts = 65'536;  // entries of the host table
  bool any() const { return source.any() || attachment.any() || domain.any(); }
};

class SessionBudgets {
 public:
  /// Where a session begins.
  struct Origin {
    uint16_t domain_slot = 0;
    AttachmentId attachment;
    net::IpAddress source;
  };
  /// What stands against it.
  enum class Bound : uint8_t { none, source, attachment, domain };
  struct Admission {
    Bound bound = Bound::none;
    bool untracked = false;  // the host table has no room for the source
    explicit operator bool() const { return bound == Bound::none; }
  };

  /// `attachments`: how many slots there are. Fails as HostTable::create().
  static Result<std::unique_ptr<SessionBudgets>> create(const SessionBudgetLimits& limits,
                                                        uint32_t attachments, uint64_t secret);
  static size_t bytes_for(const SessionBudgetLimits& limits, uint32_t attachments);

  /// A first packet, whatever becomes of it. The source is asked first, so that what it asks for beyond its
  /// own budget costs the others of its attachment nothing.
  Admission take_new(const Origin& origin, NanoTime now);
  /// A session that is half open from now on: counted for all three, or for none if one bound stands against
  /// it. What `untracked` says has to be kept, and given to end_half_open().
  Admission begin_half_open(const Origin& origin, NanoTime now);
  void end_half_open(const Origin& origin, bool untracked);

  const SessionBudgetLimits& limits() const { return limits_; }
  uint32_t half_open_of_source(uint16_t domain_slot, const net::IpAddress& source) const {
    return hosts_->half_open(hosts_->name_of(domain_slot, source));
  }
  uint32_t half_open_of(AttachmentId id) const { return attachments_[slot_of(id)].half_open(); }
  uint32_t half_open_of_domain(uint16_t slot) const { return domains_[slot].half_open(); }

 private:
  SessionBudgets(const SessionBudgetLimits& limits, uint32_t attachments);
  /// What the host table says of the source, if there is a limit.
  template <typename Ask>
  Admission ask_source(const Origin& origin, uint32_t limit, Ask&& ask) const;
  size_t slot_of(AttachmentId id) const { return id.index() % attachments_.size(); }

  SessionBudgetLimits limits_;
  std::unique_ptr<HostTable> hosts_;
  std::vector<Budget> attachments_;  // by slot
  std::vector<Budget> domains_;      // by slot
};

}  // namespace weir::dataplane
