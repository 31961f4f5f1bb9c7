#include "dataplane/nat/ftp_control.h"

#include <algorithm>

namespace weir::dataplane {

namespace {

/// Is sequence number `a` at or behind `b`?
bool reaches(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) >= 0; }

}  // namespace

void SequenceEdits::add(uint32_t seq, uint16_t was, std::string_view text, char before) {
  if (count_ > 0 && text.empty() && edits_[count_ - 1].size == 0 && edits_[count_ - 1].end() == seq) {
    edits_[count_ - 1].was = static_cast<uint16_t>(edits_[count_ - 1].was + was);
    return;
  }
  const uint32_t shift = count_ > 0 ? edits_[count_ - 1].shift_behind() : 0;
  if (count_ == kKept) {
    std::move(edits_.begin() + 1, edits_.end(), edits_.begin());
    --count_;
  }
  FtpEdit& edit = edits_[count_++];
  edit.seq = seq;
  edit.was = was;
  edit.size = static_cast<uint16_t>(std::min(text.size(), edit.text.size()));
  edit.shift = shift;
  edit.before = before;
  std::copy_n(text.begin(), edit.size, edit.text.begin());
}

uint32_t SequenceEdits::to_peer(uint32_t seq) const {
  for (size_t i = count_; i-- > 0;) {
    const FtpEdit& edit = edits_[i];
    if (reaches(seq, edit.end())) return seq + edit.shift_behind();
    if (reaches(seq, edit.seq)) return edit.seq + edit.shift + std::min<uint32_t>(seq - edit.seq, edit.size);
  }
  return count_ > 0 ? seq + edits_[0].shift : seq;
}

uint32_t SequenceEdits::from_peer(uint32_t seq) const {
  for (size_t i = count_; i-- > 0;) {
    const FtpEdit& edit = edits_[i];
    if (reaches(seq, edit.seq + edit.shift + edit.size)) return seq - edit.shift_behind();
    if (reaches(seq, edit.seq + edit.shift)) return edit.seq;
  }
  return count_ > 0 ? seq - edits_[0].shift : seq;
}

FtpSegment plan_again(const FtpSide& side, uint32_t seq, size_t size, FtpPlan& plan) {
  const uint32_t end = seq + static_cast<uint32_t>(size);
  for (size_t i = 0; i < side.edits.size(); ++i) {
    const FtpEdit& edit = side.edits.at(i);
    if (reaches(seq, edit.end()) || reaches(edit.seq, end)) continue;
    const bool begins = reaches(edit.seq, seq), ends = reaches(end, edit.end());
    const bool taken_out = edit.size == 0;
    if (!taken_out && (!begins || !ends)) return FtpSegment::early;
    FtpPlan::Place& place = plan.places[plan.count++];
    const uint32_t from = begins ? edit.seq : seq, to = ends ? edit.end() : end;
    place.at = static_cast<uint16_t>(from - seq);
    place.size = static_cast<uint16_t>(to - from);
    place.text = edit.text;
    place.text_size = edit.size;
    place.taken_out = taken_out;
    place.before = edit.before;
  }
  plan.known = plan.count;
  return FtpSegment::good;
}

void note_segment(FtpSide& side, uint32_t seq, size_t size, char last, const FtpPlan& plan) {
  for (size_t i = plan.known; i < plan.count; ++i) {
    const FtpPlan::Place& place = plan.places[i];
    side.edits.add(seq + place.at, place.size, place.taken_out ? std::string_view{} : place.as_text(),
                   place.before);
  }
  const uint32_t end = seq + static_cast<uint32_t>(size);
  if (end == side.next || !reaches(end, side.next)) return;
  side.next = end;
  side.last = last;
  side.scanner = plan.scanner;
}

}  // namespace weir::dataplane
