// Two hot structures of inspection by themselves, on memory in the first-level cache: a literal database over
// buffers of several sizes, and TCP streams put together in order and out of order.
//
// The database has 4,096 literals that are made here; what real rules cost is inspect_bench's. Buffers that
// are not `matching` contain nothing that is found; the others a literal every 128 bytes and at their
// beginning.
#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "inspection/compile/literal_database.h"
#include "inspection/stream/tcp_track.h"

namespace weir::bench {
namespace {

using namespace inspection;

/// A database with scratch, and some bytes that it finds.
struct Scanned {
  LiteralDatabase database;
  ScratchPtr scratch;
  std::string known;

  /// What one scan finds; -1 if Hyperscan returns an error.
  int64_t matches(std::span<const uint8_t> bytes) const {
    int64_t count = 0;
    const auto found = [](void* context, uint32_t) { ++*static_cast<int64_t*>(context); };
    return database.scan(bytes, scratch.get(), found, &count) ? count : -1;
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
  scanned->database = std::move(*database);
  if (auto ok = scanned->database.grow(scanned->scratch); !ok) return tl::unexpected(ok.error());
  scanned->known = literals.front().bytes;
  return scanned;
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

void scan(benchmark::State& state) {
  static const auto made = make_literals();  // once, as Google Benchmark calls a case several times over
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
  const auto size = static_cast<uint32_t>(state.range(0));
  const std::vector<uint8_t> payload(size, 'x');
  BytePool pool(1 << 20);
  StreamSettings settings;
  settings.is_inline = settings.strict = true;
  settings.depth = 0;
  TcpTrack track(pool, settings);
  EnginePacket packet;
  uint64_t wrong = 0, taken = 0;
  const auto send = [&](Direction direction, uint32_t seq, uint32_t ack, uint8_t flags,
                        std::span<const uint8_t> bytes) {
    packet.view.direction = direction;
    packet.view.seq = seq;
    packet.view.ack = ack;
    packet.view.tcp_flags = flags;
    packet.view.window = 65'535;
    packet.view.payload = bytes;
    wrong += track.track(packet) != TcpFate::tracked;
    TcpChunk chunk;
    while (track.next_chunk(Direction::to_server, chunk)) taken += chunk.bytes.size();
  };
  send(Direction::to_server, 0, 0, kTcpSyn, {});
  send(Direction::to_client, 0, 1, kTcpSyn | kTcpAck, {});
  send(Direction::to_server, 1, 1, kTcpAck, {});
  uint32_t next = 1;
  run(state, uint64_t{2} * size, [&](uint64_t) {
    send(Direction::to_server, next + (swapped ? size : 0), 1, kTcpAck, payload);
    send(Direction::to_server, next + (swapped ? 0 : size), 1, kTcpAck, payload);
    next += 2 * size;
    send(Direction::to_client, 1, next, kTcpAck, {});
  });
  wrong += static_cast<uint32_t>(taken) != next - 1;
  state.counters["cycles_per_segment"] = state.counters["cycles"].value * size;
  if (wrong != 0) state.SkipWithError("a segment had another fate than it should");
}

void scan_sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"bytes", "matching"})->ArgsProduct({{64, 512, 1'460}, {0, 1}});
}

BENCHMARK(scan)->Apply(scan_sizes)->Apply(common);
BENCHMARK_CAPTURE(reassembly, in_order, false)->ArgName("bytes")->Arg(64)->Arg(1'400)->Apply(common);
BENCHMARK_CAPTURE(reassembly, swapped, true)->ArgName("bytes")->Arg(64)->Arg(1'400)->Apply(common);

}  // namespace
}  // namespace weir::bench
