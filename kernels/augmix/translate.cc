#include <cstring>

#include "augmix/warps.h"

namespace rcj::augmix {
namespace {

int64_t Whole(double pixels, int64_t size) {
  const double most = size;
  return std::clamp(pixels, -most, most);
}

// to[i] = from[i + shift], and black where there is no such pixel.
void ShiftRow(const uint8_t* from, int64_t n, int64_t shift, uint8_t* to) {
  const int64_t begin = std::max<int64_t>(-shift, 0);
  const int64_t end = std::min(n - shift, n);
  std::memset(to, 0, begin);
  std::memcpy(to + begin, from + begin + shift, end - begin);
  std::memset(to + end, 0, n - end);
}

}  // namespace

void TranslateX(const Image& from, const Image& to, double pixels) {
  const int64_t shift = Whole(pixels, from.W);
  for (int c = 0; c < 3; ++c) {
    for (int64_t y = 0; y < from.H; ++y) {
      ShiftRow(from.Row(c, y), from.W, shift, to.Row(c, y));
    }
  }
}

void TranslateY(const Image& from, const Image& to, double pixels) {
  const int64_t H = from.H, shift = Whole(pixels, H);
  for (int c = 0; c < 3; ++c) {
    for (int64_t y = 0; y < H; ++y) {
      const int64_t at = y + shift;
      if (0 <= at && at < H) {
        std::memcpy(to.Row(c, y), from.Row(c, at), from.W);
      } else {
        std::memset(to.Row(c, y), 0, from.W);
      }
    }
  }
}

}  // namespace rcj::augmix
