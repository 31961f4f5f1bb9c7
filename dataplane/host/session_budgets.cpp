#include "dataplane/host/session_budgets.h"

namespace weir::dataplane {

namespace {

constexpr size_t kDomainSlots = 1 << 16;

}  // namespace

SessionBudgets::SessionBudgets(const SessionBudgetLimits& limits, uint32_t attachments)
    : limits_(limits),
      attachments_(limits.attachment.any() ? attachments : 1),
      domains_(limits.domain.any() ? kDomainSlots : 1) {}

size_t SessionBudgets::bytes_for(const SessionBudgetLimits& limits, uint32_t attachments) {
  return HostTable::bytes_for(limits.hosts) + (limits.attachment.any() ? attachments * sizeof(Budget) : 0) +
         (limits.domain.any() ? kDomainSlots * sizeof(Budget) : 0);
}

Result<std::unique_ptr<SessionBudgets>> SessionBudgets::create(const SessionBudgetLimits& limits,
                                                               uint32_t attachments, uint64_t secret) {
  auto hosts = HostTable::create(limits.hosts, secret);
  if (!hosts) return tl::unexpected(std::move(hosts.error()));
  std::unique_ptr<SessionBudgets> budgets(new SessionBudgets(limits, attachments));
  budgets->hosts_ = std::move(*hosts);
  return budgets;
}

template <typename Ask>
SessionBudgets::Admission SessionBudgets::ask_source(const Origin& origin, uint32_t limit, Ask&& ask) const {
  if (limit == 0) return {};
  switch (ask(hosts_->name_of(origin.domain_slot, origin.source))) {
    case HostTable::Answer::yes:
      break;
    case HostTable::Answer::over_limit:
      return {.bound = Bound::source};
    case HostTable::Answer::no_room:
      return {.untracked = true};
  }
  return {};
}

SessionBudgets::Admission SessionBudgets::take_new(const Origin& origin, NanoTime now) {
  Admission admission = ask_source(origin, limits_.source.new_per_second, [&](HostName host) {
    return hosts_->take_new(host, limits_.source, now);
  });
  if (!admission) return admission;
  if (limits_.attachment.new_per_second != 0 &&
      !attachments_[slot_of(origin.attachment)].take_new(limits_.attachment, now)) {
    admission.bound = Bound::attachment;
  } else if (limits_.domain.new_per_second != 0 &&
             !domains_[origin.domain_slot].take_new(limits_.domain, now)) {
    admission.bound = Bound::domain;
  }
  return admission;
}

SessionBudgets::Admission SessionBudgets::begin_half_open(const Origin& origin, NanoTime now) {
  Admission admission = ask_source(origin, limits_.source.half_open, [&](HostName host) {
    return hosts_->begin_half_open(host, limits_.source, now);
  });
  if (!admission) return admission;
  const auto give_back_source = [&] {
    if (limits_.source.half_open != 0 && !admission.untracked)
      hosts_->end_half_open(hosts_->name_of(origin.domain_slot, origin.source));
  };
  if (limits_.attachment.half_open != 0 &&
      !attachments_[slot_of(origin.attachment)].begin_half_open(limits_.attachment)) {
    give_back_source();
    admission.bound = Bound::attachment;
    return admission;
  }
  if (limits_.domain.half_open != 0 && !domains_[origin.domain_slot].begin_half_open(limits_.domain)) {
    if (limits_.attachment.half_open != 0) attachments_[slot_of(origin.attachment)].end_half_open();
    give_back_source();
    admission.bound = Bound::domain;
  }
  return admission;
}

void SessionBudgets::end_half_open(const Origin& origin, bool untracked) {
  if (limits_.source.half_open != 0 && !untracked)
    hosts_->end_half_open(hosts_->name_of(origin.domain_slot, origin.source));
  if (limits_.attachment.half_open != 0) attachments_[slot_of(origin.attachment)].end_half_open();
  if (limits_.domain.half_open != 0) domains_[origin.domain_slot].end_half_open();
}

}  // namespace weir::dataplane
