#include <algorithm>

#include "mgmt/model/build_attachment.h"
#include "mgmt/model/compile_parts.h"

namespace weir::model {

using namespace dataplane;

namespace {

bool same_entry(const TunnelTable::Entry& a, const TunnelTable::Entry& b) {
  return a.key == b.key && a.attachment == b.attachment;
}

/// The hop of a path: the one that workers know already, or a new one.
UnderlayHop* hop_for(CompileState& state, const UnderlayPath& path) {
  auto& hop = state.out.model.hops[path];
  if (hop == nullptr) {
    const auto before = state.input.before.hops.find(path);
    hop = before != state.input.before.hops.end() ? before->second : std::make_shared<UnderlayHop>();
  }
  return hop.get();
}

/// False if the port of its local address does not exist; a problem is noted.
bool fill(CompileState& state, const config::Attachment& from, Attachment& to) {
  const StartFacts& facts = state.input.facts;
  if (std::string why = local_end_problem(from, facts); !why.empty()) {
    state.problem(from.local_where, std::move(why));
    return false;
  }
  AttachmentPlace place{to.id, to.domain};
  if (const auto path = path_of(from)) {
    place.hop = hop_for(state, *path);
    const auto known = state.input.paths.find(*path);
    if (known != state.input.paths.end()) place.path = &known->second;
  }
  to = std::move(*build_attachment(from, facts, place, state.out.warnings));
  return true;
}

void add_keys(CompileState& state, const config::Attachment& from, AttachmentId id) {
  Model& model = state.out.model;
  for (const TunnelKey& key : keys_of(from, state.input.facts)) model.tunnel_entries.push_back({key, id});
  if (!over_udp(from.tunnel.kind) || model.udp_tunnels.add(from.tunnel.udp_port, udp_kind(from.tunnel.kind)))
    return;
  state.problem(from.where, "attachment " + config::in_quotes(from.name) + ": UDP port " +
                                std::to_string(from.tunnel.udp_port) +
                                " is for another kind of tunnel, or one port too many");
}

}  // namespace

void compile_attachments(CompileState& state) {
  const config::Config& config = state.input.config;
  const Model& before = state.input.before;
  Model& model = state.out.model;
  std::vector<Attachment> slots(model.ids.attachments.slots());
  for (const config::Attachment& a : config.attachments) {
    const AttachmentId id = *model.ids.attachments.find(attachment_key(a.domain, a.name));
    const auto domain = model.ids.domains.find(a.domain);
    if (!domain) {
      state.problem(a.where, "attachment " + config::in_quotes(a.name) + ": there is no domain " +
                                 config::in_quotes(a.domain));
      continue;
    }
    Attachment& slot = slots[id.index()];
    slot.id = id;
    slot.domain = *domain;
    if (fill(state, a, slot)) add_keys(state, a, id);
  }
  if (!state.problems.empty()) return;
  for (const auto& [path, hop] : model.hops)
    model.tunnel_entries.push_back({peer_key_of(path, state.input.facts), TunnelTable::kPeer});

  const auto& old = before.tunnel_entries;
  if (before.tunnels != nullptr && std::equal(old.begin(), old.end(), model.tunnel_entries.begin(),
                                              model.tunnel_entries.end(), same_entry)) {
    model.tunnels = before.tunnels;
  } else if (auto table = TunnelTable::build(model.tunnel_entries)) {
    model.tunnels = std::make_shared<const TunnelTable>(std::move(*table));
  } else {
    state.problem({config.file, 0, 0}, table.error().message);
  }
  model.attachments = std::make_shared<const AttachmentTable>(std::move(slots));
}

}  // namespace weir::model
