// Feeds a plan's packets to the Linux network stack on one core, as if they had arrived on an interface: by
// bpf_prog_test_run with live frames. It has to run inside the network namespace that forwards.
//
//     weir_kernel_feed --plan FILE --ifindex-name IF [--core 1] (--packets N | --seconds S) [--drop]
//     weir_kernel_feed --plan FILE --ifindex-name IF [--core 1]         then, line by line on stdin:
//         run SECONDS | run-packets N | drop SECONDS | drop-packets N | quit
//
// Each run is answered by a line of JSON on stdout; the plan goes on where the run before ended. A run that
// fails is answered by {"error": "..."}; {"ready": true} comes before all. One thread.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <sys/resource.h>
#include <x86intrin.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "pktgen-scripts/feed/packet.h"
#include "pktgen-scripts/feed/plan.h"
#include "pktgen-scripts/kernel/feed_maps.h"
#include "pktgen-scripts/kernel/feed_object.h"

namespace weir::feed {
namespace {

using Clock = std::chrono::steady_clock;

/// The kernel counts packets, not seconds: how many make so long is guessed from the call before, and the
/// first is a small one. Setting a call up puts the kernel to sleep for tens of milliseconds, so a run has
/// few.
constexpr uint64_t kFirstCall = 64 * FEED_BATCH;
constexpr double kLongestCall = 5.0;         // seconds
constexpr double kLongEnough = 0.97;         // of the time that was asked for
constexpr uint64_t kMostPackets = 1u << 30;  // of one call

std::runtime_error failure(const std::string& what, int error) {
  return std::runtime_error(what + ": " + std::generic_category().message(error));
}

/// Throws a sentence if the feed cannot run the plan.
void check_plan(const feed_plan& plan, const std::string& path) {
  if (const std::string fault = plan_fault(plan); !fault.empty())
    throw std::runtime_error(path + ": " + fault);
  const uint16_t length = plan.frames_[0].length;
  for (uint32_t i = 0; i < plan.frames; ++i) {
    if (plan.frames_[i].length == length) continue;
    throw std::runtime_error(path + ": frame 0 has " + std::to_string(length) + " bytes and frame " +
                             std::to_string(i) + " has " + std::to_string(plan.frames_[i].length) +
                             "; the kernel's feed makes packets of one length only");
  }
}

std::unique_ptr<feed_plan> read_plan(const std::string& path) {
  auto plan = std::make_unique<feed_plan>();
  std::ifstream file(path, std::ios::binary);
  if (!file) throw failure("cannot open " + path, errno);
  file.read(reinterpret_cast<char*>(plan.get()), sizeof *plan);
  if (file.gcount() != sizeof *plan || file.peek() != std::ifstream::traits_type::eof()) {
    throw std::runtime_error(path + ": a plan has " + std::to_string(sizeof *plan) +
                             " bytes, this file has not");
  }
  check_plan(*plan, path);
  return plan;
}

/// How much one run is to do: one of the two is set.
struct Amount {
  std::optional<double> seconds;
  std::optional<uint64_t> packets;
};

/// What one run has done. Its time is that of its packets alone: what a call of the kernel's takes before and
/// after them is left out.
struct Report {
  uint64_t packets = 0;
  uint64_t timed_packets = 0;  // of them, those before the last batch of each call
  double timed_seconds = 0;    // that these took
  double wall_seconds = 0;     // of all of it
  int64_t involuntary_switches = 0;

  double seconds() const {
    return timed_packets == 0
               ? wall_seconds
               : timed_seconds * static_cast<double>(packets) / static_cast<double>(timed_packets);
  }
  nlohmann::json to_json(double tsc_hz) const {
    return {{"packets", packets},
            {"seconds", seconds()},
            {"wall_seconds", wall_seconds},
            {"cycles", seconds() * tsc_hz},
            {"tsc_hz", tsc_hz},
            {"involuntary_switches", involuntary_switches}};
  }
};

/// The rate of the time-stamp counter, against the clock that the program reads.
class TscRate {
 public:
  /// From the start until now, at least a tenth of a second.
  double hz() const {
    std::this_thread::sleep_until(begin_ + std::chrono::milliseconds(100));
    const uint64_t cycles = __rdtsc() - begin_tsc_;
    return static_cast<double>(cycles) / std::chrono::duration<double>(Clock::now() - begin_).count();
  }

