#include "inspection/magic/magic_teller.h"

#include <magic.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace weir::inspection {

namespace {

struct Close {
  void operator()(magic_set* cookie) const { magic_close(cookie); }
};
using Cookie = std::unique_ptr<magic_set, Close>;

class LibMagic final : public MagicTeller {
 public:
  explicit LibMagic(Cookie cookie) : cookie_(std::move(cookie)) {}

  std::optional<size_t> tell(std::span<const uint8_t> begin, std::span<char> text) override {
    const char* const said = magic_buffer(cookie_.get(), begin.data(), begin.size());
    if (said == nullptr) return std::nullopt;
    const size_t size = std::min(std::strlen(said), text.size());
    std::copy_n(said, size, text.data());
    return size;
  }

 private:
  Cookie cookie_;
};

}  // namespace

Result<std::unique_ptr<MagicTeller>> open_libmagic() {
  Cookie cookie(magic_open(MAGIC_NONE));
  if (cookie == nullptr) return fail(ErrorCode::exhausted, "libmagic cannot be opened");
  if (magic_load(cookie.get(), nullptr) != 0) {
    const char* const said = magic_error(cookie.get());
    return fail(ErrorCode::io, "libmagic cannot load its database" +
                                   (said != nullptr ? ": " + std::string(said) : std::string()));
  }
  return std::unique_ptr<MagicTeller>(std::make_unique<LibMagic>(std::move(cookie)));
}

}  // namespace weir::inspection
