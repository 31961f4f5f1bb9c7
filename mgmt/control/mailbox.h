// Messages to the control thread: other threads post, control runs them in its own turn.
//
// Any thread posts; only the control thread runs. Bounded: a full box refuses. The file descriptor becomes
// readable when there is something to run.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>

namespace weir::control {

class Mailbox {
 public:
  static constexpr size_t kCapacity = 256;

  Mailbox();
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  /// Any thread. False if the box is full or closed; `message` is then dropped.
  bool post(std::function<void()> message);
  /// The same without the bound, for the hub's own threads whose message must arrive. Dropped only when
  /// closed.
  void deliver(std::function<void()> message);

  /// Any thread but control: posts `ask(reply)` and waits for `reply(value)`, which control calls then or in
  /// a later turn. Nothing if the box refuses or closes, or there is no answer in time.
  template <typename T>
  std::optional<T> call(std::function<void(std::function<void(T)>)> ask, std::chrono::milliseconds timeout) {
    auto promise = std::make_shared<std::promise<T>>();
    std::future<T> answer = promise->get_future();
    const bool posted = post([ask = std::move(ask), promise = std::move(promise)] {
      ask([promise](T value) { promise->set_value(std::move(value)); });
    });
    if (!posted || answer.wait_for(timeout) != std::future_status::ready) return std::nullopt;
    try {
      return answer.get();
    } catch (const std::future_error&) {  // closed before control came to it
      return std::nullopt;
    }
  }

  // --- control thread ---
  int fd() const { return fd_; }
  /// Runs what is there; how many.
  size_t run();
  /// Drops what is there and refuses what comes.
  void close();

 private:
  bool push(std::function<void()> message, size_t limit);

  int fd_;
  std::mutex mutex_;
  std::deque<std::function<void()>> messages_;
  bool closed_ = false;
};

}  // namespace weir::control
