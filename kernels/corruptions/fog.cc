// rcj_corrupt_fog: a plasma over the image, which keeps its maximum.
#include <vector>

#include "corruptions/image.h"

namespace rcj {
namespace {

using Scalar = ffi::BufferR0<ffi::F32>;

uint8_t Largest(const uint8_t* image, int64_t size) {
  uint8_t top = 0;
  for (int64_t j = 0; j < size; ++j) top = std::max(top, image[j]);
  return top;
}

ffi::Error Fog(ffi::ThreadPool pool, Images images, CorruptedImages out,
               ffi::BufferR3<ffi::F32> plasma, Scalar thickness, Scalar) {
  if (!Fits(plasma, images, 3)) {
    return Misfit("fog", "plasma[N,H,W]", plasma, images);
  }
  const int64_t size = ImageSize(images);
  const int64_t width = images.dimensions()[2];
  const float density = 255 * thickness.typed_data()[0];
  const auto body = [&](int64_t i, const uint8_t* __restrict image,
                        uint8_t* __restrict corrupted) {
    const float* __restrict field = plasma.typed_data() + i * size / 3;
    const float top = Largest(image, size);
    const float scale = top / (top + density);
    std::vector<float> room(3 * width);
    float* __restrict added = room.data();
    for (int64_t at = 0; at < size; at += 3 * width) {
      for (int64_t x = 0; x < width; ++x) {
        const float value = density * field[at / 3 + x];
        for (int c = 0; c < 3; ++c) added[3 * x + c] = value;
      }
      for (int64_t j = 0; j < 3 * width; ++j) {
        corrupted[at + j] = Truncated((image[at + j] + added[j]) * scale);
      }
    }
  };
  return ForImages(pool, images, out, "fog", body);
}

}  // namespace
}  // namespace rcj

RCJ_HANDLER(corrupt_fog, rcj::Fog,
            rcj::CorruptionHandler()
                .Arg<xla::ffi::BufferR3<xla::ffi::F32>>()
                .Arg<rcj::Scalar>()
                .Arg<rcj::Scalar>());
