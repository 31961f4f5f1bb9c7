#include "inspection/compile/ruleset.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <tuple>

namespace weir::inspection {

namespace {

/// How well a literal separates: long is good, a run of one byte or of zeros and blanks is not.
size_t selectivity(const Content& content) {
  std::string bytes = content.pattern;
  std::sort(bytes.begin(), bytes.end());
  const auto distinct = static_cast<size_t>(std::unique(bytes.begin(), bytes.end()) - bytes.begin());
  return std::min(content.pattern.size(), distinct * 4);
}

/// The content that the matcher looks for on behalf of the rule; null if all are negated.
const Content* choose_fast_pattern(const Rule& rule) {
  const Content* best = nullptr;
  for (const Content& content : rule.contents) {
    if (content.negated) continue;
    if (content.fast_pattern) return &content;
    // A method or an Accept header is the same in most requests.
    const auto rank = [](const Content& c) {
      const bool common = c.buffer == Buffer::http_method || c.buffer == Buffer::http_accept ||
                          c.buffer == Buffer::http_accept_enc || c.buffer == Buffer::http_accept_lang;
      return std::pair(!common, selectivity(c));
    };
    if (best == nullptr || rank(content) > rank(*best)) best = &content;
  }
  return best;
}

Literal literal_of(const Content& content) {
  const size_t length = content.fast_length == 0 ? content.pattern.size() : content.fast_length;
  return {content.pattern.substr(content.fast_offset, length), content.nocase};
}

std::vector<ContentChain> compile_chains(const Rule& rule) {
  std::vector<ContentChain> chains;
  const auto chain_of = [&](Buffer buffer) -> ContentChain& {
    for (ContentChain& chain : chains) {
      if (chain.buffer == buffer) return chain;
    }
    chains.emplace_back().buffer = buffer;
    return chains.back();
  };
  for (const Content& content : rule.contents) {
    ContentChain& chain = chain_of(content.buffer);
    const bool counts_from_start = content.is_relative() && chain.contents.empty();
    chain.anchored |=
        content.offset || content.depth || content.starts_with || content.ends_with || counts_from_start;
    chain.contents.push_back(compile_content(content));
  }
  for (const SizeCondition& size : rule.sizes) {
    ContentChain& chain = chain_of(size.buffer);
    chain.min_size = std::max(chain.min_size, size.min);
    chain.max_size = std::min(chain.max_size, size.max);
  }
  return chains;
}

CompiledRule compile_rule(const Rule& rule) {
  CompiledRule c;
  c.action = rule.action;
  c.protocol = rule.protocol;
  c.both_ways = rule.both_ways;
  c.flow = rule.flow;
  c.source = rule.source;
  c.destination = rule.destination;
  c.source_ports = rule.source_ports;
  c.destination_ports = rule.destination_ports;
  c.gid = rule.gid;
  c.sid = rule.sid;
  c.rev = rule.rev;
  c.priority = rule.priority;
  c.message = rule.message;
  c.category = rule.category;
  c.chains = compile_chains(rule);
  return c;
}

bool can_be(RuleProtocol protocol, Transport transport) {
  switch (protocol) {
    case RuleProtocol::ip:
      return true;
    case RuleProtocol::tcp:
    case RuleProtocol::http:
      return transport == Transport::stream;
    case RuleProtocol::udp:
      return transport == Transport::udp;
    case RuleProtocol::icmp:
      return transport == Transport::other;
  }
  return false;
}

bool judged_per_request(const Rule& rule) {
  const auto in_http = [](const auto& part) { return part.buffer != Buffer::payload; };
  const bool http_parts =
      std::any_of(rule.contents.begin(), rule.contents.end(), in_http) || !rule.sizes.empty();
  // `alert http` without contents speaks of every request; of responses it would need a parser.
  return http_parts || (rule.protocol == RuleProtocol::http && rule.contents.empty() && !rule.flow.to_client);
}

}  // namespace

Status RuleGroup::compile() {
  std::map<std::pair<std::string, bool>, std::vector<uint32_t>> by_literal;
  for (Pending& p : pending_) {
    if (p.literal.nocase) {
      for (char& c : p.literal.bytes) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    by_literal[{std::move(p.literal.bytes), p.literal.nocase}].push_back(p.rule);
  }
  pending_ = {};
  std::vector<Literal> literals;
  first_.assign(1, 0);
  for (const auto& [literal, rules] : by_literal) {
    literals.push_back({literal.first, literal.second});
    rules_.insert(rules_.end(), rules.begin(), rules.end());
    first_.push_back(static_cast<uint32_t>(rules_.size()));
  }
  auto db = LiteralDatabase::compile(literals);
  if (!db) return tl::unexpected(db.error());
  db_ = std::move(*db);
  return {};
}

void Ruleset::place_http(const Rule& rule, uint32_t index) {
  const auto needs_headers = [](const auto& part) {
    return buffer_table()[static_cast<size_t>(part.buffer)].in_headers;
  };
  const bool late = std::any_of(rule.contents.begin(), rule.contents.end(), needs_headers) ||
                    std::any_of(rule.sizes.begin(), rule.sizes.end(), needs_headers);
  const auto stage = static_cast<size_t>(late ? HttpStage::headers : HttpStage::request_line);
  has_http_[stage] = true;
  if (const Content* fast = choose_fast_pattern(rule)) {
    http_[stage][static_cast<size_t>(fast->buffer)].add(literal_of(*fast), index);
  } else {
    http_[stage][static_cast<size_t>(Buffer::http_uri)].add_always(index);
  }
}

void Ruleset::place(const Rule& rule, uint32_t index) {
  if (judged_per_request(rule)) return place_http(rule, index);
  const Content* fast = choose_fast_pattern(rule);
  for (size_t t = 0; t < kTransportCount; ++t) {
    if (!can_be(rule.protocol, static_cast<Transport>(t))) continue;
    for (size_t d = 0; d < 2; ++d) {
      if (rule.flow.to_server && static_cast<Direction>(d) != Direction::to_server) continue;
      if (rule.flow.to_client && static_cast<Direction>(d) != Direction::to_client) continue;
      if (rule.contents.empty()) {
        header_only_[t][d].push_back(index);
      } else if (fast != nullptr) {
        payload_[t][d].add(literal_of(*fast), index);
      } else {
        payload_[t][d].add_always(index);
      }
    }
  }
}

template <typename Visit>
Status Ruleset::for_each_group(Visit visit) {
  for (auto& directions : payload_) {
    for (RuleGroup& group : directions) {
      if (auto ok = visit(group); !ok) return ok;
    }
  }
  for (auto& buffers : http_) {
    for (RuleGroup& group : buffers) {
      if (auto ok = visit(group); !ok) return ok;
    }
  }
  return {};
}

Status Ruleset::make_scratch(unsigned workers) {
  ScratchPtr prototype;
  if (auto ok = for_each_group([&](RuleGroup& g) { return g.database().grow(prototype); }); !ok) return ok;
  for (unsigned i = 0; i < workers; ++i) {
    hs_scratch_t* raw = nullptr;
    if (prototype && hs_clone_scratch(prototype.get(), &raw) != HS_SUCCESS) {
      return fail(ErrorCode::exhausted,
                  "Hyperscan does not get scratch memory for worker " + std::to_string(i));
    }
    scratch_.push_back(
        std::make_unique<RulesetScratch>(RulesetScratch{ScratchPtr(raw), CandidateSet(rules_.size())}));
  }
  return {};
}

Result<std::shared_ptr<const Ruleset>> Ruleset::compile(std::vector<Rule> rules, unsigned workers) {
  static std::atomic<uint64_t> next_serial{1};
  // Drops first, so that the verdict is known when the alerts are written; then the most severe.
  std::sort(rules.begin(), rules.end(), [](const Rule& a, const Rule& b) {
    return std::tie(a.action, a.priority, a.gid, a.sid) < std::tie(b.action, b.priority, b.gid, b.sid);
  });
  std::shared_ptr<Ruleset> ruleset(new Ruleset);
  ruleset->serial_ = next_serial.fetch_add(1, std::memory_order_relaxed);
  for (const Rule& rule : rules) {
    const auto index = static_cast<uint32_t>(ruleset->rules_.size());
    ruleset->rules_.push_back(compile_rule(rule));
    ruleset->place(rule, index);
  }
  if (auto ok = ruleset->for_each_group([](RuleGroup& g) { return g.compile(); }); !ok) {
    return tl::unexpected(ok.error());
  }
  if (auto ok = ruleset->make_scratch(workers); !ok) return tl::unexpected(ok.error());
  return std::shared_ptr<const Ruleset>(std::move(ruleset));
}

}  // namespace weir::inspection
