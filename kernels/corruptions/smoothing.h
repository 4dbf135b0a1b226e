// A blur of any width as a matrix, the border reflected.
#ifndef RCJ_CORRUPTIONS_SMOOTHING_H_
#define RCJ_CORRUPTIONS_SMOOTHING_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "corruptions/mirror.h"
#include "corruptions/product.h"

namespace rcj {

// The blur along an axis of `size`: matrix[to][from] or, transposed,
// matrix[from][to], with room for whole tiles of both.
class Smoothing {
 public:
  // half: the right half of the kernel, its centre first.
  Smoothing(int64_t size, const double* half, int64_t reach, bool transposed)
      : size_(size), reach_(reach), stride_(ColumnsOfTiles(size)),
        values_(RowsOfTiles(size) * stride_) {
    for (int64_t to = 0; to < size; ++to) {
      for (int64_t k = -reach; k <= reach; ++k) {
        const int64_t from = Repeated(to + k, size);
        const int64_t at =
            transposed ? from * stride_ + to : to * stride_ + from;
        values_[at] += half[k < 0 ? -k : k];
      }
    }
  }

  Matrix matrix() const { return {values_.data(), stride_}; }

  // What the pixels begin..end-1 are made of.
  Band band(int64_t begin, int64_t end) const {
    return {std::max<int64_t>(0, begin - reach_),
            std::min(size_, end + reach_)};
  }

 private:
  int64_t size_, reach_, stride_;
  std::vector<double> values_;
};

}  // namespace rcj

#endif  // RCJ_CORRUPTIONS_SMOOTHING_H_
