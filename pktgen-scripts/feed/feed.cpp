// The template feed: a plug-in for any DPDK program. EAL loads it with `-d weir_feed.so`; it waits for a
// net_null port to be up and hangs callbacks on it: receiving gives packets made by the plan, sending is
// counted, captured if asked for, and questions are answered. So testpmd, Open vSwitch and Weir are fed by
// the same code, and the port does nothing of its own (create it with no-rx=1).
//
// WEIR_FEED_PLAN names the plan, WEIR_FEED_CONTROL the page that the driver shares, WEIR_FEED_CAPTURE the
// file that is written while the driver asks for a capture. Without WEIR_FEED_PLAN the plug-in does nothing.
//
// Threads: the callbacks of one queue run on the thread that polls it. Queue 0 alone is fed; any queue may
// send.
#include <fcntl.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_mempool.h>
#include <rte_ring.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "answers.h"
#include "control.h"
#include "packet.h"
#include "plan.h"
#include "step.h"

namespace weir::feed {

namespace {

constexpr unsigned kSampleEvery = 64;  // bursts
constexpr unsigned kAnswerRing = 256;

/// Maps a file of at least `bytes`; null and a reason in errno if that does not work.
void* map_file(const char* path, size_t bytes, bool writable) {
  const int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
  if (fd < 0) return nullptr;
  struct stat facts {};
  void* memory = MAP_FAILED;
  if (fstat(fd, &facts) == 0 && static_cast<size_t>(facts.st_size) >= bytes) {
    memory = mmap(nullptr, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
  } else {
    errno = EINVAL;
  }
  close(fd);
  return memory == MAP_FAILED ? nullptr : memory;
}

/// What travels with a packet, when stays are measured: in dynamic fields of the mbuf.
struct Stamp {
  int arrival = -1;  // offsets
  int class_ = -1;

  bool register_fields() {
    const rte_mbuf_dynfield arrival_field = {"weir_feed_arrival", sizeof(uint64_t), alignof(uint64_t), 0};
    const rte_mbuf_dynfield class_field = {"weir_feed_class", sizeof(uint32_t), alignof(uint32_t), 0};
    arrival = rte_mbuf_dynfield_register(&arrival_field);
    class_ = rte_mbuf_dynfield_register(&class_field);
    return arrival >= 0 && class_ >= 0;
  }
  void write(rte_mbuf* mbuf, uint64_t tsc, uint32_t of) const {
    *RTE_MBUF_DYNFIELD(mbuf, arrival, uint64_t*) = tsc;
    *RTE_MBUF_DYNFIELD(mbuf, class_, uint32_t*) = of + 1;  // 0: not ours
  }
};

/// A capture in pcap's format, with the time-stamp counter's nanoseconds. Written where packets are sent,
/// which is slow: never while anything is measured.
class Capture {
 public:
  void open(const char* path) {
    file_ = std::fopen(path, "wb");
    if (file_ == nullptr) return;
    const uint32_t header[] = {0xa1b23c4d, 4u << 16 | 2u, 0, 0, 262'144, 1};
    std::fwrite(header, sizeof header, 1, file_);
  }
  void close() {
    std::fclose(file_);
    file_ = nullptr;
  }
  bool is_open() const { return file_ != nullptr; }
  void write(const rte_mbuf* mbuf, uint64_t number) {
    flockfile(file_);  // another thread than the polling one may send its own packets
    const uint32_t length = mbuf->pkt_len;
    const uint32_t header[] = {static_cast<uint32_t>(number / 1'000'000'000),
                               static_cast<uint32_t>(number % 1'000'000'000), length, length};
    std::fwrite(header, sizeof header, 1, file_);
    for (const rte_mbuf* part = mbuf; part != nullptr; part = part->next) {
      std::fwrite(rte_pktmbuf_mtod(part, const char*), part->data_len, 1, file_);
    }
    funlockfile(file_);
  }

 private:
  FILE* file_ = nullptr;
};

class Feed {
 public:
  Feed(const feed_plan& plan, Control& control) : plan_(plan), control_(control) {}

  /// Hangs the callbacks on `port`. An empty string, or why not.
  std::string attach(uint16_t port);

 private:
  static uint16_t on_receive(uint16_t, uint16_t, rte_mbuf** packets, uint16_t count, uint16_t room,
                             void* self) {
    Feed& feed = *static_cast<Feed*>(self);
    return feed.plan_.observe != 0 ? feed.observe(packets, count, room) : feed.give(packets, room);
  }
  static uint16_t on_send(uint16_t, uint16_t queue, rte_mbuf** packets, uint16_t count, void* self) {
    static_cast<Feed*>(self)->sent(queue, packets, count);
    return count;
  }
  static void find_pool(rte_mempool* pool, void* self) { static_cast<Feed*>(self)->consider_pool(pool); }
  void consider_pool(rte_mempool* pool);

  uint16_t give(rte_mbuf** packets, uint16_t room);
  uint16_t observe(rte_mbuf** packets, uint16_t count, uint16_t room);
  void begin_poll();
  uint16_t allowed(uint16_t room, uint64_t tsc);
  void begin_run(uint64_t tsc);
  void end_run(uint64_t tsc);
  void make(rte_mbuf* mbuf, uint64_t arrival);
  uint16_t give_answers(rte_mbuf** packets, uint16_t room);
  void publish(uint64_t tsc, uint16_t given, uint64_t spent);

  void sent(uint16_t queue, rte_mbuf** packets, uint16_t count);
  void answer(const rte_mbuf* mbuf);
  void follow_capture();

  const feed_plan& plan_;
  Control& control_;
  rte_mempool* pool_ = nullptr;
  rte_ring* answers_ = nullptr;
  Stamp stamp_;
  uint16_t port_ = 0;

  // Of the polling thread.
  std::array<feed_cursor, FEED_MAX_CLASSES> cursors_{};
  uint32_t scheduled_ = 0;
  uint64_t given_ = 0, bursts_ = 0;
  bool running_ = false;
  uint64_t run_begin_ = 0, given_before_ = 0, polls_before_ = 0;
  uint64_t interval_ = 0;
  unsigned __int128 next_arrival_ = 0;  // times 65,536, as the interval
  uint64_t arrival_ = 0;                // of the first packet of this burst
  std::array<bool, 256> may_be_question_{};

  Capture capture_;
  uint64_t captured_ = 0;
};

std::string Feed::attach(uint16_t port) {
  port_ = port;
  rte_mempool_walk([](rte_mempool* pool, void* self) { find_pool(pool, self); }, this);
  if (pool_ == nullptr) return std::string("there is no packet pool whose name begins with ") + plan_.pool;
  for (size_t length = 0; length < may_be_question_.size(); ++length)
    may_be_question_[length] = may_be_question(length);
  if (plan_.timestamps != 0 && !stamp_.register_fields()) return "mbufs have no room for time stamps";
  answers_ = rte_ring_create("weir_feed_answers", kAnswerRing, SOCKET_ID_ANY, 0);
  if (answers_ == nullptr) return "no memory for a ring";
  rte_eth_dev_info info{};
  if (rte_eth_dev_info_get(port, &info) != 0) return "the port does not describe itself";
  for (uint16_t queue = 0; queue < info.nb_tx_queues && queue < kTxQueues; ++queue) {
    if (rte_eth_add_tx_callback(port, queue, on_send, this) == nullptr) return "no callback on sending";
  }
  if (rte_eth_add_rx_callback(port, 0, on_receive, this) == nullptr) return "no callback on receiving";
  return {};
}

/// The largest pool of packets with the right name; a program may have others for its own ends.
void Feed::consider_pool(rte_mempool* pool) {
  const bool named = std::string_view(pool->name).starts_with(plan_.pool);
  if (named && pool->private_data_size >= sizeof(rte_pktmbuf_pool_private) &&
      (pool_ == nullptr || pool->size > pool_->size)) {
    pool_ = pool;
  }
}

uint16_t Feed::give(rte_mbuf** packets, uint16_t room) {
  const uint64_t tsc = rte_rdtsc();
  begin_poll();
  const uint16_t answers = give_answers(packets, room);
  packets += answers;
  uint16_t count = allowed(static_cast<uint16_t>(room - answers), tsc);
  if (count != 0 && rte_pktmbuf_alloc_bulk(pool_, packets, count) != 0) {
    count = 0;
    control_.no_buffer = control_.no_buffer + 1;
  }
  for (uint16_t i = 0; i < count; ++i) {
    if (i + 1 < count) __builtin_prefetch(rte_pktmbuf_mtod(packets[i + 1], void*), 1);
    make(packets[i], arrival_ + (interval_ * i >> 16));
  }
  next_arrival_ += static_cast<unsigned __int128>(interval_) * count;
  given_ += count;
  // Nobody is slowed by measuring what the feed costs: the counter is read once more in one burst of 64.
  const bool sample = count != 0 && bursts_ % kSampleEvery == 0;
  publish(tsc, count, sample ? rte_rdtsc() - tsc : 0);
  return static_cast<uint16_t>(answers + count);
}

/// Instead of give(): the port gives packets by itself, always as many as are asked for. Those beyond the
/// budget are thrown away, and in their place there is room for answers.
uint16_t Feed::observe(rte_mbuf** packets, uint16_t count, uint16_t room) {
  const uint64_t tsc = rte_rdtsc();
  begin_poll();
  const uint16_t kept = allowed(count, tsc);
  rte_pktmbuf_free_bulk(packets + kept, count - kept);
  given_ += kept;
  publish(tsc, kept, 0);
  return static_cast<uint16_t>(kept + give_answers(packets + kept, static_cast<uint16_t>(room - kept)));
}

void Feed::begin_poll() {
  if (control_.thread == 0) [[unlikely]]
    control_.thread = static_cast<uint32_t>(gettid());
  if (control_.capture != control_.capturing) [[unlikely]]
    follow_capture();
}

/// How many packets have arrived by now and may be given.
uint16_t Feed::allowed(uint16_t room, uint64_t tsc) {
  const uint64_t budget = control_.budget;
  if (given_ >= budget) {
    interval_ = 0;  // the next arrivals begin when there is a budget again
    if (running_) end_run(tsc);
    return 0;
  }
  if (!running_) begin_run(tsc);
  uint64_t count = std::min<uint64_t>(room, budget - given_);
  arrival_ = tsc;
  if (control_.interval != interval_) [[unlikely]] {
    interval_ = control_.interval;
    next_arrival_ = static_cast<unsigned __int128>(tsc) << 16;
  }
  if (interval_ == 0) return static_cast<uint16_t>(count);
  const unsigned __int128 now = static_cast<unsigned __int128>(tsc) << 16;
  if (now < next_arrival_) return 0;
  uint64_t waiting = static_cast<uint64_t>((now - next_arrival_) / interval_) + 1;
  if (waiting > control_.queue) {
    const uint64_t missed = waiting - control_.queue;
    control_.missed = control_.missed + missed;
    next_arrival_ += static_cast<unsigned __int128>(interval_) * missed;
    waiting = control_.queue;
  }
  arrival_ = static_cast<uint64_t>(next_arrival_ >> 16);
  return static_cast<uint16_t>(std::min(count, waiting));
}

void Feed::begin_run(uint64_t tsc) {
  running_ = true;
  run_begin_ = tsc;
  given_before_ = given_;
  polls_before_ = control_.polls;
}

void Feed::end_run(uint64_t tsc) {
  running_ = false;
  control_.run_begin = run_begin_;
  control_.run_end = tsc;
  control_.run_packets = given_ - given_before_;
  control_.run_polls = control_.polls - polls_before_;
  std::atomic_ref(control_.runs).store(control_.runs + 1, std::memory_order_release);
}

void Feed::make(rte_mbuf* mbuf, uint64_t arrival) {
  const uint32_t of = plan_.schedule[scheduled_];
  feed_step step;
  feed_next(&plan_.classes_[of], &cursors_[of], plan_.frames_, &step);
  if (cursors_[of].direction == FEED_FORWARD && ++scheduled_ == plan_.schedule_length) scheduled_ = 0;
  const feed_frame& frame = plan_.frames_[step.frame];
  write_packet(rte_pktmbuf_mtod(mbuf, uint8_t*), frame, step);
  mbuf->data_len = frame.length;
  mbuf->pkt_len = frame.length;
  mbuf->port = port_;
  if (plan_.timestamps == 0) return;
  stamp_.write(mbuf, arrival, of);
  control_.given_of[of] = control_.given_of[of] + 1;
}

uint16_t Feed::give_answers(rte_mbuf** packets, uint16_t room) {
  if (rte_ring_empty(answers_)) [[likely]]
    return 0;
  const unsigned count = rte_ring_dequeue_burst(answers_, reinterpret_cast<void**>(packets), room, nullptr);
  control_.answers = control_.answers + count;
  return static_cast<uint16_t>(count);
}

void Feed::publish(uint64_t tsc, uint16_t given, uint64_t spent) {
  Control& c = control_;
  bursts_ += given != 0;
  c.tsc = tsc;
  c.given = given_;
  c.polls = c.polls + 1;
  c.bursts = bursts_;
  if (spent != 0) {
    c.sampled_cycles = c.sampled_cycles + spent;
    c.sampled_packets = c.sampled_packets + given;
  }
}

void Feed::sent(uint16_t queue, rte_mbuf** packets, uint16_t count) {
  uint64_t other = 0;
  for (uint16_t i = 0; i < count; ++i) {
    const uint32_t length = packets[i]->pkt_len;
    if (length < may_be_question_.size() && may_be_question_[length]) [[unlikely]] {
      std::array<uint8_t, kMaxAnswer> reply{};
      const std::span<const uint8_t> frame(rte_pktmbuf_mtod(packets[i], const uint8_t*),
                                           packets[i]->data_len);
      if (question_answer(frame, reply) != 0) {
        ++other;
        answer(packets[i]);
        continue;
      }
    }
    if (capture_.is_open()) [[unlikely]]
      capture_.write(packets[i], captured_++);
  }
  TxCount& tx = control_.tx[queue];
  tx.sent = tx.sent + count - other;
  tx.other = tx.other + other;
  if (plan_.timestamps == 0) return;
  const uint64_t tsc = rte_rdtsc();
  for (uint16_t i = 0; i < count; ++i) {
    uint32_t* of = RTE_MBUF_DYNFIELD(packets[i], stamp_.class_, uint32_t*);
    if (*of == 0 || *of > kClasses) continue;
    const uint64_t stay = tsc - *RTE_MBUF_DYNFIELD(packets[i], stamp_.arrival, uint64_t*);
    uint64_t& bucket = control_.stay[*of - 1][stay_bucket(stay)];
    bucket = bucket + 1;
    control_.sent_of[*of - 1] = control_.sent_of[*of - 1] + 1;
    *of = 0;  // the buffer may next hold a packet that the contender makes itself
  }
}

/// The answer waits for the next poll; one that finds no room is lost, and asked for again.
void Feed::answer(const rte_mbuf* question) {
  rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
  if (mbuf == nullptr) return;
  std::array<uint8_t, kMaxAnswer> reply{};
  const size_t length =
      question_answer({rte_pktmbuf_mtod(question, const uint8_t*), question->data_len}, reply);
  std::memcpy(rte_pktmbuf_append(mbuf, static_cast<uint16_t>(length)), reply.data(), length);
  mbuf->port = port_;
  if (rte_ring_enqueue(answers_, mbuf) != 0) rte_pktmbuf_free(mbuf);
}

void Feed::follow_capture() {
  const char* path = std::getenv("WEIR_FEED_CAPTURE");
  if (control_.capture != 0 && path != nullptr) {
    capture_.open(path);
  } else if (capture_.is_open()) {
    capture_.close();
  }
  control_.capturing = capture_.is_open() ? 1 : 0;
}

/// The first port of `driver` that is up; RTE_MAX_ETHPORTS while there is none.
uint16_t port_of(const char* driver) {
  for (uint16_t port = 0; port < RTE_MAX_ETHPORTS; ++port) {
    if (rte_eth_dev_is_valid_port(port) == 0) continue;
    rte_eth_dev_info info{};
    rte_eth_link link{};
    if (rte_eth_dev_info_get(port, &info) == 0 && std::strcmp(info.driver_name, driver) == 0 &&
        rte_eth_link_get_nowait(port, &link) == 0 && link.link_status == RTE_ETH_LINK_UP) {
      return port;
    }
  }
  return RTE_MAX_ETHPORTS;
}

void fail(Control& control, const std::string& why) {
  std::snprintf(control.message, sizeof control.message, "%s", why.c_str());
  std::atomic_ref(control.state).store(static_cast<uint32_t>(State::failed), std::memory_order_release);
}

/// Time-stamp counter and clock of one moment: of some readings the one in which this thread was not switched
/// away.
std::pair<uint64_t, double> both_clocks() {
  std::pair<uint64_t, double> best;
  uint64_t least = UINT64_MAX;
  for (int i = 0; i < 20; ++i) {
    const uint64_t before = rte_rdtsc();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    const uint64_t after = rte_rdtsc();
    if (after - before >= least) continue;
    least = after - before;
    best = {before + least / 2, seconds};
  }
  return best;
}

/// DPDK rounds what it knows to 10 MHz, which is off by a tenth of a percent and more.
uint64_t measured_tsc_hz() {
  const auto begin = both_clocks();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const auto end = both_clocks();
  return static_cast<uint64_t>(static_cast<double>(end.first - begin.first) / (end.second - begin.second));
}

void wait_and_attach(const feed_plan* plan, Control* control) {
  const char* driver = plan->observe != 0 ? "net_pcap" : "net_null";
  uint16_t port = port_of(driver);
  for (; port == RTE_MAX_ETHPORTS; port = port_of(driver))
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  control->tsc_hz = measured_tsc_hz();
  static Feed feed(*plan, *control);  // for as long as the program runs, as its callbacks
  if (const std::string why = feed.attach(port); !why.empty()) return fail(*control, why);
  std::atomic_ref(control->state).store(static_cast<uint32_t>(State::ready), std::memory_order_release);
}

/// EAL loads plug-ins before there are any ports: a thread of our own waits for them.
__attribute__((constructor)) void loaded() {
  const char* plan_path = std::getenv("WEIR_FEED_PLAN");
  const char* control_path = std::getenv("WEIR_FEED_CONTROL");
  if (plan_path == nullptr || control_path == nullptr) return;
  auto* control = static_cast<Control*>(map_file(control_path, sizeof(Control), true));
  if (control == nullptr || control->magic != kControlMagic || control->version != kControlVersion) {
    std::fprintf(stderr, "weir_feed: cannot use %s: %s\n", control_path, std::strerror(errno));
    return;
  }
  const auto* plan = static_cast<const feed_plan*>(map_file(plan_path, sizeof(feed_plan), false));
  if (plan == nullptr) return fail(*control, std::string("cannot read the plan: ") + std::strerror(errno));
  if (const std::string why = plan_fault(*plan); !why.empty()) return fail(*control, why);
  std::thread(wait_and_attach, plan, control).detach();
}

}  // namespace

}  // namespace weir::feed
