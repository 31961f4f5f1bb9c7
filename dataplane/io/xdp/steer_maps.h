/* What the XDP program and the hub agree on: names and layouts of the maps. Plain C, included by both. */
#ifndef WEIR_DATAPLANE_IO_XDP_STEER_MAPS_H
#define WEIR_DATAPLANE_IO_XDP_STEER_MAPS_H

#include <linux/types.h>

/* The program's name, by which a hub recognises one that an earlier hub left behind. At most 15 characters.
 */
#define WEIR_STEER_PROGRAM "weir_steer"
#define WEIR_STEER_MAP "steer_map"
#define WEIR_STEER_FRAGMENT_MAP "steer_frag_map"
#define WEIR_STEER_VLAN_MAP "steer_vlan_map"

/* Entries of each rule map. Twice the number of rules a hub may set, since new ones are added before old ones
 * go. */
#define WEIR_STEER_MAP_ENTRIES 4096
/* Hardware queues whose sockets the program can reach. */
#define WEIR_STEER_QUEUES 1024

/* Key of steer_map. No implicit padding; unused bytes are zero. */
struct weir_steer_key {
  __be32 address[4]; /* destination; IPv4: the first word, the others are zero */
  __be16 port;       /* UDP destination port; other protocols: zero */
  __u8 protocol;
  __u8 version; /* of IP */
};

/* Key of steer_frag_map: an address that has any rule for the protocol. */
struct weir_steer_fragment_key {
  __be32 address[4];
  __u8 protocol;
  __u8 version;
  __u8 zero[2];
};

/* Key of steer_vlan_map: the VLAN of a frame's first tag, or 0 if it has none. All its frames are the hub's.
 */
#define WEIR_STEER_VLANS 4096

#endif
