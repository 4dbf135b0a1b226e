// Floats as integers of the same order.
#ifndef RCJ_SELECT_KEYS_H_
#define RCJ_SELECT_KEYS_H_

#include <cstdint>
#include <cstring>

#include "common/gpu.h"

namespace rcj {

constexpr int32_t kLowest = INT32_MIN;
// What -inf becomes.
constexpr int32_t kMinusInf = kLowest + 0x7FFFFF;

RCJ_BOTH int32_t ToKey(float value) {
  int32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  const int32_t folded = bits ^ ((bits >> 31) & INT32_MAX);
  return folded + (folded == -1);  // which is -0, and equals 0
}

RCJ_BOTH int32_t ToKey(int32_t key) { return key; }

// The bits of a key from `shift` up, in the order of the keys.
RCJ_BOTH uint32_t Prefix(int32_t key, int shift) {
  return (static_cast<uint32_t>(key) ^ 0x80000000u) >> shift;
}

}  // namespace rcj

#endif  // RCJ_SELECT_KEYS_H_
