#include "inspection/offline/stats.h"

#include "inspection/engine/engine_stats.h"

namespace weir::inspection::offline {

namespace {

using Json = nlohmann::ordered_json;

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

Json stats_tree(const DecodeCounters& decoded, const std::vector<std::unique_ptr<Engine>>& engines) {
  Json tree;
  tree["uptime"] = 0;
  tree["decoder"] = decoder_tree(decoded);
  std::vector<const Engine*> all;
  for (const auto& engine : engines) all.push_back(engine.get());
  add_engine_stats(tree, all);
  return tree;
}

}  // namespace weir::inspection::offline
