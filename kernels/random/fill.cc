// rcj_random_{bits,uniform,normal}: keys u32[..., 2] -> [..., M], by rows.
#include "random/fill.h"

#include <cstring>

#include "random/values.h"

namespace rcj {
namespace {

ffi::Error Bits(ffi::ThreadPool pool, ffi::Buffer<ffi::U32> keys,
                ffi::ResultBuffer<ffi::U32> out, int64_t stream) {
  return FillRows<ffi::U32>(pool, keys, out, stream, "random_bits",
                            [](const uint32_t* words, uint32_t* values) {
                              std::memcpy(values, words, 4 * kGroup);
                            });
}

ffi::Error Uniforms(ffi::ThreadPool pool, ffi::Buffer<ffi::U32> keys,
                    ffi::ResultBuffer<ffi::F32> out, int64_t stream) {
  return FillRows<ffi::F32>(pool, keys, out, stream, "random_uniform",
                            [](const uint32_t* words, float* values) {
                              for (int i = 0; i < kGroup; ++i) {
                                values[i] = Uniform(words[i]);
                              }
                            });
}

ffi::Error Normal(ffi::ThreadPool pool, ffi::Buffer<ffi::U32> keys,
                  ffi::ResultBuffer<ffi::F32> out, int64_t stream) {
  return FillRows<ffi::F32>(pool, keys, out, stream, "random_normal", Normals);
}

template <xla::ffi::DataType type>
auto Binding() {
  return ffi::Ffi::Bind()
      .Ctx<ffi::ThreadPool>()
      .Arg<ffi::Buffer<ffi::U32>>()
      .Ret<ffi::Buffer<type>>()
      .template Attr<int64_t>("stream");
}

}  // namespace
}  // namespace rcj

RCJ_HANDLER(random_bits, rcj::Bits, rcj::Binding<xla::ffi::U32>());
RCJ_HANDLER(random_uniform, rcj::Uniforms, rcj::Binding<xla::ffi::F32>());
RCJ_HANDLER(random_normal, rcj::Normal, rcj::Binding<xla::ffi::F32>());
