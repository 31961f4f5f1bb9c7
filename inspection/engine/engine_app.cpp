// The application's side of the engine: which protocol it is, its parser, its transactions.
#include <algorithm>
#include <array>
#include <utility>

#include "dataplane/net/headers.h"
#include "inspection/app/ftp/ftp_data.h"
#include "inspection/app/http/transaction.h"
#include "inspection/app/http2/http2_parser.h"
#include "inspection/app/labels/proxy_header.h"
#include "inspection/app/recognise.h"
#include "inspection/engine/engine.h"

namespace weir::inspection {

namespace {

size_t index(Direction direction) { return static_cast<size_t>(direction); }

}  // namespace

void Engine::app_bytes(EngineSession& session, Direction direction, std::span<const uint8_t> bytes) {
  if (session.app_failed || session.encrypted) return;
  EngineSession::Side& side = session.side(direction);
  if (session.resting) {
    wake(session);
    if (session.parser == nullptr) return;
  }
  if (session.parser != nullptr) {
    if (!side.recognised) {
      // The other direction has told it. This one may say otherwise, which is worth an event.
      side.recognised = true;
      // POP3 logs in by the words of FTP.
      const StreamBefore before{.begin = {}, .none = session.facts.protocol == AppProtocol::pop3};
      const Recognition told = session.tcp != nullptr
                                   ? recognise_stream(direction, bytes, before)
                                   : Recognition{Recognition::Answer::yes, session.facts.protocol, false};
      const bool other = told.answer == Recognition::Answer::yes && told.protocol != session.facts.protocol;
      session.mismatched = session.mismatched || other;
      session.facts.app[index(direction)] = other ? told.protocol : session.facts.protocol;
      session.facts.app_decided[index(direction)] = true;
    }
    return run_parser(session, direction, bytes, session.tcp != nullptr);
  }
  if (side.recognised) return;
  if (expected(session, bytes, direction)) return;
  std::span<const uint8_t> begin = bytes;
  if (!side.waiting.empty()) {
    if (!side.waiting.append(bytes)) return except(session, Ceiling::app_memory, DropReason::app_layer_error);
    begin = side.waiting.view();
  }
  if (direction == Direction::to_server && session.tcp != nullptr && !side.forwarded) {
    switch (const ProxyHeader header = read_proxy_header(begin); header.answer) {
      case ProxyHeader::Answer::yes:
        return behind_proxy_header(session, begin.subspan(header.size));
      case ProxyHeader::Answer::more:
        if (side.waiting.empty() && !side.waiting.append(bytes))
          except(session, Ceiling::app_memory, DropReason::app_layer_error);
        return;
      case ProxyHeader::Answer::no:
        break;
    }
  }
  const EngineSession::Side& other = session.side(opposite(direction));
  const StreamBefore before{other.waiting.view(),
                            other.recognised && session.facts.protocol == AppProtocol::unknown,
                            session.facts.midstream};
  const Recognition told = session.tcp != nullptr
                               ? recognise_stream(direction, begin, before)
                               : recognise_datagram(begin, packet_->view.src_port, packet_->view.dst_port);
  switch (told.answer) {
    case Recognition::Answer::yes:
      return recognised(session, direction, told.protocol, begin);
    case Recognition::Answer::more:
      if (side.waiting.empty() && !side.waiting.append(bytes))
        except(session, Ceiling::app_memory, DropReason::app_layer_error);
      return;
    case Recognition::Answer::no:
      side.recognised = true;
      side.waiting.reset();
      if (session.facts.protocol == AppProtocol::unknown && other.recognised)
        session.facts.protocol = AppProtocol::failed;
      session.facts.app[index(direction)] =
          session.facts.protocol != AppProtocol::unknown ? session.facts.protocol : AppProtocol::failed;
      session.facts.app_decided[index(direction)] = true;
      return;
  }
}

/// What follows a proxy's header begins like any session. `rest` may lie in what waits.
void Engine::behind_proxy_header(EngineSession& session, std::span<const uint8_t> rest) {
  EngineSession::Side& side = session.side(Direction::to_server);
  side.forwarded = true;
  const PoolBytes waiting = std::move(side.waiting);
  side.waiting.reset();
  if (!rest.empty()) app_bytes(session, Direction::to_server, rest);
}

void Engine::recognised(EngineSession& session, Direction direction, AppProtocol protocol,
                        std::span<const uint8_t> bytes) {
  EngineSession::Side& side = session.side(direction);
  side.recognised = true;
  session.facts.app[index(direction)] = protocol;
  session.facts.app_decided[index(direction)] = true;
  const bool told_before = session.side(opposite(direction)).recognised &&
                           session.facts.protocol != AppProtocol::unknown &&
                           session.facts.protocol != AppProtocol::failed;
  if (told_before) {
    session.mismatched = session.mismatched || session.facts.protocol != protocol;
  } else {
    session.facts.protocol = protocol;
  }
  if (!has_parser(session.facts.protocol)) {
    side.waiting.reset();
    return;
  }
  if (!start_parser(session, protocol)) return;
  EngineSession::Side& other = session.side(opposite(direction));
  // Bytes that were sent before, and that their own direction could not tell yet.
  if (!other.waiting.empty()) {
    PoolBytes waiting = std::move(other.waiting);
    app_bytes(session, opposite(direction), waiting.view());
  }
  if (session.parser != nullptr && !session.app_failed) {
    if (side.waiting.empty()) return run_parser(session, direction, bytes);
    PoolBytes waiting = std::move(side.waiting);
    run_parser(session, direction, waiting.view());
  }
}

bool Engine::start_parser(EngineSession& session, AppProtocol protocol) {
  ask_magic_for(session);
  session.parser = protocol == AppProtocol::http2
                       ? make_http2(session)
                       : make_parser(pool_, parsers_, protocol, session.protocol == net::kProtoTcp,
                                     session.next_tx, session.client,
                                     {memory_->identities.get(), &counters_.identities_lost, session.server,
                                      session.facts.domain[1]});
  if (session.parser != nullptr) return true;
  session.app_failed = true;
  except(session, Ceiling::app_memory, DropReason::app_layer_error);
  return false;
}

/// `may_pause`: they are not in memory that the caller gives back.
void Engine::run_parser(EngineSession& session, Direction direction, std::span<const uint8_t> bytes,
                        bool may_pause) {
  // Each round consumes or makes something; the count only guards against a parser that does neither.
  for (unsigned idle = 0; idle < 16;) {
    const Advance step = session.parser->advance(direction, bytes, packet_->view.time_ns);
    session.side(direction).unjudged = true;
    bytes = bytes.subspan(std::min(step.consumed, bytes.size()));
    work_ += step.work;
    idle = step.consumed == 0 && step.work == 0 ? idle + 1 : 0;
    handle(session, direction, step);
    if (session.app_failed || session.encrypted || session.dropped) return;
    if (step.next == Next::other) return change_protocol(session, direction, bytes);
    if (step.next != Next::again) return;
    judge(session, direction, false);
    if (session.dropped || (may_pause && pause(session, direction, bytes))) return;
  }
}

/// A connection that another session has announced is what that one said. Asked with its first bytes, since
/// some clients open it before they say what for.
bool Engine::expected(EngineSession& session, std::span<const uint8_t> bytes, Direction direction) {
  const bool first = session.tcp != nullptr && session.side(direction).waiting.empty() &&
                     session.facts.protocol == AppProtocol::unknown;
  if (!first || !settings_.take_expected) return false;
  const auto& domain = session.facts.domain;
  const uint64_t now_ns = packet_->view.time_ns;
  auto what = memory_->expectations->take(
      {session.client, session.server, domain[0], domain[1], session.server_port}, now_ns);
  // Who announced it may know but the address behind the translation.
  if (!what && session.meant_port != 0) {
    what = memory_->expectations->take(
        {session.client, session.meant, domain[0], domain[1], session.meant_port}, now_ns);
  }
  if (!what) return false;
  session.facts.protocol = AppProtocol::ftp_data;
  for (const Direction way : {Direction::to_server, Direction::to_client}) {
    session.side(way).recognised = true;
    session.side(way).waiting.reset();
    session.facts.app[index(way)] = AppProtocol::ftp_data;
    session.facts.app_decided[index(way)] = true;
  }
  ask_magic_for(session);
  session.parser = make_ftp_data_parser(pool_, parsers_.http, *what, session.next_tx);
  if (session.parser == nullptr) {
    session.app_failed = true;
    except(session, Ceiling::app_memory, DropReason::app_layer_error);
    return true;
  }
  run_parser(session, direction, bytes, true);
  return true;
}

/// What the session says of a connection to come. The other end's address may stand in it, too: both are
/// expected, since some clients go where the control connection goes.
void Engine::announce(EngineSession& session) {
  const auto transfer = static_cast<FtpParser&>(*session.parser).take_transfer();
  if (!transfer) return;
  const auto& domain = session.facts.domain;
  ExpectedEnds ends{session.client, session.server, domain[0], domain[1], transfer->where.port};
  if (transfer->active) {
    std::swap(ends.from, ends.to);
    std::swap(ends.from_domain, ends.to_domain);
  }
  const uint64_t now_ns = packet_->view.time_ns;
  bool kept = memory_->expectations->expect(ends, transfer->what, now_ns);
  if (transfer->where.form != net::FtpEndpoint::Form::port_alone && transfer->where.address != ends.to) {
    ends.to = transfer->where.address;
    kept = memory_->expectations->expect(ends, transfer->what, now_ns) && kept;
  }
  if (!kept) ++counters_.expectations_lost;
}

void Engine::handle(EngineSession& session, Direction direction, const Advance& step) {
  if (step.both_moved) session.side(opposite(direction)).unjudged = true;
  if (session.parser->protocol() == AppProtocol::ftp) announce(session);
  switch (step.error) {
    case AppError::none:
      break;
    case AppError::memory:
      except(session, Ceiling::app_memory, DropReason::app_layer_error);
      break;
    case AppError::transactions:
      except(session, Ceiling::app_transactions, DropReason::app_layer_error);
      break;
    case AppError::malformed:
      except(session, Ceiling::app_malformed, DropReason::app_layer_error);
      break;
    case AppError::pointers:
      except(session, Ceiling::dns_pointers, DropReason::app_layer_error);
      break;
    case AppError::certificates:
      except(session, Ceiling::certificates, DropReason::app_layer_error);
      break;
  }
  events_->moved(session, *packet_, session.parser->transactions());
  if (step.next != Next::ended) return;
  const bool read = step.error == AppError::none || step.error == AppError::certificates;
  if (step.encrypted && read && session_settings_.bypass_encrypted) {
    session.encrypted = true;
    // Of the handshake only what is not judged yet is still needed.
    for (EngineSession::Side& side : session.sides) side.waiting.reset();
  }
}

/// The exchange that ends HTTP/1 may be the first one of HTTP/2 (`Upgrade: h2c`).
void Engine::keep_request(EngineSession& session) {
  const auto all = session.parser->transactions();
  if (all.empty()) return;
  auto& http = static_cast<HttpTransaction&>(*all.back());
  if (http.status() != 101) return;
  for (const std::string_view text : {http.method(), http.raw_uri(), http.field(Direction::to_server, "host"),
                                      http.field(Direction::to_server, "http2-settings")}) {
    const bool kept = session.upgraded.append(http::as_bytes(text)) && session.upgraded.append({{0}});
    if (!kept) return session.upgraded.reset();
  }
}

AppParser* Engine::make_http2(EngineSession& session) {
  if (session.upgraded.empty()) return make_http2_parser(pool_, parsers_.http, session.next_tx, nullptr);
  std::array<std::string_view, 4> texts;
  std::string_view rest = http::as_text(session.upgraded.view());
  for (std::string_view& text : texts) {
    text = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(rest.size(), text.size() + 1));
  }
  const UpgradedRequest request{texts[0], texts[1], texts[2], texts[3]};
  AppParser* const parser = make_http2_parser(pool_, parsers_.http, session.next_tx, &request);
  session.upgraded.reset();
  return parser;
}

