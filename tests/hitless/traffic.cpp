#include "tests/hitless/traffic.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <thread>
#include <utility>

namespace weir::hitless {

using namespace dataplane;

namespace {

constexpr uint8_t kSyn = 0x02, kPush = 0x08, kAck = 0x10, kTcp = 6;
/// So late the generator may be and still send all that is due.
constexpr double kMaxDue = 1'024;
constexpr auto kPatience = std::chrono::seconds(30);
constexpr auto kNap = std::chrono::microseconds(50);
constexpr uint32_t kSlowStart = 1'024;  // sessions that are started one by one

/// A TCP sender's numbers: behind so many packets, of which the first is its SYN and all others have as many
/// bytes.
uint32_t tcp_position(SessionNumber number, unsigned direction, uint32_t packets, uint16_t bytes) {
  const uint32_t initial = number * 2'654'435'761U + direction;
  return packets == 0 ? initial : initial + 1 + (packets - 1) * bytes;
}

}  // namespace

double Flood::window_rate(double rank) const {
  if (windows.empty()) return 0;
  std::vector<uint32_t> sorted;
  for (const Window& window : windows) sorted.push_back(window.seen);
  std::sort(sorted.begin(), sorted.end());
  const auto at = static_cast<size_t>(rank * static_cast<double>(sorted.size() - 1) + 0.5);
  return sorted[at] / slice.count();
}

double Flood::dip(Seconds after, Windows which) const {
  double worst = 0;
  for (auto i = static_cast<size_t>(after / slice); i < windows.size(); ++i) {
    const double in = windows[i].offered;
    if (in > 0 && (which == Windows::all || !windows[i].disturbed))
      worst = std::max(worst, 1 - windows[i].seen / in);
  }
  return worst;
}

size_t Flood::disturbed_windows() const {
  return static_cast<size_t>(std::ranges::count(windows, true, &Window::disturbed));
}

Traffic::Traffic(const World& world, Checker& checker, Dataplane& dataplane, MemoryPort& port,
                 rte_mempool* pool, Sabotage sabotage)
    : world_(world),
      checker_(checker),
      dataplane_(dataplane),
      port_(port),
      pool_(pool),
      saboteur_(sabotage),
      queues_(world.size().workers),
      outgoing_(queues_) {
  // Neighbouring numbers are visited far from each other.
  const uint64_t sessions = world.size().sessions;
  step_ = sessions * 618 / 1'000 | 1;
  while (std::gcd(step_, sessions) != 1) ++step_;
}

Traffic::~Traffic() {
  for (rte_mbuf* packet : spare_) rte_pktmbuf_free(packet);
}

rte_mbuf* Traffic::fresh() {
  if (spare_.empty()) {
    spare_.resize(kBurst);
    if (rte_pktmbuf_alloc_bulk(pool_, spare_.data(), kBurst) != 0) {
      spare_.clear();
      return nullptr;
    }
  }
  rte_mbuf* packet = spare_.back();
  spare_.pop_back();
  return packet;
}

void Traffic::recycle(rte_mbuf* packet) {
  constexpr size_t kMaxSpare = 1'024;
  if (packet->next != nullptr || rte_mbuf_refcnt_read(packet) != 1 || spare_.size() >= kMaxSpare) {
    rte_pktmbuf_free(packet);
    return;
  }
  rte_pktmbuf_reset(packet);
  spare_.push_back(packet);
}

/// One direction of a session always comes in by one queue, and the other one by another where there are two:
/// so half of them have to be handed over.
unsigned Traffic::queue_of(SessionNumber number, unsigned direction) const {
  return (number / 7 + direction) % queues_;
}

void Traffic::stage(unsigned queue, rte_mbuf* packet, size_t length) {
  Outgoing& out = outgoing_[queue];
  if (out.size == kBurst) {
    ++refused_;
    return recycle(packet);
  }
  rte_pktmbuf_append(packet, static_cast<uint16_t>(length));
  out.packets[out.size++] = packet;
  if (out.size == kBurst) flush();
}

void Traffic::flush() {
  for (unsigned queue = 0; queue < queues_; ++queue) {
    Outgoing& out = outgoing_[queue];
    if (out.size == 0) continue;
    const size_t taken = port_.inject(static_cast<uint16_t>(queue), {out.packets, out.size});
    injected_ += taken;
    std::copy(out.packets + taken, out.packets + out.size, out.packets);
    out.size -= taken;
  }
}

void Traffic::send(SessionNumber number, unsigned direction) {
  const Session session = world_.session(number);
  AttachmentNumber from = session.home;
  if (direction == 1) {
    const uint8_t member = checker_.member(number);
    if (member == Checker::kUnknown) return;  // nobody has heard of the session yet
    from = session.first + member;
  }
  const Spoke spoke = World::spoke(from);
  Packet packet;
  packet.flow = direction == 0 ? session.flow : session.flow.reversed();
  packet.payload = session.payload;
  packet.stamp = {number, 0, static_cast<uint8_t>(direction)};
  for (unsigned part = 0; part < (session.fragmented ? 2U : 1U); ++part) {
    rte_mbuf* buffer = fresh();
    if (buffer == nullptr) return;
    packet.stamp.sequence = checker_.next_sequence(number, direction);
    if (session.fragmented) packet.part = part == 0 ? Part::first : Part::second;
    if (packet.flow.protocol == kTcp) {
      const bool first = packet.stamp.sequence == 0;
      packet.tcp.sequence = tcp_position(number, direction, packet.stamp.sequence, session.payload);
      packet.tcp.acknowledged =
          tcp_position(number, 1 - direction, checker_.seen(number, 1 - direction), session.payload);
      packet.tcp.flags = first ? (direction == 0 ? kSyn : kSyn | kAck) : kPush | kAck;
    }
    const size_t length = write_frame(rte_pktmbuf_mtod(buffer, uint8_t*), world_.link(), spoke, packet);
    stage(queue_of(number, direction), buffer, length);
  }
}

void Traffic::answer(const Seen& question) {
  rte_mbuf* buffer = fresh();
  if (buffer == nullptr) return;
  auto* out = rte_pktmbuf_mtod(buffer, uint8_t*);
  size_t length = 0;
  if (question.kind == Kind::outer_arp) {
    length = answer_outer_arp(out, world_.link(), question);
    ++underlay_answers_;
  } else if (const auto number = World::number_of(question.vni)) {
    const Spoke spoke = World::spoke(*number);
    length = question.kind == Kind::inner_arp ? answer_inner_arp(out, world_.link(), spoke, question)
                                              : answer_inner_nd(out, world_.link(), spoke, question);
  }
  if (length == 0) return recycle(buffer);
  if (question.kind != Kind::outer_arp) ++answers_;
  stage(0, buffer, length);
}

void Traffic::take(rte_mbuf* packet) {
  ++collected_;
  Seen seen;
  if (packet->next != nullptr) {
    seen.why = "a packet in several buffers";
  } else {
    const std::span<const uint8_t> frame(rte_pktmbuf_mtod(packet, const uint8_t*), packet->data_len);
    seen = read_frame(frame, world_.link());
    if (others_ && others_(seen, frame)) return recycle(packet);
  }
  switch (seen.kind) {
    case Kind::outer_arp:
    case Kind::inner_arp:
    case Kind::inner_nd:
      ++questions_;
      answer(seen);
      break;
    case Kind::data:
      if (saboteur_.armed()) {
        saboteur_.pass(seen, [this](const Seen& changed) { checker_.see(changed); });
        break;
      }
      [[fallthrough]];
    case Kind::strange:
      checker_.see(seen);
  }
  recycle(packet);
}

bool Traffic::poll() {
  bool found = false;
  for (unsigned queue = 0; queue < queues_; ++queue) {
    rte_mbuf* packets[kBurst];
    const size_t count = port_.collect(static_cast<uint16_t>(queue), packets);
    for (size_t i = 0; i < count; ++i) {  // the bytes lie in the worker's cache
      rte_prefetch0(rte_pktmbuf_mtod(packets[i], const uint8_t*));
      rte_prefetch0(rte_pktmbuf_mtod_offset(packets[i], const uint8_t*, 64));
    }
    for (size_t i = 0; i < count; ++i) take(packets[i]);
    found |= count != 0;
  }
  return found;
}

uint64_t Traffic::total(Counter WorkerCounters::*counter) const {
  uint64_t sum = 0;
  for (unsigned w = 0; w < dataplane_.workers(); ++w)
    sum += (dataplane_.counters(static_cast<WorkerIndex>(w)).*counter).get();
  return sum;
}

uint64_t Traffic::waiting() const {
  return injected_ - total(&WorkerCounters::rx) + total(&WorkerCounters::tx) - collected_;
}

uint64_t Traffic::between_workers() const {
  // Read one after the other: what is taken over meanwhile must not make it less than nothing.
  const uint64_t taken = total(&WorkerCounters::taken_over);
  return total(&WorkerCounters::handed_over) - taken;
}

bool Traffic::under_way() const {
  uint64_t given_back = total(&WorkerCounters::resumed);
  for (size_t i = 0; i < kDropReasonCount; ++i)
    given_back += dataplane_.control_dropped(static_cast<DropReason>(i));
  const bool staged = std::ranges::any_of(outgoing_, [](const Outgoing& out) { return out.size != 0; });
  return staged || waiting() != 0 ||
         total(&WorkerCounters::handed_over) != total(&WorkerCounters::taken_over) ||
         total(&WorkerCounters::punted) != given_back || dataplane_.held() != 0;
}

std::vector<uint64_t> Traffic::turns() const {
  std::vector<uint64_t> turns;
  for (unsigned w = 0; w < dataplane_.workers(); ++w)
    turns.push_back(dataplane_.counters(static_cast<WorkerIndex>(w)).turns.get());
  return turns;
}

/// A worker counts what came in when its turn begins, and what became of it in the course of it: a worker
/// that the machine put aside in between has a burst in its hands that no counter shows as waiting. So
/// nothing is quiet before each worker ended two turns since it looked so: the one that it was in, and one
/// without a packet.
bool Traffic::settle() {
  flush();
  std::vector<uint64_t> since;  // turns when all looked quiet; empty: it did not
  for (const auto end = Clock::now() + kPatience; Clock::now() < end;) {
    const bool found = poll();
    flush();
    if (found || under_way()) {
      since.clear();
    } else if (since.empty()) {
      since = turns();
    } else if (std::ranges::equal(since, turns(),
                                  [](uint64_t then, uint64_t now) { return now >= then + 2; })) {
      return true;
    }
    if (!found) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

/// The next packet of one direction of each of so many sessions, if it has not sent `already` before; never
/// more than `window` at once.
bool Traffic::open_stage(unsigned direction, uint32_t already, uint32_t window, uint32_t sessions) {
  SessionNumber next = 0;
  const uint64_t before = checker_.seen();
  uint64_t sent = 0;
  auto end = Clock::now() + kPatience;
  while (true) {
    const bool found = poll();
    const uint64_t seen = checker_.seen() - before;
    if (found) end = Clock::now() + kPatience;
    while (next < sessions && sent - seen < window) {
      if (checker_.sent(next, direction) <= already) {
        const uint64_t sent_before = checker_.sent();
        send(next, direction);
        sent += checker_.sent() - sent_before;
      }
      ++next;
    }
    flush();
    if (next == sessions && seen >= sent) return true;
    if (Clock::now() > end) return false;
    if (!found) std::this_thread::sleep_for(kNap);
  }
}

bool Traffic::open_sessions() {
  // Not before the hub knows the way to the peers: it might want to send something there.
  for (const auto end = Clock::now() + kPatience; underlay_answers_ == 0;) {
    if (Clock::now() > end) return false;
    if (!poll()) std::this_thread::sleep_for(kNap);
  }
  if (!settle()) return false;
  const uint32_t all = world_.size().sessions;
  constexpr uint32_t kTogether = 512;
  // The third packet confirms the second one: only then does inspection let the other side send data.
  return open_stage(0, 0, 1, std::min(all, kSlowStart)) && open_stage(0, 0, kTogether, all) &&
         open_stage(1, 0, kTogether, all) && open_stage(0, 2, kTogether, all) && settle();
}

void Traffic::next_visit() {
  const uint64_t sessions = world_.size().sessions;
  const auto number = static_cast<SessionNumber>(visit_ * step_ % sessions);
  const unsigned direction = static_cast<unsigned>(visit_ / sessions + number / 3) & 1;
  checker_.prefetch(static_cast<SessionNumber>((visit_ + 8) * step_ % sessions));
  ++visit_;
  send(number, direction);
}

bool Traffic::has_room() const {
  constexpr size_t kRoom = 16;  // for what one visit stages, and for answers
  return std::ranges::all_of(outgoing_, [](const Outgoing& out) { return out.size + kRoom <= kBurst; });
}

namespace {

/// What the machine took lately: in the last 10 to 20 ms.
class Lately {
 public:
  explicit Lately(const CoreWatch& watch) : watch_(watch) { now_ = before_ = read(); }
  void pass(Clock::time_point now) {
    if (now < next_) return;
    next_ = now + kStep;
    before_ = std::exchange(now_, read());
  }
  Seconds from_workers() const { return watch_.from_workers() - before_.workers; }
  Seconds from_caller() const { return watch_.from_caller() - before_.caller; }

 private:
  static constexpr auto kStep = std::chrono::milliseconds(10);
  struct Reading {
    CoreWatch::Time workers, caller;
  };
  Reading read() const { return {watch_.from_workers(), watch_.from_caller()}; }

  const CoreWatch& watch_;
  Reading now_, before_;
  Clock::time_point next_;
};

}  // namespace

Flood Traffic::run(const Pace& pace, const std::function<void()>& meanwhile,
                   const std::function<unsigned()>& beside) {
  constexpr auto kMeanwhile = std::chrono::microseconds(100);
  constexpr double kTaken = 0.1;  // of a window: so much less of a core makes it say nothing
  Flood flood;
  flood.slice = pace.slice;
  const auto slice = std::chrono::duration_cast<Clock::duration>(pace.slice);
  const uint64_t sent_before = checker_.sent();
  const auto start = Clock::now();
  auto last = start, next_call = start, window_end = start + slice;
  uint64_t window_seen = checker_.seen(), window_sent = sent_before;
  CoreWatch::Time window_taken = watch_.from_workers();
  Flood::Window window;
  Lately lately(watch_);
  std::optional<Clock::time_point> full_since;
  // What was not offered in time: the machine's doing, if it took half as long as that takes to come about.
  const auto missed = [&](double packets, uint64_t& ours, Seconds taken, double slack) {
    const bool disturbed = taken.count() * pace.rate >= slack / 2;
    (disturbed ? flood.disturbed : ours) += static_cast<uint64_t>(packets);
    (disturbed ? window.disturbed : window.behind) = true;
  };
  double due = 0;
  for (auto now = start; now - start < pace.length; now = Clock::now()) {
    bool worked = poll();
    if (pace.rate > 0) {
      due += Seconds(now - last).count() * pace.rate;
      if (!has_room()) flush();
      if (!has_room()) {
        if (!full_since) full_since = now;
      } else if (full_since) {
        const double lost = std::min(due, Seconds(now - *full_since).count() * pace.rate);
        missed(lost, flood.overrun, lately.from_workers(), kPortDepth);
        due -= lost;
        full_since.reset();
      } else if (due > kMaxDue) {
        missed(due - kMaxDue, flood.withheld, lately.from_caller(), kMaxDue);
        due = kMaxDue;
      }
      if (!full_since) lately.pass(now);
    } else {
      const uint64_t waiting = this->waiting() + between_workers();
      due = waiting >= pace.window ? 0 : static_cast<double>(pace.window - waiting);
    }
    last = now;
    for (size_t i = 0; i < kBurst && due >= 1 && has_room(); ++i) {
      const uint64_t sent = checker_.sent();
      next_visit();
      due -= static_cast<double>(checker_.sent() - sent);
      if (beside) due -= beside();
      worked = true;
    }
    if (!worked || due < 1) flush();
    if (meanwhile && now >= next_call) {
      next_call = now + kMeanwhile;
      meanwhile();
    }
    if (now >= window_end) {
      window_end += slice;
      const CoreWatch::Time taken = watch_.from_workers();
      window.disturbed |= pace.rate > 0 && taken - window_taken > kTaken * pace.slice;
      window.offered = static_cast<uint32_t>(checker_.sent() - window_sent);
      window.seen = static_cast<uint32_t>(checker_.seen() - window_seen);
      flood.windows.push_back(std::exchange(window, {}));
      window.disturbed = full_since.has_value() && flood.windows.back().disturbed;
      window_taken = taken;
      window_sent = checker_.sent();
      window_seen = checker_.seen();
    }
    if (!worked) std::this_thread::sleep_for(pace.rate > 0 ? kNap / 2 : kNap);
  }
  flush();
  flood.seconds = Seconds(Clock::now() - start).count();
  flood.offered = checker_.sent() - sent_before;
  return flood;
}

}  // namespace weir::hitless
