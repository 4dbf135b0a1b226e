// rcj_gather_dot and rcj_gather_sum on a GPU. Bytes read: the rows that are
// asked for, K of them for each of R, and little else.
//
// The sum is not compatible with command buffers: they would go on using the
// scratch memory of the call that was recorded.
#include "common/launch.h"
#include "gather/gpu.h"
#include "gather/operands.h"

namespace rcj::gather_gpu {
namespace {

template <class T>
__global__ void __launch_bounds__(kBlock)
    DotKernel(const __grid_constant__ Problem<T> problem, const float* x,
              float* out) {
  __shared__ Memory memory;
  Multiply(problem, x, blockIdx.x, memory, threadIdx.x);
  __syncthreads();
  WriteProducts(problem, blockIdx.x, memory, out, threadIdx.x);
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    SumKernel(const __grid_constant__ Problem<T> problem, const float* weights,
              float* parts) {
  __shared__ Memory memory;
  for (int64_t d = 0; d < problem.D; d += kSumLanes) {
    AddUp(problem, weights, blockIdx.x, d, memory, threadIdx.x);
    __syncthreads();
    WriteSums(problem, blockIdx.x, d, memory, parts, threadIdx.x);
    __syncthreads();
  }
}

template <class T>
__global__ void FinishKernel(const __grid_constant__ Problem<T> problem,
                             const float* parts, float* out) {
  Finish(problem, parts, out, int64_t{blockIdx.x} * kBlock + threadIdx.x);
}

template <class T>
void Dot(cudaStream_t stream, const Operands& operands, float* out) {
  const auto problem = MakeProblem<T>(operands);
  const float* x = operands.features.typed_data();
  DotKernel<<<problem.Dots(), kBlock, 0, stream>>>(problem, x, out);
}

template <class T>
void Sum(cudaStream_t stream, const Operands& operands, float* parts,
         float* out) {
  const auto problem = MakeProblem<T>(operands);
  const float* weights = operands.scores.typed_data();
  const int64_t blocks = (problem.R * problem.D + kBlock - 1) / kBlock;
  if (problem.K > 0) {  // a GPU refuses to start no blocks
    SumKernel<<<problem.R * problem.Pieces(), kBlock, 0, stream>>>(
        problem, weights, parts);
  }
  FinishKernel<<<blocks, kBlock, 0, stream>>>(problem, parts, out);
}

ffi::Error RunDot(cudaStream_t stream, ffi::BufferR2<ffi::F32> x,
                  ffi::AnyBuffer table, ffi::BufferR2<ffi::S32> numbers,
                  ffi::Result<ffi::BufferR2<ffi::F32>> out) {
  const Operands operands{table, numbers, x, *out};
  const ffi::Error wrong = operands.Check("gather_dot");
  if (wrong.failure() || out->element_count() == 0) return wrong;
  (operands.Brief() ? Dot<uint16_t> : Dot<float>)(stream, operands,
                                                  out->typed_data());
  return Launched("gather_dot");
}

ffi::Error RunSum(cudaStream_t stream, ffi::ScratchAllocator scratch,
                  ffi::BufferR2<ffi::F32> weights, ffi::AnyBuffer table,
                  ffi::BufferR2<ffi::S32> numbers,
                  ffi::Result<ffi::BufferR2<ffi::F32>> out) {
  const Operands operands{table, numbers, *out, weights};
  const ffi::Error wrong = operands.Check("gather_sum");
  if (wrong.failure() || out->element_count() == 0) return wrong;
  float* parts = nullptr;
  if (!Allocate(scratch, Parts(operands), &parts)) {
    return ffi::Error(ffi::ErrorCode::kResourceExhausted,
                      "gather_sum: no memory for sums");
  }
  (operands.Brief() ? Sum<uint16_t> : Sum<float>)(stream, operands, parts,
                                                  out->typed_data());
  return Launched("gather_sum");
}

}  // namespace
}  // namespace rcj::gather_gpu

RCJ_HANDLER(gather_dot, rcj::gather_gpu::RunDot,
            rcj::BindGather(
                xla::ffi::Ffi::Bind()
                    .Ctx<xla::ffi::PlatformStream<cudaStream_t>>()),
            {xla::ffi::Traits::kCmdBufferCompatible});
RCJ_HANDLER(gather_sum, rcj::gather_gpu::RunSum,
            rcj::BindGather(
                xla::ffi::Ffi::Bind()
                    .Ctx<xla::ffi::PlatformStream<cudaStream_t>>()
                    .Ctx<xla::ffi::ScratchAllocator>()));
