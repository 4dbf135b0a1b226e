// Products of matrices of doubles that are mostly zeros around a band.
#ifndef RCJ_CORRUPTIONS_PRODUCT_H_
#define RCJ_CORRUPTIONS_PRODUCT_H_

#include <cstdint>

#include "corruptions/quad.h"

namespace rcj {

constexpr int64_t kTileRows = 4, kTileColumns = 8;

// Up to a whole number of tiles.
inline int64_t RowsOfTiles(int64_t rows) {
  return (rows + kTileRows - 1) / kTileRows * kTileRows;
}
inline int64_t ColumnsOfTiles(int64_t columns) {
  return (columns + kTileColumns - 1) / kTileColumns * kTileColumns;
}

struct Matrix {
  const double* values;
  int64_t stride;
};

// Terms of a sum.
struct Band {
  int64_t begin, end;
};

// The tile of a * b that begins at a row and a column, of the terms in a band.
// The rows of the product are as far apart as those of b.
inline void MultiplyTile(const Matrix& a, const Matrix& b, int64_t row,
                         int64_t column, const Band& band, double* product) {
  Double4 p[kTileRows] = {}, q[kTileRows] = {};
  const double* left = a.values + row * a.stride;
  const double* right = b.values + column;
  for (int64_t k = band.begin; k < band.end; ++k) {
    const auto low = Four(right + k * b.stride);
    const auto high = Four(right + k * b.stride + 4);
#pragma GCC unroll 4
    for (int i = 0; i < kTileRows; ++i) {
      const double factor = left[i * a.stride + k];
      p[i] += low * factor;
      q[i] += high * factor;
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < kTileRows; ++i) {
    double* to = product + (row + i) * b.stride + column;
    Four(to) = p[i];
    Four(to + 4) = q[i];
  }
}

}  // namespace rcj

#endif  // RCJ_CORRUPTIONS_PRODUCT_H_
