// rcj_random_bits: keys u32[..., 2] -> u32[..., M], by rows.
#include <cstring>

#include "common/handlers.h"
#include "random/philox.h"

namespace rcj {
namespace {

void Bits(const uint32_t key[2], uint32_t stream, int64_t count,
          uint32_t* out) {
  int64_t i = 0;
  for (; i + kGroup <= count; i += kGroup) {
    PhiloxGroup(key, stream, i / kGroup, out + i);
  }
  if (i == count) return;
  uint32_t last[kGroup];
  PhiloxGroup(key, stream, i / kGroup, last);
  std::memcpy(out + i, last, sizeof(uint32_t) * (count - i));
}

ffi::Error Run(ffi::ThreadPool pool, ffi::Buffer<ffi::U32> keys,
               ffi::ResultBuffer<ffi::U32> out, int64_t stream) {
  const auto from = keys.dimensions();
  const auto to = out->dimensions();
  if (from.size() < 1 || from.back() != 2 || to.size() != from.size() ||
      keys.element_count() / 2 * to.back() != out->element_count()) {
    return ffi::Error::InvalidArgument(
        "random_bits: keys must be u32[...,2] and the result u32[...,M], got " +
        Shape(keys) + " and " + Shape(*out));
  }
  const int64_t count = to.back();
  ParallelFor(pool, keys.element_count() / 2, [&](int64_t row) {
    Bits(keys.typed_data() + 2 * row, static_cast<uint32_t>(stream), count,
         out->typed_data() + count * row);
  });
  return ffi::Error::Success();
}

}  // namespace
}  // namespace rcj

RCJ_HANDLER(random_bits, rcj::Run,
            xla::ffi::Ffi::Bind()
                .Ctx<xla::ffi::ThreadPool>()
                .Arg<xla::ffi::Buffer<xla::ffi::U32>>()
                .Ret<xla::ffi::Buffer<xla::ffi::U32>>()
                .Attr<int64_t>("stream"));
