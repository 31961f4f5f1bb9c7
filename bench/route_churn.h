// Routes come and go while other threads look up: is each answer right, and does whoever kept an old one
// learn of it?
//
// One thread changes, as control does; readers look addresses up in bursts, as workers do, and each answer is
// compared with a plain list of the prefixes that cover the address. Beside a prefix stands a word that says
// whether it is in the table and whether it is changing right now. If none of an address's words moved during
// the look-up there is one right answer; else there are the old ones and the new ones.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <limits>
#include <memory>
#include <random>
#include <thread>
#include <unordered_map>
#include <vector>

#include "bench/bgp_routes.h"
#include "dataplane/fib/routes.h"

namespace weir::bench {

class RouteChurn {
 public:
  struct Settings {
    size_t readers = 1;
    size_t addresses = 20'000;  // of each reader
    uint64_t changes = 100'000;
    double per_second = 0;     // 0: as fast as it goes
    size_t most_waiting = 64;  // portions of changes that wait for a turn of each reader
    uint64_t seed = 1;
  };
  struct Result {
    uint64_t changes = 0;
    double seconds = 0;        // until the last change was made
    double cpu_seconds = 0;    // of the changing thread
    uint64_t lookups = 0;      // all compared
    uint64_t undisturbed = 0;  // of these, with one right answer
    uint64_t wrong = 0;
    uint64_t decided_again = 0;  // kept answers whose version moved
    uint64_t stale = 0;          // kept answers that are wrong at the end and whose version has not moved
  };

  /// Each prefix once; all are in the table at the start.
  explicit RouteChurn(std::vector<Route> prefixes)
      : prefixes_(std::move(prefixes)), words_(std::make_unique<std::atomic<uint32_t>[]>(prefixes_.size())) {
    routes_ = dataplane::Routes::create({.domains = 1}).value();
    ok_ = routes_->add_domain(kDomain).has_value();
    for (size_t i = 0; i < prefixes_.size(); ++i) {
      const net::Prefix& p = prefixes_[i].prefix;
      index_[family(p.address)].emplace(key(p), static_cast<uint32_t>(i));
      seen_[family(p.address)][p.length] = true;
      set(i, true);
    }
    routes_->finish(routes_->take_pending());
  }

  Result run(const Settings& settings) {
    std::vector<std::unique_ptr<Reader>> readers;
    for (size_t r = 0; r < settings.readers; ++r) {
      readers.push_back(std::make_unique<Reader>(*this, settings.addresses, settings.seed + r));
    }
    std::vector<std::thread> threads;
    for (auto& reader : readers) threads.emplace_back([&reader] { reader->loop(); });
    Result result = change(settings, readers);
    // The last versions move, the readers have a turn with them, then nothing more may be out of date.
    wait_for_turn(readers);
    finish_all();
    wait_for_turn(readers);
    stop_.store(true, std::memory_order_release);
    for (std::thread& t : threads) t.join();
    for (const auto& reader : readers) {
      result.lookups += reader->lookups;
      result.undisturbed += reader->undisturbed;
      result.wrong += reader->wrong;
      result.decided_again += reader->decided_again;
      result.stale += reader->stale();
    }
    if (!ok_) ++result.wrong;
    return result;
  }

 private:
  static constexpr dataplane::DomainId kDomain = dataplane::DomainId::make(0, 1);
  static constexpr uint32_t kNone = ~0u;
  static constexpr uint32_t kChanging = 1, kPresent = 2, kStep = 4;

  struct Kept {
    net::IpAddress address;
    std::vector<uint32_t> covers;  // longest first
    uint32_t answer = kNone;
    dataplane::RouteCell cell = 0;
    uint32_t version = 0;
    bool decided = false;
  };

