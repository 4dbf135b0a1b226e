// rcj_corrupt_defocus_blur: a correlation with the image of a soft disk.
#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "corruptions/image.h"
#include "corruptions/mirror.h"
#include "corruptions/quad.h"
#include "corruptions/scratch.h"

namespace rcj {
namespace {

using DiskKernel = ffi::BufferR3<ffi::F32>;

typedef uint16_t Short8
    __attribute__((vector_size(16), aligned(2), may_alias));
typedef uint16_t Short16
    __attribute__((vector_size(32), aligned(2), may_alias));
typedef int32_t Int8 __attribute__((vector_size(32)));
typedef float Float8
    __attribute__((vector_size(32), aligned(4), may_alias));

constexpr int64_t kPiece = 32;  // values that are summed side by side
constexpr size_t kMost = 256;   // so many bytes have a sum of 16 bits

struct Place {
  int64_t down, right;
};

// Places of equal weight, which is the sum of both parts: multiples of 2^-16,
// and the rest.
struct Ring {
  float coarse, fine;
  std::vector<Place> places;
};

// The weights that are not 0. A disk has few that differ, so pixels are added
// first, as integers.
std::vector<Ring> Rings(const float* kernel, int64_t side) {
  std::map<std::pair<float, float>, std::vector<Place>> by_weight;
  for (int64_t y = 0; y < side; ++y) {
    for (int64_t x = 0; x < side; ++x) {
      const float* weight = kernel + (y * side + x) * 2;
      if (weight[0] == 0 && weight[1] == 0) continue;
      by_weight[{weight[0], weight[1]}].push_back({y, x});
    }
  }
  std::vector<Ring> rings;
  for (const auto& [weight, places] : by_weight) {
    for (size_t i = 0; i < places.size(); i += kMost) {
      const auto end = places.begin() + std::min(i + kMost, places.size());
      rings.push_back(
          {weight.first, weight.second, {places.begin() + i, end}});
    }
  }
  return rings;
}

// The coarse part is without error, so the sum of both is truncated exactly.
inline uint8_t Truncated(float coarse, float fine) {
  const auto whole = static_cast<int32_t>(coarse);
  const float rest = coarse - static_cast<float>(whole);
  const int32_t value = whole - (fine < -rest) + (fine >= 1 - rest);
  return static_cast<uint8_t>(std::clamp(value, 0, 255));
}

struct Disk {
  int64_t reach;
  std::vector<Ring> rings;
  size_t places;  // of all rings
};

// Rows of 16 bits with `reach` more pixels on both sides, the border reflected.
void Widen(const uint8_t* image, int64_t height, int64_t width, int64_t reach,
           uint16_t* to) {
  for (int64_t y = 0; y < height; ++y) {
    const uint8_t* from = image + y * width * 3;
    for (int64_t x = -reach; x < 0; ++x) {
      to = std::copy_n(from + 3 * Mirrored(x, width), 3, to);
    }
    to = std::copy_n(from, width * 3, to);
    for (int64_t x = width; x < width + reach; ++x) {
      to = std::copy_n(from + 3 * Mirrored(x, width), 3, to);
    }
  }
}

// Both parts of the weighted sums of kPiece values; `rows` are where the places
// of one ring after the other begin.
void Sum(const std::vector<Ring>& rings, const uint16_t* const* rows,
         int64_t offset, float* coarse, float* fine) {
  constexpr int kParts = kPiece / 8;
  Float8 coarse_sums[kParts] = {}, fine_sums[kParts] = {};
  for (const Ring& ring : rings) {
    Short16 low{}, high{};
    for (size_t k = 0; k < ring.places.size(); ++k, ++rows) {
      // Not auto, which would forget that they are not aligned.
      const Short16* from = reinterpret_cast<const Short16*>(*rows + offset);
      low += from[0];
      high += from[1];
    }
    const Short16 counts[2] = {low, high};
#pragma GCC unroll 4
    for (int i = 0; i < kParts; ++i) {
      const Short8& part = reinterpret_cast<const Short8*>(counts)[i];
      const auto words = __builtin_convertvector(part, Int8);
      const auto count = __builtin_convertvector(words, Float8);
      coarse_sums[i] += count * ring.coarse;
      fine_sums[i] += count * ring.fine;
    }
  }
  for (int i = 0; i < kParts; ++i) {
    reinterpret_cast<Float8*>(coarse)[i] = coarse_sums[i];
    reinterpret_cast<Float8*>(fine)[i] = fine_sums[i];
  }
}

void Defocus(const uint8_t* image, int64_t height, int64_t width,
             const Disk& disk, uint8_t* corrupted) {
  Scratch scratch;
  const int64_t count = width * 3, reach = disk.reach;
  const int64_t stride = count + 6 * reach;
  uint16_t* padded = scratch.Take<uint16_t>(height * stride + kPiece);
  Widen(image, height, width, reach, padded);
  const auto** rows = scratch.Take<const uint16_t*>(disk.places);
  for (int64_t y = 0; y < height; ++y) {
    const auto** row = rows;
    for (const Ring& ring : disk.rings) {
      for (const Place& place : ring.places) {
        const int64_t seen = Mirrored(y + place.down - reach, height);
        *row++ = padded + seen * stride + place.right * 3;
      }
    }
    for (int64_t left = 0; left < count; left += kPiece) {
      float coarse[kPiece], fine[kPiece];
      Sum(disk.rings, rows, left, coarse, fine);
      uint8_t* to = corrupted + y * count + left;
      const int64_t wide = std::min(kPiece, count - left);
      for (int64_t i = 0; i < wide; ++i) to[i] = Truncated(coarse[i], fine[i]);
    }
  }
}

ffi::Error DefocusBlur(ffi::ThreadPool pool, Images images, CorruptedImages out,
                       DiskKernel kernel) {
  const auto found = kernel.dimensions();
  if (found[0] != found[1] || found[0] % 2 == 0 || found[2] != 2) {
    return ffi::Error::InvalidArgument(
        "defocus_blur: the kernel must be f32[K,K,2], K odd, got " +
        Shape(kernel));
  }
  const int64_t height = images.dimensions()[1], width = images.dimensions()[2];
  Disk disk{found[0] / 2, Rings(kernel.typed_data(), found[0]), 0};
  for (const Ring& ring : disk.rings) disk.places += ring.places.size();
  return ForImages(pool, images, out, "defocus_blur",
                   [&](int64_t, const uint8_t* image, uint8_t* corrupted) {
                     Defocus(image, height, width, disk, corrupted);
                   });
}

}  // namespace
}  // namespace rcj

RCJ_HANDLER(corrupt_defocus_blur, rcj::DefocusBlur,
            rcj::CorruptionHandler().Arg<rcj::DiskKernel>());
