#include "inspection/app/tls/identities.h"

// The one-shot functions that OpenSSL 3 prefers take memory from the heap at each call; these do not.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace weir::inspection {

bool TlsIdentity::add(uint8_t side, std::span<const uint8_t> uri) {
  if (uri.size() + 3 > kMost - size) return false;
  uris[size] = side;
  uris[size + 1u] = static_cast<uint8_t>(uri.size() >> 8);
  uris[size + 2u] = static_cast<uint8_t>(uri.size());
  std::copy(uri.begin(), uri.end(), uris.begin() + size + 3);
  size = static_cast<uint16_t>(size + 3 + uri.size());
  return true;
}

TlsIdentities::TlsIdentities(uint32_t entries, uint64_t secret)
    : buckets_(buckets_for(entries)), secret_(secret) {
  entries_ = std::make_unique<Entry[]>(size_t{buckets_} * kWays);
}

TlsToken TlsIdentities::token(TlsTokenKind kind, std::span<const uint8_t> bytes, const net::IpAddress& server,
                              uint32_t domain) const {
  const std::array<uint64_t, 4> head = {secret_, server.v6().hi, server.v6().lo,
                                        uint64_t{domain} << 8 | static_cast<uint64_t>(kind)};
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, head.data(), sizeof head);
  SHA256_Update(&context, bytes.data(), bytes.size());
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256_Final(digest.data(), &context);
  TlsToken token{};
  static_assert(sizeof token == sizeof digest);
  std::memcpy(token.data(), digest.data(), sizeof token);
  return token;
}

bool TlsIdentities::remember(const TlsToken& token, const TlsIdentity& identity, uint64_t now_ns) {
  Entry* const bucket = bucket_of(token);
  const auto tag = static_cast<uint32_t>(token[1]);
  for (uint32_t round = 0; round < kWays; ++round) {
    // Its own, else the one that is free, over, or ends first.
    Entry* best = nullptr;
    uint32_t seen = kFree;
    uint64_t best_end = UINT64_MAX;
    for (uint32_t i = 0; i < kWays; ++i) {
      Entry& entry = bucket[i];
      const uint32_t state = entry.state.load(std::memory_order_relaxed);
      if (state == kHeld) continue;
      const bool own = state == kReady && entry.tag.load(std::memory_order_relaxed) == tag;
      const uint64_t end =
          state == kFree || own ? 0 : std::max<uint64_t>(entry.until_ns.load(std::memory_order_relaxed), 1);
      if (best != nullptr && (end > best_end || (end == best_end && !own))) continue;
      best = &entry;
      seen = state;
      best_end = end;
    }
    if (best == nullptr) return false;
    if (!best->state.compare_exchange_strong(seen, kHeld, std::memory_order_acquire)) continue;
    best->token = token;
    best->identity.size = identity.size;
    std::copy_n(identity.uris.begin(), identity.size, best->identity.uris.begin());
    best->tag.store(tag, std::memory_order_relaxed);
    best->until_ns.store(now_ns + kLifetimeNs, std::memory_order_relaxed);
    best->state.store(kReady, std::memory_order_release);
    last_until_ns_.store(now_ns + kLifetimeNs, std::memory_order_release);
    return true;
  }
  return false;
}

bool TlsIdentities::find(const TlsToken& token, uint64_t now_ns, TlsIdentity& out) {
  if (last_until_ns_.load(std::memory_order_acquire) < now_ns) return false;
  Entry* const bucket = bucket_of(token);
  for (uint32_t i = 0; i < kWays; ++i) {
    Entry& entry = bucket[i];
    uint32_t ready = kReady;
    if (entry.state.load(std::memory_order_relaxed) != kReady ||
        entry.tag.load(std::memory_order_relaxed) != static_cast<uint32_t>(token[1]) ||
        entry.until_ns.load(std::memory_order_relaxed) < now_ns ||
        !entry.state.compare_exchange_strong(ready, kHeld, std::memory_order_acquire)) {
      continue;
    }
    const bool same = entry.token == token;
    if (same) {
      out.size = entry.identity.size;
      std::copy_n(entry.identity.uris.begin(), out.size, out.uris.begin());
    }
    entry.state.store(kReady, std::memory_order_release);
    if (same) return true;
  }
  return false;
}

}  // namespace weir::inspection
