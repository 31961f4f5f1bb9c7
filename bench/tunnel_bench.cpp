// Tunnels, in bursts as the stages work: from a received outer header to the attachment, and from the
// attachment to the outer header that a packet leaves with.
#include <algorithm>
#include <array>
#include <memory>
#include <random>
#include <vector>

#include "bench/measure.h"
#include "dataplane/tunnel/attachment_table.h"
#include "dataplane/tunnel/outer_template.h"
#include "dataplane/tunnel/tunnel_table.h"

namespace weir::dataplane {
namespace {

constexpr size_t kBurst = 32, kPackets = kBurst * 512;

/// `count` attachments, and packets of all of them in random order.
struct Tunnels {
  TunnelTable table;
  std::vector<UnderlayHop> hops;
  AttachmentTable attachments;
  std::vector<TunnelKey> keys;
  std::vector<AttachmentId> ids;

  explicit Tunnels(uint32_t count)
      : table(TunnelTable::build(entries(count)).value()), hops(count), attachments(slots(hops)) {
    std::mt19937_64 random(1);
    const auto all = entries(count);
    for (size_t i = 0; i < kPackets; ++i) {
      const auto& entry = all[random() % count];
      keys.push_back(entry.key);
      ids.push_back(entry.attachment);
    }
  }

  static Tunnel tunnel(uint32_t n) {
    Tunnel t;
    t.id = n;
    t.local = net::Ipv4{0xc612'0001};
    t.remote = net::Ipv4{0xc613'0000 + n / 16};
    return t;
  }
  static TunnelKey key(uint32_t n) { return keys_of(tunnel(n), 0).front(); }
  static std::vector<TunnelTable::Entry> entries(uint32_t count) {
    std::vector<TunnelTable::Entry> all;
    for (uint32_t n = 0; n < count; ++n) all.push_back({key(n), AttachmentId::make(n, 1)});
    return all;
  }
  static std::vector<Attachment> slots(std::vector<UnderlayHop>& hops) {
    std::vector<Attachment> all(hops.size());
    for (uint32_t n = 0; n < all.size(); ++n) {
      hops[n].set(net::Mac::from_u64(0x02aa'0000'0000 + n));
      all[n].underlay = &hops[n];
      all[n].id = AttachmentId::make(n, 1);
      all[n].tunnel = tunnel(n);
      make_outer_template(all[n], net::Mac::from_u64(0x0200'0000'0001));
    }
    return all;
  }
  static Tunnels& get(const benchmark::State& state) {
    const auto count = static_cast<uint32_t>(state.range(0));
    return bench::Built::get<Tunnels>(std::to_string(count),
                                      [&] { return std::make_unique<Tunnels>(count); });
  }
};

void tunnel_find(benchmark::State& state) {
  const Tunnels& tunnels = Tunnels::get(state);
  uint64_t missed = 0;
  bench::run(state, kBurst, [&](uint64_t i) {
    const TunnelKey* burst = &tunnels.keys[i * kBurst % kPackets];
    for (size_t k = 0; k < kBurst; ++k) tunnels.table.prefetch(burst[k]);
    for (size_t k = 0; k < kBurst; ++k) missed += !tunnels.table.find(burst[k]).valid();
  });
  if (missed != 0) state.SkipWithError("a tunnel was not found");
}

/// What encap does to a packet but for the mbuf: attachment, next hop, header.
void encap(benchmark::State& state) {
  const Tunnels& tunnels = Tunnels::get(state);
  std::array<std::array<uint8_t, kMaxOuterLength + 64>, kBurst> frames{};
  uint64_t failed = 0;
  bench::run(state, kBurst, [&](uint64_t i) {
    const AttachmentId* burst = &tunnels.ids[i * kBurst % kPackets];
    for (size_t k = 0; k < kBurst; ++k) {
      const Attachment* attachment = tunnels.attachments.find(burst[k]);
      const uint64_t next_hop = attachment != nullptr ? attachment->underlay->word() : 0;
      if (!UnderlayHop::is_resolved(next_hop)) {
        ++failed;
        continue;
      }
      write_outer<false, true>(frames[k].data() + kMaxOuterLength, *attachment, next_hop, 64,
                               static_cast<uint32_t>(i * 0x9e37'79b1 + k), 0);
    }
    benchmark::DoNotOptimize(frames);
  });
  const auto* ip = frames[0].data() + kMaxOuterLength - 36;
  if (failed != 0 || net::checksum({ip, sizeof(net::Ipv4Header)}) != 0) {
    state.SkipWithError("an outer header is wrong");
  }
}

BENCHMARK(tunnel_find)->Arg(1)->Arg(100)->Arg(10'000)->Apply(bench::common);
BENCHMARK(encap)->ArgName("attachments")->Arg(1)->Arg(100)->Arg(1'000)->Apply(bench::common);

}  // namespace
}  // namespace weir::dataplane
