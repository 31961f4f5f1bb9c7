#include "inspection/magic/file_magic.h"

#include <chrono>
#include <new>
#include <utility>

namespace weir::inspection {

namespace {

using namespace std::chrono_literals;
constexpr size_t kBatch = 16;  // of one worker, before the next one's turn
constexpr auto kIdleSleep = 1ms;

}  // namespace

FileMagic::FileMagic(unsigned workers, const MagicSettings& settings, Mode mode,
                     std::function<void()> on_start, Open open)
    : workers_(workers),
      settings_(settings),
      mode_(mode),
      on_start_(std::move(on_start)),
      open_(std::move(open)) {}

FileMagic::~FileMagic() {
  stop_.store(true, std::memory_order_relaxed);
  if (thread_.joinable()) thread_.join();
}

Status FileMagic::start() {
  const std::lock_guard lock(starting_);
  if (teller_ != nullptr) return {};
  auto teller = open_();
  if (!teller) return tl::unexpected(std::move(teller.error()));
  std::vector<std::unique_ptr<MagicDesk>> desks;
  try {
    for (unsigned i = 0; i < workers_; ++i)
      desks.push_back(
          std::make_unique<MagicDesk>(settings_, mode_ == Mode::at_once ? teller->get() : nullptr));
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::exhausted, "there is too little memory for the files that wait for libmagic");
  }
  desks_ = std::move(desks);
  teller_ = std::move(*teller);
  if (mode_ == Mode::beside) thread_ = std::thread([this] { loop(); });
  return {};
}

size_t FileMagic::serve(size_t max) {
  size_t served = 0;
  for (const auto& desk : desks_) served += desk->serve(*teller_, max);
  return served;
}

void FileMagic::loop() {
  on_start_();
  while (!stop_.load(std::memory_order_relaxed)) {
    if (serve(kBatch) == 0) std::this_thread::sleep_for(kIdleSleep);
  }
}

}  // namespace weir::inspection
