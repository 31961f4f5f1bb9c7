#include "inspection/offline/stats.h"

namespace weir::inspection::offline {

namespace {

using Json = nlohmann::ordered_json;
using Engines = std::vector<std::unique_ptr<Engine>>;

template <typename Get>
uint64_t sum(const Engines& engines, Get&& get) {
  uint64_t total = 0;
  for (const auto& engine : engines) total += get(*engine);
  return total;
}

Json decoder_tree(const DecodeCounters& counters) {
  return {{"pkts", counters.packets},
          {"bytes", counters.bytes},
          {"invalid", counters.invalid},
          {"ipv4", counters.ipv4},
          {"ipv6", counters.ipv6},
          {"ethernet", counters.ethernet},
          {"raw", counters.raw},
          {"null", counters.null_link},
          {"sll", counters.sll},
          {"tcp", counters.tcp},
          {"udp", counters.udp},
          {"sctp", counters.sctp},
          {"icmpv4", counters.icmpv4},
          {"icmpv6", counters.icmpv6},
          {"ppp", counters.ppp},
          {"gre", counters.gre},
          {"vlan", counters.vlan},
          {"vlan_qinq", counters.vlan_qinq},
          {"vxlan", counters.vxlan},
          {"mpls", counters.mpls},
          {"teredo", counters.teredo},
          {"ipv4_in_ipv6", counters.ipv4_in_ipv6},
          {"ipv6_in_ipv6", counters.ipv6_in_ipv6},
          {"avg_pkt_size", counters.packets == 0 ? 0 : counters.bytes / counters.packets},
          {"max_pkt_size", counters.max_size},
          {"erspan", counters.erspan}};
}

}  // namespace

Json stats_tree(const DecodeCounters& decoded, const Engines& engines) {
  Json tree;
  tree["uptime"] = 0;
  tree["decoder"] = decoder_tree(decoded);
  const auto count = [&](EventCount EngineCounters::*member) {
    return sum(engines, [&](const Engine& engine) { return (engine.counters().*member).get(); });
  };
  const auto detected = [&](EventCount DetectorCounters::*member) {
    return sum(engines, [&](const Engine& engine) { return (engine.detection().*member).get(); });
  };
  tree["flow"] = {{"total", count(&EngineCounters::sessions)}};
  tree["tcp"] = {{"syn", count(&EngineCounters::tcp_syn)},
                 {"synack", count(&EngineCounters::tcp_synack)},
                 {"rst", count(&EngineCounters::tcp_rst)},
                 {"sessions", count(&EngineCounters::tcp_sessions)},
                 {"midstream_pickups", count(&EngineCounters::midstream_pickups)},
                 {"reassembly_gap", count(&EngineCounters::gaps)},
                 {"invalid_checksum", count(&EngineCounters::bad_checksum)}};
  tree["detect"] = {{"alert", detected(&DetectorCounters::alerts)},
                    {"alert_queue_overflow", detected(&DetectorCounters::alerts_over_limit)},
                    {"alerts_suppressed", detected(&DetectorCounters::suppressed)}};
  Json reasons = Json::object();
  const auto dropped = [&](DropReason reason) {
    return sum(engines, [&](const Engine& engine) {
      return engine.counters().drops[static_cast<size_t>(reason)].get();
    });
  };
  reasons["rules"] = dropped(DropReason::rules);
  reasons["flow_drop"] = dropped(DropReason::flow_drop);
  reasons["stream_error"] = dropped(DropReason::stream_error) + dropped(DropReason::checksum);
  reasons["stream_memcap"] = dropped(DropReason::stream_memcap);
  reasons["stream_midstream"] = dropped(DropReason::stream_midstream);
  reasons["applayer_error"] = dropped(DropReason::app_layer_error);
  reasons["flow_memcap"] = dropped(DropReason::flow_memcap);
  reasons["defrag_error"] = dropped(DropReason::defrag_error);
  tree["ips"] = {{"accepted", count(&EngineCounters::accepted)},
                 {"blocked", count(&EngineCounters::blocked)},
                 {"rejected", count(&EngineCounters::rejected)},
                 {"drop_reason", std::move(reasons)}};
  return tree;
}

}  // namespace weir::inspection::offline
