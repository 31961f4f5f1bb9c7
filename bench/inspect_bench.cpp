// What inspection costs for each byte of payload: Weir's engine beside a loop that copies and checksums, and
// beside a bare Hyperscan scan with the frozen reference database; and where the engine's cycles go.
//
// All cases get the same streams of ordinary HTTP/1 (inspection/http_traffic.h), requests and their answers:
// 32 sessions in turn, segments of up to 1,400 bytes, bytes that are new on every pass, sequence numbers that
// are never used again. The stepping that makes them new, and brings them into the first-level cache, is in
// every case; `inspect/feed` is nothing else. `inspect/requests/...` are the same with requests alone, of
// which the dearest bytes are: heads, and where most rules look.
//
//   inspect/copy_checksum  each segment copied and the Internet checksum of the copy added up
//   inspect/hs_scan        each segment scanned by itself, the literals of all the real rules in one database
//   inspect/engine         the Inspector with those of the real rules that it takes (counter `rules`).
//                          Each session is opened, completes its handshake, sends segments of which every
//                          second one is acknowledged, and is closed; events go into a ring
//   inspect/engine_demo_rules, inspect/engine_no_rules    the same with the demo's rules, with none
//
// Two passes before the clock runs prove that a contender was given these bytes: their number and CRC-32C.
// `planted` is 1 if a request that one real rule is about alerts, or a literal put into a block is found.
//
// inspect/eve is EveFormat::line() of the alerts, which the writer's thread does besides: no part of the
// engine's.
#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bench/inspection/corpus.h"
#include "bench/inspection/engine_sessions.h"
#include "bench/inspection/http_traffic.h"
#include "bench/inspection/reference_database.h"
#include "bench/measure.h"
#include "dataplane/net/checksum.h"
#include "inspection/engine/ruleset_builder.h"
#include "inspection/events/eve.h"

