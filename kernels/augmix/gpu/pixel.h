// A pixel of a chain's image, equal to Pillow's to the last bit.
//
// Positions are computed in double precision, as Pillow does; colours between
// pixels in single precision, and again in double where that could decide. No
// product may be contracted with a sum: compile with -fmad=false.
#ifndef RCJ_AUGMIX_GPU_PIXEL_H_
#define RCJ_AUGMIX_GPU_PIXEL_H_

#include <cmath>
#include <cstdint>

#include "augmix/gpu/chain.h"

namespace rcj::augmix_gpu {

// Red, green and blue in the lowest bytes, in this order.
using Pixel = uint32_t;

RCJ_BOTH int Channel(Pixel pixel, int c) { return pixel >> (8 * c) & 255; }

RCJ_BOTH Pixel Join(int red, int green, int blue) {
  return static_cast<Pixel>(red | green << 8 | blue << 16);
}

// A table [3][256], or null, which changes nothing.
RCJ_BOTH Pixel LookUp(const uint8_t* table, Pixel p) {
  if (!table) return p;
  return Join(table[Channel(p, 0)], table[256 + Channel(p, 1)],
              table[512 + Channel(p, 2)]);
}

// A chain's image as it is by now.
struct View {
  const uint8_t* bytes;  // the source, three a pixel, or
  const Pixel* pixels;   // one word a pixel, if not null
  int H, W;
  const uint8_t* before;
  int move;
  double param[6];
  const uint8_t* after;

  RCJ_BOTH View(const Chain& chain, const uint8_t* bytes, const Pixel* pixels,
                int H, int W)
      : bytes(bytes),
        pixels(pixels),
        H(H),
        W(W),
        before(chain.before.used ? &chain.before.value[0][0] : nullptr),
        move(chain.move),
        after(chain.after.used ? &chain.after.value[0][0] : nullptr) {
    for (int i = 0; i < 6; ++i) param[i] = chain.param[i];
  }

  // The source through the first table.
  RCJ_BOTH Pixel At(int x, int y) const {
    const int i = y * W + x;
    if (pixels) return LookUp(before, pixels[i]);
    const uint8_t* rgb = bytes + 3 * i;
    return LookUp(before, Join(rgb[0], rgb[1], rgb[2]));
  }
};

RCJ_BOTH int Clamp(int value, int low, int high) {
  return value < low ? low : value > high ? high : value;
}

template <class T>
RCJ_BOTH T Between(T low, T high, T way) {
  return low + (high - low) * way;
}

template <class T>
RCJ_BOTH T Between(const int v[4], double dx, double dy) {
  const T x = static_cast<T>(dx), upper = Between<T>(v[0], v[1], x);
  return Between<T>(upper, Between<T>(v[2], v[3], x), static_cast<T>(dy));
}

// The value at dx, dy (0 <= d < 1) between four pixels, truncated.
RCJ_BOTH int Interpolate(const int v[4], double dx, double dy) {
  // In single precision it is off by less than 6e-5.
  const float fast = Between<float>(v, dx, dy);
  if (fabsf(fast - rintf(fast)) > 1e-4f) return static_cast<int>(fast);
  return static_cast<int>(Between<double>(v, dx, dy));
}

// Both neighbours of a position inside an image, and the way between them.
struct Taps {
  int low, high;
  double way;

