// The affine map that moves three points.
#ifndef RCJ_CORRUPTIONS_AFFINE_H_
#define RCJ_CORRUPTIONS_AFFINE_H_

#include <algorithm>
#include <cstdint>

#include "corruptions/bilinear.h"

namespace rcj {

// Where each pixel of the mapped image is in the original.
class Affine {
 public:
  // jitter[3][2]: how far three points move, x and y, in units of `scale`.
  Affine(const double* jitter, double scale, const Size& size) {
    const int64_t reach = std::min(size.height, size.width) / 3;
    const int64_t ways[3][2] = {{1, 1}, {1, -1}, {-1, -1}};
    const int64_t centre[2] = {size.width / 2, size.height / 2};
    for (int i = 0; i < 2; ++i) {
      double moved[3];
      for (int k = 0; k < 3; ++k) {
        // In single precision, as OpenCV takes its points.
        const auto corner = static_cast<float>(centre[i] + reach * ways[k][i]);
        moved[k] = corner + static_cast<float>(jitter[2 * k + i] * scale);
      }
      along_y_[i] = (moved[0] - moved[1]) / (2 * reach);
      along_x_[i] = (moved[1] - moved[2]) / (2 * reach);
      start_[i] = moved[2] - along_x_[i] * (centre[0] - reach) -
                  along_y_[i] * (centre[1] - reach);
    }
    area_ = along_x_[0] * along_y_[1] - along_x_[1] * along_y_[0];
  }

  // The places of one row of the mapped image.
  void Row(int64_t row, int64_t width, double* __restrict x,
           double* __restrict y) const {
    const Affine affine = *this;  // that no store can be to it
    const double down = row - affine.start_[1];
    for (int32_t i = 0; i < width; ++i) {
      const double right = i - affine.start_[0];
      x[i] = (affine.along_y_[1] * right - affine.along_y_[0] * down) /
             affine.area_;
      y[i] = (affine.along_x_[0] * down - affine.along_x_[1] * right) /
             affine.area_;
    }
  }

 private:
  double along_x_[2], along_y_[2], start_[2], area_;
};

struct Fields {
  const double *down, *jitter, *right;
};

}  // namespace rcj

#endif  // RCJ_CORRUPTIONS_AFFINE_H_
