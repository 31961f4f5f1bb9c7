// One attachment as workers need it, from what is configured and what the machine and the underlay say.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dataplane/tunnel/attachment_table.h"
#include "dataplane/tunnel/tunnel_table.h"
#include "mgmt/config/config.h"
#include "mgmt/model/model.h"

namespace weir::model {

/// The hub's MAC inside an attachment when the configuration names none: locally administered, the same for
/// the same name on every start.
net::Mac default_hub_mac(std::string_view attachment_name);

/// By what its packets are known in the underlay.
std::vector<dataplane::TunnelKey> keys_of(const config::Attachment& attachment);
UnderlayPath path_of(const config::Attachment& attachment);

/// What is wrong with the hub's end of the tunnel on this machine; empty: nothing.
std::string local_end_problem(const config::Attachment& attachment, const StartFacts& facts);

struct AttachmentPlace {
  dataplane::AttachmentId id;
  dataplane::DomainId domain;
  dataplane::UnderlayHop* hop = nullptr;
  const PathFacts* path = nullptr;  // null: not known yet
};
/// local_end_problem() is empty. A warning is added to `warnings` if less fits than is configured.
std::unique_ptr<dataplane::Attachment> build_attachment(const config::Attachment& from,
                                                        const StartFacts& facts, const AttachmentPlace& place,
                                                        std::vector<Problem>& warnings);

}  // namespace weir::model
