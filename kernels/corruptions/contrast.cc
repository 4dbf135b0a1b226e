// rcj_corrupt_contrast.
#include "corruptions/image.h"

namespace rcj {
namespace {

// Values in a row that begin with the same channel: 16 pixels.
constexpr int kRun = 48;

// Sums of the three channels, over 16 pixels at once.
void Sum(const uint8_t* __restrict image, int64_t size, uint32_t sums[3]) {
  uint32_t lanes[kRun] = {};
  int64_t j = 0;
  for (; j + kRun <= size; j += kRun) {
    for (int k = 0; k < kRun; ++k) lanes[k] += image[j + k];
  }
  sums[0] = sums[1] = sums[2] = 0;
  for (int k = 0; k < kRun; ++k) sums[k % 3] += lanes[k];
  for (; j < size; ++j) sums[j % 3] += image[j];
}

ffi::Error Contrast(ffi::ThreadPool pool, Images images, CorruptedImages out,
                    ffi::BufferR0<ffi::F32> factor) {
  const int64_t size = ImageSize(images);
  const float kept = factor.typed_data()[0];
  // The reference multiplies by a constant, too.
  const float share = static_cast<float>(3.0 / size);
  const auto body = [&](int64_t, const uint8_t* __restrict image,
                        uint8_t* __restrict corrupted) {
    uint32_t sums[3];
    Sum(image, size, sums);
    float means[kRun];
    for (int k = 0; k < kRun; ++k) {
      means[k] = static_cast<float>(sums[k % 3]) * share;
    }
    const auto value = [&](int64_t j, int k) {
      return Truncated((image[j] - means[k]) * kept + means[k]);
    };
    int64_t j = 0;
    for (; j + kRun <= size; j += kRun) {
      for (int k = 0; k < kRun; ++k) corrupted[j + k] = value(j + k, k);
    }
    for (; j < size; ++j) corrupted[j] = value(j, j % 3);
  };
  return ForImages(pool, images, out, "contrast", body);
}

}  // namespace
}  // namespace rcj

RCJ_HANDLER(corrupt_contrast, rcj::Contrast,
            rcj::CorruptionHandler().Arg<xla::ffi::BufferR0<xla::ffi::F32>>());
