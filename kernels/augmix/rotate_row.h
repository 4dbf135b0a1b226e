// One row of a rotated image.
#ifndef RCJ_AUGMIX_ROTATE_ROW_H_
#define RCJ_AUGMIX_ROTATE_ROW_H_

#include "augmix/warps.h"
#include "common/simd.h"

namespace rcj::augmix {

// The source of a row is a straight line. In vectors of simd::kBytes pixels,
// each lane of 16 has its own first tap and collects its taps from the few rows
// that it crosses by byte shuffles; interpolation is in float. Where that is so
// near to a whole number that the truncated result is in doubt, the pixel is
// computed again in double.
class RotatedRow {
 public:
  // The slopes of all rows; `from` is padded.
  RotatedRow(const Image& from, const Image& to, double slope_x,
             double slope_y);

  // Writes the pixels that lie inside, and up to a vector more.
  void Fill(const Line& x, const Line& y, int64_t row, Interval inside) const;

 private:
  uint8_t Exact(int channel, const Taps& x, const Taps& y) const;
  void FillExactly(const Line& x, const Line& y, int64_t row,
                   Interval inside) const;

  const Image& from_;
  const Image& to_;

#ifdef RCJ_SIMD
  // A position along each axis, in 2^-40 pixels.
  struct Place {
    int64_t x, y;
  };
  struct Lane;
  struct Block;

  Lane LaneAt(Place first, int count) const;
  Block BlockAt(const Lane* lanes, bool whole) const;
  Place At(Place first, int64_t pixels) const;

  Place slope_;
  // Of i pixels of a lane, in 2^-26 pixels.
  int32_t across_[16], down_[16];
#endif
};

}  // namespace rcj::augmix

#endif  // RCJ_AUGMIX_ROTATE_ROW_H_
