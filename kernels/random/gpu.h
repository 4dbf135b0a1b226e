// Random words on a GPU: a thread makes the four words of one block.
#ifndef RCJ_RANDOM_GPU_H_
#define RCJ_RANDOM_GPU_H_

#include <cstdint>

#include "common/gpu.h"
#include "common/handlers.h"

namespace rcj::random_gpu {

// Blocks of Philox side by side, and the words they give; see philox.h.
constexpr int kLanes = 16;
constexpr int kGroup = 4 * kLanes;

struct Request {
  const uint32_t* keys;  // [rows,2]
  int64_t rows, count;
  uint32_t stream;

  RCJ_BOTH int64_t Groups() const { return (count + kGroup - 1) / kGroup; }
  RCJ_BOTH int64_t Threads() const { return rows * Groups() * kLanes; }
};

// Philox 4x32-10 of the counter c, which it replaces by the result.
RCJ_BOTH void Philox(uint32_t k0, uint32_t k1, uint32_t c[4]) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * c[0];
    const uint64_t b = uint64_t{0xCD9E8D57} * c[2];
    c[0] = static_cast<uint32_t>(b >> 32) ^ c[1] ^ k0;
    c[1] = static_cast<uint32_t>(b);
    c[2] = static_cast<uint32_t>(a >> 32) ^ c[3] ^ k1;
    c[3] = static_cast<uint32_t>(a);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
}

// The part of thread t in out [rows,count].
RCJ_BOTH void Fill(const Request& request, uint32_t* out, int64_t t) {
  if (t >= request.Threads()) return;
  const int64_t row = t / kLanes / request.Groups();
  const int64_t group = t / kLanes % request.Groups();
  const uint32_t lane = t % kLanes;
  uint32_t words[4] = {static_cast<uint32_t>(kLanes * group) + lane,
                       request.stream, 0, 0};
  const uint32_t* key = request.keys + 2 * row;
  Philox(key[0], key[1], words);
  for (int w = 0; w < 4; ++w) {
    const int64_t i = kGroup * group + kLanes * w + lane;
    if (i < request.count) out[row * request.count + i] = words[w];
  }
}

inline ffi::Error Read(const ffi::Buffer<ffi::U32>& keys,
                       const ffi::Buffer<ffi::U32>& out, int64_t stream,
                       Request& request) {
  const auto from = keys.dimensions(), to = out.dimensions();
  if (from.size() < 1 || from.back() != 2 || to.size() != from.size() ||
      keys.element_count() / 2 * to.back() != out.element_count()) {
    return ffi::Error::InvalidArgument(
        "random_bits: keys must be u32[...,2] and the result u32[...,M], got " +
        Shape(keys) + " and " + Shape(out));
  }
  request = {keys.typed_data(), static_cast<int64_t>(keys.element_count() / 2),
             to.back(), static_cast<uint32_t>(stream)};
  return ffi::Error::Success();
}

}  // namespace rcj::random_gpu

#endif  // RCJ_RANDOM_GPU_H_
