#include "network/weights.h"

#include <algorithm>
#include <cstring>

namespace rcj::network {
namespace {

uint32_t Bits(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}

// The upper half of a float, rounded to nearest even.
uint32_t Half(float x) {
  const uint32_t bits = Bits(x);
  return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}

}  // namespace

UnitWeights::UnitWeights(const Op& op, const Value& in, int outputs, Unit unit)
    : weights_(op.weights), unit_(unit), storage_(in.storage), size_(op.size),
      inputs_(in.channels), outputs_(outputs),
      units_(in.Lines() * UnitsOf(in.storage, unit)) {}

uint32_t UnitWeights::Word(int unit, int tap, int output) const {
  if (output >= outputs_) return 0;
  int channels[4];
  const int count = ChannelsOf(storage_, unit_, unit, channels);
  uint32_t word = 0;
  for (int i = 0; i < count; ++i) {
    if (channels[i] >= inputs_) continue;
    const int64_t row = int64_t{tap} * inputs_ + channels[i];
    const float x = weights_[row * outputs_ + output];
    if (x == 0) continue;
    switch (unit_) {
      case Unit::kFloat:
        return storage_ == Storage::kBfloat16 ? Half(x) << 16 : Bits(x);
      case Unit::kHalfPair:
        word |= Half(x) << (16 * i);
        break;
      case Unit::kPair:
        word |= (static_cast<uint32_t>(static_cast<int>(x)) & 0xffff)
                << (16 * i);
        break;
      case Unit::kQuad:
        word |= (static_cast<uint32_t>(static_cast<int>(x)) & 0xff) << (8 * i);
        break;
    }
  }
  return word;
}

double UnitWeights::Density() const {
  int64_t live = 0;
  for (int u = 0; u < units_; ++u) {
    for (int t = 0; t < taps(); ++t) {
      for (int o = 0; o < outputs_; ++o) live += Word(u, t, o) != 0;
    }
  }
  return double(live) / (double(units_) * taps() * outputs_);
}

SparseWeights SparseOf(const UnitWeights& weights, const Patch& patch,
                       int block, int rows) {
  SparseWeights made;
  for (int first = 0; first < weights.units(); first += block) {
    const int last = std::min(weights.units(), first + block);
    for (int o = 0; o < rows; ++o) {
      made.begin.push_back(made.words.size());
      for (int u = first; u < last; ++u) {
        for (int t = 0; t < weights.taps(); ++t) {
          const uint32_t word = weights.Word(u, t, o);
          if (word == 0) continue;
          made.places.push_back((u - first) * patch.lines + patch.taps[t]);
          made.words.push_back(word);
        }
      }
    }
    made.begin.push_back(made.words.size());
  }
  return made;
}

DenseWeights DenseOf(const UnitWeights& weights, const Patch& patch, int block,
                     int rows, int channels) {
  DenseWeights made;
  for (int u = 0; u < std::min(block, weights.units()); ++u) {
    for (int t = 0; t < weights.taps(); ++t) {
      made.places.push_back(u * patch.lines + patch.taps[t]);
    }
  }
  for (int first = 0; first < weights.units(); first += block) {
    const int last = std::min(weights.units(), first + block);
    for (int g = 0; g < rows / channels; ++g) {
      for (int u = first; u < last; ++u) {
        for (int t = 0; t < weights.taps(); ++t) {
          for (int q = 0; q < channels; ++q) {
            made.words.push_back(weights.Word(u, t, g * channels + q));
          }
        }
      }
    }
  }
  return made;
}

}  // namespace rcj::network
