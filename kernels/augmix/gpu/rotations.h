// Pillow's inverse matrices of rotations by whole degrees.
#ifndef RCJ_AUGMIX_GPU_ROTATIONS_H_
#define RCJ_AUGMIX_GPU_ROTATIONS_H_

#include <cmath>

#include "augmix/gpu/pixel.h"

namespace rcj::augmix_gpu {

constexpr int kMaxDegrees = 30;

// Cosines and sines, which Pillow rounds to 15 digits; small enough to be an
// argument of a kernel.
struct Rotations {
  double cosine[2 * kMaxDegrees + 1], sine[2 * kMaxDegrees + 1];

  Rotations() {
    for (int degrees = -kMaxDegrees; degrees <= kMaxDegrees; ++degrees) {
      const int turn = (degrees + 360) % 360, i = degrees + kMaxDegrees;
      const double angle = -(turn * (3.14159265358979323846 / 180));
      cosine[i] = Rounded(std::cos(angle));
      sine[i] = Rounded(std::sin(angle));
    }
  }

  // Of a rotation about the centre of an image: m[0..2] gives x, m[3..5] y.
  RCJ_BOTH void Matrix(double degrees, int H, int W, double m[6]) const {
    const int i = Clamp(static_cast<int>(degrees), -kMaxDegrees, kMaxDegrees);
    const double cos = cosine[i + kMaxDegrees], sin = sine[i + kMaxDegrees];
    const double x = W / 2.0, y = H / 2.0;
    m[0] = m[4] = cos;
    m[1] = sin;
    m[2] = cos * -x + sin * -y + x;
    m[3] = -sin;
    m[5] = -sin * -x + cos * -y + y;
  }

 private:
  static double Rounded(double value) {
    return std::nearbyint(value * 1e15) / 1e15;
  }
};

}  // namespace rcj::augmix_gpu

#endif  // RCJ_AUGMIX_GPU_ROTATIONS_H_
