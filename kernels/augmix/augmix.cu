// rcj_augmix on a GPU: a plan's chains, mixed and normalised, without a pixel
// written that need not be.
//
// Per operation there are two kernels. The first visits the pixels of those
// chains alone whose operation counts values (autocontrast, equalize,
// contrast), or moves pixels that an earlier operation has already moved, which
// is when a chain's image must be written out. The second takes the operation
// into the chain's state. The last kernel evaluates what is left of each chain
// where it mixes them. Blocks look up their operation on the device, so that
// the host waits for nothing.
//
// Bytes moved per image of n pixels, A versions of K chains and V views: 3 n
// are read and 3 n V values written. Of the paper's operations 5 in 9 move
// pixels: with one to three operations a chain 0.36 images of 4 n bytes are
// written out per chain and read again, in the L2 cache where it holds them. At
// 224x224, A = 2, K = 3 and V = 3 that is 0.15 MB and 1.81 MB (0.90 in
// bfloat16), and 0.43 MB to and 0.43 MB from the cache.
//
// The handler is not compatible with command buffers: they would go on using
// the scratch memory of the call that was recorded.
#include "augmix/gpu/execute.h"
#include "augmix/gpu/operands.h"
#include "augmix/gpu/slot.h"
#include "common/launch.h"

namespace rcj::augmix_gpu {
namespace {

__global__ void BeginKernel(const __grid_constant__ Problem problem) {
  Begin(problem, blockIdx.x, threadIdx.x);
}

__global__ void __launch_bounds__(kBlock)
    VisitKernel(const __grid_constant__ Problem problem, int d, int parts) {
  __shared__ CountMemory memory;
  const int64_t chain = blockIdx.x / parts;
  if (!NeedsPixels(problem, chain, d)) return;
  const Range range(problem.Pixels(), blockIdx.x % parts, parts);
  ClearCounts(memory, threadIdx.x);
  __syncthreads();
  VisitPixels(problem, chain, d, range, memory, threadIdx.x);
  __syncthreads();
  AddCounts(problem, chain, memory, threadIdx.x);
}

__global__ void __launch_bounds__(kBlock)
    OperationKernel(const __grid_constant__ Problem problem, int d,
                    const __grid_constant__ Rotations rotations) {
  __shared__ Summary summary[3];
  const int64_t chain = blockIdx.x;
  ReadCounts(problem, chain, d, summary, threadIdx.x);
  __syncthreads();
  SummariseCounts(problem, chain, d, summary, threadIdx.x);
  __syncthreads();
  ComposeTable(problem, chain, d, summary, threadIdx.x);
  __syncthreads();
  FinishOperation(problem, chain, d, rotations, threadIdx.x);
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    MixKernel(const __grid_constant__ Problem problem, int tiles, T* out) {
  __shared__ MixMemory memory;
  const Place place(problem, tiles, blockIdx.x);
  T* view = out + 3 * place.view * problem.Pixels();
  if (place.row < 0) {
    WriteClean(problem, place.image, place.first, view, threadIdx.x);
    return;
  }
  MixPixels(problem, place.row, place.first, memory, threadIdx.x);
  __syncthreads();
  WriteView(problem, place.first, memory, view, threadIdx.x);
}

struct Device {
  cudaStream_t stream;

  void Begin(const Problem& problem) const {
    BeginKernel<<<problem.Chains(), kBlock, 0, stream>>>(problem);
  }

  void Visit(const Problem& problem, int d, int parts) const {
    const int64_t blocks = problem.Chains() * parts;
    VisitKernel<<<blocks, kBlock, 0, stream>>>(problem, d, parts);
  }

  void Operate(const Problem& problem, int d) const {
    static const Rotations rotations;
    OperationKernel<<<problem.Chains(), kBlock, 0, stream>>>(problem, d,
                                                             rotations);
  }

  template <class T>
  void Mix(const Problem& problem, int tiles, T* out) const {
    const int64_t blocks = problem.B * problem.Views() * tiles;
    MixKernel<<<blocks, kBlock, 0, stream>>>(problem, tiles, out);
  }
};

ffi::Error Run(cudaStream_t stream, ffi::ScratchAllocator scratch,
               ffi::BufferR4<ffi::U8> images, ffi::BufferR3<ffi::S32> op,
               ffi::BufferR4<ffi::F32> param, ffi::BufferR2<ffi::F32> weights,
               ffi::BufferR1<ffi::F32> m, ffi::BufferR1<ffi::F32> scale,
               ffi::BufferR1<ffi::F32> offset,
               ffi::Result<ffi::AnyBuffer> views, bool clean) {
  const Operands operands{images, op,     param,  weights, m,
                          scale,  offset, *views, clean};
  Problem problem{};
  const ffi::Error wrong = operands.Read(problem);
  if (wrong.failure() || views->element_count() == 0) return wrong;
  const int64_t together = Together(problem, kScratch);
  const int64_t chains = together * problem.A * problem.K;
  const int64_t pixels = chains * problem.Buffers() * problem.Pixels();
  if (!Allocate(scratch, chains, &problem.chains) ||
      !Allocate(scratch, chains, &problem.statistics) ||
      !Allocate(scratch, pixels, &problem.buffers)) {
    return ffi::Error(
        ffi::ErrorCode::kResourceExhausted,
        "augmix: no memory for " + std::to_string(chains) + " chains");
  }
  void* out = views->untyped_data();
  if (views->element_type() == ffi::F32) {
    Execute(Device{stream}, problem, together, static_cast<float*>(out));
  } else {
    Execute(Device{stream}, problem, together, static_cast<uint16_t*>(out));
  }
  return Launched("augmix");
}

}  // namespace
}  // namespace rcj::augmix_gpu

RCJ_HANDLER(augmix, rcj::augmix_gpu::Run,
            rcj::augmix_gpu::BindOperands(
                xla::ffi::Ffi::Bind()
                    .Ctx<xla::ffi::PlatformStream<cudaStream_t>>()
                    .Ctx<xla::ffi::ScratchAllocator>()));
