#include "augmix/enhance.h"

#include <algorithm>
#include <cstring>

#include "augmix/tone.h"

namespace rcj::augmix {
namespace {

int Grey(int red, int green, int blue) {
  return (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16;
}

}  // namespace

int GreyMean(const Image& image) {
  int64_t total = 0;
  for (int64_t y = 0; y < image.H; ++y) {
    const uint8_t* red = image.Row(0, y);
    const uint8_t* green = image.Row(1, y);
    const uint8_t* blue = image.Row(2, y);
    for (int64_t x = 0; x < image.W; ++x) {
      total += Grey(red[x], green[x], blue[x]);
    }
  }
  const int64_t pixels = image.H * image.W;
  return (2 * total + pixels) / (2 * pixels);
}

void Color(const Image& from, const Image& to, float factor) {
  const int64_t H = from.H, W = from.W;
  for (int64_t y = 0; y < H; ++y) {
    const uint8_t* red = from.Row(0, y);
    const uint8_t* green = from.Row(1, y);
    const uint8_t* blue = from.Row(2, y);
    for (int c = 0; c < 3; ++c) {
      const uint8_t* row = from.Row(c, y);
      uint8_t* __restrict out = to.Row(c, y);
      for (int64_t x = 0; x < W; ++x) {
        out[x] = Blend(Grey(red[x], green[x], blue[x]), row[x], factor);
      }
    }
  }
}

void Sharpness(const Image& from, const Image& to, float factor) {
  const int64_t H = from.H, W = from.W;
  for (int c = 0; c < 3; ++c) {
    for (int64_t y = 0; y < H; ++y) {
      const uint8_t* row = from.Row(c, y);
      uint8_t* __restrict out = to.Row(c, y);
      // The border of the smoothed copy is the image's own.
      std::memcpy(out, row, W);
      if (y == 0 || y == H - 1) continue;
      const uint8_t* above = from.Row(c, y - 1);
      const uint8_t* below = from.Row(c, y + 1);
      const auto column = [&](int64_t x) {
        return above[x] + row[x] + below[x];
      };
      for (int64_t x = 1; x < W - 1; ++x) {
        const int window = column(x - 1) + column(x) + column(x + 1);
        const int smooth = (2 * (window + 4 * row[x]) + 13) / 26;
        out[x] = Blend(smooth, row[x], factor);
      }
    }
  }
}

}  // namespace rcj::augmix
