#include "augmix/rotate_row.h"

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
using simd::Floats;

constexpr int kFine = 40, kCoarse = 26;
// A larger image would need more than 63 bits.
constexpr int64_t kLargest = 1 << 14;
// Rows that 16 pixels of a line by kMaxDegrees can cross.
constexpr int kRows = 10;

// The error of a value is less than this. Positions are off by 2^-25 and, as
// floats, by as much again, which moves a value by 255 times that on each axis;
// the rounded product of both ways adds 510 * 2^-24, and sums 3 * 2^-16.
constexpr float kDoubt = 1.5e-4f;

int64_t Fixed(double pixels) {
  return std::llround(pixels * (int64_t{1} << kFine));
}

Bytes Dwords(int32_t value) { return RCJ_SIMD(set1_epi32)(value); }
Floats Number(float value) { return RCJ_SIMD(set1_ps)(value); }

// Four vectors of the dwords of a vector of bytes, in the order in which
// unpacking twice leaves them: place i of vector k of a lane is byte 4 * k + i.
Bytes Pack(const Bytes dwords[4]) {
  return RCJ_SIMD(packus_epi16)(
      RCJ_SIMD(packs_epi32)(dwords[0], dwords[1]),
      RCJ_SIMD(packs_epi32)(dwords[2], dwords[3]));
}

// The ways between the taps of each pixel, and their product, over 2^16.
struct Ways {
  Floats x[4], y[4], both[4];

  // The highest bit of a byte is set where a position is so near to a tap that
  // it may lie beyond: then other neighbours count, too.
  Bytes AtTaps() const;
};

Bytes Ways::AtTaps() const {
  const Floats middle = Number(0.5f / 65536);
  const Floats most = Number(0.5f / 65536 - 0x1p-39f);
  const Floats sign = Number(-0.0f);
  const auto room = [&](Floats way) {
    const Floats off = RCJ_SIMD(andnot_ps)(sign, RCJ_SIMD(sub_ps)(way, middle));
    return Bytes(RCJ_SIMD(sub_ps)(most, off));
  };
  Bytes near[4];
  for (int k = 0; k < 4; ++k) near[k] = room(x[k]) | room(y[k]);
  return RCJ_SIMD(packs_epi16)(RCJ_SIMD(packs_epi32)(near[0], near[1]),
                               RCJ_SIMD(packs_epi32)(near[2], near[3]));
}

// The four neighbours of pixels.
struct Neighbours {
  Bytes upper_left, upper_right, lower_left, lower_right;

  // 0xff where all four are equal.
  Bytes Flat() const {
    return simd::Equal(upper_left, upper_right) &
           simd::Equal(upper_left, lower_left) &
           simd::Equal(upper_left, lower_right);
  }
};

// Neighbours as 16-bit words: a value and how it changes.
struct Words {
  Bytes value, x, y, both;

  Words(Bytes upper_left, Bytes upper_right, Bytes lower_left,
        Bytes lower_right)
      : value(upper_left),
        x(RCJ_SIMD(sub_epi16)(upper_right, upper_left)),
        y(RCJ_SIMD(sub_epi16)(lower_left, upper_left)),
        both(RCJ_SIMD(sub_epi16)(
            RCJ_SIMD(sub_epi16)(lower_right, lower_left), x)) {}
};

// The value of pixels in units of 1, `doubt` too low.
Floats LowEnd(Floats value, Floats x, Floats y, Floats both, const Ways& ways,
              int k) {
  Floats sum = RCJ_SIMD(fmsub_ps)(both, ways.both[k], Number(kDoubt));
  sum = RCJ_SIMD(fmadd_ps)(y, ways.y[k], sum);
  sum = RCJ_SIMD(fmadd_ps)(x, ways.x[k], sum);
  return RCJ_SIMD(fmadd_ps)(value, Number(1.0f / 65536), sum);
}

// Truncated values, and in `other` what they would be if they were too high.
Bytes Interpolate(const Neighbours& n, const Ways& ways, Bytes* other) {
  const Bytes zero{};
#define RCJ_WORDS(half)                                                 \
  Words(RCJ_SIMD(unpack##half##_epi8)(n.upper_left, zero),              \
        RCJ_SIMD(unpack##half##_epi8)(n.upper_right, zero),             \
        RCJ_SIMD(unpack##half##_epi8)(n.lower_left, zero),              \
        RCJ_SIMD(unpack##half##_epi8)(n.lower_right, zero))
  const Words words[2] = {RCJ_WORDS(lo), RCJ_WORDS(hi)};
#undef RCJ_WORDS
  Bytes high[4], low[4];
  for (int k = 0; k < 4; ++k) {
    const Words& w = words[k / 2];
    // In the upper half of a dword a word is its own value times 2^16.
    const auto floats = [&](Bytes v) {
      return RCJ_SIMD(cvtepi32_ps)(k % 2 ? RCJ_SIMD(unpackhi_epi16)(zero, v)
                                         : RCJ_SIMD(unpacklo_epi16)(zero, v));
    };
    const Floats end = LowEnd(floats(w.value), floats(w.x), floats(w.y),
                              floats(w.both), ways, k);
    low[k] = RCJ_SIMD(cvttps_epi32)(end);
    high[k] =
        RCJ_SIMD(cvttps_epi32)(RCJ_SIMD(add_ps)(end, Number(2 * kDoubt)));
  }
  *other = Pack(low);
  return Pack(high);
}

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
  const Floats unit = Number(1.0f / (1 << kCoarse) / 65536);
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
    Ways& ways = block.ways;
    const Floats fx = RCJ_SIMD(cvtepi32_ps)(px & fraction);
    const Floats fy = RCJ_SIMD(cvtepi32_ps)(py & fraction);
    ways.x[k] = RCJ_SIMD(mul_ps)(fx, unit);
    ways.y[k] = RCJ_SIMD(mul_ps)(fy, unit);
    ways.both[k] = RCJ_SIMD(mul_ps)(
        ways.x[k], RCJ_SIMD(mul_ps)(fy, Number(1.0f / (1 << kCoarse))));
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
      Bytes other;
      const Bytes values = Interpolate(n, block.ways, &other);
      uint8_t* to = to_.Row(c, row) + i;
      simd::Store(to, values);
      if (!simd::AnySet(values ^ other)) continue;
      const Bytes flat =
          n.Flat() & ~block.ways.AtTaps();
      uint64_t doubts = ~simd::Mask(simd::Equal(values, other) | flat);
      if (simd::kBytes < 64) doubts &= (uint64_t{1} << simd::kBytes % 64) - 1;
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
