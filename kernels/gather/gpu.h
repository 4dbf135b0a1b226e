// Products and sums of a table's rows on a GPU: what the threads of a block do
// between two barriers.
#ifndef RCJ_GATHER_GPU_H_
#define RCJ_GATHER_GPU_H_

#include <cstdint>
#include <cstring>

#include "common/gpu.h"
#include "gather/operands.h"

namespace rcj::gather_gpu {

// Neighbours of a row that threads side by side read at a time.
constexpr int kDotLanes = 8;
constexpr int kSumLanes = 64;
constexpr int kDots = kBlock / kDotLanes;
constexpr int kParts = kBlock / kSumLanes;
// Rows that a block adds up.
constexpr int64_t kPiece = 512;

template <class T>
struct Problem {
  const T* table;          // [M,D]
  const int32_t* numbers;  // [R,K]
  int64_t M, D, R, K;

  RCJ_BOTH const T* Row(int64_t i) const {
    const int64_t number = numbers[i];
    return table + D * (number < 0 ? 0 : number < M ? number : M - 1);
  }
  RCJ_BOTH int64_t Dots() const { return (R * K + kDots - 1) / kDots; }
  RCJ_BOTH int64_t Pieces() const { return (K + kPiece - 1) / kPiece; }
};

template <class T>
Problem<T> MakeProblem(const Operands& operands) {
  return {static_cast<const T*>(operands.table.untyped_data()),
          operands.numbers.typed_data(),
          operands.M(),
          operands.D(),
          operands.R(),
          operands.K()};
}

// Size of the parts of sums, [R*Pieces(),D].
inline int64_t Parts(const Operands& operands) {
  const auto problem = MakeProblem<float>(operands);
  return problem.R * problem.Pieces() * problem.D;
}

struct Memory {
  float sums[kBlock];
};

RCJ_BOTH float ToFloat(float value) { return value; }

// Of bfloat16.
RCJ_BOTH float ToFloat(uint16_t value) {
  const uint32_t bits = uint32_t{value} << 16;
  float wide;
  memcpy(&wide, &bits, sizeof(wide));
  return wide;
}

template <class T>
RCJ_BOTH void Multiply(const Problem<T>& problem, const float* x, int64_t block,
                       Memory& memory, int t) {
  const int64_t i = block * kDots + t / kDotLanes;
  float sum = 0;
  if (i < problem.R * problem.K) {
    const T* row = problem.Row(i);
    const float* with = x + i / problem.K * problem.D;
    for (int64_t d = t % kDotLanes; d < problem.D; d += kDotLanes) {
      sum += with[d] * ToFloat(row[d]);
    }
  }
  memory.sums[t] = sum;
}

template <class T>
RCJ_BOTH void WriteProducts(const Problem<T>& problem, int64_t block,
                            const Memory& memory, float* out, int t) {
  const int64_t i = block * kDots + t;
  if (t >= kDots || i >= problem.R * problem.K) return;
  float sum = 0;
  for (int j = 0; j < kDotLanes; ++j) sum += memory.sums[t * kDotLanes + j];
  out[i] = sum;
}

// Adds up the elements from d on of a part of a block's rows.
template <class T>
RCJ_BOTH void AddUp(const Problem<T>& problem, const float* weights,
                    int64_t block, int64_t d, Memory& memory, int t) {
  const int64_t row = block / problem.Pieces();
  const int64_t first = block % problem.Pieces() * kPiece;
  const int64_t end = first + kPiece < problem.K ? first + kPiece : problem.K;
  float sum = 0;
  d += t % kSumLanes;
  for (int64_t i = first + t / kSumLanes; i < end && d < problem.D;
       i += kParts) {
    const int64_t at = row * problem.K + i;
    sum += weights[at] * ToFloat(problem.Row(at)[d]);
  }
  memory.sums[t] = sum;
}

template <class T>
RCJ_BOTH void WriteSums(const Problem<T>& problem, int64_t block, int64_t d,
                        const Memory& memory, float* parts, int t) {
  d += t;
  if (t >= kSumLanes || d >= problem.D) return;
  float sum = 0;
  for (int part = 0; part < kParts; ++part) {
    sum += memory.sums[part * kSumLanes + t];
  }
  parts[block * problem.D + d] = sum;
}

// Element i of [R,D].
template <class T>
RCJ_BOTH void Finish(const Problem<T>& problem, const float* parts, float* out,
                     int64_t i) {
  if (i >= problem.R * problem.D) return;
  const int64_t row = i / problem.D, d = i % problem.D;
  float sum = 0;
  for (int64_t p = 0; p < problem.Pieces(); ++p) {
    sum += parts[(row * problem.Pieces() + p) * problem.D + d];
  }
  out[i] = sum;
}

}  // namespace rcj::gather_gpu

#endif  // RCJ_GATHER_GPU_H_
