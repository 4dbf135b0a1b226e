// rcj_corrupt_zoom_blur: the mean of an image and its enlargements.
#include <vector>

#include "corruptions/enlarge.h"
#include "corruptions/image.h"
#include "corruptions/quad.h"
#include "corruptions/scratch.h"
#include "corruptions/unit.h"

namespace rcj {
namespace {

using Levels = ffi::BufferR1<ffi::F64>;

struct Level {
  Axis rows, columns;
};

// Adds the row `y` of an enlargement of values[height][width][3] to sums of
// four floats per pixel, of which the last means nothing.
void AddRow(const float* values, int64_t width, const Level& level, int64_t y,
            double* __restrict row, float* __restrict sums) {
  const Axis& columns = level.columns;
  const Tap down = level.rows.taps[y];
  const float* above = values + down.low * width * 3;
  const float* below = above + width * 3;
  for (int64_t i = columns.first * 3; i < columns.last * 3 + 3; ++i) {
    row[i] = above[i] * down.near + below[i] * down.far;
  }
  for (int64_t x = 0; x < width; ++x) {
    const Tap& tap = columns.taps[x];
    const double* left = row + 3 * tap.low;
    const Double4 value =
        Four(left) * tap.near + Four(left + 3) * tap.far;
    Four(sums + 4 * x) += __builtin_convertvector(value, Float4);
  }
}

void Zoom(const uint8_t* image, int64_t height, int64_t width,
          const std::vector<Level>& levels, uint8_t* corrupted) {
  Scratch scratch;
  const int64_t row_size = width * 3, size = height * row_size;
  // The row and the pixels after the last are read, and do not count.
  float* values = scratch.Take<float>(size + row_size);
  double* row = scratch.Take<double>(row_size + 4);
  float* sums = scratch.Take<float>(width * 4);
  for (int64_t i = 0; i < size; ++i) values[i] = Unit<float>(image[i]);
  std::fill(values + size, values + size + row_size, 0.0f);
  std::fill(row, row + row_size + 4, 0.0);
  const float count = static_cast<float>(levels.size() + 1);
  for (int64_t y = 0; y < height; ++y) {
    std::fill(sums, sums + width * 4, 0.0f);
    for (const Level& level : levels) {
      AddRow(values, width, level, y, row, sums);
    }
    const float* same = values + y * row_size;
    uint8_t* to = corrupted + y * row_size;
    for (int64_t x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        to[3 * x + c] = Byte((same[3 * x + c] + sums[4 * x + c]) / count);
      }
    }
  }
}

ffi::Error ZoomBlur(ffi::ThreadPool pool, Images images, CorruptedImages out,
                    Levels factors, ffi::BufferR0<ffi::S32> count) {
  const auto shape = images.dimensions();
  const int64_t room = factors.dimensions()[0], used = *count.typed_data();
  if (used < 0 || used > room) {
    return ffi::Error::InvalidArgument(
        "zoom_blur: the count of levels f64" + Shape(factors) +
        " must be 0 to " + std::to_string(room) + ", got " +
        std::to_string(used));
  }
  std::vector<Level> levels;
  for (int64_t i = 0; i < used; ++i) {
    const double factor = factors.typed_data()[i];
    if (!(factor >= 1)) {
      return ffi::Error::InvalidArgument(
          "zoom_blur: levels must be at least 1, got " +
          std::to_string(factor));
    }
    levels.push_back({Axis(shape[1], factor), Axis(shape[2], factor)});
  }
  return ForImages(pool, images, out, "zoom_blur",
                   [&](int64_t, const uint8_t* image, uint8_t* corrupted) {
                     Zoom(image, shape[1], shape[2], levels, corrupted);
                   });
}

}  // namespace
}  // namespace rcj

RCJ_HANDLER(corrupt_zoom_blur, rcj::ZoomBlur,
            rcj::CorruptionHandler().Arg<rcj::Levels>().Arg<
                xla::ffi::BufferR0<xla::ffi::S32>>());
