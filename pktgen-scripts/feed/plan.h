// A plan says which packets a feed makes: templates of whole frames, and classes of sessions that step
// through them. The harness writes it (bench/harness/plan.py, with scapy); the DPDK feed (feed.cpp) and the
// kernel's (../kernel/feed.bpf.c) read it, so that every contender is fed by the same code.
//
// C that is C++ and BPF as well. All numbers are in host order; offsets count from the frame's first byte.
#pragma once

#include <linux/types.h>

#define FEED_MAGIC 0x44454546u  // "FEED"
#define FEED_VERSION 1
#define FEED_MAX_FRAMES 32
#define FEED_MAX_CLASSES 8
#define FEED_MAX_SCHEDULE 256
#define FEED_MAX_LENGTH \
  1664  // bytes of a frame: the largest inner frame (1,500) and the largest outer header

enum feed_phase { FEED_OPEN, FEED_DATA, FEED_CLOSE, FEED_LAST, FEED_PHASES };
enum feed_direction { FEED_FORWARD, FEED_REVERSE, FEED_DIRECTIONS };

// What is different in each packet made from a template. An offset of 0: this frame has no such field.
struct feed_frame {
  __u16 length;          // bytes of the whole frame
  __u16 client_address;  // offset of the last 32 bits of the client's inner address
  __u16 client_port;     // offset of the client's inner port
  __u16 ip_checksum;     // offset of the inner IPv4 header checksum
  __u16 l4_checksum;     // offset of the inner UDP or TCP checksum
  __u16 seq, ack;        // offsets of the TCP sequence and acknowledgement number
  __u16 entropy;         // offset of the outer UDP source port
  __u16 number;  // offset of 8 payload bytes (even, counted from the L4 header): lower-case hex digits of
                 // a number that is new in each packet
  __u16 reserved;
  // One's complement sums, not folded, over all that a checksum covers but for the checksum itself and the
  // stepped fields, which hold the zero step of the template: pseudo header included.
  __u32 ip_sum, l4_sum;
  __u32 first_seq, first_ack;  // of the first data packet of a session; what the template's zero step is
  __u32 client_base;           // last 32 bits of the first client's address
  __u8 bytes[FEED_MAX_LENGTH];
};

// Sessions that look alike. A visit sends a packet of one session each way (or one, see `one_way`), the
// answer some visits later, as there is time between them on any network; visits step through all sessions of
// the class in an order that does not walk through memory, then through all again.
struct feed_class {
  __u32 sessions;  // at the same time; at least 1
  __u32 stride;    // from one visit's session to the next one's; no common factor with `sessions`
  __u32 life;      // visits after which a session ends and another takes its place; 0: never
  __u32 tcp;       // 1: open, data, close, last by the visits of a life; 0: data always
  __u32 one_way;   // 1: a visit is the forward packet alone
  __u32 lag;       // visits by which the reverse direction is behind; below `sessions` with tcp
  __u32 seq_step[FEED_DIRECTIONS];            // payload bytes of each data packet of that direction
  __u16 frame[FEED_PHASES][FEED_DIRECTIONS];  // index into the plan's frames
};

struct feed_plan {
  __u32 magic, version;
  __u32 frames, classes, schedule_length;
  __u32 timestamps;                  // 1: measure each packet's stay, by class (costs cycles)
  __u32 observe;                     // 1: the packets are those of a net_pcap port, which are only counted
  char pool[32];                     // the packet pool to take buffers from: its name begins so
  __u8 schedule[FEED_MAX_SCHEDULE];  // classes in the order of their visits, repeated for ever
  struct feed_class classes_[FEED_MAX_CLASSES];
  struct feed_frame frames_[FEED_MAX_FRAMES];
};
