#include "inspection/compile/transform_chains.h"

namespace weir::inspection {

namespace {

Result<TransformStep> compile_step(const ast::Transform& transform) {
  TransformStep step{transform, {}};
  if (transform.kind == ast::Transform::Kind::pcre_capture) {
    ast::Pcre pcre;
    pcre.pattern = transform.argument;
    pcre.caseless = transform.caseless;
    auto code = PcreCode::compile(pcre);
    if (!code) return tl::unexpected(std::move(code).error());
    step.code = std::move(*code);
  }
  return step;
}

}  // namespace

Result<uint16_t> TransformChains::intern(const std::vector<ast::Transform>& transforms) {
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i] == transforms) return static_cast<uint16_t>(i);
  }
  if (sources_.size() > 0xffff) return fail(ErrorCode::exhausted, "there are too many chains of transforms");
  std::vector<TransformStep> steps;
  for (const ast::Transform& transform : transforms) {
    auto step = compile_step(transform);
    if (!step) return tl::unexpected(std::move(step).error());
    steps.push_back(std::move(*step));
  }
  sources_.push_back(transforms);
  chains_.push_back(std::move(steps));
  return static_cast<uint16_t>(sources_.size() - 1);
}

}  // namespace weir::inspection
