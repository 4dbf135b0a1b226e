// Where rows of a value lie, and what lies beyond its borders.
#ifndef RCJ_NETWORK_ROWS_H_
#define RCJ_NETWORK_ROWS_H_

#include <cstdint>
#include <vector>

#include "network/program.h"

namespace rcj::network {

// How images share the lanes of a line: each is cut into vertical strips of
// equal width, lane i * strips + s is strip s of image i.
struct Layout {
  int images = kLanes, strips = 1;

  // Columns of a strip of an image of so many, whose total stride is known.
  int Width(int columns, int total_stride) const;
};

// A value's rows, all of them or the last few, in turns.
struct Rows {
  Line* base = nullptr;
  int64_t length = 0;  // lines of a row
  int held = 1;        // rows in memory

  Line* At(int y) const { return base + (y % held) * length; }
};

// Lanes of a neighbouring strip, and where there is one.
struct Shift {
  Ints from, inside;
};

// What all values of a width have in common.
struct Columns {
  int width;                 // of a strip
  std::vector<Ints> inside;  // per column: lanes that lie within the image
};

// The lanes of the strip that is `by` to the right.
Shift Shifted(const Layout& layout, int by);

Columns ColumnsOf(const Layout& layout, int columns, int width);

// A line of a value, which may be that of another strip.
struct Place {
  const Line* at;
  const Shift* shift;  // null: as it is
};

// Reads a value, zeros around it.
class Window {
 public:
  // `border` has zeros for all lines of a pixel.
  Window(const Rows& rows, int h, int width, int lines, int pitch,
         const Line* border,
         const std::vector<Shift>& shifts)
      : rows_(rows), h_(h), width_(width), lines_(lines), pitch_(pitch),
        border_(border), shifts_(shifts) {}

  // A row, null where there is none.
  const Line* Row(int y) const {
    return y >= 0 && y < h_ ? rows_.At(y) : nullptr;
  }

  // The lines of the pixel in column x of a row, counted in strips.
  RCJ_INLINE Place In(const Line* row, int x) const {
    if (!row) return {border_, nullptr};
    if (x >= 0 && x < width_) return {row + int64_t{x} * pitch_, nullptr};
    return Beside(row, x);
  }

  // The same, copied to `spare` if it is that of another strip.
  const Line* Copied(const Line* row, int x, Line* spare) const {
    const Place place = In(row, x);
    if (!place.shift) return place.at;
    for (int i = 0; i < lines_; ++i) spare[i] = Read(place, i);
    return spare;
  }

  // A line of a place.
  RCJ_INLINE Line Read(const Place& place, int i) const {
    if (!place.shift) return place.at[i];
    const Line moved = Permuted(place.at[i], place.shift->from);
    return (moved & place.shift->inside) | (border_[i] & ~place.shift->inside);
  }

 private:
  // A column of another strip, or of none.
  Place Beside(const Line* row, int x) const {
    const int by = x >= 0 ? x / width_ : -((width_ - 1 - x) / width_);
    const int middle = static_cast<int>(shifts_.size()) / 2;
    if (by < -middle || by > middle) return {border_, nullptr};
    return {row + int64_t{x - by * width_} * pitch_, &shifts_[middle + by]};
  }

  Rows rows_;
  int h_, width_, lines_, pitch_;
  const Line* border_;
  const std::vector<Shift>& shifts_;
};

}  // namespace rcj::network

#endif  // RCJ_NETWORK_ROWS_H_
