// One attachment as workers need it, from what is configured and what the machine and the underlay say.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/tunnel/attachment_table.h"
#include "dataplane/tunnel/outer_parse.h"
#include "dataplane/tunnel/tunnel_table.h"
#include "mgmt/config/config.h"
#include "mgmt/model/model.h"

namespace weir::model {

/// The hub's MAC inside an attachment when the configuration names none: locally administered, the same for
/// the same name on every start.
net::Mac default_hub_mac(std::string_view attachment_name);

/// What stands for an underlay address of the hub in tunnel keys (HubAddress::number): its place among all
/// addresses of the ports, which do not change while the hub runs. 0 for IPv4, or if it is none.
uint16_t hub_address_number(const StartFacts& facts, const net::IpAddress& address);
/// The hub's underlay addresses as workers know them.
std::vector<dataplane::HubAddress> hub_addresses(const StartFacts& facts);

/// By what its packets are known in the underlay.
std::vector<dataplane::TunnelKey> keys_of(const config::Attachment& attachment, const StartFacts& facts);
/// That the far end of the path is a peer.
dataplane::TunnelKey peer_key_of(const UnderlayPath& path, const StartFacts& facts);
/// Nothing for a native attachment.
std::optional<UnderlayPath> path_of(const config::Attachment& attachment);

/// What is wrong with the hub's end of the attachment on this machine; empty: nothing.
std::string local_end_problem(const config::Attachment& attachment, const StartFacts& facts);

struct AttachmentPlace {
  dataplane::AttachmentId id;
  dataplane::DomainId domain;
  dataplane::UnderlayHop* hop = nullptr;  // null: native
  const PathFacts* path = nullptr;        // null: not known yet
};
/// local_end_problem() is empty. A warning is added to `warnings` if less fits than is configured.
std::unique_ptr<dataplane::Attachment> build_attachment(const config::Attachment& from,
                                                        const StartFacts& facts, const AttachmentPlace& place,
                                                        std::vector<Problem>& warnings);

}  // namespace weir::model
