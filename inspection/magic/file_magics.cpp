#include "inspection/magic/file_magics.h"

#include <algorithm>

namespace weir::inspection {

namespace {

/// Transactions that wait are open, and must not keep others from being opened.
uint32_t most_of(const HttpLimits& limits) { return limits.transactions / 2; }

}  // namespace

void FileMagics::start(size_t file, BytePool& memory, uint32_t& awaited, const HttpLimits& limits) {
  if (known_ == nullptr) {
    known_ = make_in<Known>(memory, memory, *limits.magic, awaited);
    if (known_ == nullptr) return limits.magic->lose();
  }
  known_->begin.reset();
  known_->open = static_cast<uint32_t>(file);
  known_->gathers = limits.magic != nullptr;
}

void FileMagics::gather(std::span<const uint8_t> bytes, const HttpLimits& limits) {
  Known& k = *known_;
  const size_t wanted = k.desk.wanted() - k.begin.size();
  if (!k.begin.append(bytes.first(std::min(bytes.size(), wanted)))) {
    k.desk.lose();
    k.gathers = false;
    return k.begin.reset();
  }
  if (k.begin.size() == k.desk.wanted()) ask(limits);
}

void FileMagics::ask(const HttpLimits& limits) {
  using State = MagicDesk::Asked::State;
  Known& k = *known_;
  k.gathers = false;
  if (k.begin.empty()) return;  // nothing can be said of no bytes
  File file{.file = k.open};
  // Room for it before it is asked about, so that the answer can be kept.
  if (!k.files.push_back(file)) {
    k.desk.lose();
    return k.begin.reset();
  }
  const MagicDesk::Asked asked = k.desk.ask(k.begin.view(), most_of(limits));
  k.begin.reset();
  file.ticket = asked.ticket;
  if (asked.state == State::waits) ++k.awaited;
  const bool kept = asked.state == State::waits || (asked.state == State::told && keep(file, asked.text));
  if (kept) {
    k.files.items().back() = file;
  } else {
    k.files.shrink(k.files.size() - 1);
  }
}

bool FileMagics::keep(File& file, std::string_view text) {
  PoolBytes& texts = known_->texts;
  file.told = true;
  file.at = static_cast<uint32_t>(texts.size());
  file.size = static_cast<uint16_t>(text.size());
  if (texts.append({reinterpret_cast<const uint8_t*>(text.data()), text.size()})) return true;
  known_->desk.lose();
  return false;
}

std::string_view FileMagics::text_of(const File& file) const {
  const std::span<const uint8_t> all = known_->texts.view();
  return std::string_view(reinterpret_cast<const char*>(all.data()), all.size()).substr(file.at, file.size);
}

std::string_view FileMagics::text(size_t file) const {
  if (known_ == nullptr) [[likely]]
    return {};
  for (const File& known : known_->files.items()) {
    if (known.file == file && known.told) return text_of(known);
  }
  return {};
}

bool FileMagics::waits(size_t file) const {
  return known_ != nullptr && std::ranges::any_of(known_->files.items(), [&](const File& known) {
           return known.file == file && !known.told;
         });
}

std::optional<BufferView> FileMagics::buffer(uint32_t instance) const {
  if (known_ == nullptr) [[likely]]
    return std::nullopt;
  for (const File& known : known_->files.items()) {
    if (known.told && instance-- == 0)
      return BufferView{.bytes = known_->texts.view().subspan(known.at, known.size)};
  }
  return std::nullopt;
}

bool FileMagics::take(const MagicDesk::Answer& answer) {
  if (known_ == nullptr) return false;
  const std::span<File> files = known_->files.items();
  const auto found = std::ranges::find_if(
      files, [&](const File& file) { return !file.told && file.ticket == answer.ticket; });
  if (found == files.end()) return false;
  --known_->awaited;
  if (!answer.text || !keep(*found, *answer.text))
    known_->files.remove_if([&](const File& file) { return &file == &*found; });
  return true;
}

}  // namespace weir::inspection
