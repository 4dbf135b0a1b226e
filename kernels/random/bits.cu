// rcj_random_bits on a GPU. Bytes moved: 4 a word, written.
#include "common/launch.h"
#include "random/gpu.h"

namespace rcj::random_gpu {
namespace {

__global__ void __launch_bounds__(kBlock)
    FillKernel(const __grid_constant__ Request request, uint32_t* out) {
  Fill(request, out, int64_t{blockIdx.x} * kBlock + threadIdx.x);
}

ffi::Error Run(cudaStream_t stream, ffi::Buffer<ffi::U32> keys,
               ffi::ResultBuffer<ffi::U32> out, int64_t number) {
  Request request{};
  const ffi::Error wrong = Read(keys, *out, number, request);
  if (wrong.failure() || request.Threads() == 0) return wrong;
  const int64_t blocks = (request.Threads() + kBlock - 1) / kBlock;
  FillKernel<<<blocks, kBlock, 0, stream>>>(request, out->typed_data());
  return Launched("random_bits");
}

}  // namespace
}  // namespace rcj::random_gpu

RCJ_HANDLER(random_bits, rcj::random_gpu::Run,
            xla::ffi::Ffi::Bind()
                .Ctx<xla::ffi::PlatformStream<cudaStream_t>>()
                .Arg<xla::ffi::Buffer<xla::ffi::U32>>()
                .Ret<xla::ffi::Buffer<xla::ffi::U32>>()
                .Attr<int64_t>("stream"),
            {xla::ffi::Traits::kCmdBufferCompatible});
