// rcj_corrupt_glass_blur: a blur, pixels that take their neighbours', a blur.
#include <algorithm>

#include "corruptions/gaussian.h"
#include "corruptions/image.h"
#include "corruptions/operands.h"
#include "corruptions/scratch.h"
#include "corruptions/unit.h"

namespace rcj {
namespace {

using Offsets = ffi::Buffer<ffi::S8, 5>;

// A pixel of red, green and blue in one word.
using Pixel = uint32_t;

struct Field {
  const int8_t* offsets;  // [rounds][height][width][2], right and down
  int64_t rounds, distance;
};

// From the bottom right to the top left, each pixel takes what its neighbour is
// by then; a margin stays as it is.
void Shuffle(const int8_t* offsets, int64_t height, int64_t width,
             int64_t distance, Pixel* pixels) {
  const int64_t last = height * width - 1;
  for (int64_t y = std::min(height - distance, height - 1); y > distance; --y) {
    for (int64_t x = std::min(width - distance, width - 1); x > distance; --x) {
      const int64_t here = y * width + x;
      const int64_t there =
          here + offsets[2 * here] + offsets[2 * here + 1] * width;
      pixels[here] = pixels[std::clamp<int64_t>(there, 0, last)];
    }
  }
}

void Glass(const uint8_t* image, int64_t height, int64_t width,
           const Field& field, const Bell& bell, uint8_t* corrupted) {
  Scratch scratch;
  const int64_t row_size = width * 3, size = height * row_size;
  double* values = scratch.Take<double>(size + kBlock);
  Pixel* pixels = scratch.Take<Pixel>(height * width);
  for (int64_t i = 0; i < size; ++i) values[i] = Unit<double>(image[i]);
  Smooth<double>(values, height, width, 3, bell, scratch,
                 [&](int64_t y, const double* row) {
                   Pixel* to = pixels + y * width;
                   const auto byte = [row](int64_t i) {
                     return static_cast<Pixel>(
                         static_cast<int32_t>(row[i] * 255));
                   };
                   for (int64_t x = 0; x < width; ++x) {
                     to[x] = byte(3 * x) | byte(3 * x + 1) << 8 |
                             byte(3 * x + 2) << 16;
                   }
                 });
  for (int64_t round = 0; round < field.rounds; ++round) {
    Shuffle(field.offsets + round * height * width * 2, height, width,
            field.distance, pixels);
  }
  for (int64_t i = 0; i < height * width; ++i) {
    for (int c = 0; c < 3; ++c) {
      values[3 * i + c] =
          Unit<double>(static_cast<uint8_t>(pixels[i] >> 8 * c));
    }
  }
  Smooth<double>(values, height, width, 3, bell, scratch,
                 [&](int64_t y, const double* row) {
                   uint8_t* to = corrupted + y * row_size;
                   for (int64_t i = 0; i < row_size; ++i) to[i] = Byte(row[i]);
                 });
}

ffi::Error GlassBlur(ffi::ThreadPool pool, Images images, CorruptedImages out,
                     Offsets offsets, Reals half, Integer reach,
                     Integer distance, Integer) {
  // Offsets are bytes, and a margin of that width stays as it is.
  for (const auto& error :
       {CheckBell("glass_blur", half, reach),
        CheckRange("glass_blur", "the distance", distance, 0, 127)}) {
    if (error.failure()) return error;
  }
  const auto shape = images.dimensions(), found = offsets.dimensions();
  if (found[0] != shape[0] || found[2] != shape[1] || found[3] != shape[2] ||
      found[4] != 2) {
    return Misfit("glass_blur", "offsets s8[N,R,H,W,2]", offsets, images);
  }
  const Bell bell{half.typed_data(), Value(reach)};
  const int64_t size = found[1] * shape[1] * shape[2] * 2;
  return ForImages(pool, images, out, "glass_blur",
                   [&](int64_t i, const uint8_t* image, uint8_t* corrupted) {
                     const Field field{offsets.typed_data() + i * size,
                                       found[1], Value(distance)};
                     Glass(image, shape[1], shape[2], field, bell, corrupted);
                   });
}

}  // namespace
}  // namespace rcj

RCJ_HANDLER(corrupt_glass_blur, rcj::GlassBlur,
            rcj::CorruptionHandler()
                .Arg<rcj::Offsets>()
                .Arg<rcj::Reals>()
                .Arg<rcj::Integer>()
                .Arg<rcj::Integer>()
                .Arg<rcj::Integer>());
