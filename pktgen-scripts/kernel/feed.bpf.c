// The kernel's feed: an XDP program that turns each frame into the plan's next packet. bpf_prog_test_run with
// BPF_F_TEST_XDP_LIVE_FRAMES calls it (see kernel_feed.cpp); what it passes enters the network stack as if a
// driver had received it.
//
// Live frames are recycled after the stack has rewritten them, outer headers, TTL and all: so the whole
// packet is written each time. One core runs it, so nothing here is atomic.
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "pktgen-scripts/kernel/feed_maps.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct feed_plan);
} feed_plan_map SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct feed_state);
} feed_state_map SEC(".maps");

// The verifier wants a bound for each offset into the packet; plans have none beyond FEED_MAX_LENGTH.
#define OFFSET_MASK 0x7ff

static __always_inline void put16(void* data, void* end, __u32 offset, __u16 value) {
  __u8* at = data + (offset & OFFSET_MASK);
  if (offset == 0 || at + sizeof value > (__u8*)end) return;
  *(__u16*)at = bpf_htons(value);
}

static __always_inline void put32(void* data, void* end, __u32 offset, __u32 value) {
  __u8* at = data + (offset & OFFSET_MASK);
  if (offset == 0 || at + sizeof value > (__u8*)end) return;
  *(__u32*)at = bpf_htonl(value);
}

static __always_inline void put64(void* data, void* end, __u32 offset, __u64 value) {
  __u8* at = data + (offset & OFFSET_MASK);
  if (offset == 0 || at + sizeof value > (__u8*)end) return;
  *(__u64*)at = bpf_cpu_to_be64(value);
}

static __always_inline void step_plan(struct feed_plan* plan, struct feed_state* state,
                                      struct feed_step* step) {
  const __u32 class_ = plan->schedule[state->scheduled & (FEED_MAX_SCHEDULE - 1)] & (FEED_MAX_CLASSES - 1);
  struct feed_cursor* cursor = &state->cursors[class_];
  feed_next(&plan->classes_[class_], cursor, plan->frames_, step);
  if (cursor->direction == FEED_FORWARD && ++state->scheduled >= plan->schedule_length) state->scheduled = 0;
}

static __always_inline void look_at_clock(struct feed_state* state) {
  if (state->call_packets % FEED_BATCH == 0) {
    state->last_ns = bpf_ktime_get_ns();
    state->timed_packets = state->call_packets;
    if (state->call_packets == 0) state->first_ns = state->last_ns;
  }
  ++state->call_packets;
}

SEC("xdp")
int feed(struct xdp_md* ctx) {
  const __u32 zero = 0;
  struct feed_plan* plan = bpf_map_lookup_elem(&feed_plan_map, &zero);
  struct feed_state* state = bpf_map_lookup_elem(&feed_state_map, &zero);
  if (!plan || !state) return XDP_ABORTED;

  look_at_clock(state);
  struct feed_step step;
  step_plan(plan, state, &step);
  const struct feed_frame* frame = &plan->frames_[step.frame & (FEED_MAX_FRAMES - 1)];
  const __u32 length = frame->length;
  if (length == 0 || length > FEED_MAX_LENGTH ||
      bpf_xdp_store_bytes(ctx, 0, (void*)frame->bytes, length) != 0) {
    ++state->refused;
    return XDP_ABORTED;
  }

  void* data = (void*)(long)ctx->data;
  void* end = (void*)(long)ctx->data_end;
  put32(data, end, frame->client_address, step.client_address);
  put16(data, end, frame->client_port, step.client_port);
  put16(data, end, frame->entropy, step.entropy);
  put16(data, end, frame->ip_checksum, feed_ip_checksum(frame, &step));
  put16(data, end, frame->l4_checksum, feed_l4_checksum(frame, &step));
  put32(data, end, frame->seq, step.seq);
  put32(data, end, frame->ack, step.ack);
  if (frame->number) put64(data, end, frame->number, feed_digits(step.number));
  return state->drop ? XDP_DROP : XDP_PASS;
}

// No helper above is reserved for GPL programs, so the repository's own licence will do.
char _license[] SEC("license") = "Apache-2.0";
