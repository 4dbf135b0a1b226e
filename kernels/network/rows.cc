#include "network/rows.h"

namespace rcj::network {

int Layout::Width(int columns, int total_stride) const {
  if (strips == 1) return columns;
  const int least = (columns + strips - 1) / strips;
  return (least + total_stride - 1) / total_stride * total_stride;
}

Shift Shifted(const Layout& layout, int by) {
  Shift shift;
  for (int lane = 0; lane < kLanes; ++lane) {
    const int strip = lane % layout.strips + by;
    const bool inside = strip >= 0 && strip < layout.strips;
    shift.from[lane] = inside ? lane + by : lane;
    shift.inside[lane] = inside ? -1 : 0;
  }
  return shift;
}

Columns ColumnsOf(const Layout& layout, int columns, int width) {
  Columns found{width, {}};
  if (layout.strips * width == columns) return found;
  for (int x = 0; x < width; ++x) {
    Ints inside;
    for (int lane = 0; lane < kLanes; ++lane) {
      const int column = lane % layout.strips * width + x;
      inside[lane] = column < columns ? -1 : 0;
    }
    found.inside.push_back(inside);
  }
  return found;
}

}  // namespace rcj::network
