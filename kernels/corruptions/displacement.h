// Noise that is smoothed to displacements.
#ifndef RCJ_CORRUPTIONS_DISPLACEMENT_H_
#define RCJ_CORRUPTIONS_DISPLACEMENT_H_

#include <algorithm>
#include <cstdint>

#include "corruptions/product.h"
#include "corruptions/scratch.h"
#include "corruptions/smoothing.h"

namespace rcj {

class Displacement {
 public:
  // half: of the kernel, its centre first; zeros at its end do not count.
  Displacement(int64_t height, int64_t width, double scale, const double* half,
               int64_t reach)
      : height_(height),
        width_(width),
        scale_(scale),
        rows_(height, half, reach, false),
        columns_(width, half, reach, true) {}

  // noise[height][width] to displacements of the same shape.
  void Smooth(const double* noise, Scratch& scratch,
              float* __restrict result) const {
    const int64_t height = RowsOfTiles(height_);
    const int64_t width = ColumnsOfTiles(width_);
    double* field = scratch.Take<double>(height * width);
    double* halfway = scratch.Take<double>(height * width);
    for (int64_t y = 0; y < height_; ++y) {
      double* end = std::copy_n(noise + y * width_, width_, field + y * width);
      std::fill_n(end, width - width_, 0.0);
    }
    for (int64_t y = 0; y < height; y += kTileRows) {
      const Band band = rows_.band(y, y + kTileRows);
      for (int64_t x = 0; x < width; x += kTileColumns) {
        MultiplyTile(rows_.matrix(), {field, width}, y, x, band, halfway);
      }
    }
    double* smooth = field;  // the noise is not needed any more
    for (int64_t y = 0; y < height; y += kTileRows) {
      for (int64_t x = 0; x < width; x += kTileColumns) {
        const Band band = columns_.band(x, x + kTileColumns);
        MultiplyTile({halfway, width}, columns_.matrix(), y, x, band, smooth);
      }
    }
    for (int64_t y = 0; y < height_; ++y) {
      const double* row = smooth + y * width;
      for (int64_t x = 0; x < width_; ++x) {
        result[y * width_ + x] = static_cast<float>(row[x] * scale_);
      }
    }
  }

 private:
  int64_t height_, width_;
  double scale_;
  Smoothing rows_, columns_;
};

}  // namespace rcj

#endif  // RCJ_CORRUPTIONS_DISPLACEMENT_H_
