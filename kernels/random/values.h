// From words of 32 bits to real numbers, 64 at a time.
#ifndef RCJ_RANDOM_VALUES_H_
#define RCJ_RANDOM_VALUES_H_

#include <cmath>
#include <cstdint>
#include <cstring>

#include "random/philox.h"

namespace rcj {

// The upper 23 bits and a half: in (0, 1), never 0 or 1, and exact.
inline float Uniform(uint32_t word) {
  return (static_cast<float>(static_cast<int32_t>(word >> 9)) + 0.5f) *
         0x1p-23f;
}

inline float FromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

inline uint32_t ToBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

// Logarithm of a normal positive number, to 1e-7 of itself: of the mantissa in
// sqrt(1/2)..sqrt(2) by a polynomial that was fitted here.
inline float Log(float x) {
  const uint32_t bits = ToBits(x) + (0x3F800000 - 0x3F3504F3);
  const float exponent =
      static_cast<float>(static_cast<int32_t>(bits >> 23) - 127);
  const float f = FromBits((bits & 0x7FFFFF) + 0x3F3504F3) - 1.0f;
  float p = 0.08700430393f;
  p = p * f - 0.14267486334f;
  p = p * f + 0.14914768934f;
  p = p * f - 0.16577585042f;
  p = p * f + 0.19963063300f;
  p = p * f - 0.25001338124f;
  p = p * f + 0.33333909512f;
  const float square = f * f;
  return exponent * 0.69314718056f + (f + square * (f * p - 0.5f));
}

// Sine and cosine of a quarter turn times t, t in -1/2..1/2, to 1e-7.
inline float QuarterSine(float t) {
  const float z = t * t;
  float p = -0.00460217707f;
  p = p * z + 0.07968022674f;
  p = p * z - 0.64596349001f;
  return (p * z + 1.57079637051f) * t;
}

inline float QuarterCosine(float t) {
  const float z = t * t;
  float p = 0.00090363168f;
  p = p * z - 0.02086007223f;
  p = p * z + 0.25366920233f;
  p = p * z - 1.23370051384f;
  return p * z + 1.0f;
}

// Standard normal values by the method of Box and Muller, "A note on the
// generation of random normal deviates", 1958: uniforms i and 32 + i give the
// values i and 32 + i, cosine and sine.
inline void Normals(const uint32_t* __restrict words,
                    float* __restrict values) {
  constexpr int kPairs = kGroup / 2;
  for (int i = 0; i < kPairs; ++i) {
    const float radius = std::sqrt(-2.0f * Log(Uniform(words[i])));
    const float turn = 4.0f * Uniform(words[kPairs + i]);
    const int32_t quarter = static_cast<int32_t>(turn + 0.5f);
    const float t = turn - static_cast<float>(quarter);
    const float sine = QuarterSine(t), cosine = QuarterCosine(t);
    const bool odd = quarter & 1;
    const uint32_t quarters = static_cast<uint32_t>(quarter);
    const uint32_t x = ToBits(odd ? sine : cosine);
    const uint32_t y = ToBits(odd ? cosine : sine);
    values[i] = radius * FromBits(x ^ ((quarters + 1) & 2) << 30);
    values[kPairs + i] = radius * FromBits(y ^ (quarters & 2) << 30);
  }
}

}  // namespace rcj

#endif  // RCJ_RANDOM_VALUES_H_
