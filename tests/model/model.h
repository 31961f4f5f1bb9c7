// The slow and obvious hub: sessions, translation and policy of one network, and what has to become of each
// packet. It is told what the hub did with it, and says what of that is wrong.
//
// Where the hub is free - which port of a pool, which of several next hops, which worker, which half-open
// session gives way - any legal choice is accepted, and the hub is held to it from then on.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "tests/model/decision.h"
#include "tests/model/network.h"
#include "tests/model/packet.h"
#include "tests/model/tcp.h"

namespace weir::model {

/// A packet that left the hub.
struct Sent {
  int worker = 0;
  Attachment to = 0;
  Mac next = 0;  // inside; of what carries IP only there is none
  Read read;
  Bytes ip;
};
/// A packet that did not: dropped, or handed to control, for a reason.
struct Refused {
  int worker = 0;
  std::string reason;  // a drop's name; "punt resolve" and the like
};
struct Outcome {
  std::vector<Sent> sent;
  std::vector<Refused> refused;
  int held = 0;                                                         // by how many more fragments wait
  int64_t created = 0, ended = 0, given_way = 0, cut = 0, ignored = 0;  // counters' steps
};

/// A session as the hub lists it.
struct Listed {
  int worker = 0;
  Domain from = 0, to = 0;
  Ends ends, leaves;
  std::string state;  // of TCP as docs/sessions.md has it; "active"
  bool dropped = false;
  uint64_t packets[2] = {};
};

/// What the hub says of itself when asked.
class Looks {
 public:
  virtual ~Looks() = default;
  virtual std::vector<Listed> sessions() = 0;
};

class Model {
 public:
  Model(Network network, Looks& looks);

  struct Came {
    Attachment ingress = 0;
    Packet packet;
  };
  /// These packets came in one after the other, and this became of them. Empty: rightly so; else what is
  /// wrong. Several have different tags and belong to one session, so that the hub's workers do not overtake
  /// each other.
  std::string judge(const std::vector<Came>& burst, const Outcome& outcome);
  /// A piece of a datagram that is `whole`.
  std::string judge(Attachment ingress, const Packet& whole, const Fragment& piece, const Outcome& outcome);
  /// Time passed, and nothing came in.
  std::string pass(unsigned ticks, const Outcome& outcome);
  /// The configuration is another one from now on.
  void change(Network network, bool translation);
  /// Everything that the hub lists is known, and nothing else is.
  std::string compare(const std::vector<Listed>& listed) const;

  const Network& network() const { return net_; }
  size_t sessions() const { return sessions_.size(); }
  size_t half_open() const;
  size_t bindings() const { return bindings_.size(); }
  size_t fragments_held() const;
  /// Sessions that each rule decided, or watched, since the last change(); behind them those of no rule.
  const std::vector<uint64_t>& hits() const { return hits_; }
  /// Where several next hops came to the same, and the hub may have asked of one or another.
  bool hits_unsure() const { return hits_unsure_; }

  struct Session {
    int worker = 0;
    Domain domain[2] = {};  // in which packets of each side arrive
    Ends ends[2];           // as they arrive
    Ends leaves;            // as the initiator's leave
    Attachment ingress = 0;
    std::optional<Hop> hop[2];  // where each side's packets go; nothing: any legal one
    std::vector<Hop> ways[2];   // of which it is one
    bool translated = false;
    // By the ways that it may go: a rule may name attachments.
    bool surely_inspected = false, maybe_inspected = false;
    size_t timeouts = 0;          // as of Rule
    std::optional<uint8_t> dscp;  // that its packets get
    bool dropped = false;         // by inspection: nothing of it passes any more
    std::map<uint32_t, std::set<uint32_t>>
        marks[2];  // bytes of marks in each side's stream that were inspected
    Binding* source = nullptr;
    Binding* sent_to = nullptr;
    std::optional<TcpConnection> tcp;
    bool counted_half_open = false;
    uint8_t icmp_type = 0;
    uint64_t last = 0;  // tick
    uint64_t packets[2] = {};
    unsigned met[2] = {};  // the number of the translation rules when a packet of that side last found it
    unsigned settled = 0;  // the number of the configuration when it was last decided
    /// By NAT64.
    bool changes_family() const { return ends[0].src.v6 != leaves.src.v6; }
    /// As its packets of that side leave.
    Ends leaving(Side side) const { return side == 0 ? leaves : ends[0].reversed(); }
  };
  using SessionPtr = std::shared_ptr<Session>;
  /// For whoever makes packets up: some live session, by number.
  const Session* session(size_t number) const {
    return sessions_.empty() ? nullptr : sessions_[number % sessions_.size()].get();
  }
  std::string describe(const Session& s) const;
  /// Some rule names attachments: then several ways may be refused for several reasons.
  bool asks_for_attachments() const;

