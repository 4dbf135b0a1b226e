// rcj_random_bits_gpu: the kernel of random/bits.cu, thread by thread on the
// host, to be tested where there is no GPU.
#include "random/gpu.h"

namespace rcj::random_gpu {
namespace {

ffi::Error Run(ffi::Buffer<ffi::U32> keys, ffi::ResultBuffer<ffi::U32> out,
               int64_t stream) {
  Request request{};
  const ffi::Error wrong = Read(keys, *out, stream, request);
  if (wrong.failure()) return wrong;
  // As many as there are in whole blocks.
  for (int64_t t = 0; t < request.Threads() + kBlock; ++t) {
    Fill(request, out->typed_data(), t);
  }
  return ffi::Error::Success();
}

}  // namespace
}  // namespace rcj::random_gpu

RCJ_HANDLER(random_bits_gpu, rcj::random_gpu::Run,
            xla::ffi::Ffi::Bind()
                .Arg<xla::ffi::Buffer<xla::ffi::U32>>()
                .Ret<xla::ffi::Buffer<xla::ffi::U32>>()
                .Attr<int64_t>("stream"));