  class Reader {
   public:
    Reader(RouteChurn& churn, size_t count, uint64_t seed) : churn_(churn) {
      for (const net::IpAddress& a : covered_addresses(churn.prefixes_, count, seed)) {
        kept_.push_back({a, churn.covers_of(a)});
      }
    }
    void loop() {
      while (!churn_.stop_.load(std::memory_order_acquire)) {
        for (size_t i = 0; i < kBurstSize; ++i) look(kept_[at_++ % kept_.size()]);
        turns.fetch_add(1, std::memory_order_seq_cst);
      }
    }
    uint64_t stale() const {
      uint64_t count = 0;
      for (const Kept& k : kept_) {
        if (!k.decided || churn_.routes_->version(k.cell) != k.version) continue;
        count += churn_.ask(k.address).answer != k.answer;
      }
      return count;
    }
    std::atomic<uint64_t> turns{0};
    uint64_t lookups = 0, undisturbed = 0, wrong = 0, decided_again = 0;

   private:
    static constexpr size_t kBurstSize = 32;

    void look(Kept& kept) {
      before_.clear();
      for (const uint32_t p : kept.covers) {
        before_.push_back(churn_.words_[p].load(std::memory_order_acquire));
      }
      const uint64_t changes = churn_.routes_->changes();
      const Asked asked = churn_.ask(kept.address);
      const bool settled = churn_.routes_->changes() == changes;
      ++lookups;
      judge(kept, asked.answer);
      if (asked.answer == kNone) {
        kept.decided = false;
      } else if (!kept.decided || churn_.routes_->version(kept.cell) != kept.version) {
        // As a session: the version is read after the look-up, in the same turn, and is behind if routes
        // changed.
        decided_again += kept.decided;
        kept.decided = true;
        kept.answer = asked.answer;
        kept.cell = asked.cell;
        kept.version = churn_.routes_->version(asked.cell) - (settled ? 0 : 1);
      }
    }

    void judge(const Kept& kept, uint32_t answer) {
      bool quiet = true, listed = answer == kNone;
      uint32_t right = kNone;
      for (size_t i = 0; i < kept.covers.size(); ++i) {
        const uint32_t now = churn_.words_[kept.covers[i]].load(std::memory_order_acquire);
        quiet &= now == before_[i] && (now & kChanging) == 0;
        if (right == kNone && (now & kPresent) != 0) right = kept.covers[i];
        listed |= kept.covers[i] == answer;
      }
      undisturbed += quiet;
      wrong += quiet ? answer != right : !listed;
    }

    RouteChurn& churn_;
    std::vector<Kept> kept_;
    std::vector<uint32_t> before_;
    size_t at_ = 0;
  };

  struct Asked {
    uint32_t answer;  // index of the prefix
    dataplane::RouteCell cell;
  };
  Asked ask(const net::IpAddress& address) const {
    const auto match = routes_->lookup_own(kDomain, address);
    if (!match) return {kNone, 0};
    return {match.target->members.front().weight, match.cell};
  }

  static size_t family(const net::IpAddress& a) { return a.is_v4() ? 0 : 1; }
  static uint64_t key(const net::Prefix& p) { return prefix_key(top_bits(p.address), p.length); }
  std::vector<uint32_t> covers_of(const net::IpAddress& a) const {
    std::vector<uint32_t> list;
    const auto& index = index_[family(a)];
    for (unsigned length = a.is_v4() ? 32 : 56; length > 0; --length) {
      if (!seen_[family(a)][length]) continue;
      const net::Prefix p{net::masked(a, static_cast<uint8_t>(length)), static_cast<uint8_t>(length)};
      if (const auto found = index.find(key(p)); found != index.end()) list.push_back(found->second);
    }
    return list;
  }

