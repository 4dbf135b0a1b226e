// rcj_select on a GPU: nine kernels, whatever the number of arrays.
//
// Bytes moved per value: 4 are read for each of three digits, 5 read and
// written for the mask; where more values equal the k-th than stay, their
// blocks are read again.
//
// The handler is not compatible with command buffers: they would go on using
// the scratch memory of the call that was recorded.
#include "common/launch.h"
#include "select/gpu/digits.h"
#include "select/gpu/execute.h"
#include "select/gpu/marks.h"

namespace rcj::select_gpu {
namespace {

__global__ void BeginKernel(const __grid_constant__ Problem problem) {
  BeginGroup(problem, blockIdx.x, threadIdx.x);
}

__global__ void __launch_bounds__(kBlock)
    CountKernel(const __grid_constant__ Problem problem, int known) {
  __shared__ CountMemory memory;
  ClearCounts(memory, threadIdx.x);
  __syncthreads();
  CountValues(problem, blockIdx.x, known, memory, threadIdx.x);
  __syncthreads();
  AddCounts(problem, blockIdx.x, memory, threadIdx.x);
}

__global__ void __launch_bounds__(kBlock)
    ChooseKernel(const __grid_constant__ Problem problem, int known) {
  __shared__ ChoiceMemory memory;
  SumCounts(problem, blockIdx.x, memory, threadIdx.x);
  __syncthreads();
  Choose(problem, blockIdx.x, known, memory, threadIdx.x);
  __syncthreads();
  ResetCounts(problem, blockIdx.x, threadIdx.x);
}

__global__ void __launch_bounds__(kBlock)
    MarkKernel(const __grid_constant__ Problem problem) {
  __shared__ TieMemory memory;
  MarkValues(problem, blockIdx.x, memory, threadIdx.x);
  __syncthreads();
  SumTies(problem, blockIdx.x, memory, threadIdx.x);
}

__global__ void __launch_bounds__(kBlock)
    DropKernel(const __grid_constant__ Problem problem) {
  __shared__ TieMemory memory;
  SumBlocks(problem, blockIdx.x, memory, threadIdx.x);
  __syncthreads();
  DropTies(problem, blockIdx.x, memory, threadIdx.x);
}

__global__ void __launch_bounds__(kBlock)
    UnmarkKernel(const __grid_constant__ Problem problem) {
  __shared__ TieMemory memory;
  if (problem.drop[blockIdx.x] == 0) return;
  CountTies(problem, blockIdx.x, memory, threadIdx.x);
  __syncthreads();
  UnmarkTies(problem, blockIdx.x, memory, threadIdx.x);
}

struct Device {
  cudaStream_t stream;

  void Begin(const Problem& problem) const {
    BeginKernel<<<problem.G, kBlock, 0, stream>>>(problem);
  }
  void Count(const Problem& problem, int known) const {
    CountKernel<<<problem.blocks, kBlock, 0, stream>>>(problem, known);
  }
  void Choose(const Problem& problem, int known) const {
    ChooseKernel<<<problem.G, kBlock, 0, stream>>>(problem, known);
  }
  void Mark(const Problem& problem) const {
    MarkKernel<<<problem.blocks, kBlock, 0, stream>>>(problem);
  }
  void Drop(const Problem& problem) const {
    DropKernel<<<problem.G, kBlock, 0, stream>>>(problem);
  }
  void Unmark(const Problem& problem) const {
    UnmarkKernel<<<problem.blocks, kBlock, 0, stream>>>(problem);
  }
};

// A copy of a table of the host's; false if there is no memory.
template <class T>
bool Copy(cudaStream_t stream, ffi::ScratchAllocator& scratch,
          const std::vector<T>& table, T** copy) {
  if (!Allocate(scratch, table.size(), copy)) return false;
  cudaMemcpyAsync(*copy, table.data(), table.size() * sizeof(T),
                  cudaMemcpyHostToDevice, stream);
  return true;
}

ffi::Error Run(cudaStream_t stream, ffi::ScratchAllocator scratch,
               ffi::BufferR1<ffi::S32> k, ffi::RemainingArgs arrays,
               ffi::RemainingRets masks) {
  std::vector<rcj::Leaf> found;
  const ffi::Error wrong = ReadLeaves(k, arrays, masks, found);
  if (wrong.failure()) return wrong;
  const Tables tables(found, k.element_count());
  Problem problem{};
  problem.k = k.typed_data();
  problem.G = tables.groups.size();
  problem.L = tables.leaves.size();
  problem.blocks = tables.Blocks();
  if (problem.blocks == 0) return ffi::Error::Success();
  Leaf* leaves = nullptr;
  if (!Copy(stream, scratch, tables.leaves, &leaves) ||
      !Copy(stream, scratch, tables.groups, &problem.groups) ||
      !Allocate(scratch, int64_t{problem.G} * kDigits, &problem.counts) ||
      !Allocate(scratch, problem.blocks, &problem.ties) ||
      !Allocate(scratch, problem.blocks, &problem.drop)) {
    return ffi::Error(ffi::ErrorCode::kResourceExhausted,
                      "select: no memory for counts");
  }
  problem.leaves = leaves;
  Execute(Device{stream}, problem);
  return Launched("select");
}

}  // namespace
}  // namespace rcj::select_gpu

RCJ_HANDLER(select, rcj::select_gpu::Run,
            xla::ffi::Ffi::Bind()
                .Ctx<xla::ffi::PlatformStream<cudaStream_t>>()
                .Ctx<xla::ffi::ScratchAllocator>()
                .Arg<xla::ffi::BufferR1<xla::ffi::S32>>()
                .RemainingArgs()
                .RemainingRets());
