#include "mgmt/config/memory_plan.h"

#include <algorithm>
#include <bit>
#include <cstdio>

#include "dataplane/io/buffers.h"
#include "dataplane/nat/ftp_control.h"
#include "dataplane/worker/dataplane.h"
#include "inspection/detect/dataset_table.h"
#include "inspection/detect/rule_memory.h"
#include "inspection/inspector.h"
#include "inspection/magic/magic_desk.h"
#include "inspection/names/name_finder.h"

namespace weir::config {

namespace {

// One packet buffer: rte_mempool's object header, rte_mbuf, our private area (PacketMeta), headroom, data.
constexpr uint64_t kObjectHeader = 64, kMbuf = 128, kPrivate = 128, kHeadroom = 128;
constexpr uint64_t kBeforeData = kObjectHeader + kMbuf + kPrivate + kHeadroom;
/// An adjacency with its share of the index (dataplane/fib/adjacency_table.cpp).
constexpr uint64_t kAdjacencyBytes = 80;
constexpr uint64_t kBindingBytes = 128;
constexpr uint64_t kFtpBytes = sizeof(dataplane::FtpControl) + sizeof(uint32_t);
constexpr uint64_t kTallyBytes = 64;  // sizeof(dataplane::AttachmentTally)
/// EAL's own tables, device queues and what the heap loses to alignment.
constexpr uint64_t kEalBaseBytes = 32ull << 20;
constexpr uint64_t kMib = 1ull << 20;

/// Slots of an rte_ring with RING_F_EXACT_SZ: the next power of two above the size.
uint64_t slots(uint32_t size) { return std::bit_ceil(uint64_t{size} + 1); }

std::string number(uint64_t n) { return std::to_string(n); }

dataplane::PortKind buffer_kind(PortDriver driver) {
  switch (driver) {
    case PortDriver::af_xdp:
      return dataplane::PortKind::af_xdp;
    case PortDriver::af_packet:
      return dataplane::PortKind::af_packet;
    default:
      return dataplane::PortKind::pci;  // the packet is all that has to fit
  }
}

}  // namespace

PacketBuffers packet_buffers(const Config& config) {
  uint16_t af_xdp = 0, others = dataplane::kLeastDataBytes;
  for (const Port& port : config.ports) {
    const uint16_t bytes = dataplane::data_bytes_for(buffer_kind(port.driver), port.mtu);
    uint16_t& most = port.driver == PortDriver::af_xdp ? af_xdp : others;
    most = std::max(most, bytes);
  }
  if (af_xdp != 0 && others > dataplane::kMaxAfXdpDataBytes) return {others, af_xdp};
  return {std::max(af_xdp, others), 0};
}

dataplane::SessionBudgetLimits session_budgets(const Limits& l) {
  return {.source = {l.new_sessions_per_source, l.half_open_per_source},
          .attachment = {l.new_sessions_per_attachment, l.half_open_per_attachment},
          .domain = {l.new_sessions_per_domain, l.half_open_per_domain},
          .hosts = l.hosts};
}

MemoryPlan memory_plan(const Config& config, size_t (*session_bytes)(uint32_t)) {
  const Limits& l = config.limits;
  const auto workers = std::max<uint32_t>(1, static_cast<uint32_t>(config.workers.cores.size()));
  const uint32_t session_share = (l.sessions + workers - 1) / workers;
  const uint32_t inspected_share = (l.inspected_sessions + workers - 1) / workers;

  MemoryPlan plan;
  const auto add = [&](std::string what, uint64_t bytes, bool eal, std::string formula) {
    plan.parts.push_back({std::move(what), std::move(formula), bytes, eal});
  };
  const PacketBuffers buffers = packet_buffers(config);
  const auto add_packets = [&](const char* what, uint16_t data, const std::string& why) {
    add(what, l.packet_buffers * (kBeforeData + data) + slots(l.packet_buffers) * sizeof(void*), true,
        "packet_buffers x (" + number(data) + " data + " + number(kHeadroom) + " headroom + " +
            number(kMbuf + kObjectHeader) + " headers + " + number(kPrivate) +
            " private) + the list of free ones" + why);
  };
  add_packets("packets", buffers.data, "; data for the largest port.mtu");
  if (buffers.af_xdp_data != 0)
    add_packets("af_xdp", buffers.af_xdp_data, ", for af_xdp ports, whose buffers fit a page");
  const uint64_t ring_slot = 2 * sizeof(void*) + sizeof(dataplane::NeighborNote);
  add("rings", workers * slots(l.ring_size) * ring_slot, true,
      "workers x ring_size, rounded up, x (2 x " + number(sizeof(void*)) + " packets + " +
          number(sizeof(dataplane::NeighborNote)) + " neighbour note)");
  add("handoff", workers * (workers - 1) * l.ring_size * sizeof(void*), false,
      "workers x (workers - 1) x ring_size x " + number(sizeof(void*)));
  constexpr uint64_t kEvent = inspection::EventRing::kOrdinaryEvent;
  add("events", workers * l.event_queue * kEvent, false, "workers x event_queue x " + number(kEvent));
  add("sessions", workers * uint64_t{session_bytes(session_share)}, false,
      "workers x a table of " + number(session_share) + " (sessions / workers)");
  inspection::InspectorLimits inspected;
  inspected.flows = inspected_share;
  inspected.stream_window = l.stream_window;
  constexpr uint64_t kFlow = inspection::InspectorLimits::kFlowBytes;
  add("inspection", workers * (inspected.memory() + inspected_share * kFlow), false,
      "inspected_sessions x (2 x stream_window + about " +
          number(inspection::InspectorLimits::kSessionBytes + kFlow) + "), at least " +
          number(inspection::InspectorLimits::kLeastMemory) + " a worker, touched as sessions need it");
  inspection::NameFinderLimits names;
  names.sessions = (l.pending_sessions + workers - 1) / workers;
  add("names", workers * names.memory(), false,
      "pending_sessions x " + number(inspection::NameFinderLimits::kSessionBytes) + ", at least " +
          number(inspection::NameFinderLimits::kLeastMemory) + " a worker, touched as sessions need it");
  constexpr uint32_t kBucket = inspection::TlsIdentities::kWays;
  add("identities", inspection::TlsIdentities::bytes_for(l.tls_identities), false,
      "tls_identities, rounded up, x " + number(inspection::TlsIdentities::bytes_for(kBucket) / kBucket));
  add("data sets", inspection::DatasetTable::bytes_for(l.dataset_values), false,
      "dataset_values x 88, rounded up");
  const inspection::MagicSettings magic{.bytes = l.file_magic_bytes, .queue = l.file_magic_queue};
  constexpr uint64_t kPlace = inspection::MagicDesk::bytes_for({.bytes = 0, .queue = 1});
  add("file.magic", workers * inspection::MagicDesk::bytes_for(magic), false,
      "workers x file_magic_queue x (file_magic_bytes + " + number(kPlace) + "), taken once a rule asks");
  add("host marks", inspection::HostMarks::bytes_for(l.host_marks), false, "host_marks x 16, rounded up");
  const dataplane::FragmentLimits fragments = dataplane::worker_share(
      dataplane::FragmentLimits{l.held_fragments, l.fragmented_datagrams, l.fragments_per_datagram}, workers);
  add("fragments", workers * (2 * dataplane::FragmentTable::bytes(fragments) + dataplane::kDatagramRoom),
      false,
      "held_fragments x about " + number(dataplane::FragmentTable::kHeldBytes) +
          " + fragmented_datagrams x (" + number(dataplane::FragmentTable::kDatagramBytes) +
          " + fragments_per_datagram x " + number(dataplane::FragmentTable::kPieceBytes) +
          ") + 64 KiB a worker; "
          "their packets are of packet_buffers");
  add("nat", l.nat_bindings * kBindingBytes + l.ftp_controls * kFtpBytes, false,
      "nat_bindings x about " + number(kBindingBytes) + " + ftp_controls x " + number(kFtpBytes) +
          ", without the pools");
  const dataplane::SessionBudgetLimits budgets = session_budgets(l);
  add("hosts", budgets.any() ? dataplane::SessionBudgets::bytes_for(budgets, l.attachments) : 0, false,
      "with bounds on new sessions: hosts x 16, rounded up, + 8 for each attachment and domain");
  add("attachment counters", workers * std::bit_ceil(uint64_t{l.attachments}) * kTallyBytes, false,
      "workers x attachments x " + number(kTallyBytes));
  constexpr uint64_t kRuleBytes = 32;  // of RuleHits and RuleLog
  add("rule counters", workers * uint64_t{l.policy_rules} * kRuleBytes, false,
      "workers x policy_rules x " + number(kRuleBytes));
  add("adjacencies", l.adjacencies * kAdjacencyBytes, false,
      "adjacencies x about " + number(kAdjacencyBytes));

  uint64_t eal_bytes = kEalBaseBytes;
  for (const auto& part : plan.parts) {
    plan.total_bytes += part.bytes;
    if (part.eal) eal_bytes += part.bytes;
  }
  plan.total_bytes += kEalBaseBytes;
  // In hugepages of 2 MiB, and with a tenth to spare: the packets have to lie in one piece.
  const uint64_t mib = (eal_bytes + eal_bytes / 10 + kMib - 1) / kMib;
  plan.eal_mib = static_cast<uint32_t>(mib + mib % 2);
  return plan;
}

std::string to_string(const MemoryPlan& plan) {
  std::string text;
  char line[256];
  for (const auto& part : plan.parts) {
    std::snprintf(line, sizeof line, "  %-12s %9.1f MiB  %s\n", part.what.c_str(),
                  static_cast<double>(part.bytes) / static_cast<double>(kMib), part.formula.c_str());
    text += line;
  }
  std::snprintf(line, sizeof line, "  %-12s %9.1f MiB  without routes, policy and rulesets\n", "total",
                static_cast<double>(plan.total_bytes) / static_cast<double>(kMib));
  text += line;
  return text + "  of this eal.memory_mib has to be at least " + std::to_string(plan.eal_mib) +
         ": (packets + rings + 32 MiB) + 10 %\n";
}

std::optional<Problem> too_little_memory(const Config& config, const MemoryPlan& plan) {
  if (config.eal.memory_mib == 0 || config.eal.memory_mib >= plan.eal_mib) return std::nullopt;
  const auto where = config.key_where.find("eal.memory_mib");
  return Problem{where != config.key_where.end() ? where->second : config.eal.where, "eal.memory_mib",
                 std::to_string(config.eal.memory_mib) + " MiB are too little: the limits need at least " +
                     std::to_string(plan.eal_mib) + " MiB (`weir check` prints how that adds up)"};
}

}  // namespace weir::config
