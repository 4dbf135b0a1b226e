// rcj_corrupt_spatter: drops of water or mud.
#include <algorithm>

#include "corruptions/gaussian.h"
#include "corruptions/image.h"
#include "corruptions/operands.h"
#include "corruptions/relief.h"
#include "corruptions/scratch.h"
#include "corruptions/unit.h"

namespace rcj {
namespace {

using Normal = ffi::BufferR3<ffi::F64>;

struct Liquid {
  double loc, scale, threshold, strength;
  bool mud;
  Bell drops, soft;
};

// Lightens the image around drops.
void UnderWater(const uint8_t* image, const double* liquid, const Plane& size,
                double strength, Scratch& scratch, uint8_t* corrupted) {
  constexpr float kWater[3] = {175 / 255.0f, 238 / 255.0f, 238 / 255.0f};
  const int64_t pixels = size.height * size.width;
  uint8_t* bytes = scratch.Take<uint8_t>(pixels);
  float* mask = scratch.Take<float>(pixels);
  for (int64_t i = 0; i < pixels; ++i) {
    // What is above 255 wraps around.
    bytes[i] = static_cast<uint8_t>(static_cast<int32_t>(liquid[i] * 255));
  }
  Lit(bytes, size, scratch, mask);
  const float top = *std::max_element(mask, mask + pixels);
  // Without a drop there is nothing to scale.
  const float divisor = top > 0 ? top : 1;
  const auto factor = static_cast<float>(strength);
  for (int64_t i = 0; i < pixels; ++i) mask[i] = mask[i] / divisor * factor;
  for (int64_t i = 0; i < pixels; ++i) {
    for (int c = 0; c < 3; ++c) {
      const float value = Unit<float>(image[3 * i + c]) + mask[i] * kWater[c];
      corrupted[3 * i + c] = Byte(value);
    }
  }
}

// Covers the image with drops, whose edges are soft.
void UnderMud(const uint8_t* image, double* liquid, const Plane& size,
              const Liquid& how, Scratch& scratch, uint8_t* corrupted) {
  constexpr float kMud[3] = {63 / 255.0f, 42 / 255.0f, 20 / 255.0f};
  for (int64_t i = 0; i < size.height * size.width; ++i) {
    liquid[i] = liquid[i] > how.threshold;
  }
  Smooth<float>(liquid, size.height, size.width, 1, how.soft, scratch,
                [&](int64_t y, const double* row) {
                  const int64_t begin = y * size.width * 3;
                  for (int64_t i = 0; i < size.width; ++i) {
                    const auto found = static_cast<float>(row[i]);
                    const float mask = found < 0.8f ? 0 : found;
                    for (int c = 0; c < 3; ++c) {
                      const int64_t at = begin + 3 * i + c;
                      const float bare = Unit<float>(image[at]) * (1 - mask);
                      corrupted[at] = Byte(bare + mask * kMud[c]);
                    }
                  }
                });
}

void Spatter(const uint8_t* image, const double* normal, const Plane& size,
             const Liquid& how, uint8_t* corrupted) {
  Scratch scratch;
  const int64_t pixels = size.height * size.width;
  double* noise = scratch.Take<double>(pixels + kBlock);
  double* liquid = scratch.Take<double>(pixels + kBlock);
  for (int64_t i = 0; i < pixels; ++i) {
    noise[i] = how.loc + how.scale * normal[i];
  }
  Smooth<double>(noise, size.height, size.width, 1, how.drops, scratch,
                 [&](int64_t y, const double* row) {
                   double* to = liquid + y * size.width;
                   for (int64_t i = 0; i < size.width; ++i) {
                     to[i] = row[i] < how.threshold ? 0 : row[i];
                   }
                 });
  if (how.mud) {
    UnderMud(image, liquid, size, how, scratch, corrupted);
  } else {
    UnderWater(image, liquid, size, how.strength, scratch, corrupted);
  }
}

ffi::Error Run(ffi::ThreadPool pool, Images images, CorruptedImages out,
               Normal normal, Real loc, Real scale, Real threshold,
               Real strength, Real mud, Reals drops, Integer drops_reach,
               Reals soft, Integer soft_reach) {
  for (const auto& error : {CheckBell("spatter", drops, drops_reach),
                            CheckBell("spatter", soft, soft_reach)}) {
    if (error.failure()) return error;
  }
  if (!Fits(normal, images, 3)) {
    return Misfit("spatter", "normal f64[N,H,W]", normal, images);
  }
  const Liquid how{Value(loc),
                   Value(scale),
                   Value(threshold),
                   Value(strength),
                   Value(mud) > 0,
                   {drops.typed_data(), Value(drops_reach)},
                   {soft.typed_data(), Value(soft_reach)}};
  const Plane size{images.dimensions()[1], images.dimensions()[2]};
  const int64_t pixels = size.height * size.width;
  return ForImages(pool, images, out, "spatter",
                   [&](int64_t i, const uint8_t* image, uint8_t* corrupted) {
                     Spatter(image, normal.typed_data() + i * pixels, size, how,
                             corrupted);
                   });
}

}  // namespace
}  // namespace rcj

RCJ_HANDLER(corrupt_spatter, rcj::Run,
            rcj::CorruptionHandler()
                .Arg<rcj::Normal>()
                .Arg<rcj::Real>()
                .Arg<rcj::Real>()
                .Arg<rcj::Real>()
                .Arg<rcj::Real>()
                .Arg<rcj::Real>()
                .Arg<rcj::Reals>()
                .Arg<rcj::Integer>()
                .Arg<rcj::Reals>()
                .Arg<rcj::Integer>());
