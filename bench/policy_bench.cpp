// The policy classifier: what a first packet costs, what compiling costs, and what one change costs, for
// policies as firewalls have them (shape 0) and for hostile ones (1: everybody is in a dozen groups; 2: made
// to defeat summaries; 3: as 1, and no service tells rules apart; see policy_rules.h); and DPDK's rte_acl for
// the same job, as far as it goes.
//
// First packets are classified one at a time, each after the one before is decided: what one of them waits
// for. session_lookup_miss is the measure beside it: the look-up that every first packet has had before, as
// much alone, in a table of a million sessions.
//
// Before anything is timed each table has to give the same rule for every packet as trying the rules one by
// one.
#include <immintrin.h>
#include <rte_acl.h>
#include <rte_eal.h>
#include <rte_malloc.h>

#include <algorithm>
#include <stdexcept>

#include "bench/measure.h"
#include "bench/policy_rules.h"
#include "bench/run_cases.h"
#include "dataplane/session/session_table.h"

namespace weir::bench {
namespace {

using namespace dataplane;

enum Shape : int64_t { kReal, kDense, kHostile, kRanges };

Policy make(int64_t shape, size_t rules) {
  switch (shape) {
    case kReal:
      return PolicyMaker::real(rules);
    case kDense:
      return PolicyMaker::dense(rules);
    case kHostile:
      return PolicyMaker::hostile(rules);
    default:
      return PolicyMaker::ranges(rules);
  }
}

struct Compiled {
  Policy policy;
  PolicyTable table;

  Compiled(int64_t shape, size_t rules) : policy(make(shape, rules)), table(policy.build()) {
    for (size_t n = 0; n < policy.packets.size(); n += 64) check(n);
  }
  PolicyTable::ConnectionIndex pair(size_t n) const {
    return static_cast<PolicyTable::ConnectionIndex>(n * 7 % policy.connections.size());
  }

 private:
  void check(size_t n) const {
    const Connection& c = policy.connections[pair(n)];
    RuleIndex expected = kDefaultDeny;
    for (RuleIndex r = 0; r < policy.rules.size() && expected == kDefaultDeny; ++r) {
      if (matches(policy.rules[r], c.from, c.to, policy.packets[n])) expected = r;
    }
    if (table.classify(pair(n), policy.packets[n]).rule != expected) throw std::runtime_error("wrong rule");
  }
};

Compiled& compiled(const benchmark::State& state) {
  const auto shape = state.range(0), rules = state.range(1);
  return Built::get<Compiled>(std::to_string(shape) + "/" + std::to_string(rules),
                              [&] { return std::make_unique<Compiled>(shape, static_cast<size_t>(rules)); });
}

void classify(benchmark::State& state) {
  const Compiled& c = compiled(state);
  run(state, 1, [&](uint64_t i) {
    const size_t n = i % c.policy.packets.size();
    benchmark::DoNotOptimize(c.table.classify(c.pair(n), c.policy.packets[n]));
    _mm_lfence();
  });
  state.counters["MiB"] = static_cast<double>(c.table.bytes()) / (1 << 20);
}

/// A session table at 90 %, and keys that are not in it.
struct Sessions {
  static constexpr uint32_t kCapacity = 1'000'000;
  std::unique_ptr<SessionTable> table = SessionTable::create(kCapacity, {0}).value();
  std::vector<Key4> others;

