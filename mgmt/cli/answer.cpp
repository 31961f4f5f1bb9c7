#include "mgmt/cli/answer.h"

#include <cstdio>

#include "mgmt/cli/print.h"

namespace weir::cli {

int show(bool json, const Result<Answer>& answer, const std::function<std::string(const Json&)>& print) {
  if (!answer) {
    std::fprintf(stderr, "weirctl: %s\n", answer.error().message.c_str());
    return kFailed;
  }
  if (json) {
    std::printf("%s\n", answer->body.dump(2).c_str());
  } else if (answer->ok()) {
    std::fputs(print(answer->body).c_str(), stdout);
  } else {
    std::fprintf(stderr, "weirctl: %s", print_error(answer->body).c_str());
  }
  return answer->ok() ? kOk : kFailed;
}

}  // namespace weir::cli
