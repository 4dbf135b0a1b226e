// rcj_gather_{dot,sum}_gpu: the kernels of gather/gather.cu, block by block and
// thread by thread on the host, to be tested where there is no GPU.
#include "check/blocks.h"
#include "gather/gpu.h"
#include "gather/operands.h"

namespace rcj::gather_gpu {
namespace {

template <class T>
void Dot(const Operands& operands, float* out) {
  const auto problem = MakeProblem<T>(operands);
  const float* x = operands.features.typed_data();
  Blocks(problem.Dots(), [&](int64_t block) {
    auto memory = Undefined<Memory>();
    Threads([&](int t) { Multiply(problem, x, block, memory, t); });
    Threads([&](int t) { WriteProducts(problem, block, memory, out, t); });
  });
}

template <class T>
void Sum(const Operands& operands, float* out) {
  const auto problem = MakeProblem<T>(operands);
  const float* weights = operands.scores.typed_data();
  auto parts = Scratch<float>(Parts(operands));
  Blocks(problem.R * problem.Pieces(), [&](int64_t block) {
    auto memory = Undefined<Memory>();
    for (int64_t d = 0; d < problem.D; d += kSumLanes) {
      Threads([&](int t) { AddUp(problem, weights, block, d, memory, t); });
      Threads([&](int t) {
        WriteSums(problem, block, d, memory, parts.data(), t);
      });
    }
  });
  const int64_t blocks = (problem.R * problem.D + kBlock - 1) / kBlock;
  Blocks(blocks, [&](int64_t block) {
    Threads([&](int t) {
      Finish(problem, parts.data(), out, block * kBlock + t);
    });
  });
}

ffi::Error RunDot(ffi::BufferR2<ffi::F32> x, ffi::AnyBuffer table,
                  ffi::BufferR2<ffi::S32> numbers,
                  ffi::Result<ffi::BufferR2<ffi::F32>> out) {
  const Operands operands{table, numbers, x, *out};
  const ffi::Error wrong = operands.Check("gather_dot");
  if (wrong.failure()) return wrong;
  (operands.Brief() ? Dot<uint16_t> : Dot<float>)(operands, out->typed_data());
  return ffi::Error::Success();
}

ffi::Error RunSum(ffi::BufferR2<ffi::F32> weights, ffi::AnyBuffer table,
                  ffi::BufferR2<ffi::S32> numbers,
                  ffi::Result<ffi::BufferR2<ffi::F32>> out) {
  const Operands operands{table, numbers, *out, weights};
  const ffi::Error wrong = operands.Check("gather_sum");
  if (wrong.failure()) return wrong;
  (operands.Brief() ? Sum<uint16_t> : Sum<float>)(operands, out->typed_data());
  return ffi::Error::Success();
}

}  // namespace
}  // namespace rcj::gather_gpu

RCJ_HANDLER(gather_dot_gpu, rcj::gather_gpu::RunDot,
            rcj::BindGather(xla::ffi::Ffi::Bind()));
RCJ_HANDLER(gather_sum_gpu, rcj::gather_gpu::RunSum,
            rcj::BindGather(xla::ffi::Ffi::Bind()));
