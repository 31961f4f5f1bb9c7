#include "mgmt/cli/top.h"

#include <cstdio>
#include <vector>

#include "mgmt/cli/fields.h"
#include "mgmt/cli/print.h"

namespace weir::cli {

namespace {

constexpr double kNanosPerSecond = 1e9;

/// `part` / `whole` times `scale` with so many decimals, or "-" where there is nothing to divide by.
std::string ratio(double part, double whole, int decimals, double scale = 1) {
  if (whole <= 0) return "-";
  char out[64];
  std::snprintf(out, sizeof out, "%.*f", decimals, part * scale / whole);
  return out;
}

std::string percent(double part, double whole) {
  const std::string value = ratio(part, whole, 1, 100);
  return value == "-" ? value : value + " %";
}

/// How far a counter moved.
double moved(const Json& before, const Json& after, const char* key) {
  const uint64_t then = number(before, key), now = number(after, key);
  return now > then ? static_cast<double>(now - then) : 0;
}

/// The element of an array whose field is as in `wanted`; null without it.
Json same(const Json& elements, const Json& wanted, const char* key) {
  for (const Json& element : elements) {
    if (text(element, key) == text(wanted, key)) return element;
  }
  return {};
}

struct StageCost {
  std::string name;
  double cycles = 0, packets = 0, calls = 0;
  std::vector<std::string> by_worker;  // cycles per packet
};

/// All workers' stages, in the order in which the hub names them.
class Stages {
 public:
  void add(const Json& before, const Json& worker) {
    const Json& then = list(before, "stages");
    for (const Json& stage : list(worker, "stages")) {
      const Json earlier = same(then, stage, "stage");
      StageCost& cost = of(text(stage, "stage"));
      const double cycles = moved(earlier, stage, "cycles"), packets = moved(earlier, stage, "packets");
      cost.cycles += cycles;
      cost.packets += packets;
      cost.calls += moved(earlier, stage, "calls");
      cost.by_worker.resize(workers_, "-");
      cost.by_worker.push_back(ratio(cycles, packets, 1));
      all_ += cycles;
    }
    ++workers_;
    names_.push_back("worker " + text(worker, "worker"));
  }

  /// Without what took no time.
  std::string table_of() const {
    std::vector<std::string> head = {"stage", "share", "cycles/packet", "packets/call"};
    const bool several = workers_ > 1;
    if (several) head.insert(head.end(), names_.begin(), names_.end());
    std::vector<std::vector<std::string>> rows;
    for (const StageCost& cost : costs_) {
      if (cost.cycles == 0) continue;
      rows.push_back({cost.name, percent(cost.cycles, all_), ratio(cost.cycles, cost.packets, 1),
                      ratio(cost.packets, cost.calls, 1)});
      if (!several) continue;
      rows.back().insert(rows.back().end(), cost.by_worker.begin(), cost.by_worker.end());
      rows.back().resize(head.size(), "-");
    }
    std::vector<bool> right(head.size(), true);
    right.front() = false;
    return rows.empty() ? std::string() : table(head, rows, right);
  }

 private:
  StageCost& of(const std::string& name) {
    for (StageCost& cost : costs_) {
      if (cost.name == name) return cost;
    }
    return costs_.emplace_back(StageCost{name, 0, 0, 0, {}});
  }

  std::vector<StageCost> costs_;
  std::vector<std::string> names_;  // of the workers
  size_t workers_ = 0;
  double all_ = 0;  // cycles
};

std::vector<std::string> worker_row(const Json& before, const Json& after, double seconds, double hertz) {
  const double busy = moved(before, after, "busy_ns"), idle = moved(before, after, "idle_ns");
  const double rx = moved(before, after, "rx"), bursts = moved(before, after, "bursts");
  const double packets = rx + moved(before, after, "taken_over");
  const double longest = static_cast<double>(number(after, "longest_ns"));
  return {text(after, "worker"),
          text(after, "core"),
          percent(busy, busy + idle),
          ratio(packets, seconds, 0),
          ratio(bursts, seconds, 0),
          ratio(rx, bursts, 1),
          ratio(busy / kNanosPerSecond * hertz, packets, 1),
          ratio(moved(before, after, "stalls"), 1, 0),
          ratio(longest, 1'000, 0) + " us"};
}

}  // namespace

std::string print_top(const Json& before, const Json& after) {
  const double seconds = moved(before, after, "now_ns") / kNanosPerSecond;
  const auto hertz = static_cast<double>(number(after, "cycles_per_second"));
  std::vector<std::vector<std::string>> rows;
  Stages stages;
  double sampled = 0;
  for (const Json& worker : list(after, "workers")) {
    const Json earlier = same(list(before, "workers"), worker, "worker");
    rows.push_back(worker_row(earlier, worker, seconds, hertz));
    stages.add(earlier, worker);
    sampled += moved(earlier, worker, "sampled_turns");
  }
  std::string out = "in " + ratio(seconds, 1, 2) + " s; ";
  out += text(after, "stall_us") == "0" ? "stalls are not counted"
                                        : "a stall is a turn over " + text(after, "stall_us") + " us";
  out += "; the longest turn is since the start\n\n";
  out += table({"worker", "core", "busy", "packets/s", "bursts/s", "packets/burst", "cycles/packet", "stalls",
                "longest"},
               rows, std::vector<bool>(9, true));
  out += "\nsampled turns: " + ratio(sampled, 1, 0) + "\n" + stages.table_of();
  return out;
}

}  // namespace weir::cli