namespace weir::bench {
namespace {

constexpr uint64_t kSeed = 1;
using Kind = HttpTraffic::Kind;
constexpr size_t kStreams = 32;
constexpr uint64_t kProofPasses = 2;
// ET SCAN DirBuster Web App Scan in Progress
constexpr uint32_t kPlantedSid = 2008186;
constexpr std::string_view kPlantedRequest =
    "GET /index.php HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: DirBuster-1.0\r\nAccept: */*\r\n\r\n";

/// All requests together fit into a second-level cache of 1 MiB, all exchanges nearly so.
HttpTraffic& traffic(Kind kind) {
  static HttpTraffic exchanges(kSeed, kStreams, 32'000, Kind::exchanges);
  static HttpTraffic requests(kSeed, kStreams, 12'000, Kind::requests);
  return kind == Kind::exchanges ? exchanges : requests;
}

/// Rises over all cases of this process, so that no pass is measured twice.
uint64_t next_pass() {
  static uint64_t next = kProofPasses;
  return next++;
}

uint32_t crc32c(uint32_t crc, std::span<const uint8_t> bytes) {
  uint64_t sum = crc;
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, &bytes[i], sizeof word);
    sum = _mm_crc32_u64(sum, word);
  }
  crc = static_cast<uint32_t>(sum);
  for (; i < bytes.size(); ++i) crc = _mm_crc32_u8(crc, bytes[i]);
  return crc;
}

/// Hands everything on and remembers what it was.
template <typename Consumer>
struct Witness {
  Consumer& consumer;
  uint64_t bytes = 0;
  uint32_t crc = ~0U;
  void begin(size_t stream) { consumer.begin(stream); }
  void segment(size_t stream, inspection::Direction direction, std::span<const uint8_t> segment) {
    bytes += segment.size();
    crc = crc32c(crc, segment);
    consumer.segment(stream, direction, segment);
  }
  void end(size_t stream) { consumer.end(stream); }
};

/// The first passes, outside the clock; they also warm up.
template <typename Consumer>
void prove(benchmark::State& state, Kind kind, Consumer& consumer) {
  Witness<Consumer> witness{consumer};
  for (uint64_t pass = 0; pass < kProofPasses; ++pass) traffic(kind).pass(pass, witness);
  state.counters["proof_bytes"] = static_cast<double>(witness.bytes);
  state.counters["proof_crc"] = witness.crc;
}

template <typename Consumer>
void time_passes(benchmark::State& state, Kind kind, Consumer& consumer) {
  uint64_t bytes = 0;
  const double begin = CpuCycles::now();
  for (auto _ : state) {
    traffic(kind).pass(next_pass(), consumer);
    bytes += traffic(kind).bytes();
  }
  const double cycles = CpuCycles::now() - begin;
  state.counters["cycles_per_byte"] = cycles / static_cast<double>(bytes);
  state.counters["bytes"] = static_cast<double>(bytes);
  state.SetBytesProcessed(static_cast<int64_t>(bytes));
}

double per_kb(uint64_t count, uint64_t bytes) {
  return static_cast<double>(count) * 1e3 / static_cast<double>(bytes);
}

void skip(benchmark::State& state, const std::string& why) { state.SkipWithError(why.c_str()); }

struct Feed {
  void begin(size_t) {}
  void segment(size_t, inspection::Direction, std::span<const uint8_t>) {}
  void end(size_t) {}
};

void feed(benchmark::State& state, Kind kind) {
  Feed nothing;
  prove(state, kind, nothing);
  time_passes(state, kind, nothing);
}

struct CopyChecksum {
  alignas(64) uint8_t copy[HttpTraffic::kSegmentBytes];
  uint64_t sum = 0;
  void begin(size_t) {}
  void segment(size_t, inspection::Direction, std::span<const uint8_t> bytes) {
    std::memcpy(copy, bytes.data(), bytes.size());
    benchmark::ClobberMemory();
    sum += net::checksum({copy, bytes.size()});
  }
  void end(size_t) {}
};

void copy_checksum(benchmark::State& state, Kind kind) {
  CopyChecksum contender;
  prove(state, kind, contender);
  time_passes(state, kind, contender);
  benchmark::DoNotOptimize(contender.sum);
}

struct Reference {
  ReferenceDatabase database;
  std::vector<ReferenceLiteral> literals;
  size_t longest;  // its index
};

Result<Reference> make_reference() {
  auto literals = load_reference_literals();
  if (!literals) return tl::unexpected(literals.error());
  auto database = ReferenceDatabase::compile(*literals);
  if (!database) return tl::unexpected(database.error());
  const auto longest = std::max_element(literals->begin(), literals->end(), [](const auto& a, const auto& b) {
    return a.bytes.size() < b.bytes.size();
  });
  const auto index = static_cast<size_t>(longest - literals->begin());
  return Reference{std::move(*database), std::move(*literals), index};
}

const Result<Reference>& reference() {
  static const Result<Reference> the_one = make_reference();
  return the_one;
}

struct HsScan {
  const ReferenceDatabase& database;
  uint64_t matches = 0;
  bool failed = false;
  void begin(size_t) {}
  void segment(size_t, inspection::Direction, std::span<const uint8_t> bytes) {
    failed |= !database.scan(bytes, matches);
  }
  void end(size_t) {}
};

/// The longest literal is found in a block where it was put, and not before.
bool finds_planted(const Reference& reference) {
  const std::string& literal = reference.literals[reference.longest].bytes;
  const auto id = static_cast<unsigned>(reference.longest);
  std::vector<uint8_t> block(literal.size() + 200, ' ');
  if (reference.database.finds(block, id)) return false;
  std::copy(literal.begin(), literal.end(), block.begin() + 100);
  return reference.database.finds(block, id);
}

void hs_scan(benchmark::State& state, Kind kind) {
  const auto& built = reference();
  if (!built) return skip(state, built.error().message);
  HsScan contender{built->database};
  prove(state, kind, contender);
  contender.matches = 0;
  time_passes(state, kind, contender);
  state.counters["matches_per_kb"] =
      per_kb(contender.matches, static_cast<uint64_t>(state.counters["bytes"].value));
  state.counters["literals"] = static_cast<double>(built->literals.size());
  state.counters["planted"] = finds_planted(*built) ? 1 : 0;
  if (contender.failed) skip(state, "Hyperscan returned an error");
}

enum class Rules { real, demo, none };

Result<inspection::RulesetBuild> build_rules(Rules rules) {
  if (rules == Rules::none) {
    return inspection::compile_rules({}, 1);
  }
  const auto path = rules == Rules::real ? find_corpus_rules() : find_in_repository("conf/demo/demo.rules");
  if (!path) return tl::unexpected(path.error());
  return inspection::build_ruleset({*path}, 1);
}

const Result<inspection::RulesetBuild>& real_rules() {
  static const Result<inspection::RulesetBuild> the_one = build_rules(Rules::real);
  return the_one;
}

void engine(benchmark::State& state, Kind kind, Rules rules) {
  const auto build = rules == Rules::real ? real_rules() : build_rules(rules);
  if (!build) return skip(state, build.error().message);
  auto sessions = EngineSessions::create(build->ruleset, kStreams);
  if (!sessions) return skip(state, sessions.error().message);
  EngineSessions& contender = **sessions;
  prove(state, kind, contender);
  const uint64_t proven = contender.counters().bytes, alerts = contender.counters().alerts;
  const uint64_t candidates = contender.detection().candidates, refuted = contender.detection().refuted;
  time_passes(state, kind, contender);
  const auto bytes = static_cast<uint64_t>(state.counters["bytes"].value);
  state.counters["alerts_per_kb"] = per_kb(contender.counters().alerts - alerts, bytes);
  state.counters["candidates_per_kb"] = per_kb(contender.detection().candidates - candidates, bytes);
  state.counters["false_candidates_per_kb"] = per_kb(contender.detection().refuted - refuted, bytes);
  state.counters["rules"] = static_cast<double>(build->loaded);
  state.counters["rules_refused"] = static_cast<double>(build->refused.size());
  if (contender.counters().bytes - proven != bytes)
    skip(state, "the engine did not count the bytes that it got");
  if (rules == Rules::real) {
    state.counters["planted"] = contender.alerts_on(kPlantedRequest, kPlantedSid) ? 1 : 0;
  }
  if (const std::string trouble = contender.trouble(); !trouble.empty()) skip(state, trouble);
}

struct Alerts {
  std::vector<RingSink::Told> events;
  double per_byte = 0;
};

/// What one pass through the whole engine reports.
Result<Alerts> make_alerts() {
  const auto& build = real_rules();
  if (!build) return tl::unexpected(build.error());
  auto sessions = EngineSessions::create(build->ruleset, kStreams);
  if (!sessions) return tl::unexpected(sessions.error());
  HttpTraffic& exchanges = traffic(Kind::exchanges);
  exchanges.pass(0, **sessions);
  const auto count = static_cast<double>((*sessions)->counters().alerts);
  return Alerts{(*sessions)->events().latest(), count / static_cast<double>(exchanges.bytes())};
}

/// One event an iteration. Cycles per byte are those of an event, times the events that a byte causes.
void eve(benchmark::State& state) {
  static const Result<Alerts> alerts = make_alerts();
  if (!alerts) return skip(state, alerts.error().message);
  if (alerts->events.empty()) return skip(state, "this traffic causes no event");
  uint64_t i = 0, written = 0;
  inspection::EveFormat format;
  const double begin = CpuCycles::now();
  while (state.KeepRunning()) {
    const RingSink::Told& told = alerts->events[i++ % alerts->events.size()];
    written += format.line(told.event, told.fields, 0).size();
  }
  const double cycles = (CpuCycles::now() - begin) / static_cast<double>(i);
  state.counters["cycles_per_event"] = cycles;
  state.counters["bytes_per_event"] = static_cast<double>(written) / static_cast<double>(i);
  state.counters["alerts_per_kb"] = alerts->per_byte * 1e3;
  state.counters["cycles_per_byte"] = cycles * alerts->per_byte;
}

/// All cases of one kind of traffic.
void add(const std::string& prefix, Kind kind) {
  const auto run = [&](const char* name, auto contender) {
    common(benchmark::RegisterBenchmark((prefix + name).c_str(), contender));
  };
  run("feed", [kind](benchmark::State& state) { feed(state, kind); });
  run("copy_checksum", [kind](benchmark::State& state) { copy_checksum(state, kind); });
  run("hs_scan", [kind](benchmark::State& state) { hs_scan(state, kind); });
  run("engine", [kind](benchmark::State& state) { engine(state, kind, Rules::real); });
  run("engine_demo_rules", [kind](benchmark::State& state) { engine(state, kind, Rules::demo); });
  run("engine_no_rules", [kind](benchmark::State& state) { engine(state, kind, Rules::none); });
}

const bool added = [] {
  add("inspect/", Kind::exchanges);
  add("inspect/requests/", Kind::requests);
  return true;
}();
BENCHMARK(eve)->Name("inspect/eve")->Apply(common);

}  // namespace
}  // namespace weir::bench
