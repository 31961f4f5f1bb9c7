// Next hops inside attachments: read by id on every packet, found by address on first packets.
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "bench/measure.h"
#include "dataplane/fib/adjacency_table.h"

namespace weir::dataplane {
namespace {

constexpr size_t kBurst = 32;

struct Filled {
  std::unique_ptr<AdjacencyTable> table;
  std::vector<AdjacencyId> ids;  // in random order

  explicit Filled(uint32_t count) : table(AdjacencyTable::create(count).value()) {
    for (uint32_t n = 0; n < count; ++n) {
      ids.push_back(table->set(AttachmentId::make(n % 100, 1), net::Ipv4{n}, net::Mac::from_u64(n)).value());
    }
    std::shuffle(ids.begin(), ids.end(), std::mt19937_64(1));
  }
  static Filled& get(const benchmark::State& state) {
    const auto count = static_cast<uint32_t>(state.range(0));
    return bench::Built::get<Filled>(std::to_string(count), [&] { return std::make_unique<Filled>(count); });
  }
};

void adjacency_get(benchmark::State& state) {
  const Filled& filled = Filled::get(state);
  const size_t bursts = filled.ids.size() / kBurst;
  uint8_t frame[kBurst][64];
  benchmark::DoNotOptimize(&frame);
  uint64_t missed = 0;
  bench::run(state, kBurst, [&](uint64_t i) {
    const AdjacencyId* burst = &filled.ids[i % bursts * kBurst];
    for (size_t k = 0; k < kBurst; ++k) filled.table->prefetch(burst[k]);
    for (size_t k = 0; k < kBurst; ++k) {
      AdjacencyTable::View view;
      if (filled.table->get(burst[k], view)) {
        std::memcpy(frame[k], &view.mac_word, sizeof(net::Mac));
      } else {
        ++missed;
      }
    }
    benchmark::ClobberMemory();
  });
  if (missed != 0) state.SkipWithError("an entry was not there");
}

void adjacency_find(benchmark::State& state) {
  const Filled& filled = Filled::get(state);
  const auto count = static_cast<uint32_t>(filled.ids.size());
  uint64_t missed = 0;
  bench::run(state, 1, [&](uint64_t i) {
    const auto n = static_cast<uint32_t>(i * 0x9e37'79b1 % count);
    missed += !filled.table->find(AttachmentId::make(n % 100, 1), net::Ipv4{n}).valid();
  });
  if (missed != 0) state.SkipWithError("an address was not found");
}

BENCHMARK(adjacency_get)->Arg(1'024)->Arg(1 << 20)->Apply(bench::common);
BENCHMARK(adjacency_find)->Arg(1'024)->Arg(1 << 20)->Apply(bench::common);

}  // namespace
}  // namespace weir::dataplane
