#include "augmix/rotate_row.h"

#include "augmix/bilinear.h"

namespace rcj::augmix {

uint8_t RotatedRow::Exact(int channel, const Taps& x, const Taps& y) const {
  const uint8_t* upper = from_.Row(channel, y.low);
  const uint8_t* lower = from_.Row(channel, y.high);
  return Between(Between(upper[x.low], upper[x.high], x.way),
                 Between(lower[x.low], lower[x.high], x.way), y.way);
}

void RotatedRow::FillExactly(const Line& x, const Line& y, int64_t row,
                             Interval inside) const {
  for (int64_t i = inside.begin; i < inside.end; ++i) {
    const Taps across(x.At(i), from_.W), down(y.At(i), from_.H);
    for (int c = 0; c < 3; ++c) to_.Row(c, row)[i] = Exact(c, across, down);
  }
}

#ifndef RCJ_SIMD

RotatedRow::RotatedRow(const Image& from, const Image& to, double, double)
    : from_(from), to_(to) {}

void RotatedRow::Fill(const Line& x, const Line& y, int64_t row,
                      Interval inside) const {
  FillExactly(x, y, row, inside);
}

#else

namespace {

using simd::Bytes;

constexpr int kFine = 40, kCoarse = kWayBits;
// A larger image would need more than 63 bits.
constexpr int64_t kLargest = 1 << 14;
// Rows that 16 pixels of a line by kMaxDegrees can cross.
constexpr int kRows = 10;

int64_t Fixed(double pixels) {
  return std::llround(pixels * (int64_t{1} << kFine));
}

Bytes Dwords(int32_t value) { return RCJ_SIMD(set1_epi32)(value); }

}  // namespace

// 16 pixels or fewer of a line.
struct RotatedRow::Lane {
  int64_t offset;        // of the first pixel's upper left tap in a plane
  int32_t x, y;          // from there to the first pixel, in 2^-26 pixels
  int32_t last_x, last_y;
  int rows;              // that lie between upper taps
};

// Where the taps of a vector of pixels lie.
struct RotatedRow::Block {
  int rows;
  Bytes shuffles[kRows];  // of the upper taps in each row, 0x80 elsewhere
  Ways ways;
  int64_t offsets[simd::kLanes];