 private:
  /// Steps of the hub's counters.
  struct Counts {
    int64_t created = 0, ended = 0, given_way = 0, cut = 0, ignored = 0;
    void add(const Counts& o) {
      created += o.created;
      ended += o.ended;
      given_way += o.given_way;
      cut += o.cut;
      ignored += o.ignored;
    }
  };
  /// One packet, or piece of one, that came in, and what the hub did with it: one of `sent` and `refused`.
  struct Arrival {
    Attachment ingress = 0;
    const Packet& packet;
    const Fragment* piece = nullptr;
    const Sent* sent = nullptr;
    Refused* refused = nullptr;
    std::span<Refused> refused_later = {};  // for what others of the datagram were, in whatever order
    Ends ends = {};                         // of the session that it belongs to, as its packets arrive
    bool no_room = false;                   // a limit was reached, and nothing gave way
    bool unseen = false;                    // its receiver does not read it, so that it is not inspected
    bool urgent_cleared = false;            // what is inspected has no urgent data
    Counts counts = {};
    int worker() const { return sent != nullptr ? sent->worker : refused->worker; }
    bool has_header() const { return piece == nullptr || piece->offset == 0; }
    /// That a TCP segment carries: of one in pieces the hub knows the bound only.
    size_t stream_bytes() const { return piece == nullptr ? packet.payload.size() : 65'535; }
  };
  struct Datagram {
    std::vector<std::pair<size_t, size_t>> pieces;  // [begin, end) that came
    std::optional<size_t> total;
    std::string spoilt;
    bool first_came = false;
    std::vector<Fragment> held;
    uint64_t began = 0;
  };
  using DatagramName = std::tuple<Attachment, Address, Address, uint32_t, uint8_t>;
  /// Who has begun sessions.
  struct Beginner {
    uint64_t paid_until = 0;  // ns
  };
  /// Empty: right. What is wrong otherwise.
  using Wrong = std::string;

  // model.cpp
  Wrong judge_arrival(Arrival& a);
  Wrong compare_counters(const Counts& counts, const Outcome& outcome) const;
  Wrong judge_known(Arrival& a, const SessionPtr& session, Side side);
  Wrong redecide(Arrival& a, const SessionPtr& session, Side side, bool& over);
  Wrong cut(Arrival& a, const SessionPtr& session, const std::vector<std::string>& reasons);
  Wrong judge_tcp(Arrival& a, Session& s, Side side, bool& over);
  Wrong judge_icmp(Arrival& a, Session& s, Side side, bool& over);
  Wrong inspect(Arrival& a, Session& s, Side side, bool& over);
  Wrong inspect_segment(Arrival& a, Session& s, Side side, bool& over);
  bool may_give_way(const Session& s, bool half_open_only) const;
  // first.cpp
  Wrong judge_first(Arrival& a);
  bool pays(const Arrival& a);
  bool has_half_open_left(Domain domain, const Address& host, Attachment ingress) const;
  bool are_answers_taken(const Session& s) const;
  Wrong admit(Arrival& a, const Session& s, bool half_open);
  Wrong make_room(Arrival& a, bool half_open_only);
  std::optional<Address> server_taken(const Arrival& a, const FirstQuery& query, Wrong& wrong) const;
  bool may_explain(const Arrival& a, const Decision& d) const;
  void count_hits(const Way& way);
  bool answers_elsewhere(const Arrival& a, const Binding* sent_to) const;
  // bindings.cpp
  Wrong take_source(Arrival& a, const Decision& d, Session& s);
  Wrong may_take(const Pool& pool, const Binding& b, int worker) const;
  Binding* find_binding(Domain realm, const Address& outside, uint16_t port, uint8_t protocol, int worker);
  Binding* known_binding(const Pool& pool, Domain host, const Ends& ends, int worker);
  bool is_free(const Pool& pool, const Address& address, unsigned port, uint8_t protocol, int worker) const;
  bool has_free_port(const Pool& pool, const Address& inside, const Address& address, uint8_t protocol,
                     int worker) const;
  void release(Binding* binding);
  bool keeps_translation(const Session& s, const Decision& d) const;
  // leaving.cpp
  Wrong leaves_by(Arrival& a, Session& s, Side side, const std::vector<Hop>& hops);
  Wrong expect_refused(const Arrival& a, const std::vector<std::string>& reasons) const;
  /// For one of these, this packet or another that was refused at the same time?
  bool was_refused(const Arrival& a, const std::vector<std::string>& reasons) const;
  Wrong expect_answer(const Arrival& a) const;
  Packet expected(const Arrival& a, const Session& s, Side side) const;
  Packet expected_by_nat64(const Arrival& a, const Session& s, Side side) const;
  Wrong match_resets(const std::vector<SessionPtr>& over, const Outcome& outcome) const;
  // sessions.cpp
  SessionPtr find(const Arrival& a, Side& side, Wrong& wrong) const;
  void enter(const SessionPtr& session);
  void end(const SessionPtr& session);
  unsigned timeout(const Session& s) const;
  bool knows(const Hop& hop, const Address& destination) const;
  /// Did it leave to that next hop?
  bool took(const Sent& sent, const Hop& hop, const Address& destination) const;
  size_t sessions_of(int worker) const;
  size_t half_open_of(int worker) const;

  Network net_;
  Looks& looks_;
  uint64_t now_ = 0;         // ticks
  unsigned changes_ = 0;     // of the configuration
  unsigned nat_number_ = 0;  // of those, of address translation
  std::vector<SessionPtr> sessions_;
  std::multimap<std::pair<Domain, Ends>, std::pair<SessionPtr, Side>> by_ends_;
  std::vector<std::unique_ptr<Binding>> bindings_;
  std::map<DatagramName, Datagram> datagrams_;
  std::map<std::pair<Domain, Address>, Beginner> hosts_;
  std::map<Attachment, Beginner> attachments_;
  std::map<Domain, Beginner> domains_;
  std::vector<uint64_t> hits_;
  bool hits_unsure_ = false;
};

}  // namespace weir::model