 private:
  Clock::time_point begin_ = Clock::now();
  uint64_t begin_tsc_ = __rdtsc();
};

class KernelFeed {
 public:
  /// Loads the program with the plan. Frames will seem to come from `interface`.
  KernelFeed(const feed_plan& plan, const std::string& interface);
  Report run(const Amount& amount, bool drop);

 private:
  static int map_fd(const bpf_object& object, const char* name);
  feed_state read_state() const;
  void write_state(const feed_state& state);
  void call(uint64_t packets);

  std::unique_ptr<bpf_object, decltype(&bpf_object__close)> object_{nullptr, bpf_object__close};
  int program_ = -1, state_ = -1;
  xdp_md context_{};
  std::array<double, 2> rates_{};  // packets per second of the last call, passed and dropped; 0: not known
  std::vector<std::byte> frame_;   // what the kernel wants to see; the program writes over it
};

KernelFeed::KernelFeed(const feed_plan& plan, const std::string& interface) : frame_(plan.frames_[0].length) {
  context_.data_end = static_cast<uint32_t>(frame_.size());
  context_.ingress_ifindex = if_nametoindex(interface.c_str());
  if (context_.ingress_ifindex == 0) throw failure("there is no interface " + interface, errno);
  const auto object = feed_object();
  object_.reset(bpf_object__open_mem(object.data(), object.size(), nullptr));
  if (!object_) throw failure("cannot read the XDP program", errno);
  if (const int error = bpf_object__load(object_.get()); error != 0)
    throw failure("the kernel does not take the XDP program", -error);
  program_ = bpf_program__fd(bpf_object__find_program_by_name(object_.get(), "feed"));
  state_ = map_fd(*object_, FEED_STATE_MAP);
  const uint32_t zero = 0;
  if (const int error = bpf_map_update_elem(map_fd(*object_, FEED_PLAN_MAP), &zero, &plan, BPF_ANY);
      error != 0)
    throw failure("cannot hand the plan to the kernel", -error);
}

int KernelFeed::map_fd(const bpf_object& object, const char* name) {
  const bpf_map* map = bpf_object__find_map_by_name(&object, name);
  if (map == nullptr) throw std::runtime_error(std::string("the XDP program has no map ") + name);
  return bpf_map__fd(map);
}

feed_state KernelFeed::read_state() const {
  const uint32_t zero = 0;
  feed_state state{};
  if (const int error = bpf_map_lookup_elem(state_, &zero, &state); error != 0)
    throw failure("cannot read the XDP program's state", -error);
  return state;
}

void KernelFeed::write_state(const feed_state& state) {
  const uint32_t zero = 0;
  if (const int error = bpf_map_update_elem(state_, &zero, &state, BPF_ANY); error != 0)
    throw failure("cannot write the XDP program's state", -error);
}

void KernelFeed::call(uint64_t packets) {
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame_.data();
  options.data_size_in = static_cast<uint32_t>(frame_.size());
  options.ctx_in = &context_;
  options.ctx_size_in = sizeof context_;
  options.repeat = static_cast<int>(packets);
  options.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
  options.batch_size = FEED_BATCH;
  if (const int error = bpf_prog_test_run_opts(program_, &options); error != 0)
    throw failure("the kernel does not run live frames", -error);
}

/// Packets of the next call, whole batches unless fewer are wanted. `rate`: packets per second, 0 if nothing
/// is known of it.
uint64_t next_call(const Amount& amount, const Report& report, double rate) {
  const double left =
      amount.packets ? kLongestCall : std::min(*amount.seconds - report.seconds(), kLongestCall);
  uint64_t next = kFirstCall;
  if (rate > 0) next = std::clamp(static_cast<uint64_t>(rate * left), uint64_t{FEED_BATCH}, kMostPackets);
  next -= next % FEED_BATCH;
  return amount.packets ? std::min(next, *amount.packets - report.packets) : next;
}

Report KernelFeed::run(const Amount& amount, bool drop) {
  rusage usage_before{}, usage{};
  getrusage(RUSAGE_THREAD, &usage_before);
  const auto begin = Clock::now();
  Report report;
  double& rate = rates_[drop ? 1 : 0];
  while (amount.packets ? report.packets < *amount.packets
                        : report.seconds() < kLongEnough * amount.seconds.value_or(0)) {
    feed_state state = read_state();
    state.call_packets = 0;
    state.drop = drop ? 1 : 0;
    write_state(state);
    const uint64_t packets = next_call(amount, report, rate);
    call(packets);
    state = read_state();
    if (state.refused != 0 || state.call_packets != packets)
      throw std::runtime_error("the XDP program made " + std::to_string(state.call_packets) + " of " +
                               std::to_string(packets) + " packets");
    report.packets += packets;
    report.timed_packets += state.timed_packets;
    report.timed_seconds += static_cast<double>(state.last_ns - state.first_ns) * 1e-9;
    if (state.timed_packets != 0)
      rate = static_cast<double>(state.timed_packets) * 1e9 /
             static_cast<double>(state.last_ns - state.first_ns);
    report.wall_seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  }
  getrusage(RUSAGE_THREAD, &usage);
  report.involuntary_switches = usage.ru_nivcsw - usage_before.ru_nivcsw;
  return report;
}

/// A line of stdin, run. Empty when there is nothing more to do.
std::optional<nlohmann::json> obey(KernelFeed& feed, const TscRate& tsc, const std::string& line) {
  std::istringstream words(line);
  std::string verb;
  Amount amount;
  words >> verb;
  if (verb == "quit") return std::nullopt;
  if (verb == "run" || verb == "drop") {
    if (double seconds = 0; words >> seconds && seconds > 0) amount.seconds = seconds;
  } else if (verb == "run-packets" || verb == "drop-packets") {
    if (uint64_t packets = 0; words >> packets && packets > 0) amount.packets = packets;
  }
  if (!amount.seconds && !amount.packets)
    return nlohmann::json{{"error", "'" + line +
                                        "' is none of: run SECONDS, run-packets N, drop SECONDS, "
                                        "drop-packets N, quit"}};
  try {
    return feed.run(amount, verb.starts_with("drop")).to_json(tsc.hz());
  } catch (const std::exception& error) {
    return nlohmann::json{{"error", error.what()}};
  }
}

/// This thread runs on `core` alone, and so does what the kernel does on its behalf.
void pin(unsigned core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  if (sched_setaffinity(0, sizeof cores, &cores) != 0)
    throw failure("cannot run on core " + std::to_string(core), errno);
}

int main_program(int argc, char** argv) {
  CLI::App app("Feeds a plan's packets to the Linux network stack on one core");
  std::string plan_path, interface;
  unsigned core = 1;
  Amount amount;
  bool drop = false;
  app.add_option("--plan", plan_path, "the plan, written by bench/harness/plan.py")->required();
  app.add_option("--ifindex-name", interface, "interface that the packets seem to arrive on")->required();
  app.add_option("--core", core, "core to run on")->check(CLI::Range(0, CPU_SETSIZE - 1));
  auto* packets = app.add_option("--packets", amount.packets, "run for so many packets");
  app.add_option("--seconds", amount.seconds, "run for so long")->excludes(packets);
  app.add_flag("--drop", drop, "drop packets as soon as they are made");
  CLI11_PARSE(app, argc, argv);

  const TscRate tsc;
  pin(core);
  KernelFeed feed(*read_plan(plan_path), interface);
  if (amount.packets || amount.seconds) {
    std::cout << feed.run(amount, drop).to_json(tsc.hz()) << std::endl;
    return 0;
  }
  std::cout << R"({"ready":true})" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const auto answer = obey(feed, tsc, line);
    if (!answer) break;
    std::cout << *answer << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace weir::feed

int main(int argc, char** argv) {
  try {
    return weir::feed::main_program(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "weir_kernel_feed: " << error.what() << '\n';
    return 1;
  }
}
