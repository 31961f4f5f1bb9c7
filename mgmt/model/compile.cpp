#include "mgmt/model/compile.h"

#include <algorithm>
#include <set>

#include "dataplane/core/time.h"
#include "mgmt/model/build_attachment.h"
#include "mgmt/model/compile_parts.h"

namespace weir::model {

using namespace dataplane;

namespace {

/// Names that are gone give up their ids, new ones get one. Removal first: it cannot fail.
void assign_ids(CompileState& state) {
  const config::Config& config = state.input.config;
  Identities& ids = state.out.model.ids;
  std::set<std::string, std::less<>> domains, attachments;
  for (const auto& d : config.domains) domains.insert(d.name);
  for (const auto& a : config.attachments) attachments.insert(attachment_key(a.domain, a.name));
  for (const auto& [name, id] : state.input.before.ids.domains.names()) {
    if (domains.contains(name)) continue;
    ids.domains.retire(name);
    state.out.removed_domains.push_back(id);
  }
  for (const auto& [key, id] : state.input.before.ids.attachments.names()) {
    if (attachments.contains(key)) continue;
    ids.attachments.retire(key);
    state.out.removed_attachments.push_back(id);
  }
  // A session key names a domain by a 16-bit slot.
  constexpr uint32_t kMaxDomainSlots = 0xffff;
  for (const auto& d : config.domains) {
    const auto id = ids.domains.acquire(d.name);
    if (!id || id->index() >= kMaxDomainSlots) state.problem(d.where, "more domains than a hub can have");
  }
  for (const auto& a : config.attachments) {
    if (!ids.attachments.acquire(attachment_key(a.domain, a.name))) {
      state.problem(a.where, "more attachments than a hub can have");
    }
  }
}

dataplane::Timeouts compile_timeouts(const config::Timeouts& t) {
  const auto ticks = [](uint32_t seconds) { return Tick::duration(seconds * kNanosPerSecond); };
  return {ticks(t.tcp_handshake), ticks(t.tcp_established), ticks(t.tcp_closing), ticks(t.udp),
          ticks(t.icmp),          ticks(t.other),           ticks(t.fragment)};
}

std::unique_ptr<Snapshot> make_snapshot(CompileState& state) {
  Model& model = state.out.model;
  auto snapshot = std::make_unique<Snapshot>();
  snapshot->version = ++model.ids.last_snapshot;
  snapshot->workers = state.input.facts.workers;
  snapshot->timeouts = compile_timeouts(state.input.config.timeouts);
  const StartFacts& facts = state.input.facts;
  for (const PortFacts& port : facts.ports) {
    snapshot->ports.push_back({port.name, port.mac, port.mtu, port.vlan, false, port.tx_checksums});
  }
  snapshot->hub_addresses = hub_addresses(facts);
  model.attachments->for_each([&](const Attachment& a) {
    if (a.shape == OuterShape::native) snapshot->ports[a.port].native = true;
  });
  snapshot->udp_tunnels = model.udp_tunnels;
  snapshot->tunnels = model.tunnels;
  snapshot->attachments = model.attachments;
  snapshot->domains = model.domains;
  snapshot->policy = model.policy;
  snapshot->profiles = model.profiles;
  snapshot->adjacencies = state.input.facts.adjacencies;
  snapshot->board = state.input.facts.board;
  snapshot->routes = state.input.facts.routes;
  return snapshot;
}

}  // namespace

tl::expected<CompiledModel, std::vector<Problem>> compile(const CompileInput& input) {
  CompileState state{input, {}, {}};
  state.out.model.ids = input.before.ids;
  for (const AttachmentId id : input.released_attachments) state.out.model.ids.attachments.release(id);
  for (const DomainId id : input.released_domains) state.out.model.ids.domains.release(id);
  assign_ids(state);
  if (!state.problems.empty()) return tl::unexpected(std::move(state.problems));
  compile_attachments(state);
  if (!state.problems.empty()) return tl::unexpected(std::move(state.problems));
  compile_routes(state);
  compile_policy(state);
  if (!state.problems.empty()) return tl::unexpected(std::move(state.problems));
  state.out.snapshot = make_snapshot(state);
  return std::move(state.out);
}

}  // namespace weir::model
