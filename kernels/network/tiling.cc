#include "network/tiling.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace rcj::network {
namespace {

// What fits beside other things in the nearest cache.
constexpr int kNear = 32 << 10;
// Above this part of live weights zeros are multiplied too.
constexpr double kDense = 0.6;

double Tiles(const Shape& shape, const Tile& tile) {
  const int results = tile.height * tile.width;
  if (shape.size == 1) {
    return std::ceil(double(shape.height) * shape.width / results);
  }
  return std::ceil(double(shape.height) / tile.height) *
         std::ceil(double(shape.width) / tile.width);
}

// Units whose patches fit into the nearest cache, or whose places have 16 bits.
int BlockOf(const Shape& shape, const Patch& patch) {
  const int near = std::max(1, kNear / (patch.lines * kLineBytes));
  const int block = std::min({near, 65536 / patch.lines, shape.units});
  return block < 4 ? std::min(4, shape.units) : block / 4 * 4;
}

// Loads and stores of all tiles: those of products, sums and patches.
double SparseCost(const Shape& shape, const Tile& tile, const Patch& patch,
                  int block) {
  const double results = tile.height * tile.width;
  const double blocks = std::ceil(double(shape.units) / block);
  const double words = shape.density * shape.units * shape.size * shape.size;
  const double row = words * (results + 1.5) + blocks * (2 * results + 8);
  const double patches = 2.5 * patch.pixels.size() * shape.units;
  return Tiles(shape, tile) * (shape.outputs * row + patches);
}

Choice SparseChoice(const Shape& shape, const Cores& cores) {
  Choice best{};
  double least = std::numeric_limits<double>::max();
  for (const SparseTile* at = cores.sparse; at->run; ++at) {
    const int reach = (shape.size - 1) / shape.stride;
    if (reach > at->beyond || (shape.size == 1) != (at->beyond == 0)) continue;
    const int pitch = at->tile.width + at->beyond;
    const Patch patch = PatchOf(at->tile, shape.size, shape.stride, pitch);
    const int block = BlockOf(shape, patch);
    if (int64_t{block} * patch.lines > 65536) continue;
    const double cost = SparseCost(shape, at->tile, patch, block);
    if (cost < least) {
      least = cost;
      best = {true, at->run, {}, at->tile, pitch, block};
    }
  }
  return best;
}

Choice DenseChoice(const Shape& shape, const Cores& cores) {
  const bool one = shape.height * shape.width == 1;
  Choice choice{};
  choice.dense = one ? cores.vector : cores.dense;
  const int own = choice.dense.results;
  // Single taps take pixels from row to row.
  const int all = shape.size == 1 ? shape.height * shape.width : shape.width;
  const int most = shape.size == 1 ? 4 * own : 2 * own;
  choice.tile = {1, std::min((all + own - 1) / own * own, most)};
  const Patch patch = PatchOf(choice.tile, shape.size, shape.stride, 0);
  choice.block = BlockOf(shape, patch);
  return choice;
}

}  // namespace

Choice Chosen(const Shape& shape, const Cores& cores) {
  if (shape.density < kDense) {
    const Choice choice = SparseChoice(shape, cores);
    if (choice.run) return choice;
  }
  return DenseChoice(shape, cores);
}

}  // namespace rcj::network
