// The order of the kernels, and how a batch is divided among them.
#ifndef RCJ_AUGMIX_GPU_EXECUTE_H_
#define RCJ_AUGMIX_GPU_EXECUTE_H_

#include <algorithm>
#include <cstdint>

#include "augmix/gpu/mix.h"
#include "augmix/gpu/problem.h"

namespace rcj::augmix_gpu {

// Bytes of scratch memory, unless one image needs more; larger batches go in
// parts.
constexpr int64_t kScratch = int64_t{256} << 20;
// Enough to fill every multiprocessor several times.
constexpr int64_t kBlocks = 8192;
constexpr int64_t kMaxBlocks = (int64_t{1} << 31) - 1;

inline int Tiles(const Problem& problem) {
  return (problem.Pixels() + kTile - 1) / kTile;
}

// Blocks among which the pixels of a chain are divided.
inline int Parts(const Problem& problem) {
  const int64_t most = (problem.Pixels() + kBlock - 1) / kBlock;
  const int64_t wanted = kBlocks / std::max<int64_t>(problem.Chains(), 1);
  return static_cast<int>(std::max<int64_t>(1, std::min(most, wanted)));
}

// Images that are done at a time.
inline int64_t Together(const Problem& problem, int64_t scratch) {
  const int64_t each =
      sizeof(Chain) + sizeof(Statistics) +
      sizeof(Pixel) * int64_t{problem.Buffers()} * problem.Pixels();
  const int64_t chains = int64_t{problem.A} * problem.K;
  const int64_t fitting = scratch / std::max<int64_t>(1, chains * each);
  const int64_t views = problem.Views();
  const int64_t blocks = kMaxBlocks / (views * Tiles(problem));
  return std::clamp<int64_t>(std::min(fitting, blocks), 1, problem.B);
}

// Images first..first + count - 1, in the scratch memory of all parts.
inline Problem Part(const Problem& whole, int64_t first, int64_t count) {
  Problem part = whole;
  const int64_t row = first * whole.A, chain = row * whole.K;
  part.B = count;
  part.images = whole.Image(first);
  part.op = whole.op + chain * whole.D;
  part.param = whole.param + 3 * chain * whole.D;
  part.weights = whole.weights + chain;
  part.m = whole.m + row;
  return part;
}

// Where a block of the last kernel works: views of a tile are neighbours,
// because they read the same pixels.
struct Place {
  int64_t image, row, view;  // row: of the plan, -1 for the clean view
  int first;                 // pixel

  RCJ_BOTH Place(const Problem& problem, int tiles, int64_t block) {
    const int views = problem.Views(), v = block % views;
    image = block / views / tiles;
    first = block / views % tiles * kTile;
    view = image * views + v;
    row = problem.clean && v == 0 ? -1 : image * problem.A + v - problem.clean;
  }
};

// `device` launches kernels, one after the other: Begin(problem), Visit(
// problem, d, parts), Operate(problem, d) and Mix(problem, tiles, out).
template <class Device, class T>
void Execute(const Device& device, const Problem& whole, int64_t together,
             T* out) {
  for (int64_t first = 0; first < whole.B; first += together) {
    const Problem part =
        Part(whole, first, std::min(together, whole.B - first));
    if (part.Chains()) {
      device.Begin(part);
      for (int d = 0; d < part.D; ++d) {
        device.Visit(part, d, Parts(part));
        device.Operate(part, d);
      }
    }
    device.Mix(part, Tiles(part),
               out + 3 * first * part.Views() * part.Pixels());
  }
}

}  // namespace rcj::augmix_gpu

#endif  // RCJ_AUGMIX_GPU_EXECUTE_H_
