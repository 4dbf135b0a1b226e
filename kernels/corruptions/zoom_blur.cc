// rcj_corrupt_zoom_blur: the mean of an image and its enlargements.
#include <vector>

#include "corruptions/enlarge.h"
#include "corruptions/image.h"
#include "corruptions/operands.h"
#include "corruptions/quad.h"
#include "corruptions/scratch.h"
#include "corruptions/unit.h"

namespace rcj {
namespace {

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
                    Reals factors, Integer count) {
  const auto shape = images.dimensions();
  const auto error = CheckRange("zoom_blur", "the count of levels", count, 0,
                                factors.dimensions()[0]);
  if (error.failure()) return error;
  std::vector<Level> levels;
  for (int64_t i = 0; i < Value(count); ++i) {
    const double factor = factors.typed_data()[i];
    const auto wrong = CheckFactor("zoom_blur", factor);
    if (wrong.failure()) return wrong;
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
            rcj::CorruptionHandler().Arg<rcj::Reals>().Arg<rcj::Integer>());
