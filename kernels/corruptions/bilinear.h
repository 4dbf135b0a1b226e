// Bilinear values of an image at places anywhere.
#ifndef RCJ_CORRUPTIONS_BILINEAR_H_
#define RCJ_CORRUPTIONS_BILINEAR_H_

#include <cmath>
#include <cstdint>

#include "corruptions/quad.h"
#include "corruptions/scratch.h"

namespace rcj {

struct Size {
  int64_t height, width;
};

// A row of places: between which pixels, and the weights of these four.
class Places {
 public:
  Places(int64_t width, Scratch& scratch)
      : x(scratch.Take<double>(width)),
        y(scratch.Take<double>(width)),
        width_(width),
        left_(scratch.Take<int32_t>(width)),
        top_(scratch.Take<int32_t>(width)) {
    for (double*& weights : weights_) weights = scratch.Take<double>(width);
  }

  double *const x, *const y;  // to be set before the next is called

  // Samples values[height][width][3] to row[width][3], the border as `fold` has
  // it. One value more than there are is read, and one more is written.
  template <class Fold>
  void Sample(const double* values, const Size& size, const Fold& fold,
              float* row) {
    Weigh();
    const int64_t below = size.width * 3;
    for (int64_t i = 0; i < width_; ++i) {
      const int64_t left = left_[i], top = top_[i];
      const double* pixels[4];
      if (left >= 0 && left < size.width - 1 && top >= 0 &&
          top < size.height - 1) {
        const double* pixel = values + (top * size.width + left) * 3;
        pixels[0] = pixel, pixels[1] = pixel + 3;
        pixels[2] = pixel + below, pixels[3] = pixel + below + 3;
      } else {
        for (int k = 0; k < 4; ++k) {
          pixels[k] = values + fold(top + k / 2, size.height) * below +
                      fold(left + k % 2, size.width) * 3;
        }
      }
      Double4 sum = Four(pixels[0]) * weights_[0][i];
      sum += Four(pixels[1]) * weights_[1][i];
      sum += Four(pixels[2]) * weights_[2][i];
      sum += Four(pixels[3]) * weights_[3][i];
      Four(row + 3 * i) = __builtin_convertvector(sum, Float4);
    }
  }

 private:
  void Weigh() {
    // Simple loops, so that the compiler makes them parallel.
    Split(x, left_, weights_[0], weights_[1]);
    Split(y, top_, weights_[2], weights_[3]);
    double *p = weights_[0], *q = weights_[1];
    double *r = weights_[2], *s = weights_[3];
    for (int64_t i = 0; i < width_; ++i) {
      const double left = p[i], right = q[i], top = r[i], bottom = s[i];
      p[i] = top * left;
      q[i] = top * right;
      r[i] = bottom * left;
      s[i] = bottom * right;
    }
  }

  // The pixel before each place, its weight, and the weight of the next.
  void Split(const double* __restrict at, int32_t* __restrict low,
             double* __restrict near, double* __restrict far) const {
    for (int64_t i = 0; i < width_; ++i) {
      const double floor = std::floor(at[i]);
      low[i] = static_cast<int32_t>(floor);
      near[i] = 1 - (at[i] - floor);
      far[i] = 1 - near[i];
    }
  }

  int64_t width_;
  int32_t *left_, *top_;
  double* weights_[4];
};

}  // namespace rcj

#endif  // RCJ_CORRUPTIONS_BILINEAR_H_
