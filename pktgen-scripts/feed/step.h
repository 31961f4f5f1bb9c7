// Which packet comes next, and what is written over its template: the arithmetic of a feed, shared by DPDK's
// and the kernel's. Pure; no memory but the cursor. C that is C++ and BPF as well.
#pragma once

#include "plan.h"

// How far a class has come. Zero at the start.
struct feed_cursor {
  struct {
    __u32 session;  // the next visit's
    __u32 done;     // visits of this pass
    __u32 pass;     // times that every session was visited
  } at[FEED_DIRECTIONS];
  __u32 direction;  // of the next packet
  __u32 ahead;      // visits by which the forward direction has come before the reverse one
};

// The fields of one packet, in host order.
struct feed_step {
  __u32 frame;           // index of its template
  __u32 client_address;  // last 32 bits
  __u16 client_port;
  __u16 entropy;
  __u32 seq, ack;
  __u32 number;
};

// Sessions are numbered without end: a new one after a life is `sessions` further on. The number's bits
// become the client's port and address, so that 2^31 of them differ.
static inline __u16 feed_port(__u32 id) { return (__u16)(0x4000u + ((id >> 8) & 0x7fffu)); }
static inline __u32 feed_address_offset(__u32 id) { return (id & 0xffu) | ((id >> 23) << 8); }

// Moves a class on by a packet of its present direction. Forward and reverse packets alternate, the reverse
// ones `lag` visits behind; at the end of a pass they come up, since the next pass is in another order.
static inline void feed_advance(const struct feed_class* c, struct feed_cursor* cursor) {
  const __u32 direction = cursor->direction & (FEED_DIRECTIONS - 1);
  // The first pass is in the order of numbers and the later ones in another: nobody finds his sessions in the
  // order in which he made them, next to each other in memory.
  __u32 session = cursor->at[direction].session + (cursor->at[direction].pass == 0 ? 1 : c->stride);
  if (session >= c->sessions) session -= c->sessions;
  cursor->at[direction].session = session;
  if (++cursor->at[direction].done == c->sessions) {
    cursor->at[direction].done = 0;
    ++cursor->at[direction].pass;
  }
  if (c->one_way) return;
  if (cursor->at[FEED_FORWARD].pass != cursor->at[FEED_REVERSE].pass) {
    cursor->direction = FEED_REVERSE;
  } else if (direction == FEED_REVERSE) {
    cursor->direction = FEED_FORWARD;
    if (cursor->at[FEED_REVERSE].done == 0) cursor->ahead = 0;
  } else if (cursor->ahead == c->lag) {
    cursor->direction = FEED_REVERSE;
  } else {
    ++cursor->ahead;
  }
}

// The next packet of a class.
static inline void feed_next(const struct feed_class* c, struct feed_cursor* cursor,
                             const struct feed_frame* frames, struct feed_step* out) {
  const __u32 direction = cursor->direction & (FEED_DIRECTIONS - 1);
  const __u32 session = cursor->at[direction].session;
  const __u32 pass = cursor->at[direction].pass;
  // Sessions are of different age, so that each pass opens and closes its share of them. Those that were to
  // begin in the middle of a life begin with a short one.
  __u32 phase = FEED_DATA, age = pass, life = 0;
  if (c->life != 0) {
    const __u32 shifted = pass + session % c->life;
    life = shifted / c->life;
    if (life != 0) age = shifted % c->life;
    if (c->tcp) {
      const __u32 left = c->life - 1 - shifted % c->life;
      // The shortest of those lives have no time to close.
      if (age == 0) {
        phase = FEED_OPEN;
      } else if (left == 0 && age >= 2) {
        phase = FEED_LAST;
      } else if (left == 1) {
        phase = FEED_CLOSE;
      }
    }
  } else if (c->tcp && age == 0) {
    phase = FEED_OPEN;
  }
  const __u32 id = session + life * c->sessions;
  out->frame = c->frame[phase & (FEED_PHASES - 1)][direction] & (FEED_MAX_FRAMES - 1);
  const struct feed_frame* f = &frames[out->frame];
  out->client_address = f->client_base + feed_address_offset(id);
  out->client_port = feed_port(id);
  out->entropy = (__u16)(0xc000u | ((id * 0x9e3779b1u) >> 18));
  // Visit 0 is the SYN (phase open), so that the first data packet is visit 1's. Each side has acknowledged
  // all that the other sent before; the reverse packet also what the same visit's forward packet brought.
  const __u32 closed = phase == FEED_LAST ? 1 : 0;  // a FIN takes the place of one byte, and carries none
  const __u32 sent = (age == 0 ? 0 : age - 1) - closed;
  const __u32 forward = sent * c->seq_step[FEED_FORWARD] + closed;
  const __u32 reverse = sent * c->seq_step[FEED_REVERSE] + closed;
  if (direction == FEED_FORWARD) {
    out->seq = f->first_seq + forward;
    out->ack = f->first_ack + reverse;
  } else {
    out->seq = f->first_seq + reverse;
    out->ack = f->first_ack + forward +
               (phase == FEED_DATA    ? c->seq_step[FEED_FORWARD]
                : phase == FEED_CLOSE ? 1
                                      : 0);
  }
  out->number = (pass << 24) ^ (id * 2 + direction);
  feed_advance(c, cursor);
}

// Sums of a 32-bit number's halves, as a checksum adds them.
static inline __u32 feed_halves(__u32 value) { return (value >> 16) + (value & 0xffffu); }

// An Internet checksum (RFC 1071), in host order, from an unfolded sum below 2^32.
static inline __u16 feed_fold(__u32 sum) {
  sum = (sum >> 16) + (sum & 0xffffu);
  sum = (sum >> 16) + (sum & 0xffffu);
  return (__u16)~sum;
}

static inline __u16 feed_ip_checksum(const struct feed_frame* f, const struct feed_step* s) {
  return feed_fold(f->ip_sum + feed_halves(s->client_address));
}

// The hex digits of a number, most significant first, as 8 bytes of a big-endian 64-bit number.
static inline __u64 feed_digits(__u32 number) {
  __u64 v = number;
  v = (v | (v << 16)) & 0x0000ffff0000ffffull;
  v = (v | (v << 8)) & 0x00ff00ff00ff00ffull;
  v = (v | (v << 4)) & 0x0f0f0f0f0f0f0f0full;
  const __u64 letters = ((v + 0x0606060606060606ull) >> 4) & 0x0101010101010101ull;
  return v + 0x3030303030303030ull + letters * ('a' - '0' - 10);
}

static inline __u16 feed_l4_checksum(const struct feed_frame* f, const struct feed_step* s) {
  __u32 sum = f->l4_sum + feed_halves(s->client_address) + s->client_port;
  if (f->seq) sum += feed_halves(s->seq) + feed_halves(s->ack);
  if (f->number) {
    const __u64 digits = feed_digits(s->number);
    sum += feed_halves((__u32)(digits >> 32)) + feed_halves((__u32)digits);
  }
  const __u16 checksum = feed_fold(sum);
  return checksum == 0 ? 0xffffu : checksum;  // 0 says "none" in UDP, and the two are equal in TCP
}
