// The prefilter, what is remembered between packets, and the short stretch that is scanned again must change
// nothing: random rules over random bytes in random pieces, judged with all of it and by every rule on every
// whole buffer.
#include <array>
#include <random>
#include <string_view>

#include "detection_support.h"

namespace weir::inspection::test {
namespace {

class RandomRules {
 public:
  explicit RandomRules(uint32_t seed) : random_(seed) {}

  size_t below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random_); }
  bool one_in(size_t n) { return below(n) == 0; }
  /// Few letters, so that contents are found often, in part and again.
  std::string text(size_t size) {
    std::string out;
    for (size_t i = 0; i < size; ++i) out += "abcA"[below(4)];
    return out;
  }
  std::string chain() {
    std::string out;
    const size_t count = 1 + below(3);
    for (size_t i = 0; i < count; ++i) {
      if (one_in(6)) {
        out += one_in(2) ? "pcre:\"/" + text(2) + "[ab]+" + text(1) + "/\"; "
                         : "pcre:\"/" + text(2) + "(?=" + text(1) + ")/\"; ";
        continue;
      }
      const bool negated = i > 0 && one_in(5);
      out += std::string("content:") + (negated ? "!" : "") + "\"" + text(1 + below(4)) + "\"; ";
      if (one_in(4)) out += "nocase; ";
      if (i > 0 && one_in(2)) {
        if (one_in(2))
          out += "distance:" + std::to_string(below(4)) + "; ";
        else
          out += "within:" + std::to_string(5 + below(6)) + "; ";
      } else if (i == 0 && one_in(8)) {
        out += "startswith; ";
      } else if (one_in(4)) {
        out += "offset:" + std::to_string(below(6)) + "; ";
        if (one_in(3)) out += "depth:" + std::to_string(5 + below(12)) + "; ";
      } else if (one_in(5)) {
        out += "depth:" + std::to_string(5 + below(12)) + "; ";
      } else if (one_in(8)) {
        out += "endswith; ";
      }
      if (!negated && one_in(8)) out += "isdataat:" + std::to_string(1 + below(3)) + ",relative; ";
    }
    return out;
  }
  /// Of most rules about what leaves, or about what comes in, as real ones are.
  std::string header() {
    constexpr std::array<std::string_view, 12> kHeaders{"$HOME_NET any -> $EXTERNAL_NET any",
                                                        "$HOME_NET any -> $EXTERNAL_NET 80",
                                                        "any any -> any [25,443]",
                                                        "any any -> any !$HTTP_PORTS",
                                                        "any any <> any 25",
                                                        "any any -> any 25",
                                                        "any 25 -> any any",
                                                        "$EXTERNAL_NET any -> $HOME_NET any",
                                                        "$EXTERNAL_NET any -> any any",
                                                        "$HOME_NET any -> any any",
                                                        "$HOME_NET any <> $EXTERNAL_NET any",
                                                        "any any -> any any"};
    return std::string(kHeaders[below(kHeaders.size())]);
  }
  /// At home or elsewhere.
  net::Ipv4 end() { return one_in(2) ? net::Ipv4{0x0a000001} : net::Ipv4{0xc6120001}; }
  std::string rule(size_t sid) {
    const std::string tail = "sid:" + std::to_string(sid) + ";)\n";
    constexpr std::array<std::string_view, 4> kOf{"tcp", "tcp", "tls", "ssh"};
    const auto of_payload = [&] { return "alert " + std::string(kOf[below(kOf.size())]) + " " + header(); };
    switch (below(6)) {
      case 0:
        return "alert http " + header() + " (http.uri; " + chain() + tail;
      case 1:
        return "alert http " + header() + " (http.request_body; " + chain() + tail;
      case 2:
        return "alert http " + header() + " (http.uri; content:\"" + text(2) + "\"; http.request_body; " +
               chain() + tail;
      case 3:  // without a literal, and without payload
        return of_payload() + " (" +
               (one_in(2) ? "pcre:\"/[" + text(2) + "]" + text(1) + "/\"; "
                          : "dsize:>" + std::to_string(2 + below(8)) + "; ") +
               tail;
      default:
        return of_payload() + " (" + chain() + tail;
    }
  }
  /// The web's, and others.
  uint16_t server_port() { return std::array<uint16_t, 5>{80, 443, 8443, 25, 5'000}[below(5)]; }
  AppProtocol protocol() {
    constexpr std::array kSome{AppProtocol::http1, AppProtocol::tls, AppProtocol::ssh, AppProtocol::unknown};
    return kSome[below(kSome.size())];
  }
  std::vector<std::string> pieces(const std::string& whole) {
    std::vector<std::string> out;
    for (size_t at = 0; at < whole.size();) {
      const size_t size = std::min(1 + below(one_in(3) ? 20 : 5), whole.size() - at);
      out.push_back(whole.substr(at, size));
      at += size;
    }
    return out;
  }

 private:
  std::mt19937 random_;
};

struct Session {
  net::Ipv4 from, to;
  uint16_t server_port = 80;
  AppProtocol protocol = AppProtocol::http1;  // while its stream is looked at
  std::string uri;
  std::vector<std::string> body, stream;
};

DetectorLimits limits_for(bool reference) {
  DetectorLimits limits;
  limits.reference = reference;
  limits.alerts_per_packet = 200;
  limits.rules_per_stream = 200;
  return limits;
}

void take_ends(DetectionBench& bench, const Session& session) {
  bench.packet.src = session.from;
  bench.packet.dst = session.to;
  bench.packet.dst_port = session.server_port;
}

/// What each packet of the session alerts, one list for each packet.
std::vector<Sids> run(const std::shared_ptr<const DetectionProfile>& profile, const Session& session,
                      bool reference) {
  DetectionBench bench(profile, limits_for(reference));
  take_ends(bench, session);
  bench.facts.protocol = session.protocol;
  std::vector<Sids> all;
  for (const std::string& piece : session.stream) all.push_back(bench.segment(piece));
  bench.facts.protocol = AppProtocol::http1;
  FakeTransaction tx(AppProtocol::http1, HttpStep::complete);
  tx.set(BufferId::http_uri, Direction::to_server, session.uri);
  tx.advance(Direction::to_server, HttpStep::line);
  all.push_back(bench.move(tx));
  tx.advance(Direction::to_server, HttpStep::body);
  for (size_t i = 0; i < session.body.size(); ++i) {
    const bool last = i + 1 == session.body.size();
    tx.grow(BufferId::http_request_body, Direction::to_server, session.body[i], last);
    if (last) tx.advance(Direction::to_server, HttpStep::complete);
    all.push_back(bench.move(tx));
  }
  bench.forget(tx);
  EXPECT_EQ(bench.counters().stream_rules_lost + bench.counters().transaction_rules_lost, 0u);
  return all;
}

TEST(DetectionReference, FastAndReferenceAgreeOnRandomTriples) {
  const char* const wanted = std::getenv("WEIR_REFERENCE_ROUNDS");
  const auto rounds = static_cast<uint32_t>(wanted != nullptr ? std::atoi(wanted) : 40);
  size_t alerts = 0;
  for (uint32_t round = 0; round < rounds; ++round) {
    RandomRules random(round + 1);
    std::string rules;
    for (size_t sid = 1; sid <= 40; ++sid) rules += random.rule(sid);
    SCOPED_TRACE("round " + std::to_string(round));
    const auto profile = make_profile(rules);
    ASSERT_TRUE(profile);
    for (int i = 0; i < 25; ++i) {
      Session session;
      session.from = random.end();
      session.to = random.end();
      session.server_port = random.server_port();
      session.protocol = random.protocol();
      session.uri = random.text(12);
      session.body = random.pieces(random.text(40));
      session.stream = random.pieces(random.text(60));
      const std::vector<Sids> fast = run(profile, session, false);
      for (const Sids& sids : fast) alerts += sids.size();
      ASSERT_EQ(fast, run(profile, session, true)) << rules;
    }
  }
  EXPECT_GT(alerts, rounds * 100u) << "rules that never match show nothing";
}

/// What each packet of an answer alerts. Of most pieces the last bytes are the body's; other bodies were
/// packed, or more follows them in the same packet.
std::vector<Sids> run_answer(const std::shared_ptr<const DetectionProfile>& profile, RandomRules random,
                             const Session& session, bool reference) {
  DetectionBench bench(profile, limits_for(reference));
  take_ends(bench, session);
  bench.facts.protocol = AppProtocol::http1;
  bench.from(Direction::to_client);
  FakeTransaction tx(AppProtocol::http1, HttpStep::complete);
  tx.advance(Direction::to_client, HttpStep::body);
  std::vector<Sids> all;
  for (size_t i = 0; i < session.stream.size(); ++i) {
    const bool last = i + 1 == session.stream.size();
    const std::string& piece = session.stream[i];
    std::string body = i == 0 ? piece.substr(random.below(piece.size() + 1)) : piece;
    if (random.one_in(4))
      body = random.one_in(2) ? random.text(random.below(12)) : body.substr(0, body.size() / 2);
    if (random.one_in(3)) bench.hide(random.below(30));
    tx.grow(BufferId::file_data, Direction::to_client, body, last);
    tx.grow(BufferId::http_response_body, Direction::to_client, body, last);
    if (last) tx.advance(Direction::to_client, HttpStep::complete);
    all.push_back(bench.segment(piece, &tx));
  }
  bench.forget(tx);
  EXPECT_EQ(bench.counters().stream_rules_lost + bench.counters().transaction_rules_lost, 0u);
  return all;
}

TEST(DetectionReference, AnswersAndTheirBodiesAreLookedThroughTogether) {
  size_t alerts = 0;
  for (uint32_t round = 0; round < 40; ++round) {
    RandomRules random(5'000 + round);
    std::string rules;
    for (size_t sid = 1; sid <= 40; ++sid) {
      const std::string tail = random.chain() + "sid:" + std::to_string(sid) + ";)\n";
      switch (random.below(3)) {
        case 0:
          rules += "alert tcp " + random.header() + " (" + tail;
          break;
        case 1:
          rules += "alert http " + random.header() + " (file.data; " + tail;
          break;
        default:
          rules += "alert http " + random.header() + " (http.response_body; " + tail;
      }
    }
    const auto profile = make_profile(rules);
    ASSERT_TRUE(profile);
    for (uint32_t i = 0; i < 25; ++i) {
      Session session;
      session.from = random.end();
      session.to = random.end();
      session.server_port = random.server_port();
      session.stream = random.pieces(random.text(60));
      const RandomRules bodies(i);
      const std::vector<Sids> fast = run_answer(profile, bodies, session, false);
      for (const Sids& sids : fast) alerts += sids.size();
      ASSERT_EQ(fast, run_answer(profile, bodies, session, true)) << rules;
    }
  }
  EXPECT_GT(alerts, 4'000u) << "rules that never match show nothing";
}

/// Rules on bodies and on the stream, without what counts from the begin or end of a piece.
TEST(DetectionReference, AnySegmentationGivesTheSameRules) {
  for (uint32_t round = 0; round < 20; ++round) {
    RandomRules random(1'000 + round);
    std::string rules;
    for (size_t sid = 1; sid <= 30; ++sid) {
      const std::string two =
          "content:\"" + random.text(2) + "\"; content:\"" + random.text(3) + "\"; distance:1; ";
      rules += "alert tcp any any -> any any (" + two + "sid:" + std::to_string(sid) + ";)\n";
      rules += "alert http any any -> any any (http.request_body; " + random.chain() +
               "sid:" + std::to_string(100 + sid) + ";)\n";
    }
    const auto profile = make_profile(rules);
    ASSERT_TRUE(profile);
    const std::string body = random.text(40), stream = random.text(40);
    std::vector<uint32_t> expected;
    for (int i = 0; i < 12; ++i) {
      Session session;
      session.uri = "/";
      session.body = i == 0 ? std::vector{body} : random.pieces(body);
      session.stream = i == 0 ? std::vector{stream} : random.pieces(stream);
      std::vector<uint32_t> sids;
      for (const Sids& packet : run(profile, session, false))
        sids.insert(sids.end(), packet.begin(), packet.end());
      std::sort(sids.begin(), sids.end());
      sids.erase(std::unique(sids.begin(), sids.end()), sids.end());
      if (i == 0) expected = sids;
      ASSERT_EQ(sids, expected) << rules << stream << "\n" << body;
    }
  }
}

}  // namespace
}  // namespace weir::inspection::test
