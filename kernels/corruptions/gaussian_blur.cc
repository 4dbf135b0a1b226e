// rcj_corrupt_gaussian_blur.
#include "corruptions/gaussian.h"
#include "corruptions/image.h"
#include "corruptions/operands.h"
#include "corruptions/scratch.h"
#include "corruptions/unit.h"

namespace rcj {
namespace {

ffi::Error GaussianBlur(ffi::ThreadPool pool, Images images,
                        CorruptedImages out, Reals half, Integer reach) {
  const auto error = CheckBell("gaussian_blur", half, reach);
  if (error.failure()) return error;
  const int64_t height = images.dimensions()[1], width = images.dimensions()[2];
  const Bell bell{half.typed_data(), Value(reach)};
  return ForImages(
      pool, images, out, "gaussian_blur",
      [&](int64_t, const uint8_t* image, uint8_t* corrupted) {
        Scratch scratch;
        const int64_t row_size = width * 3, size = height * row_size;
        double* values = scratch.Take<double>(size + kBlock);
        for (int64_t i = 0; i < size; ++i) values[i] = Unit<double>(image[i]);
        Smooth<double>(values, height, width, 3, bell, scratch,
                       [&](int64_t y, const double* row) {
                         uint8_t* to = corrupted + y * row_size;
                         for (int64_t i = 0; i < row_size; ++i) {
                           to[i] = Byte(row[i]);
                         }
                       });
      });
}

}  // namespace
}  // namespace rcj

RCJ_HANDLER(corrupt_gaussian_blur, rcj::GaussianBlur,
            rcj::CorruptionHandler().Arg<rcj::Reals>().Arg<rcj::Integer>());
