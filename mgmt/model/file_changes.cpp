#include "mgmt/model/file_changes.h"

#include <algorithm>
#include <utility>

namespace weir::model {

namespace {

template <typename Thing>
void add_list(Transaction& transaction, const config::Difference<Thing>& list) {
  for (const Thing* thing : list.removed) transaction.add(config::ChangeVerb::remove, *thing);
  for (const auto& [before, now] : list.changed) transaction.add(config::ChangeVerb::replace, *now);
  for (const Thing* thing : list.added) transaction.add(config::ChangeVerb::add, *thing);
}

}  // namespace

FileChanges::FileChanges(std::shared_ptr<const config::Config> before,
                         std::shared_ptr<const config::Config> now)
    : before_(before != nullptr ? std::move(before) : std::make_shared<const config::Config>()),
      now_(std::move(now)),
      domains_(config::difference(before_->domains, now_->domains)),
      attachments_(config::difference(before_->attachments, now_->attachments)),
      routes_(config::difference(before_->routes, now_->routes)),
      connections_(config::difference(before_->connections, now_->connections)),
      groups_(config::difference(before_->objects.groups, now_->objects.groups)),
      policy_(!std::equal(before_->policy.begin(), before_->policy.end(), now_->policy.begin(),
                          now_->policy.end(), &config::same<config::PolicyRule>)),
      nat_(!std::equal(before_->nat.begin(), before_->nat.end(), now_->nat.begin(), now_->nat.end(),
                       &config::same<config::Nat>)) {}

void FileChanges::add_to(Transaction& transaction) const {
  add_list(transaction, domains_);
  add_list(transaction, attachments_);
  add_list(transaction, routes_);
  add_list(transaction, connections_);
  add_list(transaction, groups_);
  if (policy_) transaction.file_policy(before_->policy, now_->policy);
  if (nat_) transaction.file_nat(before_->nat, now_->nat);
}

bool FileChanges::empty() const {
  return domains_.empty() && attachments_.empty() && routes_.empty() && connections_.empty() &&
         groups_.empty() && !policy_ && !nat_;
}

}  // namespace weir::model