  RCJ_BOTH Taps(double at, int size) {
    const double floor = ::floor(at - 0.5);
    way = at - 0.5 - floor;
    const int first = static_cast<int>(floor);
    low = Clamp(first, 0, size - 1);
    high = Clamp(first + 1, 0, size - 1);
  }
};

RCJ_BOTH Pixel Interpolate(const View& view, double x, double y) {
  if (!(x >= 0 && x < view.W && y >= 0 && y < view.H)) return 0;
  const Taps tx(x, view.W), ty(y, view.H);
  // Shearing is exactly on a row or a column, whose neighbour counts nothing.
  Pixel taps[4];
  taps[0] = view.At(tx.low, ty.low);
  taps[1] = tx.way > 0 ? view.At(tx.high, ty.low) : taps[0];
  taps[2] = ty.way > 0 ? view.At(tx.low, ty.high) : taps[0];
  taps[3] = tx.way > 0 && ty.way > 0 ? view.At(tx.high, ty.high)
            : tx.way > 0             ? taps[1]
                                     : taps[2];
  int value[3];
  for (int c = 0; c < 3; ++c) {
    const int v[4] = {Channel(taps[0], c), Channel(taps[1], c),
                      Channel(taps[2], c), Channel(taps[3], c)};
    value[c] = Interpolate(v, tx.way, ty.way);
  }
  return Join(value[0], value[1], value[2]);
}

RCJ_BOTH Pixel Rotated(const View& view, int x, int y) {
  const double* m = view.param;
  const double across = x + 0.5, down = y + 0.5;
  return Interpolate(view, across * m[0] + down * m[1] + m[2],
                     across * m[3] + down * m[4] + m[5]);
}

RCJ_BOTH Pixel Shifted(const View& view, int x, int y) {
  const bool inside = x >= 0 && x < view.W && y >= 0 && y < view.H;
  return inside ? view.At(x, y) : 0;
}

RCJ_BOTH int Blend(int degenerate, int value, float factor) {
  const float change = static_cast<float>(value - degenerate) * factor;
  const float mixed = static_cast<float>(degenerate) + change;
  return static_cast<int>(fminf(fmaxf(mixed, 0), 255));
}

RCJ_BOTH Pixel Blend(Pixel degenerate, Pixel pixel, float factor) {
  return Join(Blend(Channel(degenerate, 0), Channel(pixel, 0), factor),
              Blend(Channel(degenerate, 1), Channel(pixel, 1), factor),
              Blend(Channel(degenerate, 2), Channel(pixel, 2), factor));
}

RCJ_BOTH int Grey(Pixel p) {
  return (19595 * Channel(p, 0) + 38470 * Channel(p, 1) + 7471 * Channel(p, 2) +
          32768) >>
         16;
}

// Pillow's filter SMOOTH, which leaves the border as it is.
RCJ_BOTH Pixel Smooth(const View& view, int x, int y) {
  const Pixel centre = view.At(x, y);
  if (x == 0 || y == 0 || x == view.W - 1 || y == view.H - 1) return centre;
  int sum[3];
  for (int c = 0; c < 3; ++c) sum[c] = 4 * Channel(centre, c);
  for (int i = 0; i < 9; ++i) {
    const Pixel p = view.At(x - 1 + i % 3, y - 1 + i / 3);
    for (int c = 0; c < 3; ++c) sum[c] += Channel(p, c);
  }
  // sum / 13 + 1/2, truncated.
  for (int c = 0; c < 3; ++c) sum[c] = (2 * sum[c] + 13) / 26;
  return Join(sum[0], sum[1], sum[2]);
}

RCJ_BOTH Pixel Moved(const View& view, int x, int y) {
  const double p = view.param[0];
  switch (view.move) {
    case kRotate:
      return Rotated(view, x, y);
    case kShearX:
      return Interpolate(view, x + 0.5 + (y + 0.5) * p, y + 0.5);
    case kShearY:
      return Interpolate(view, x + 0.5, (x + 0.5) * p + (y + 0.5));
    case kTranslateX:
      return Shifted(view, x + static_cast<int>(p), y);
    case kTranslateY:
      return Shifted(view, x, y + static_cast<int>(p));
    case kColor: {
      const int grey = Grey(view.At(x, y));
      return Blend(Join(grey, grey, grey), view.At(x, y),
                   static_cast<float>(p));
    }
    case kSharpness:
      return Blend(Smooth(view, x, y), view.At(x, y), static_cast<float>(p));
    default:
      return view.At(x, y);
  }
}

// The pixel of a chain's image.
RCJ_BOTH Pixel Evaluate(const View& view, int x, int y) {
  return LookUp(view.after, Moved(view, x, y));
}

}  // namespace rcj::augmix_gpu

#endif  // RCJ_AUGMIX_GPU_PIXEL_H_
