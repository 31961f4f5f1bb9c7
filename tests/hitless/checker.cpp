#include "tests/hitless/checker.h"

#include <algorithm>
#include <bit>
#include <sstream>

namespace weir::hitless {

namespace {

constexpr size_t kExamples = 8;
constexpr uint32_t kStays = ~0U;  // a spoke that is not about to go
constexpr uint8_t kHopsSent = 64;

std::string name_of(SessionNumber number, unsigned direction) {
  std::string name = number < kPassing ? "session " + std::to_string(number)
                                       : "spoke " + std::to_string(generation_of(number)) + ", its session " +
                                             std::to_string(number % kPerSpoke);
  return name + (direction == 0 ? ", forward" : ", reverse");
}

}  // namespace

Checker::Checker(const World& world, uint32_t sessions, uint32_t generations)
    : world_(world), states_(sessions), passing_(size_t{generations} * kPerSpoke) {
  sent_before_going_.resize(generations);
  for (auto& spoke : sent_before_going_) spoke.fill(kStays);
}

void Checker::note(const char* what, const Seen& seen) {
  if (examples_.size() >= kExamples) return;
  std::ostringstream out;
  out << what;
  if (seen.kind == Kind::data) {
    out << ": " << name_of(seen.stamp.session, seen.stamp.direction) << ", packet " << seen.stamp.sequence
        << ", came out with VNI " << seen.vni << " to peer "
        << net::to_string(net::IpAddress(net::Ipv4{seen.peer}));
  }
  examples_.push_back(out.str());
}

void Checker::add_lost(std::vector<std::string>& out, SessionNumber number, unsigned direction,
                       const Way& way, uint32_t until) {
  const uint64_t lost = lost_of(way, until);
  if (lost == 0 || out.size() >= 2 * kExamples) return;
  std::ostringstream line;
  line << "lost: " << name_of(number, direction) << ", " << lost << " of " << until << ", the last seen is ";
  if (way.next == 0)
    line << "none";
  else
    line << way.next - 1;
  out.push_back(line.str());
}

std::vector<std::string> Checker::examples() const {
  std::vector<std::string> out = examples_;
  for (SessionNumber i = 0; i < states_.size(); ++i)
    for (unsigned d = 0; d < 2; ++d) add_lost(out, i, d, states_[i].ways[d], states_[i].ways[d].sent);
  for (uint32_t i = 0; i < passing_.size(); ++i)
    for (unsigned d = 0; d < 2; ++d) add_lost(out, kPassing | i, d, passing_[i].ways[d], to_arrive(i, d));
  return out;
}

void Checker::see(const Seen& seen) {
  if (seen.kind != Kind::data || !known(seen.stamp.session) || seen.stamp.direction > 1) {
    ++faults_.broken;
    return note(seen.kind == Kind::data ? "a stamp that nobody wrote" : seen.why, seen);
  }
  const SessionNumber number = seen.stamp.session;
  State& state = this->state(number);
  Way& way = state.ways[seen.stamp.direction];
  Faults& faults = faults_of(number);
  if (seen.stamp.sequence >= way.sent) {
    ++faults.broken;
    return note("a packet that was not sent yet", seen);
  }
  const Session session = world_.session(number);
  Flow expected = seen.stamp.direction == 0 ? session.flow : session.flow.reversed();
  if (seen.part == Part::second) expected.src_port = expected.dst_port = 0;
  if (seen.flow != expected || seen.hops != kHopsSent - 1) {
    ++faults.broken;
    note("not what was sent", seen);
  } else if (!right_place(seen, session, state)) {
    ++faults.misdelivered;
    note("misdelivered", seen);
  }
  in_order(seen, way);
}

/// Where it came out is an attachment of the packet's destination, with that one's peer and MACs; and the
/// same member as ever.
bool Checker::right_place(const Seen& seen, const Session& session, State& state) {
  const auto out = World::number_of(seen.vni);
  if (!out) return false;
  const Spoke spoke = World::spoke(*out);
  if (seen.peer != spoke.peer || seen.inner_dst != spoke.host || seen.inner_src != spoke.hub) return false;
  if (seen.stamp.direction == 1) return *out == session.home;
  if (*out < session.first || *out >= session.first + session.members) return false;
  const auto member = static_cast<uint8_t>(*out - session.first);
  if (state.member == kUnknown) {
    state.member = member;
    if (session.members > 1) ++shares_[(session.first == kEast ? kMembers : 0) + member];
  } else if (state.member != member) {
    ++faults_of(seen.stamp.session).moved;
    note("another member than before", seen);
    state.member = member;
  }
  return true;
}

void Checker::in_order(const Seen& seen, Way& way) {
  const uint32_t sequence = seen.stamp.sequence;
  Faults& faults = faults_of(seen.stamp.session);
  if (sequence >= way.next) {
    const uint32_t skipped = sequence - way.next;
    // What is shifted out has been missing for 64 packets of its session.
    const uint32_t shift = skipped + 1;
    if (shift >= 64) {
      way.lost += static_cast<uint64_t>(std::popcount(way.missing)) + (skipped > 63 ? skipped - 63 : 0);
      way.missing = 0;
    } else {
      way.lost += static_cast<uint64_t>(std::popcount(way.missing >> (64 - shift)));
      way.missing <<= shift;
    }
    const uint32_t fresh = std::min(skipped, 63U);
    way.missing |= ((1ULL << fresh) - 1) << 1;
    way.next = sequence + 1;
    ++seen_;
    return;
  }
  const uint32_t age = way.next - 1 - sequence;
  if (age < 64 && (way.missing >> age & 1) != 0) {
    way.missing &= ~(1ULL << age);
    ++seen_;
    ++faults.reordered;
    return note("out of order", seen);
  }
  ++faults.duplicated;
  note("a second time", seen);
}

/// Lost of those with numbers below `until`.
uint64_t Checker::lost_of(const Way& way, uint32_t until) {
  if (until >= way.next)
    return way.lost + static_cast<uint64_t>(std::popcount(way.missing)) +
           (std::min(until, way.sent) - way.next);
  const uint32_t newer = way.next - until;
  return way.lost + (newer >= 64 ? 0 : static_cast<uint64_t>(std::popcount(way.missing >> newer)));
}

Faults Checker::faults() const {
  Faults result = faults_;
  for (const State& state : states_)
    for (const Way& way : state.ways) result.lost += lost_of(way, way.sent);
  return result;
}

Faults Checker::passing_faults() const {
  Faults result = passing_faults_;
  for (size_t i = 0; i < passing_.size(); ++i) {
    for (size_t d = 0; d < 2; ++d) result.lost += lost_of(passing_[i].ways[d], to_arrive(i, d));
  }
  return result;
}

uint64_t Checker::passing_lost() const {
  uint64_t lost = 0;
  for (const State& state : passing_)
    for (const Way& way : state.ways) lost += lost_of(way, way.sent);
  return lost;
}

void Checker::about_to_go(uint32_t generation, bool all_arrived) {
  for (uint32_t i = 0; i < kPerSpoke; ++i) {
    const State& state = passing_[generation * kPerSpoke + i];
    for (size_t d = 0; d < 2; ++d) {
      const Way& way = state.ways[d];
      sent_before_going_[generation][i * 2 + d] = all_arrived ? way.sent : way.next;
    }
  }
}

}  // namespace weir::hitless
