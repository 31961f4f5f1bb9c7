#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_mempool.h>
#include <rte_memzone.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "dataplane/io/eal.h"

namespace weir::dataplane {
namespace {

constexpr unsigned kCachePerLcore = 256;

void free_zone(rte_mempool_memhdr*, void* zone) { rte_memzone_free(static_cast<const rte_memzone*>(zone)); }

/// rte_pktmbuf_pool_create() keeps every buffer within a page, so that the pool has gaps: one at each
/// hugepage's end, nearly half of all with ordinary pages. The AF_XDP driver takes the pool for an array
/// without gaps and registers too little of it with the kernel. With I/O by virtual address the gaps serve
/// nothing: buffers are packed here.
bool populate_packed(rte_mempool& pool) {
  const size_t step = pool.header_size + pool.elt_size + pool.trailer_size;
  const size_t bytes = step * pool.size + RTE_MEMPOOL_ALIGN;
  const auto page = static_cast<unsigned>(sysconf(_SC_PAGESIZE));
  const rte_memzone* zone = rte_memzone_reserve_aligned(pool.name, bytes, SOCKET_ID_ANY, 0, page);
  if (zone == nullptr) return false;
  auto* opaque = const_cast<rte_memzone*>(zone);  // only handed back to free_zone()
  const int placed = rte_mempool_populate_iova(&pool, static_cast<char*>(zone->addr), zone->iova, zone->len,
                                               free_zone, opaque);
  if (placed < 0) rte_memzone_free(zone);
  return placed == static_cast<int>(pool.size);
}

rte_mempool* create_packed(const std::string& name, uint32_t count, unsigned cache, uint16_t priv_size,
                           uint16_t room_bytes) {
  const unsigned element = static_cast<unsigned>(sizeof(rte_mbuf)) + priv_size + room_bytes;
  rte_mempool* pool =
      rte_mempool_create_empty(name.c_str(), count, element, cache, sizeof(rte_pktmbuf_pool_private),
                               SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
  if (pool == nullptr) return nullptr;
  rte_pktmbuf_pool_private facts{};
  facts.mbuf_data_room_size = room_bytes;
  facts.mbuf_priv_size = priv_size;
  if (rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), nullptr) != 0) {
    rte_mempool_free(pool);
    return nullptr;
  }
  rte_pktmbuf_pool_init(pool, &facts);
  if (!populate_packed(*pool)) {
    rte_mempool_free(pool);
    rte_errno = ENOMEM;
    return nullptr;
  }
  rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
  return pool;
}

}  // namespace

Result<rte_mempool*> make_packet_pool(uint32_t count, uint16_t priv_size, uint16_t data_bytes,
                                      const std::string& name) {
  if (count == 0) return fail(ErrorCode::invalid, "a packet pool of no buffers");
  const unsigned cache = std::min(kCachePerLcore, count / 8);
  const auto room_bytes = static_cast<uint16_t>(data_bytes + RTE_PKTMBUF_HEADROOM);
  rte_mempool* pool =
      rte_eal_iova_mode() == RTE_IOVA_VA
          ? create_packed(name, count, cache, priv_size, room_bytes)
          : rte_pktmbuf_pool_create(name.c_str(), count, cache, priv_size, room_bytes, SOCKET_ID_ANY);
  if (pool == nullptr) {
    const std::string reason =
        rte_errno == ENOMEM ? "too little memory (see eal.memory_mib)" : rte_strerror(rte_errno);
    return fail(ErrorCode::exhausted, "no room for " + std::to_string(count) + " packet buffers: " + reason);
  }
  return pool;
}

uint16_t data_bytes_of(const rte_mempool& pool) {
  // The library takes it without const, and only reads.
  const uint16_t room = rte_pktmbuf_data_room_size(const_cast<rte_mempool*>(&pool));
  return static_cast<uint16_t>(room - RTE_PKTMBUF_HEADROOM);
}

}  // namespace weir::dataplane
