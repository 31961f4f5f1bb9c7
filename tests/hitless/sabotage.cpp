#include "tests/hitless/sabotage.h"

#include <iterator>
#include <utility>

#include "tests/hitless/world.h"

namespace weir::hitless {

namespace {

void come_out_at(Seen& seen, AttachmentNumber number) {
  const Spoke spoke = World::spoke(number);
  seen.vni = spoke.vni;
  seen.peer = spoke.peer;
  seen.inner_dst = spoke.host;
  seen.inner_src = spoke.hub;
}

void change_places(Seen& seen, AttachmentNumber a, AttachmentNumber b) {
  const auto out = World::number_of(seen.vni);
  if (out == a) {
    come_out_at(seen, b);
  } else if (out == b) {
    come_out_at(seen, a);
  }
}

}  // namespace

std::optional<Sabotage> parse_sabotage(std::string_view text) {
  static constexpr std::pair<std::string_view, Sabotage> kNames[] = {
      {"none", Sabotage::none},       {"drop", Sabotage::drop},       {"duplicate", Sabotage::duplicate},
      {"reorder", Sabotage::reorder}, {"members", Sabotage::members}, {"attachments", Sabotage::attachments},
      {"inherit", Sabotage::inherit},
  };
  for (const auto& [name, what] : kNames)
    if (name == text) return what;
  return std::nullopt;
}

void Saboteur::pass(Seen seen, const Deliver& deliver) {
  switch (what_) {
    case Sabotage::none:
      break;
    case Sabotage::drop:
      armed_ = false;
      return;
    case Sabotage::duplicate:
      armed_ = false;
      deliver(seen);
      break;
    case Sabotage::reorder:
      if (!held_) {
        held_ = seen;
        return;
      }
      if (held_->stamp.session != seen.stamp.session || held_->stamp.direction != seen.stamp.direction) break;
      armed_ = false;
      deliver(seen);
      return deliver(*std::exchange(held_, std::nullopt));
    case Sabotage::members:
      change_places(seen, kEast, kEast + 1);
      break;
    case Sabotage::attachments:
      change_places(seen, kWest, kEast);
      break;
    case Sabotage::inherit: {
      const auto out = World::number_of(seen.vni);
      if (!out || *out < kFirstSpoke) break;
      armed_ = false;
      come_out_at(seen, *out + 1);
      break;
    }
  }
  deliver(seen);
}

}  // namespace weir::hitless
