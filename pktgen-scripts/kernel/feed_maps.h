// What the XDP program and its runner agree on: names and layouts of the maps. C that is C++ and BPF as well.
#pragma once

#include "pktgen-scripts/feed/step.h"

// The plan, one entry; the program only reads it.
#define FEED_PLAN_MAP "feed_plan_map"
// How far the plan has come, one entry.
#define FEED_STATE_MAP "feed_state_map"

// Packets between two looks at the clock: a batch of the runner's.
#define FEED_BATCH 64

struct feed_state {
  __u64 refused;  // frames that had no room for the packet: 0, or the runner is wrong
  // Of one call of the runner's, which zeroes `call_packets` before it. Setting a call up and tearing it down
  // takes the kernel tens of milliseconds asleep, so only the time between the first and the last batch's
  // beginning counts: `timed_packets` took `last_ns - first_ns` (CLOCK_MONOTONIC).
  __u64 call_packets;
  __u64 timed_packets;
  __u64 first_ns, last_ns;
  __u32 drop;       // 1: XDP_DROP instead of XDP_PASS, so that only the making of packets is measured
  __u32 scheduled;  // index into the plan's schedule
  struct feed_cursor cursors[FEED_MAX_CLASSES];
};
