// rcj_corrupt_spatter: drops of water or mud.
#include <algorithm>
#include <cmath>

#include "corruptions/distance.h"
#include "corruptions/edges.h"
#include "corruptions/gaussian.h"
#include "corruptions/image.h"
#include "corruptions/mirror.h"
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

struct Plane {
  int64_t height, width;
};

// Copies a plane into one with a border of one pixel, reflected.
template <class T>
void Frame(const T* plane, const Plane& size, T* framed) {
  const int64_t stride = size.width + 2;
  for (int64_t y = -1; y <= size.height; ++y) {
    const T* from = plane + Mirrored(y, size.height) * size.width;
    T* to = framed + (y + 1) * stride + 1;
    std::copy_n(from, size.width, to);
    to[-1] = from[Mirrored(-1, size.width)];
    to[size.width] = from[Mirrored(size.width, size.width)];
  }
}

// Calls put(i, sum) for the weighted sums of 3 x 3 pixels of a plane.
template <class Put>
void Filter(const int32_t* plane, const Plane& size, const int32_t weights[9],
            int32_t* framed, const Put& put) {
  Frame(plane, size, framed);
  const int64_t stride = size.width + 2;
  for (int64_t y = 0; y < size.height; ++y) {
    const int32_t* rows[3];
    for (int k = 0; k < 3; ++k) rows[k] = framed + (y + k) * stride;
    for (int64_t x = 0; x < size.width; ++x) {
      int32_t sum = 0;
      for (int k = 0; k < 9; ++k) sum += weights[k] * rows[k / 3][x + k % 3];
      put(y * size.width + x, sum);
    }
  }
}

// Flattens the histogram of values in 0..255.
void Equalize(int64_t pixels, int32_t* plane) {
  int32_t histogram[256] = {}, table[256];
  for (int64_t i = 0; i < pixels; ++i) ++histogram[plane[i]];
  const int32_t lowest = *std::min_element(plane, plane + pixels);
  const int32_t first = histogram[lowest];
  if (first == pixels) return;
  const auto others = static_cast<float>(pixels - first);
  const float step = 255.0f / std::max(others, 1.0f);
  int32_t below = -first;
  for (int i = 0; i < 256; ++i) {
    below += histogram[i];
    const float level = std::nearbyint(static_cast<float>(below) * step);
    table[i] = static_cast<int32_t>(std::clamp(level, 0.0f, 255.0f));
  }
  for (int64_t i = 0; i < pixels; ++i) plane[i] = table[plane[i]];
}

// Thickness of the water, lit from one side, not yet scaled.
void Lit(const uint8_t* liquid, const Plane& size, Scratch& scratch,
         float* mask) {
  constexpr int32_t kBox[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
  constexpr int32_t kEmboss[9] = {-2, -1, 0, -1, 1, 1, 0, 1, 2};
  constexpr int32_t kLimit = 20 << 16;
  const int64_t pixels = size.height * size.width;
  int32_t* plane = scratch.Take<int32_t>(pixels);
  int32_t* framed =
      scratch.Take<int32_t>((size.height + 2) * (size.width + 2));
  const uint8_t* edges =
      Canny(liquid, size.height, size.width, 50, 150, scratch);
  Distance(edges, size.height, size.width, scratch, plane);
  for (int64_t i = 0; i < pixels; ++i) plane[i] = std::min(plane[i], kLimit);
  Filter(plane, size, kBox, framed, [&](int64_t i, int32_t sum) {
    plane[i] = static_cast<int32_t>(
        static_cast<float>(sum / 65536.0 * (1 / 9.0)));
  });
  Equalize(pixels, plane);
  Filter(plane, size, kEmboss, framed, [&](int64_t i, int32_t sum) {
    plane[i] = std::min(std::max(sum, 0), 255);
  });
  Filter(plane, size, kBox, framed, [&](int64_t i, int32_t sum) {
    mask[i] = static_cast<float>(liquid[i] * ((sum + 4) / 9));
  });
}

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
               Real strength, Real mud, BellHalf drops, Integer drops_reach,
               BellHalf soft, Integer soft_reach) {
  for (const auto& error : {CheckBell("spatter", drops, drops_reach),
                            CheckBell("spatter", soft, soft_reach)}) {
    if (error.failure()) return error;
  }
  if (!Fits(normal, images, 3)) {
    return Misfit("spatter", "normal f64[N,H,W]", normal, images);
  }
  const Liquid how{*loc.typed_data(),
                   *scale.typed_data(),
                   *threshold.typed_data(),
                   *strength.typed_data(),
                   *mud.typed_data() > 0,
                   {drops.typed_data(), *drops_reach.typed_data()},
                   {soft.typed_data(), *soft_reach.typed_data()}};
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
                .Arg<rcj::BellHalf>()
                .Arg<rcj::Integer>()
                .Arg<rcj::BellHalf>()
                .Arg<rcj::Integer>());
