#include "inspection/app/quic/crypto_stream.h"

#include <algorithm>

namespace weir::inspection {

namespace {

constexpr std::array<uint8_t, 1'024> kZeros{};

}  // namespace

CryptoStream::Added CryptoStream::add(uint64_t offset, std::span<const uint8_t> data) {
  if (data.empty()) return Added::taken;
  if (offset > kMaxBytes || data.size() > kMaxBytes - offset) return Added::too_long;
  const auto begin = static_cast<uint32_t>(offset), end = static_cast<uint32_t>(offset + data.size());
  // The pieces that it touches or overlaps become one with it.
  size_t first = 0;
  while (first < count_ && pieces_[first].end < begin) ++first;
  size_t last = first;
  while (last < count_ && pieces_[last].begin <= end) ++last;
  if (first == last && count_ == kMaxPieces) return Added::too_many;
  while (bytes_.size() < end) {
    const size_t size = std::min<size_t>(kZeros.size(), end - bytes_.size());
    if (!bytes_.append({kZeros.data(), size})) return Added::no_memory;
  }
  const std::span<uint8_t> all = bytes_.bytes();
  uint32_t at = begin;
  const auto copy_until = [&](uint32_t to) {
    if (at < to) std::copy_n(data.begin() + (at - begin), to - at, all.begin() + at);
  };
  Piece merged{begin, end};
  for (size_t i = first; i < last; ++i) {
    copy_until(std::min(pieces_[i].begin, end));
    at = std::max(at, pieces_[i].end);
    merged.begin = std::min(merged.begin, pieces_[i].begin);
    merged.end = std::max(merged.end, pieces_[i].end);
  }
  copy_until(end);
  if (first == last) {
    std::move_backward(pieces_.begin() + static_cast<std::ptrdiff_t>(first),
                       pieces_.begin() + static_cast<std::ptrdiff_t>(count_),
                       pieces_.begin() + static_cast<std::ptrdiff_t>(count_) + 1);
    ++count_;
  } else {
    std::move(pieces_.begin() + static_cast<std::ptrdiff_t>(last),
              pieces_.begin() + static_cast<std::ptrdiff_t>(count_),
              pieces_.begin() + static_cast<std::ptrdiff_t>(first) + 1);
    count_ -= last - first - 1;
  }
  pieces_[first] = merged;
  return Added::taken;
}

std::span<const uint8_t> CryptoStream::begin() const {
  if (count_ == 0 || pieces_[0].begin != 0) return {};
  return bytes_.view().first(pieces_[0].end);
}

std::span<const uint8_t> CryptoStream::message() const {
  constexpr size_t kHeader = 4;
  const std::span<const uint8_t> all = begin();
  if (all.size() < kHeader) return {};
  const size_t size =
      kHeader + (static_cast<size_t>(all[1]) << 16 | static_cast<size_t>(all[2]) << 8 | all[3]);
  return all.size() >= size ? all.first(size) : std::span<const uint8_t>{};
}

void CryptoStream::reset() {
  bytes_.reset();
  count_ = 0;
}

}  // namespace weir::inspection
