// rcj_corrupt_frost: a patch of a texture over the image.
#include "corruptions/image.h"

namespace rcj {
namespace {

using Factor = ffi::BufferR0<ffi::F64>;

ffi::Error Frost(ffi::ThreadPool pool, Images images, CorruptedImages out,
                 Images patches, Factor keep, Factor cover) {
  if (!Fits(patches, images, 4)) {
    return Misfit("frost", "frost[N,H,W,3]", patches, images);
  }
  const int64_t size = ImageSize(images);
  const double kept = keep.typed_data()[0], covered = cover.typed_data()[0];
  const auto body = [&](int64_t i, const uint8_t* __restrict image,
                        uint8_t* __restrict corrupted) {
    const uint8_t* __restrict patch = patches.typed_data() + i * size;
    for (int64_t j = 0; j < size; ++j) {
      corrupted[j] = Truncated(kept * image[j] + covered * patch[j]);
    }
  };
  return ForImages(pool, images, out, "frost", body);
}

}  // namespace
}  // namespace rcj

RCJ_HANDLER(corrupt_frost, rcj::Frost,
            rcj::CorruptionHandler()
                .Arg<rcj::Images>()
                .Arg<rcj::Factor>()
                .Arg<rcj::Factor>());
