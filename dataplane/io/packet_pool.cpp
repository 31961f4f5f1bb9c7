#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <algorithm>
#include <string>

#include "dataplane/io/eal.h"

namespace weir::dataplane {
namespace {

constexpr uint16_t kDataBytes = 2048;
constexpr unsigned kCachePerLcore = 256;

}  // namespace

Result<rte_mempool*> make_packet_pool(uint32_t count, uint16_t priv_size) {
  if (count == 0) return fail(ErrorCode::invalid, "a packet pool of no buffers");
  const unsigned cache = std::min(kCachePerLcore, count / 8);
  rte_mempool* pool = rte_pktmbuf_pool_create("weir_packets", count, cache, priv_size,
                                              kDataBytes + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
  if (pool == nullptr) {
    const std::string reason =
        rte_errno == ENOMEM ? "too little memory (see eal.memory_mib)" : rte_strerror(rte_errno);
    return fail(ErrorCode::exhausted, "no room for " + std::to_string(count) + " packet buffers: " + reason);
  }
  if (pool->nb_mem_chunks != 1) {
    const std::string chunks = std::to_string(pool->nb_mem_chunks);
    rte_mempool_free(pool);
    return fail(ErrorCode::exhausted, "the memory for " + std::to_string(count) +
                                          " packet buffers comes in " + chunks +
                                          " pieces, but has to be one; give DPDK more (eal.memory_mib)");
  }
  return pool;
}

}  // namespace weir::dataplane
