// Errors of control code as values.
//
// Use Result<T> for everything that can fail outside the data path. An Error is one sentence for a person,
// with a code for programs; context is added on the way up with `error.context("...")`. The data path uses
// drop reasons instead, never Result.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace weir {

enum class ErrorCode { invalid, not_found, in_use, unavailable, exhausted, refused, io, internal };

/// What went wrong, in words that need no knowledge of the code.
struct [[nodiscard]] Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;

  /// The same error, told from one level further out: "CONTEXT: MESSAGE".
  Error context(std::string_view outer) && {
    message.insert(0, std::string(outer) + ": ");
    return std::move(*this);
  }
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

/// `return fail(ErrorCode::not_found, "no port named wan0");`
inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

}  // namespace weir
