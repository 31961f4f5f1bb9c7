// The two hot structures of inspection by themselves, on memory in the first-level cache: literal databases
// over buffers of several sizes, and TCP streams put together in order and out of order.
//
// Scans: `made` is a database of 4,096 literals that are made here, so that there is always one; `stream`,
// `uri` and `user_agent` are those of the real ruleset, for payload to the server and for parts of requests
// (without the corpus they say so). `clean` buffers contain nothing that is found; the others a literal of
// the database every 128 bytes and at their beginning.
#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bench/inspection/corpus.h"
#include "bench/measure.h"
#include "inspection/compile/ruleset.h"
#include "inspection/stream/tcp_stream.h"

namespace weir::bench {
namespace {

using namespace inspection;

enum class Which : uint8_t { made, stream, uri, user_agent };

/// A database with scratch, and some bytes that it finds.
struct Scanned {
  std::shared_ptr<const Ruleset> ruleset;  // owns `database`, if it is a real one
  LiteralDatabase made;
  const LiteralDatabase* database = nullptr;
  ScratchPtr scratch;
  std::string known;

  /// What one scan finds; -1 if Hyperscan returns an error.
  int64_t matches(std::span<const uint8_t> bytes) const {
    int64_t count = 0;
    const auto found = [](void* context, uint32_t) { ++*static_cast<int64_t*>(context); };
    return database->scan(bytes, scratch.get(), found, &count) ? count : -1;
  }
};

Result<std::unique_ptr<Scanned>> make_literals() {
  std::mt19937_64 random(1);
  std::vector<Literal> literals;
  for (size_t i = 0; i < 4'096; ++i) {
    Literal& literal = literals.emplace_back();
    literal.nocase = i % 2 == 0;
    for (size_t size = 4 + random() % 16; size > 0; --size) {
      literal.bytes += "abcdefghijklmnopqrstuvwxyz0123456789/=."[random() % 39];
    }
  }
  auto database = LiteralDatabase::compile(literals);
  if (!database) return tl::unexpected(database.error());
  auto scanned = std::make_unique<Scanned>();
  scanned->made = std::move(*database);
  scanned->database = &scanned->made;
  if (auto ok = scanned->database->grow(scanned->scratch); !ok) return tl::unexpected(ok.error());
  scanned->known = literals.front().bytes;
  return scanned;
}

/// A content of the ruleset in that buffer which the database finds.
std::string known_content(const Scanned& scanned, Buffer buffer) {
  for (uint32_t i = 0; i < scanned.ruleset->size(); ++i) {
    for (const ContentChain& chain : scanned.ruleset->rule(i).chains) {
      for (const CompiledContent& content : chain.contents) {
        const std::string& p = content.pattern;
        if (chain.buffer != buffer || content.negated || p.size() < 5 || p.size() > 32) continue;
        if (scanned.matches({reinterpret_cast<const uint8_t*>(p.data()), p.size()}) > 0) return p;
      }
    }
  }
  return {};
}

const Result<RulesetBuild>& real_rules() {
  static const Result<RulesetBuild> the_one = []() -> Result<RulesetBuild> {
    const auto path = find_corpus_rules();
    if (!path) return tl::unexpected(path.error());
    return build_ruleset({*path}, 1);
  }();
  return the_one;
}

Result<std::unique_ptr<Scanned>> make_real(Which which) {
  const auto& rules = real_rules();
  if (!rules) return tl::unexpected(rules.error());
  const Buffer buffer = which == Which::stream ? Buffer::payload
                        : which == Which::uri  ? Buffer::http_uri
                                               : Buffer::http_user_agent;
  auto scanned = std::make_unique<Scanned>();
  scanned->ruleset = rules->ruleset;
  scanned->database = which == Which::stream
                          ? &rules->ruleset->payload(Transport::stream, Direction::to_server).database()
                          : &rules->ruleset->http(HttpStage::headers, buffer).database();
  if (auto ok = scanned->database->grow(scanned->scratch); !ok) return tl::unexpected(ok.error());
  scanned->known = known_content(*scanned, buffer);
  return scanned;
}

/// Made once, as Google Benchmark calls a case several times over.
const Result<std::unique_ptr<Scanned>>& database_of(Which which) {
  static std::map<Which, Result<std::unique_ptr<Scanned>>> all;
  const auto known = all.find(which);
  if (known != all.end()) return known->second;
  return all.emplace(which, which == Which::made ? make_literals() : make_real(which)).first->second;
}

/// Bytes in which nothing is found, put together one by one; fewer than asked for if that is not possible.
std::vector<uint8_t> clean_bytes(const Scanned& scanned, size_t size) {
  std::mt19937_64 random(2);
  std::vector<uint8_t> bytes;
  for (size_t tries = 0; bytes.size() < size && tries < 100 * size; ++tries) {
    bytes.push_back(static_cast<uint8_t>("abcdefghijklmnopqrstuvwxyz     "[random() % 31]));
    if (scanned.matches(bytes) != 0) bytes.pop_back();
  }
  return bytes;
}

void scan(benchmark::State& state, Which which) {
  const auto& made = database_of(which);
  if (!made) return state.SkipWithError(made.error().message.c_str());
  const Scanned& scanned = **made;
  const auto size = static_cast<size_t>(state.range(0));
  std::vector<uint8_t> bytes = clean_bytes(scanned, size);
  if (bytes.size() < size) return state.SkipWithError("this database finds something in any bytes");
  if (state.range(1) != 0) {
    for (size_t at = 0; at + scanned.known.size() <= size; at += 128) {
      std::copy(scanned.known.begin(), scanned.known.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }
  int64_t found = 0;
  bool failed = false;
  run(state, size, [&](uint64_t) {
    benchmark::ClobberMemory();
    found = scanned.matches(bytes);
    failed |= found < 0;
  });
  state.counters["matches"] = static_cast<double>(found);
  if (failed || (found > 0) != (state.range(1) != 0))
    state.SkipWithError("the scan did not find what it should");
}

/// Streams that never end: every segment has new sequence numbers, and every second one is acknowledged.
/// `swapped`: of each two segments the later one comes first, is recorded, and is taken with the other.
void reassembly(benchmark::State& state, bool swapped) {
  constexpr uint32_t kWindow = InspectorLimits{}.stream_window;
  const auto size = static_cast<uint32_t>(state.range(0));
  const std::vector<uint8_t> payload(size, 'x');
  StreamAssembler assembler(kWindow, InspectorLimits{}.out_of_order_segments, 64);
  std::vector<uint8_t> carry_over(kWindow);
  StreamState stream;
  assembler.on_syn(stream, 0);
  assembler.confirm(stream, 1);
  uint64_t wrong = 0;
  const auto segment = [&](uint32_t seq, SegmentFate expected) {
    bool also_unknown = false;
    wrong += assembler.accept(stream, carry_over.data(), seq, payload, also_unknown) != expected;
    if (expected == SegmentFate::new_data) assembler.commit(stream, carry_over.data());
  };
  run(state, uint64_t{2} * size, [&](uint64_t) {
    const uint32_t next = stream.next_seq;
    if (swapped) {
      segment(next + size, SegmentFate::recorded);
      segment(next, SegmentFate::new_data);
    } else {
      segment(next, SegmentFate::new_data);
      segment(next + size, SegmentFate::new_data);
    }
    wrong += stream.next_seq != next + 2 * size;
    assembler.on_ack(stream, stream.next_seq);
  });
  state.counters["cycles_per_segment"] = state.counters["cycles"].value * size;
  if (wrong != 0) state.SkipWithError("a segment had another fate than it should");
}

void scan_sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"bytes", "matching"})->ArgsProduct({{64, 512, 1'460}, {0, 1}});
}

BENCHMARK_CAPTURE(scan, made, Which::made)->Apply(scan_sizes)->Apply(common);
BENCHMARK_CAPTURE(scan, stream, Which::stream)->Apply(scan_sizes)->Apply(common);
BENCHMARK_CAPTURE(scan, uri, Which::uri)->Apply(scan_sizes)->Apply(common);
BENCHMARK_CAPTURE(scan, user_agent, Which::user_agent)->Apply(scan_sizes)->Apply(common);
BENCHMARK_CAPTURE(reassembly, in_order, false)->ArgName("bytes")->Arg(64)->Arg(1'400)->Apply(common);
BENCHMARK_CAPTURE(reassembly, swapped, true)->ArgName("bytes")->Arg(64)->Arg(1'400)->Apply(common);

}  // namespace
}  // namespace weir::bench
