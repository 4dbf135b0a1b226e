// rcj_corrupt_motion_blur.
#include "corruptions/image.h"
#include "corruptions/operands.h"
#include "corruptions/scratch.h"
#include "corruptions/streak.h"

namespace rcj {
namespace {

ffi::Error MotionBlur(ffi::ThreadPool pool, Images images, CorruptedImages out,
                      Reals angles, Reals kernel, Integer length) {
  for (const auto& error : {CheckLine("motion_blur", kernel, length),
                            CheckAngles("motion_blur", angles, images)}) {
    if (error.failure()) return error;
  }
  const auto shape = images.dimensions();
  const Line line{kernel.typed_data(), Value(length)};
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
                .Arg<rcj::Reals>()
                .Arg<rcj::Reals>()
                .Arg<rcj::Integer>());