void Engine::change_protocol(EngineSession& session, Direction direction, std::span<const uint8_t> rest) {
  if (session.facts.protocol == AppProtocol::http1) keep_request(session);
  // The old protocol's transactions are judged and written before the new one begins.
  for (const Direction way : {direction, opposite(direction)}) {
    if (session.side(way).unjudged) judge(session, way, false);
  }
  if (session.dropped) return;
  log_transactions(session, *packet_, true);
  session.previous = session.facts.protocol;
  parser_over(session);
  session.facts.protocol = AppProtocol::unknown;
  for (const Direction way : {Direction::to_server, Direction::to_client}) {
    session.side(way).recognised = false;
    session.side(way).waiting.reset();
    session.facts.app[index(way)] = AppProtocol::unknown;
    session.facts.app_decided[index(way)] = false;
  }
  if (!rest.empty()) app_bytes(session, direction, rest);
}

void Engine::log_transactions(EngineSession& session, const EnginePacket& packet, bool all) {
  for (Transaction* const transaction : session.parser->transactions()) {
    if (transaction->logged || (!all && !is_over(*transaction) && !transaction->says_all())) continue;
    transaction->logged = true;
    events_->transaction(session, packet, *transaction);
  }
}

void Engine::release_transactions(EngineSession& session) {
  // What is over and was not judged in its other direction waits for that direction's packet.
  if (session.sides[0].unjudged || session.sides[1].unjudged) return;
  release_over(*session.parser, [&](Transaction& transaction) {
    session.next_tx = std::max(session.next_tx, transaction.id + 1);
    detector_->forget(transaction);
  });
}

/// An exchange is over and none has begun: what it needed goes. Rules on the stream do not see the next one
/// together with it, however they are cut into segments. Watching, an exchange is judged when its end is
/// acknowledged, and the next may have begun by then, so there it does not come to that.
void Engine::rest(EngineSession& session) {
  if (!session_settings_.stream.strict || session.dropped || session.app_failed || !session.parser->at_rest())
    return;
  for (const EngineSession::Side& side : session.sides) {
    if (side.unjudged || side.judged < side.raw.size()) return;
  }
  parser_over(session);
  session.resting = true;
  for (EngineSession::Side& side : session.sides) side.hidden = side.judged;
  detector_->forget_streams(session.detection);
}

void Engine::wake(EngineSession& session) {
  session.resting = false;
  start_parser(session, session.facts.protocol);
}

void Engine::parser_over(EngineSession& session) {
  for (Transaction* const transaction : session.parser->transactions()) {
    session.next_tx = std::max(session.next_tx, transaction->id + 1);
    detector_->forget(*transaction);
  }
  session.parser->destroy();
  session.parser = nullptr;
}

}  // namespace weir::inspection
