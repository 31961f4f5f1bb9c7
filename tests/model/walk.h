// One run: a hub and its model, and steps made up by chance that both take.
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "tests/model/model.h"
#include "tests/model/random_network.h"
#include "tests/model/rig.h"

namespace weir::model {

struct WalkOptions {
  uint64_t seed = 1;
  unsigned workers = 1;
  uint64_t steps = 2'000;
  bool nat64 = false;  // translation in every run, NAT64 with it
  bool trace = false;  // prints each step
};

class Walk {
 public:
  explicit Walk(const WalkOptions& options);
  /// Empty: hub and model agree, to the end. Else what was wrong, with what led to it.
  std::string run();
  uint64_t steps_taken() const { return step_; }
  /// What the run was made of, for a summary.
  struct Tally {
    uint64_t packets = 0, left = 0, changes = 0, pieces = 0, sessions = 0, given_way = 0;
    std::map<std::string, uint64_t> refused;
    void add(const Tally& other);
  };
  const Tally& tally() const { return tally_; }

 private:
  /// A piece of a datagram that is under way.
  struct Piece {
    Attachment ingress = 0;
    Packet whole;
    Fragment fragment;
  };
  std::string one();
  std::string pass_time();
  std::string change();
  std::string inject(const std::vector<Model::Came>& burst);
  std::string inject_piece(const Piece& piece);
  std::string check_sums(bool thorough);
  void note(const std::string& what, const Outcome& outcome);

  void cut_up(Attachment from, Packet packet);

  WalkOptions options_;
  Random random_;
  NetworkKind kind_;
  Network net_;
  Rig rig_;
  Model model_;
  std::deque<Piece> under_way_;
  std::deque<std::string> log_;
  /// Other rules of translation may give a session's packets to several workers, which then overtake each
  /// other.
  bool one_owner_ = true;
  uint64_t step_ = 0;
  uint32_t datagram_ = 0;
  Tally tally_;
};

}  // namespace weir::model
