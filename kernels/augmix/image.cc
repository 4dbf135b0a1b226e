#include "augmix/image.h"

#include <algorithm>
#include <cstring>

#include "common/simd.h"

namespace rcj::augmix {

Image NewImage(Scratch& scratch, int64_t H, int64_t W) {
  Image image{H, W, RoundUp(W + 2, kWidest), {}};
  // A transposition writes whole blocks of 16 rows.
  const int64_t size = (RoundUp(H, 16) + 2) * image.stride;
  for (int c = 0; c < 3; ++c) {
    image.plane[c] =
        scratch.Take<uint8_t>(size + 2 * kWidest) + kWidest + image.stride;
  }
  return image;
}

void Pad(const Image& image, int channel) {
  const int64_t H = image.H, W = image.W;
  for (int64_t y = 0; y < H; ++y) {
    uint8_t* row = image.Row(channel, y);
    row[-1] = row[0];
    row[W] = row[W - 1];
  }
  std::memcpy(image.Row(channel, -1) - 1, image.Row(channel, 0) - 1, W + 2);
  std::memcpy(image.Row(channel, H) - 1, image.Row(channel, H - 1) - 1, W + 2);
}

#ifdef RCJ_SIMD

namespace {

// Where 16 bytes of a channel lie in 16 pixels, as shuffles of three vectors.
struct Shuffles {
  alignas(16) uint8_t of[3][3][16];

  constexpr Shuffles() : of() {
    for (int c = 0; c < 3; ++c) {
      for (int part = 0; part < 3; ++part) {
        for (int i = 0; i < 16; ++i) {
          const int at = 3 * i + c - 16 * part;
          of[c][part][i] = 0 <= at && at < 16 ? at : 0x80;
        }
      }
    }
  }
};

constexpr Shuffles kShuffles;

// Splits simd::kBytes pixels.
void SplitPixels(const uint8_t* pixels, uint8_t* const* planes, int64_t x) {
  const uint8_t* lanes[simd::kLanes];
  for (int i = 0; i < simd::kLanes; ++i) lanes[i] = pixels + 48 * i;
  simd::Bytes parts[3];
  for (int i = 0; i < 3; ++i) parts[i] = simd::LoadLanes(lanes, 16 * i);
  for (int c = 0; c < 3; ++c) {
    simd::Bytes joined{};
    for (int i = 0; i < 3; ++i) {
      const simd::Bytes shuffle = simd::Repeat16(kShuffles.of[c][i]);
      joined |= RCJ_SIMD(shuffle_epi8)(parts[i], shuffle);
    }
    simd::Store(planes[c] + x, joined);
  }
}

}  // namespace

void Split(const uint8_t* pixels, const Image& image) {
  constexpr int kStep = simd::kBytes;
  const int64_t W = image.W;
  for (int64_t y = 0; y < image.H; ++y, pixels += 3 * W) {
    uint8_t* planes[3];
    for (int c = 0; c < 3; ++c) planes[c] = image.Row(c, y);
    int64_t x = 0;
    for (; x + kStep <= W; x += kStep) SplitPixels(pixels + 3 * x, planes, x);
    if (x == W) continue;
    // The last image may end where the memory does.
    uint8_t rest[3 * kStep] = {};
    std::memcpy(rest, pixels + 3 * x, 3 * (W - x));
    SplitPixels(rest, planes, x);
  }
}

#else

void Split(const uint8_t* pixels, const Image& image) {
  for (int64_t y = 0; y < image.H; ++y) {
    for (int64_t x = 0; x < image.W; ++x, pixels += 3) {
      for (int c = 0; c < 3; ++c) image.Row(c, y)[x] = pixels[c];
    }
  }
}

#endif

void Join(const Image& image, uint8_t* pixels) {
  for (int64_t y = 0; y < image.H; ++y) {
    for (int64_t x = 0; x < image.W; ++x, pixels += 3) {
      for (int c = 0; c < 3; ++c) pixels[c] = image.Row(c, y)[x];
    }
  }
}

#ifdef RCJ_SIMD

namespace {

// One of the four steps that transpose 16x16 bytes in each lane: every step
// interleaves row i with row i + 8.
void Interleave(const simd::Bytes from[16], simd::Bytes to[16]) {
  for (int i = 0; i < 8; ++i) {
    to[2 * i] = RCJ_SIMD(unpacklo_epi8)(from[i], from[i + 8]);
    to[2 * i + 1] = RCJ_SIMD(unpackhi_epi8)(from[i], from[i + 8]);
  }
}

}  // namespace

void Transpose(const Image& from, const Image& to, int channel) {
  for (int64_t y = 0; y < from.H; y += simd::kBytes) {
    const uint8_t* rows[16][simd::kLanes];
    for (int i = 0; i < 16; ++i) {
      for (int lane = 0; lane < simd::kLanes; ++lane) {
        const int64_t at = std::min(y + i + 16 * lane, from.H - 1);
        rows[i][lane] = from.Row(channel, at);
      }
    }
    for (int64_t x = 0; x < from.W; x += 16) {
      simd::Bytes a[16], b[16];
      for (int i = 0; i < 16; ++i) a[i] = simd::LoadLanes(rows[i], x);
      Interleave(a, b);
      Interleave(b, a);
      Interleave(a, b);
      Interleave(b, a);
      for (int i = 0; i < 16; ++i) {
        simd::Store(to.Row(channel, x + i) + y, a[i]);
      }
    }
  }
}

#else

void Transpose(const Image& from, const Image& to, int channel) {
  constexpr int64_t kBlock = 16;  // columns, whose lines stay in the cache
  for (int64_t begin = 0; begin < from.W; begin += kBlock) {
    const int64_t end = std::min(begin + kBlock, from.W);
    for (int64_t y = 0; y < from.H; ++y) {
      const uint8_t* row = from.Row(channel, y);
      for (int64_t x = begin; x < end; ++x) to.Row(channel, x)[y] = row[x];
    }
  }
}

#endif

}  // namespace rcj::augmix