  /// The member's weight says which prefix it is.
  void set(size_t i, bool present) {
    const uint32_t word = words_[i].load(std::memory_order_relaxed);
    // Whoever sees the change sees this too: what links a route to the trie are release stores.
    words_[i].store(word | kChanging, std::memory_order_relaxed);
    if (present) {
      dataplane::NextHop hop;
      hop.weight = static_cast<uint32_t>(i);
      ok_ &= routes_->set(kDomain, prefixes_[i].prefix, std::span(&hop, 1)).has_value();
    } else {
      ok_ &= routes_->remove(kDomain, prefixes_[i].prefix);
    }
    const uint32_t count = (word & ~(kChanging | kPresent)) + kStep;
    words_[i].store(count | (present ? kPresent : 0), std::memory_order_release);
  }

  Result change(const Settings& settings, const std::vector<std::unique_ptr<Reader>>& readers) {
    using Clock = std::chrono::steady_clock;
    Result result;
    std::mt19937_64 random(settings.seed);
    const auto start = Clock::now();
    const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
    const auto cpu_start = thread_cpu();
    while (result.changes < settings.changes) {
      // As much as is due, in portions, as control gathers changes.
      uint64_t due = 64;
      if (settings.per_second > 0) {
        const auto by_now = static_cast<uint64_t>(elapsed() * settings.per_second);
        due = by_now > result.changes ? std::min<uint64_t>(by_now - result.changes, 1'000) : 0;
      }
      for (; due > 0 && result.changes < settings.changes; --due, ++result.changes) {
        const size_t i = random() % prefixes_.size();
        set(i, (words_[i].load(std::memory_order_relaxed) & kPresent) == 0);
      }
      if (auto pending = routes_->take_pending()) {
        waiting_.push_back({std::move(pending), turns_of(readers)});
      }
      while (!waiting_.empty() && passed(waiting_.front().turns, readers)) {
        routes_->finish(std::move(waiting_.front().pending));
        waiting_.pop_front();
      }
      // Readers that get no core must not be outrun: they are to see the table change, however busy the
      // machine is.
      while (waiting_.size() >= settings.most_waiting && !passed(waiting_.front().turns, readers)) {
        std::this_thread::yield();
      }
      if (settings.per_second > 0) std::this_thread::yield();
    }
    result.seconds = elapsed();
    result.cpu_seconds = thread_cpu() - cpu_start;
    return result;
  }

  static double thread_cpu() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
  }
  static std::vector<uint64_t> turns_of(const std::vector<std::unique_ptr<Reader>>& readers) {
    std::vector<uint64_t> turns;
    // A read that writes: what was changed before has to be seen by others before the turn is read, or a turn
    // that begins now could still see the table as it was.
    for (const auto& r : readers) turns.push_back(r->turns.fetch_add(0, std::memory_order_seq_cst));
    return turns;
  }
  static bool passed(const std::vector<uint64_t>& then, const std::vector<std::unique_ptr<Reader>>& readers) {
    for (size_t r = 0; r < readers.size(); ++r) {
      // The turn that was under way may have begun before.
      if (readers[r]->turns.load(std::memory_order_acquire) < then[r] + 1) return false;
    }
    return true;
  }
  void wait_for_turn(const std::vector<std::unique_ptr<Reader>>& readers) {
    const auto then = turns_of(readers);
    while (!passed(then, readers)) std::this_thread::yield();
  }
  void finish_all() {
    for (auto& w : waiting_) routes_->finish(std::move(w.pending));
    waiting_.clear();
    routes_->finish(routes_->take_pending());
  }

  struct Waiting {
    dataplane::Routes::PendingPtr pending;
    std::vector<uint64_t> turns;
  };

  std::vector<Route> prefixes_;
  std::unique_ptr<std::atomic<uint32_t>[]> words_;   // by prefix
  std::unordered_map<uint64_t, uint32_t> index_[2];  // by family
  bool seen_[2][129] = {};                           // lengths
  std::unique_ptr<dataplane::Routes> routes_;
  std::deque<Waiting> waiting_;
  std::atomic<bool> stop_{false};
  bool ok_ = true;
};

}  // namespace weir::bench
