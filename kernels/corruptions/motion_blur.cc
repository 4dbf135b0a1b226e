// rcj_corrupt_motion_blur.
#include "corruptions/image.h"
#include "corruptions/scratch.h"
#include "corruptions/streak.h"

namespace rcj {
namespace {

using Angles = ffi::BufferR1<ffi::F64>;

ffi::Error MotionBlur(ffi::ThreadPool pool, Images images, CorruptedImages out,
                      Angles angles, StreakKernel kernel,
                      ffi::BufferR0<ffi::S32> length) {
  const auto error = CheckLine("motion_blur", kernel, length);
  if (error.failure()) return error;
  if (!Fits(angles, images, 1)) {
    return Misfit("motion_blur", "angle f64[N]", angles, images);
  }
  const auto shape = images.dimensions();
  const Line line{kernel.typed_data(), *length.typed_data()};
  return ForImages(pool, images, out, "motion_blur",
                   [&](int64_t i, const uint8_t* image, uint8_t* corrupted) {
                     Scratch scratch;
                     Streak(image, shape[1], shape[2], 3,
                            angles.typed_data()[i], line, scratch, corrupted);
                   });
}

}  // namespace
}  // namespace rcj

RCJ_HANDLER(corrupt_motion_blur, rcj::MotionBlur,
            rcj::CorruptionHandler()
                .Arg<rcj::Angles>()
                .Arg<rcj::StreakKernel>()
                .Arg<xla::ffi::BufferR0<xla::ffi::S32>>());
