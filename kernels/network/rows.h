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
  Window(const Rows& rows, int h, int width, int lines, const Line* border,
         const std::vector<Shift>& shifts)
      : rows_(rows), h_(h), width_(width), lines_(lines), border_(border),
        shifts_(shifts) {}

  // The lines of the pixel in column x of row y, counted in strips.
  Place At(int y, int x) const {
    if (y < 0 || y >= h_) return {border_, nullptr};
    if (x >= 0 && x < width_) return {rows_.At(y) + x * lines_, nullptr};
    const int by = x >= 0 ? x / width_ : -((width_ - 1 - x) / width_);
    const int middle = static_cast<int>(shifts_.size()) / 2;
    if (by < -middle || by > middle) return {border_, nullptr};
    return {rows_.At(y) + (x - by * width_) * lines_, &shifts_[middle + by]};
  }

  // The same, copied to `spare` if it is that of another strip.
  const Line* Copied(int y, int x, Line* spare) const {
    const Place place = At(y, x);
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

  int lines() const { return lines_; }

 private:
  Rows rows_;
  int h_, width_, lines_;
  const Line* border_;
  const std::vector<Shift>& shifts_;
};

}  // namespace rcj::network

#endif  // RCJ_NETWORK_ROWS_H_
