// Steering: the hub's tunnel traffic goes to the AF_XDP socket of its queue, everything else to the kernel.
//
// A packet is the hub's if (destination address, protocol, UDP destination port) is in steer_map. Outer
// fragments after the first carry no port, and a datagram must not be torn between hub and kernel: so every
// fragment, the first included, goes to the hub if its (address, protocol) is in steer_frag_map. A queue
// without a socket passes its packets to the kernel.
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "dataplane/io/xdp/steer_maps.h"

#define MAX_VLAN_TAGS 2
#define IP_MORE_FRAGMENTS 0x2000
#define IP_FRAGMENT_OFFSET 0x1fff

struct vlan_tag {
  __be16 tci;
  __be16 next;
};

// AF_XDP sockets by hardware queue. DPDK's driver finds the map by this name and fills it.
struct {
  __uint(type, BPF_MAP_TYPE_XSKMAP);
  __uint(max_entries, WEIR_STEER_QUEUES);
  __type(key, __u32);
  __type(value, __u32);
} xsks_map SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, WEIR_STEER_MAP_ENTRIES);
  __type(key, struct weir_steer_key);
  __type(value, __u32);
} steer_map SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, WEIR_STEER_MAP_ENTRIES);
  __type(key, struct weir_steer_fragment_key);
  __type(value, __u32);
} steer_frag_map SEC(".maps");

// The IPv4 header behind at most two VLAN tags, or NULL if the frame has none.
static __always_inline struct iphdr* find_ipv4(void* data, void* end) {
  struct ethhdr* ethernet = data;
  if ((void*)(ethernet + 1) > end) return NULL;
  __be16 type = ethernet->h_proto;
  void* at = ethernet + 1;
  for (int i = 0; i < MAX_VLAN_TAGS; ++i) {
    if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD)) break;
    struct vlan_tag* tag = at;
    if ((void*)(tag + 1) > end) return NULL;
    type = tag->next;
    at = tag + 1;
  }
  if (type != bpf_htons(ETH_P_IP)) return NULL;
  struct iphdr* ip = at;
  if ((void*)(ip + 1) > end) return NULL;
  return ip->version == 4 && ip->ihl >= 5 ? ip : NULL;
}

static __always_inline int is_ours(struct iphdr* ip, void* end) {
  if (ip->frag_off & bpf_htons(IP_MORE_FRAGMENTS | IP_FRAGMENT_OFFSET)) {
    struct weir_steer_fragment_key key = {.address = ip->daddr, .protocol = ip->protocol};
    return bpf_map_lookup_elem(&steer_frag_map, &key) != NULL;
  }
  if (ip->protocol != IPPROTO_UDP) return 0;
  struct udphdr* udp = (void*)ip + ip->ihl * 4;
  if ((void*)(udp + 1) > end) return 0;
  struct weir_steer_key key = {.address = ip->daddr, .port = udp->dest, .protocol = ip->protocol};
  return bpf_map_lookup_elem(&steer_map, &key) != NULL;
}

SEC("xdp")
int weir_steer(struct xdp_md* ctx) {
  void* data = (void*)(long)ctx->data;
  void* end = (void*)(long)ctx->data_end;
  struct iphdr* ip = find_ipv4(data, end);
  if (!ip || !is_ours(ip, end)) return XDP_PASS;
  return bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_PASS);
}

// No helper above is reserved for GPL programs, so the repository's own licence will do.
char _license[] SEC("license") = "Apache-2.0";
