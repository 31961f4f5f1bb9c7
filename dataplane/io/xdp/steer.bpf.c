// Steering: the hub's tunnel traffic goes to the AF_XDP socket of its queue, everything else to the kernel.
//
// A packet is the hub's if (destination address, protocol, UDP destination port) is in steer_map, of other
// protocols than UDP without the port; or if its VLAN is in steer_vlan_map, whatever it is. Outer fragments
// after the first carry no port, and a datagram must not be torn between hub and kernel: so every fragment,
// the first included, goes to the hub if its (address, protocol) is in steer_frag_map. A queue without a
// socket passes its packets to the kernel.
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "dataplane/io/xdp/steer_maps.h"

#define MAX_VLAN_TAGS 2
#define IP_MORE_FRAGMENTS 0x2000
#define IP_FRAGMENT_OFFSET 0x1fff
#define VLAN_ID_MASK 0xfff

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

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, WEIR_STEER_VLANS);
  __type(key, __u32);
  __type(value, __u32);
} steer_vlan_map SEC(".maps");

struct fragment_header {
  __u8 next;
  __u8 reserved;
  __be16 offset;
  __be32 id;
};

static __always_inline int is_tunnel(struct weir_steer_key* key, void* l4, void* end) {
  if (key->protocol == IPPROTO_UDP) {
    struct udphdr* udp = l4;
    if ((void*)(udp + 1) > end) return 0;
    key->port = udp->dest;
  }
  return bpf_map_lookup_elem(&steer_map, key) != NULL;
}

static __always_inline int is_ours4(struct iphdr* ip, void* end) {
  if ((void*)(ip + 1) > end || ip->version != 4 || ip->ihl < 5) return 0;
  if (ip->frag_off & bpf_htons(IP_MORE_FRAGMENTS | IP_FRAGMENT_OFFSET)) {
    struct weir_steer_fragment_key key = {.address = {ip->daddr}, .protocol = ip->protocol, .version = 4};
    return bpf_map_lookup_elem(&steer_frag_map, &key) != NULL;
  }
  struct weir_steer_key key = {.address = {ip->daddr}, .protocol = ip->protocol, .version = 4};
  return is_tunnel(&key, (void*)ip + ip->ihl * 4, end);
}

// No extension headers but a fragment's: who sends tunnels behind others has them handled by the kernel.
static __always_inline int is_ours6(struct ipv6hdr* ip, void* end) {
  if ((void*)(ip + 1) > end || ip->version != 6) return 0;
  __be32* to = ip->daddr.in6_u.u6_addr32;
  if (ip->nexthdr == IPPROTO_FRAGMENT) {
    struct fragment_header* fragment = (void*)(ip + 1);
    if ((void*)(fragment + 1) > end) return 0;
    struct weir_steer_fragment_key key = {
        .address = {to[0], to[1], to[2], to[3]}, .protocol = fragment->next, .version = 6};
    return bpf_map_lookup_elem(&steer_frag_map, &key) != NULL;
  }
  struct weir_steer_key key = {
      .address = {to[0], to[1], to[2], to[3]}, .protocol = ip->nexthdr, .version = 6};
  return is_tunnel(&key, ip + 1, end);
}

// Whether the frame, behind at most two VLAN tags, is the hub's.
static __always_inline int is_ours(void* data, void* end) {
  struct ethhdr* ethernet = data;
  if ((void*)(ethernet + 1) > end) return 0;
  __be16 type = ethernet->h_proto;
  void* at = ethernet + 1;
  __u32 vlan = 0;
  for (int i = 0; i < MAX_VLAN_TAGS; ++i) {
    if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD)) break;
    struct vlan_tag* tag = at;
    if ((void*)(tag + 1) > end) return 0;
    if (i == 0) vlan = bpf_ntohs(tag->tci) & VLAN_ID_MASK;
    type = tag->next;
    at = tag + 1;
  }
  if (bpf_map_lookup_elem(&steer_vlan_map, &vlan) != NULL) return 1;
  if (type == bpf_htons(ETH_P_IP)) return is_ours4(at, end);
  return type == bpf_htons(ETH_P_IPV6) && is_ours6(at, end);
}

SEC("xdp")
int weir_steer(struct xdp_md* ctx) {
  void* data = (void*)(long)ctx->data;
  void* end = (void*)(long)ctx->data_end;
  if (!is_ours(data, end)) return XDP_PASS;
  return bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_PASS);
}

// No helper above is reserved for GPL programs, so the repository's own licence will do.
char _license[] SEC("license") = "Apache-2.0";
