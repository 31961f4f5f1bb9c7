// The groups of the policy, from names and tags to ids and prefixes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/policy/policy.h"
#include "mgmt/config/config.h"
#include "mgmt/config/tag_expression.h"

namespace weir::model {

/// By name; each with what it has itself, without the groups that it contains.
using PolicyGroups = std::map<std::string, std::shared_ptr<const dataplane::PolicyGroup>, std::less<>>;

struct GroupInput {
  std::vector<const config::Group*> groups;  // all that they name exists, and none contains itself
  const std::vector<config::TaggedPrefix>& prefixes;
  struct Member {
    const config::Attachment* config;
    dataplane::AttachmentId id;
  };
  std::vector<Member> attachments;
  std::function<dataplane::DomainId(std::string_view name)> domain;
};

/// A group that is as in `before` is that very object, so that what was compiled of it can stay.
PolicyGroups build_groups(const GroupInput& input, const PolicyGroups& before);

/// For each group itself and all that it contains, however deep, in the order of their names.
using GroupClosures =
    std::map<std::string, std::vector<std::shared_ptr<const dataplane::PolicyGroup>>, std::less<>>;
GroupClosures close_groups(const std::vector<const config::Group*>& configured, const PolicyGroups& groups);

/// Whether a change of attachments may change a group, so that the policy has to be made anew.
class GroupedAttachments {
 public:
  GroupedAttachments() = default;
  explicit GroupedAttachments(const std::vector<const config::Group*>& groups);
  /// Null: it is not there before, or after.
  bool touched(const config::Attachment* before, const config::Attachment* after) const;
  /// Some group has it by name.
  bool names(std::string_view attachment) const { return named_.contains(attachment); }

 private:
  std::set<std::string, std::less<>> named_;
  std::vector<config::TagExpression> expressions_;
};

}  // namespace weir::model
