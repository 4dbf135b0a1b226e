// rcj_corrupt_elastic_transform: an affine map, then a smooth displacement.
#include <algorithm>
#include <string>

#include "corruptions/affine.h"
#include "corruptions/bilinear.h"
#include "corruptions/displacement.h"
#include "corruptions/image.h"
#include "corruptions/mirror.h"
#include "corruptions/operands.h"
#include "corruptions/scratch.h"
#include "corruptions/unit.h"

namespace rcj {
namespace {

using Noise = ffi::BufferR3<ffi::F64>;

// Adds up to `places`: the place of the first pixel, the step to the next, and
// how far each pixel moves.
void Move(int64_t width, double first, double step,
          const float* __restrict moves, double* __restrict places) {
  for (int32_t i = 0; i < width; ++i) {
    places[i] = first + step * i + double{moves[i]};
  }
}

struct Fields {
  const double *down, *jitter, *right;
};

struct Parameters {
  Size size;
  double affine;
  Displacement displacement;
};

void Elastic(const uint8_t* image, const Fields& fields,
             const Parameters& parameters, uint8_t* corrupted) {
  Scratch scratch;
  const Size& size = parameters.size;
  const int64_t pixels = size.height * size.width;
  float* right = scratch.Take<float>(pixels);
  float* down = scratch.Take<float>(pixels);
  parameters.displacement.Smooth(fields.right, scratch, right);
  parameters.displacement.Smooth(fields.down, scratch, down);
  const int64_t row_size = size.width * 3;
  double* values = scratch.Take<double>(pixels * 3 + 1);
  double* mapped = scratch.Take<double>(pixels * 3 + 1);
  float* row = scratch.Take<float>(row_size + 1);
  for (int64_t i = 0; i < pixels * 3; ++i) values[i] = Unit<float>(image[i]);
  values[pixels * 3] = mapped[pixels * 3] = 0;
  Places places(size.width, scratch);
  const Affine affine(fields.jitter, parameters.affine, size);
  for (int64_t y = 0; y < size.height; ++y) {
    affine.Row(y, size.width, places.x, places.y);
    places.Sample(values, size, Mirrored, row);
    std::copy_n(row, row_size, mapped + y * row_size);
  }
  for (int64_t y = 0; y < size.height; ++y) {
    Move(size.width, 0, 1, right + y * size.width, places.x);
    Move(size.width, y, 0, down + y * size.width, places.y);
    places.Sample(mapped, size, Repeated, row);
    uint8_t* to = corrupted + y * row_size;
    for (int64_t i = 0; i < row_size; ++i) to[i] = Byte(row[i]);
  }
}

ffi::Error ElasticTransform(ffi::ThreadPool pool, Images images,
                            CorruptedImages out, Noise down, Noise jitter,
                            Noise right, Real alpha, Real affine, Reals half) {
  const auto shape = images.dimensions(), found = jitter.dimensions();
  for (const Noise& noise : {down, right}) {
    if (!Fits(noise, images, 3)) {
      return Misfit("elastic_transform", "down and right f64[N,H,W]", noise,
                    images);
    }
  }
  if (found[0] != shape[0] || found[1] != 3 || found[2] != 2) {
    return Misfit("elastic_transform", "jitter f64[N,3,2]", jitter, images);
  }
  const Size size{shape[1], shape[2]};
  if (std::min(size.height, size.width) < 3) {
    return ffi::Error::InvalidArgument(
        "elastic_transform: images must be at least 3 pixels high and wide, "
        "got " + Shape(images));
  }
  int64_t reach = half.dimensions()[0] - 1;
  while (reach > 0 && half.typed_data()[reach] == 0) --reach;
  const Parameters parameters{
      size, Value(affine),
      Displacement(size.height, size.width, Value(alpha), half.typed_data(),
                   reach)};
  const int64_t pixels = size.height * size.width;
  return ForImages(pool, images, out, "elastic_transform",
                   [&](int64_t i, const uint8_t* image, uint8_t* corrupted) {
                     const Fields fields{down.typed_data() + i * pixels,
                                         jitter.typed_data() + i * 6,
                                         right.typed_data() + i * pixels};
                     Elastic(image, fields, parameters, corrupted);
                   });
}

}  // namespace
}  // namespace rcj

RCJ_HANDLER(corrupt_elastic_transform, rcj::ElasticTransform,
            rcj::CorruptionHandler()
                .Arg<rcj::Noise>()
                .Arg<rcj::Noise>()
                .Arg<rcj::Noise>()
                .Arg<rcj::Real>()
                .Arg<rcj::Real>()
                .Arg<rcj::Reals>());
