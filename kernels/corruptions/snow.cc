// rcj_corrupt_snow: enlarged and blurred flakes on a paler image.
#include <algorithm>

#include "corruptions/enlarge.h"
#include "corruptions/image.h"
#include "corruptions/operands.h"
#include "corruptions/scratch.h"
#include "corruptions/streak.h"
#include "corruptions/unit.h"

namespace rcj {
namespace {

using Normal = ffi::BufferR3<ffi::F64>;

struct Flakes {
  double loc, scale, threshold;
  Axis rows, columns;
  Line line;
};

// Normal noise to flakes in 0..255, before they move.
void Fall(const double* normal, int64_t height, int64_t width,
          const Flakes& flakes, Scratch& scratch, uint8_t* result) {
  const Axis& columns = flakes.columns;
  double* row = scratch.Take<double>(width + 1);
  std::fill(row, row + width + 1, 0.0);
  for (int64_t y = 0; y < height; ++y) {
    const Tap down = flakes.rows.taps[y];
    const double* above = normal + down.low * width;
    const double* below =
        normal + std::min(down.low + 1, height - 1) * width;
    for (int64_t i = columns.first; i <= columns.last; ++i) {
      const double upper = flakes.loc + flakes.scale * above[i];
      const double lower = flakes.loc + flakes.scale * below[i];
      row[i] = upper * down.near + lower * down.far;
    }
    for (int64_t x = 0; x < width; ++x) {
      const Tap& tap = columns.taps[x];
      const double value = row[tap.low] * tap.near + row[tap.low + 1] * tap.far;
      const double flake =
          value < flakes.threshold ? 0 : std::min(std::max(value, 0.0), 1.0);
      result[y * width + x] =
          static_cast<uint8_t>(static_cast<int32_t>(flake * 255));
    }
  }
}

// Part of the image, part of a bright grey one, and both layers of flakes, of
// which one is upside down.
void Cover(const uint8_t* image, const uint8_t* layer, int64_t pixels,
           double mix, uint8_t* __restrict corrupted) {
  const auto keep = static_cast<float>(mix);
  const auto rest = static_cast<float>(1 - mix);
  for (int64_t i = 0; i < pixels; ++i) {
    float unit[3];
    for (int c = 0; c < 3; ++c) unit[c] = Unit<float>(image[3 * i + c]);
    const float grey =
        unit[0] * 0.299f + unit[1] * 0.587f + unit[2] * 0.114f;
    const float pale = grey * 1.5f + 0.5f;
    const double down = Unit<double>(layer[i]);
    const double up = Unit<double>(layer[pixels - 1 - i]);
    for (int c = 0; c < 3; ++c) {
      const float white = keep * unit[c] + rest * std::max(unit[c], pale);
      corrupted[3 * i + c] = Byte(white + down + up);
    }
  }
}

ffi::Error Snow(ffi::ThreadPool pool, Images images, CorruptedImages out,
                Reals angles, Normal normal, Real loc, Real scale, Real factor,
                Real threshold, Real mix, Reals kernel, Integer length) {
  const double zoom = Value(factor);
  for (const auto& error :
       {CheckLine("snow", kernel, length), CheckAngles("snow", angles, images),
        CheckFactor("snow", zoom)}) {
    if (error.failure()) return error;
  }
  if (!Fits(normal, images, 3)) {
    return Misfit("snow", "normal f64[N,H,W]", normal, images);
  }
  const int64_t height = images.dimensions()[1], width = images.dimensions()[2];
  const Flakes flakes{Value(loc),
                      Value(scale),
                      Value(threshold),
                      Axis(height, zoom),
                      Axis(width, zoom),
                      {kernel.typed_data(), Value(length)}};
  const int64_t pixels = height * width;
  return ForImages(
      pool, images, out, "snow",
      [&](int64_t i, const uint8_t* image, uint8_t* corrupted) {
        Scratch scratch;
        uint8_t* fallen = scratch.Take<uint8_t>(pixels);
        uint8_t* layer = scratch.Take<uint8_t>(pixels);
        Fall(normal.typed_data() + i * pixels, height, width, flakes, scratch,
             fallen);
        Streak(fallen, height, width, 1, angles.typed_data()[i], flakes.line,
               scratch, layer);
        Cover(image, layer, pixels, Value(mix), corrupted);
      });
}

}  // namespace
}  // namespace rcj

RCJ_HANDLER(corrupt_snow, rcj::Snow,
            rcj::CorruptionHandler()
                .Arg<rcj::Reals>()
                .Arg<rcj::Normal>()
                .Arg<rcj::Real>()
                .Arg<rcj::Real>()
                .Arg<rcj::Real>()
                .Arg<rcj::Real>()
                .Arg<rcj::Real>()
                .Arg<rcj::Reals>()
                .Arg<rcj::Integer>());
