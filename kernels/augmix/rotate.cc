#include <cstring>

#include "augmix/rotate_row.h"

namespace rcj::augmix {
namespace {

constexpr double kPi = 3.14159265358979323846;

// To 15 decimal places, as Pillow.
double Rounded(double value) { return std::nearbyint(value * 1e15) / 1e15; }

}  // namespace

void Rotate(const Image& from, const Image& to, int degrees) {
  const int64_t H = from.H, W = from.W;
  const double angle = -((degrees + 360) % 360 * (kPi / 180));
  const double cos = Rounded(std::cos(angle)), sin = Rounded(std::sin(angle));
  const double x = W / 2.0, y = H / 2.0;
  const double shift_x = cos * -x + sin * -y + x;
  const double shift_y = -sin * -x + cos * -y + y;
  for (int c = 0; c < 3; ++c) Pad(from, c);
  const RotatedRow rotated(from, to, cos, -sin);
  for (int64_t row = 0; row < H; ++row) {
    const double centre = row + 0.5;
    const Line across{cos, centre * sin, shift_x};
    const Line down{-sin, centre * cos, shift_y};
    const Interval a = Inside(across, W, W);
    const Interval b = Inside(down, W, H);
    const int64_t begin = std::max(a.begin, b.begin);
    const int64_t end = std::max(begin, std::min(a.end, b.end));
    for (int c = 0; c < 3; ++c) std::memset(to.Row(c, row), 0, begin);
    rotated.Fill(across, down, row, {begin, end});
    for (int c = 0; c < 3; ++c) std::memset(to.Row(c, row) + end, 0, W - end);
  }
}

}  // namespace rcj::augmix
