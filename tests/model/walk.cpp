#include "tests/model/walk.h"

#include <algorithm>
#include <cstdio>

#include "tests/model/traffic.h"
#include "tests/model/tunnel.h"

namespace weir::model {

namespace {

constexpr size_t kLogged = 4'000;    // steps remembered
constexpr uint64_t kThorough = 199;  // steps between complete comparisons

NetworkKind random_kind(Random& random, const WalkOptions& options) {
  NetworkKind kind{options.workers,    random.percent(65), random.percent(35),
                   random.percent(35), random.percent(35), options.nat64};
  kind.translation |= options.nat64;
  return kind;
}

std::string words_of(const Outcome& o) {
  std::string out;
  for (const Sent& s : o.sent) {
    out += " -> [" + std::to_string(s.to) + "] " +
           (!s.read.wrong.empty() ? s.read.wrong
            : s.read.packet       ? to_string(*s.read.packet)
                                  : to_string(*s.read.fragment)) +
           " (worker " + std::to_string(s.worker) + ")";
  }
  for (const Refused& r : o.refused) out += " -> " + r.reason + " (worker " + std::to_string(r.worker) + ")";
  if (o.created != 0) out += " created";
  if (o.ended != 0) out += " ended " + std::to_string(o.ended);
  return out;
}

}  // namespace

Walk::Walk(const WalkOptions& options)
    : options_(options),
      random_(options.seed),
      kind_(random_kind(random_, options)),
      net_(random_network(random_, kind_)),
      rig_(net_, options.seed),
      model_(net_, rig_) {}

void Walk::Tally::add(const Tally& o) {
  packets += o.packets;
  left += o.left;
  changes += o.changes;
  pieces += o.pieces;
  sessions += o.sessions;
  given_way += o.given_way;
  for (const auto& [reason, n] : o.refused) refused[reason] += n;
}

void Walk::note(const std::string& what, const Outcome& o) {
  for (const Refused& r : o.refused) ++tally_.refused[r.reason];
  tally_.left += o.sent.size();
  tally_.sessions += static_cast<uint64_t>(o.created);
  tally_.given_way += static_cast<uint64_t>(o.given_way);
  log_.push_back("  step " + std::to_string(step_) + ": " + what + words_of(o));
  if (options_.trace) std::printf("%s\n", log_.back().c_str());
  if (log_.size() > kLogged) log_.pop_front();
}

std::string Walk::inject(const std::vector<Model::Came>& burst) {
  const auto worker = static_cast<int>(random_.below(options_.workers));
  std::vector<Bytes> arriving;
  std::string words;
  for (const auto& [from, packet] : burst) {
    arriving.push_back(write(net_, from, frame_to_hub(net_, from, write(packet))));
    words += (words.empty() ? "" : " and ") + ("[" + std::to_string(from) + "] " + to_string(packet));
  }
  const Outcome o = rig_.inject(arriving, worker);
  tally_.packets += burst.size();
  note("at worker " + std::to_string(worker) + ": " + words, o);
  return model_.judge(burst, o);
}

std::string Walk::inject_piece(const Piece& piece) {
  const auto worker = static_cast<int>(random_.below(options_.workers));
  const Outcome o = rig_.inject(
      {write(net_, piece.ingress, frame_to_hub(net_, piece.ingress, write(piece.fragment)))}, worker);
  ++tally_.pieces;
  note("[" + std::to_string(piece.ingress) + "] at worker " + std::to_string(worker) + ": " +
           to_string(piece.fragment),
       o);
  return model_.judge(piece.ingress, piece.whole, piece.fragment, o);
}

/// Some pieces of the datagram are on their way from now on, in any order; some twice, some never.
void Walk::cut_up(Attachment from, Packet packet) {
  // Inspected ones would be held until they are whole, which tests/packet has.
  const bool tcp = packet.protocol == kTcp;
  if ((packet.protocol == kUdp || tcp) && kind_.inspection) return;
  while (packet.payload.size() < 40) packet.payload.push_back(7);
  // The first piece of a segment has its whole header.
  const size_t size = 8 * static_cast<size_t>(tcp ? random_.between(3, 6) : random_.between(1, 4));
  ++datagram_;
  std::vector<Piece> pieces;
  const size_t total = write_transport(packet).size();
  for (size_t at = 0; at < total; at += size)
    pieces.push_back({from, packet, piece_of(packet, datagram_, at, size)});
  for (size_t i = pieces.size(); i-- > 1;)
    if (random_.percent(40)) std::swap(pieces[i], pieces[random_.below(i + 1)]);
  if (random_.percent(10)) pieces.push_back(random_.of(pieces));
  if (random_.percent(10)) pieces.pop_back();
  if (random_.percent(8)) {  // one that overlaps another
    Piece odd = random_.of(pieces);
    odd.fragment = piece_of(packet, datagram_, odd.fragment.offset, size + 8);
    if (odd.fragment.offset != 0 || odd.fragment.more)
      pieces.insert(pieces.begin() + static_cast<long>(random_.below(pieces.size())), odd);
  }
  under_way_.insert(under_way_.end(), pieces.begin(), pieces.end());
}

std::string Walk::pass_time() {
  const auto ticks = static_cast<unsigned>(random_.percent(2)   ? random_.between(1, 40'000)
                                           : random_.percent(5) ? random_.between(1, 400)
                                                                : random_.between(1, 6));
  const Outcome o = rig_.pass(ticks);
  note(std::to_string(ticks) + " ticks pass", o);
  return model_.pass(ticks, o);
}

std::string Walk::change() {
  if (std::string wrong = check_sums(true); !wrong.empty()) return wrong;
  const bool translation = change_something(net_, random_, kind_);
  one_owner_ = one_owner_ && (!translation || options_.workers == 1);
  ++tally_.changes;
  note("another configuration: " + to_string(net_), {});
  rig_.change(net_);
  model_.change(net_, translation);
  return {};
}

/// What the hub says of itself is what the model knows.
std::string Walk::check_sums(bool thorough) {
  const auto differ = [](const char* what, uint64_t hub, uint64_t model) {
    return "the hub has " + std::to_string(hub) + " " + what + ", not " + std::to_string(model);
  };
  if (rig_.sessions_live() != model_.sessions())
    return differ("sessions", rig_.sessions_live(), model_.sessions());
  if (rig_.half_open() != model_.half_open())
    return differ("half-open sessions", rig_.half_open(), model_.half_open());
  if (rig_.fragments_held() != model_.fragments_held())
    return differ("fragments", rig_.fragments_held(), model_.fragments_held());
  if (!thorough) return {};
  if (std::string wrong = rig_.imbalance(); !wrong.empty()) return wrong;
  if (!model_.hits_unsure() && rig_.hits() != model_.hits()) {
    std::string out = "rules were counted";
    for (const uint64_t n : rig_.hits()) out += " " + std::to_string(n);
    out += ", not";
    for (const uint64_t n : model_.hits()) out += " " + std::to_string(n);
    return out;
  }
  return model_.compare(rig_.sessions());
}

std::string Walk::one() {
  if (!under_way_.empty() && random_.percent(50)) {
    const Piece piece = under_way_.front();
    under_way_.pop_front();
    return inject_piece(piece);
  }
  const auto what = random_.below(1'000);
  if (what < 60) return pass_time();
  if (what < 70) return change();
  const Model::Session* s = model_.session(random_.below(1u << 30));
  Made made;
  if (s != nullptr && what < 110) {
    made = first_packet_to(net_, *s, random_);
  } else if (s == nullptr || what < 350) {
    made = first_packet(net_, random_);
  } else if (what < 430) {
    made = error_about(net_, *s, random_);
  } else {
    made = packet_of(net_, *s, random_);
  }
  if (what % 20 == 0 && !made.packet.is_icmp_error()) {
    cut_up(made.from, made.packet);
    return {};
  }
  std::vector<Model::Came> burst = {{made.from, made.packet}};
  // Several at once, of one session: what the first one changes the next one has to meet.
  // Inspection comes after all of a burst have met their session: what one does to it is not seen by those
  // before it.
  // Nor could reasons be told apart that depend on the way taken.
  // What NAT64 changes has no tag to know it by.
  if (s != nullptr && !s->changes_family() && !kind_.inspection && !model_.asks_for_attachments() &&
      what >= 430 && !kind_.small_tables && one_owner_ && random_.percent(15)) {
    for (auto more = random_.between(1, 4); more > 0; --more) {
      Made next = random_.percent(80) ? packet_of(net_, *s, random_) : error_about(net_, *s, random_);
      next.packet.tag = static_cast<uint16_t>(made.packet.tag + more);
      burst.push_back({next.from, next.packet});
    }
  }
  return inject(burst);
}

std::string Walk::run() {
  std::string wrong;
  for (step_ = 1; step_ <= options_.steps && wrong.empty(); ++step_) {
    wrong = one();
    if (wrong.empty()) wrong = check_sums(step_ % kThorough == 0);
  }
  if (wrong.empty()) {
    // In the end all is forgotten, and nothing has leaked.
    const Outcome o = rig_.pass(10'000);
    note("everything comes to its end", o);
    wrong = model_.pass(10'000, o);
    if (wrong.empty()) wrong = check_sums(true);
    if (wrong.empty() && rig_.bindings() != 0)
      wrong = std::to_string(rig_.bindings()) + " ports of pools were not given back";
  }
  if (wrong.empty()) return {};
  std::string out = "step " + std::to_string(step_ - 1) + ": " + wrong + "\nThe last steps:\n";
  const size_t from = log_.size() < 12 ? 0 : log_.size() - 12;
  for (size_t i = from; i < log_.size(); ++i) out += log_[i] + "\n";
  return out;
}

}  // namespace weir::model