  Sessions() {
    for (uint32_t n = 0; table->size() < kCapacity / 10 * 9; ++n) {
      const Key4 key{0x0a00'0000 | n, 0x0b00'0000 | n * 7, static_cast<uint16_t>(n), 443, 1, 6, 0};
      table->insert(key, {key.dst, key.src, key.dst_port, key.src_port, 2, 6, 0}, 0);
      others.push_back(key);
      others.back().domain = 3;
    }
    std::shuffle(others.begin(), others.end(), std::mt19937_64(1));
  }
};

void lookup_miss(benchmark::State& state) {
  const auto& sessions = Built::get<Sessions>("", [] { return std::make_unique<Sessions>(); });
  uint64_t found = 0;
  run(state, 1, [&](uint64_t i) {
    const Key4& key = sessions.others[i % sessions.others.size()];
    found += static_cast<bool>(sessions.table->find(key, hash_of(key)));
    _mm_lfence();
  });
  if (found != 0) state.SkipWithError("a key is found that is not there");
}

void compile(benchmark::State& state) {
  const Compiled& c = compiled(state);
  for (auto _ : state) benchmark::DoNotOptimize(c.policy.build());
}

/// One rule is another one; the groups stay.
void change_rule(benchmark::State& state) {
  Compiled& c = compiled(state);
  for (auto _ : state) {
    std::swap(c.policy.rules[c.policy.rules.size() / 2].from, c.policy.rules[c.policy.rules.size() / 2].to);
    benchmark::DoNotOptimize(c.policy.build(&c.table));
  }
}

/// A group has one prefix more.
void change_prefix(benchmark::State& state) {
  Compiled& c = compiled(state);
  Policy changed = c.policy;
  PolicyGroup other = *changed.groups[500];
  other.prefixes.push_back({net::Ipv4{0x0a01'0203}, 32});
  const auto now = std::make_shared<const PolicyGroup>(std::move(other));
  for (PolicyRule& rule : changed.rules) {
    for (PolicyEnd* end : {&rule.from, &rule.to}) {
      for (auto& group : end->groups) {
        if (group == changed.groups[500]) group = now;
      }
    }
  }
  for (auto _ : state) benchmark::DoNotOptimize(changed.build(&c.table));
}

// --- DPDK's ---

constexpr rte_acl_field_def kFields[] = {
    {RTE_ACL_FIELD_TYPE_BITMASK, 1, 0, 0, 0}, {RTE_ACL_FIELD_TYPE_MASK, 4, 1, 1, 4},
    {RTE_ACL_FIELD_TYPE_MASK, 4, 2, 2, 8},    {RTE_ACL_FIELD_TYPE_RANGE, 2, 3, 3, 12},
    {RTE_ACL_FIELD_TYPE_RANGE, 2, 4, 3, 14},
};
RTE_ACL_RULE_DEF(AclRule, std::size(kFields));

/// A rule from group to group is one of its rules for each pair of their prefixes and each service. So only a
/// few rules between small groups can be had at all.
void acl(benchmark::State& state) {
  const auto rules = static_cast<size_t>(state.range(0)), prefixes = static_cast<size_t>(state.range(1));
  rte_acl_param parameters{};
  parameters.name = "bench";
  parameters.rule_size = RTE_ACL_RULE_SZ(std::size(kFields));
  parameters.max_rule_num = static_cast<uint32_t>(rules * prefixes * prefixes);
  rte_acl_ctx* context = rte_acl_create(&parameters);
  if (context == nullptr) return state.SkipWithError("rte_acl_create");
  std::mt19937_64 random(1);
  const auto address = [&] { return 0x0a00'0000 | static_cast<uint32_t>(random() & 0xff'ff00); };
  std::vector<uint32_t> sources, destinations;
  for (size_t r = 0; r < rules; ++r) {
    const size_t from = sources.size();
    for (size_t p = 0; p < prefixes; ++p) {
      sources.push_back(address());
      destinations.push_back(address());
    }
    for (size_t p = from; p < sources.size(); ++p) {
      for (size_t q = from; q < sources.size(); ++q) {
        AclRule rule{};
        rule.data = {1, static_cast<int32_t>(rules - r), static_cast<uint32_t>(r + 1)};
        rule.field[0] = {.value = {.u8 = 6}, .mask_range = {.u8 = 0xff}};
        rule.field[1] = {.value = {.u32 = sources[p]}, .mask_range = {.u32 = 24}};
        rule.field[2] = {.value = {.u32 = destinations[q]}, .mask_range = {.u32 = 24}};
        rule.field[3] = {.value = {.u16 = 0}, .mask_range = {.u16 = 0xffff}};
        rule.field[4] = {.value = {.u16 = 443}, .mask_range = {.u16 = 443}};
        rte_acl_add_rules(context, reinterpret_cast<rte_acl_rule*>(&rule), 1);
      }
    }
  }
  rte_acl_config config{};
  config.num_categories = 1;
  config.num_fields = std::size(kFields);
  std::copy(std::begin(kFields), std::end(kFields), config.defs);
  rte_malloc_socket_stats before{}, after{};
  rte_malloc_get_socket_stats(0, &before);
  const double begin = CpuCycles::now();
  const int code = rte_acl_build(context, &config);
  state.counters["build_Mcycles"] = (CpuCycles::now() - begin) / 1e6;
  rte_malloc_get_socket_stats(0, &after);
  state.counters["MiB"] =
      static_cast<double>(after.heap_allocsz_bytes - before.heap_allocsz_bytes) / (1 << 20);
  if (code != 0) {
    rte_acl_free(context);
    return state.SkipWithError("rte_acl_build: no memory");
  }
  struct Key {
    uint8_t protocol, pad[3];
    uint32_t src, dst;
    uint16_t src_port, dst_port;
  };
  std::vector<Key> keys;
  for (size_t n = 0; n < 4'096; ++n) {
    const size_t r = random() % sources.size(), q = r / prefixes * prefixes + random() % prefixes;
    keys.push_back({6,
                    {},
                    __builtin_bswap32(sources[r] | 5),
                    __builtin_bswap32(destinations[q] | 9),
                    __builtin_bswap16(40'000),
                    __builtin_bswap16(443)});
  }
  uint64_t missed = 0;
  run(state, 1, [&](uint64_t i) {  // one at a time, as first packets come
    const auto* data = reinterpret_cast<const uint8_t*>(&keys[i % keys.size()]);
    uint32_t result = 0;
    rte_acl_classify(context, &data, &result, 1, 1);
    missed += result == 0;
  });
  rte_acl_free(context);
  if (missed != 0) state.SkipWithError("a rule was missed");
}

void shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"shape", "rules"})->ArgsProduct({{kReal, kDense, kHostile, kRanges}, {100, 1'000, 10'000}});
}
void largest(benchmark::internal::Benchmark* b) {
  b->ArgNames({"shape", "rules"})
      ->ArgsProduct({{kReal, kDense, kHostile, kRanges}, {10'000}})
      ->Unit(benchmark::kMillisecond);
}

BENCHMARK(classify)->Name("policy_classify")->Apply(shapes)->Apply(common);
BENCHMARK(lookup_miss)->Name("session_lookup_miss")->Apply(common);
BENCHMARK(compile)->Name("policy_compile")->Apply(largest)->Apply(common);
BENCHMARK(change_rule)->Name("policy_change_rule")->Apply(largest)->Apply(common);
BENCHMARK(change_prefix)->Name("policy_change_prefix")->Apply(largest)->Apply(common);
BENCHMARK(acl)
    ->Name("rte_acl")
    ->ArgNames({"rules", "prefixes"})
    ->Args({100, 1})
    ->Args({100, 10})
    ->Args({1'000, 1})
    ->Args({10'000, 1})
    ->Iterations(100'000)
    ->Apply(common);

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  const char* eal[] = {"weir_policy_bench", "--no-huge", "--no-pci", "--no-shconf",
                       "--no-telemetry",    "-m",        "2048",     "--force-max-simd-bitwidth=512",
                       "--log-level",       "error"};
  if (rte_eal_init(std::size(eal), const_cast<char**>(eal)) < 0) return 1;
  const int code = weir::bench::run_cases(argc, argv);
  weir::bench::Built::drop();
  return rte_eal_cleanup() == 0 ? code : 1;
}
