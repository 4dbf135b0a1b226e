// rcj_plasma: noise f32[..., S^2 - 1] in -1..1, decay f32[...] -> f32[..., S, S].
#include <cmath>
#include <vector>

#include "common/handlers.h"

namespace rcj {
namespace {

// One level: `corners` is [n,n] on a torus, `noise` [3,n,n], `out` [2n,2n].
void Refine(const float* __restrict corners, const float* __restrict noise,
            float amplitude, int64_t n, float* __restrict out) {
  // Rows that repeat their first value behind the last, or their last before.
  std::vector<float> room(5 * (n + 1));
  float *here = room.data(), *below = here + n + 1, *centres = below + n + 1;
  float *above = centres + n + 1, *in_rows = above + n + 1;
  const auto wrap = [&](int64_t row, float* to) {
    std::copy(corners + row * n, corners + (row + 1) * n, to);
    to[n] = to[0];
  };
  // centres[0] repeats the last one.
  const auto middle = [&](int64_t row, float* to) {
    const float* extra = noise + row * n;
    for (int64_t j = 0; j < n; ++j) {
      to[j + 1] = (here[j] + here[j + 1] + below[j] + below[j + 1]) / 4 +
                  amplitude * extra[j];
    }
    to[0] = to[n];
  };
  wrap(n - 1, here);
  wrap(0, below);
  middle(n - 1, above);
  for (int64_t i = 0; i < n; ++i) {
    std::swap(here, below);
    wrap((i + 1) % n, below);
    middle(i, centres);
    const float* across = noise + (n + i) * n;
    const float* down = noise + (2 * n + i) * n;
    float *even = out + 4 * i * n, *odd = even + 2 * n;
    for (int64_t j = 0; j < n; ++j) {
      in_rows[j] = (here[j] + here[j + 1] + centres[j + 1] + above[j + 1]) / 4 +
                   amplitude * across[j];
    }
    for (int64_t j = 0; j < n; ++j) {
      even[2 * j] = here[j];
      even[2 * j + 1] = in_rows[j];
      odd[2 * j] = (here[j] + below[j] + centres[j + 1] + centres[j]) / 4 +
                   amplitude * down[j];
      odd[2 * j + 1] = centres[j + 1];
    }
    std::swap(above, centres);
  }
}

void Plasma(const float* noise, float decay, int64_t side, float* out) {
  std::vector<float> coarse(side * side / 4), fine(side * side / 4);
  float* corners = coarse.data();
  float* next = fine.data();
  corners[0] = 0;
  float amplitude = 100.0f * 100.0f;
  const float ratio = 1 / (decay * decay);
  for (int64_t n = 1; n < side; n *= 2) {
    float* refined = 2 * n == side ? out : next;
    Refine(corners, noise + n * n - 1, amplitude, n, refined);
    std::swap(corners, next);
    amplitude *= ratio;
  }
  float low = out[0], high = out[0];
  for (int64_t j = 0; j < side * side; ++j) {
    low = std::min(low, out[j]);
    high = std::max(high, out[j]);
  }
  const float scale = 1 / (high - low);
  for (int64_t j = 0; j < side * side; ++j) out[j] = (out[j] - low) * scale;
}

ffi::Error Run(ffi::ThreadPool pool, ffi::Buffer<ffi::F32> noise,
               ffi::Buffer<ffi::F32> decay, ffi::ResultBuffer<ffi::F32> out) {
  const auto from = noise.dimensions(), to = out->dimensions();
  const int64_t side = to.size() < 2 ? 0 : to.back();
  if (side < 2 || (side & (side - 1)) || to.size() != from.size() + 1 ||
      to[to.size() - 2] != side || from.back() != side * side - 1 ||
      noise.element_count() / from.back() * side * side !=
          out->element_count() ||
      decay.element_count() * from.back() != noise.element_count()) {
    return ffi::Error::InvalidArgument(
        "plasma: noise must be f32[...,S*S-1], decay f32[...] and the result "
        "f32[...,S,S], S a power of two from 2, got " +
        Shape(noise) + ", " + Shape(decay) + " and " + Shape(*out));
  }
  ParallelFor(pool, out->element_count() / (side * side), [&](int64_t i) {
    Plasma(noise.typed_data() + i * (side * side - 1), decay.typed_data()[i],
           side, out->typed_data() + i * side * side);
  });
  return ffi::Error::Success();
}

}  // namespace
}  // namespace rcj

RCJ_HANDLER(plasma, rcj::Run,
            xla::ffi::Ffi::Bind()
                .Ctx<xla::ffi::ThreadPool>()
                .Arg<xla::ffi::Buffer<xla::ffi::F32>>()
                .Arg<xla::ffi::Buffer<xla::ffi::F32>>()
                .Ret<xla::ffi::Buffer<xla::ffi::F32>>());
