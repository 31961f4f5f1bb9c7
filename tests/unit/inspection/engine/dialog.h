// Two ends that speak in turns to one parser, as the engine would let them: what is over is kept here as it
// was told and then released.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "inspection/app/app_parser.h"

namespace weir::inspection::test {

class Dialog {
 public:
  using Told = std::function<void(Transaction&)>;

  /// `told` sees every transaction once it is over.
  Dialog(AppParser* parser, Told told) : parser_(parser), told_(std::move(told)) {}
  ~Dialog() { end(); }
  Dialog(const Dialog&) = delete;
  Dialog& operator=(const Dialog&) = delete;

  void client(std::string_view bytes) { say(Direction::to_server, bytes); }
  void server(std::string_view bytes) { say(Direction::to_client, bytes); }
  /// Both ends are silent from now on; the parser goes.
  void end() {
    if (parser_ == nullptr) return;
    for (const Direction way : {Direction::to_server, Direction::to_client}) parser_->end_of_stream(way, 0);
    release();
    EXPECT_TRUE(parser_->transactions().empty());
    parser_->destroy();
    parser_ = nullptr;
  }
  void gap(Direction direction, uint64_t size) { parser_->gap(direction, size, 0); }
  AppParser& parser() { return *parser_; }

  size_t piece = 1'000'000;  // bytes of a call
  Next last = Next::more;
  AppError error = AppError::none;
  std::string rest;  // that belongs to another protocol
  std::function<void()> between = [] {};

 private:
  void say(Direction direction, std::string_view bytes) {
    while (!bytes.empty() && last != Next::other) {
      std::string_view part = bytes.substr(0, piece);
      bytes.remove_prefix(part.size());
      for (unsigned idle = 0;; ++idle) {
        ASSERT_LT(idle, 10'000u);
        const Advance step =
            parser_->advance(direction, {reinterpret_cast<const uint8_t*>(part.data()), part.size()}, 0);
        ASSERT_LE(step.consumed, part.size());
        part.remove_prefix(step.consumed);
        last = step.next;
        if (step.error != AppError::none) error = step.error;
        between();
        release();
        if (step.next != Next::again) break;
      }
      rest = part;
    }
  }
  void release() { release_over(*parser_, told_); }

  AppParser* parser_;
  Told told_;
};

}  // namespace weir::inspection::test