  Neighbours Collect(const Image& from, int channel) const;
};

Neighbours RotatedRow::Block::Collect(const Image& from, int channel) const {
  const uint8_t* left[simd::kLanes];
  for (int i = 0; i < simd::kLanes; ++i) {
    left[i] = from.plane[channel] + offsets[i];
  }
  Neighbours n{};
  const auto take = [&](Bytes shuffle, Bytes l, Bytes r, Bytes& to_l,
                        Bytes& to_r) {
    to_l |= RCJ_SIMD(shuffle_epi8)(l, shuffle);
    to_r |= RCJ_SIMD(shuffle_epi8)(r, shuffle);
  };
  Bytes l = simd::LoadLanes(left), r = simd::LoadLanes(left, 1);
  for (int j = 0; j <= rows; ++j) {
    take(shuffles[j], l, r, n.upper_left, n.upper_right);
    const int64_t below = (j + 1) * from.stride;
    l = simd::LoadLanes(left, below);
    r = simd::LoadLanes(left, below + 1);
    take(shuffles[j], l, r, n.lower_left, n.lower_right);
  }
  return n;
}

RotatedRow::RotatedRow(const Image& from, const Image& to, double slope_x,
                       double slope_y)
    : from_(from), to_(to), slope_{Fixed(slope_x), Fixed(slope_y)} {
  for (int i = 0; i < 16; ++i) {
    across_[i] = std::lround(i * slope_x * (1 << kCoarse));
    down_[i] = std::lround(i * slope_y * (1 << kCoarse));
  }
}

RotatedRow::Place RotatedRow::At(Place first, int64_t pixels) const {
  return {first.x + pixels * slope_.x, first.y + pixels * slope_.y};
}

RotatedRow::Lane RotatedRow::LaneAt(Place first, int count) const {
  constexpr int64_t kOne = 1 << kCoarse, kFiner = 1 << (kFine - kCoarse);
  const auto coarse = [](int64_t fine, int64_t whole) {
    return static_cast<int32_t>((fine >> (kFine - kCoarse)) - whole * kOne);
  };
  const int64_t column = first.x >> kFine;
  const int32_t x = coarse(first.x, column);
  // A line that rises begins in its last row.
  const int64_t rise = std::min(down_[count - 1], 0);
  const int64_t row = (first.y + rise * kFiner) >> kFine;
  const int32_t y = coarse(first.y, row);
  const int32_t last_y = y + down_[count - 1];
  return {row * from_.stride + column, x, y, x + across_[count - 1], last_y,
          std::max(y, last_y) >> kCoarse};
}

RotatedRow::Block RotatedRow::BlockAt(const Lane* lanes, bool whole) const {
  constexpr int kLanes = simd::kLanes;
  Block block;
  int32_t x[4], y[4], last_x[4], last_y[4];
  block.rows = 0;
  for (int i = 0; i < kLanes; ++i) {
    block.offsets[i] = lanes[i].offset;
    block.rows = std::max(block.rows, lanes[i].rows);
    x[i] = lanes[i].x;
    y[i] = lanes[i].y;
    last_x[i] = lanes[i].last_x;
    last_y[i] = lanes[i].last_y;
  }
  const Bytes first_x = simd::SetLanes(x), first_y = simd::SetLanes(y);
  const Bytes fraction = Dwords((1 << kCoarse) - 1);
  Bytes columns[4], rows[4];
  for (int k = 0; k < 4; ++k) {
    const auto steps = [&](const int32_t* table) {
      return simd::Repeat16(table + 4 * k);
    };
    Bytes px = RCJ_SIMD(add_epi32)(first_x, steps(across_));
    Bytes py = RCJ_SIMD(add_epi32)(first_y, steps(down_));
    if (!whole) {
      // Pixels beyond the end repeat the last one.
      const Bytes end = simd::SetLanes(last_y);
      px = RCJ_SIMD(min_epi32)(px, simd::SetLanes(last_x));
      py = slope_.y > 0 ? RCJ_SIMD(min_epi32)(py, end)
                        : RCJ_SIMD(max_epi32)(py, end);
    }
    columns[k] = RCJ_SIMD(srai_epi32)(px, kCoarse);
    rows[k] = RCJ_SIMD(srai_epi32)(py, kCoarse);
    block.ways.Set(k, px & fraction, py & fraction);
  }
  const Bytes column = Pack(columns), row = Pack(rows);
  const Bytes all = RCJ_SIMD(set1_epi8)(-1);
  for (int j = 0; j <= block.rows; ++j) {
    const Bytes other = simd::Equal(row, RCJ_SIMD(set1_epi8)(j)) ^ all;
    block.shuffles[j] = column | other;
  }
  return block;
}

void RotatedRow::Fill(const Line& x, const Line& y, int64_t row,
                      Interval inside) const {
  const auto [begin, end] = inside;
  if (begin == end) return;
  if (std::max(from_.H, from_.W) > kLargest) {
    return FillExactly(x, y, row, inside);
  }
  const Place first{Fixed(x.At(begin) - 0.5), Fixed(y.At(begin) - 0.5)};
  for (int64_t i = begin; i < end; i += simd::kBytes) {
    Lane lanes[simd::kLanes];
    for (int lane = 0; lane < simd::kLanes; ++lane) {
      const int64_t at = i + 16 * lane;
      // A lane beyond the end repeats a pixel, too.
      lanes[lane] = at < end ? LaneAt(At(first, at - begin),
                                      std::min<int64_t>(end - at, 16))
                             : LaneAt(At(first, i - begin), 1);
    }
    const bool whole = i + simd::kBytes <= end;
    const Block block = BlockAt(lanes, whole);
    for (int c = 0; c < 3; ++c) {
      const Neighbours n = block.Collect(from_, c);
      const Estimate estimate = Interpolate(n, block.ways);
      uint8_t* to = to_.Row(c, row) + i;
      simd::Store(to, estimate.values);
      if (estimate.Sure()) continue;
      uint64_t doubts = estimate.Doubts(n, block.ways);
      for (; doubts; doubts &= doubts - 1) {
        const int at = __builtin_ctzll(doubts);
        if (i + at >= end) break;
        to[at] = Exact(c, Taps(x.At(i + at), from_.W),
                       Taps(y.At(i + at), from_.H));
      }
    }
  }
}

#endif

}  // namespace rcj::augmix
