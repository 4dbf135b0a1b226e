// How values lie in memory: lines of one, two or four channels.
#ifndef RCJ_NETWORK_STORED_H_
#define RCJ_NETWORK_STORED_H_

#include "network/lanes.h"

namespace rcj::network {

enum class Storage { kFloat, kBfloat16, kByte };

// An integer q of kByte stands for (q - zero) * scale.
struct Step {
  float scale = 1, zero = 0;
};

// Channels of a line.
constexpr int Channels(Storage storage) {
  return storage == Storage::kFloat ? 1 : storage == Storage::kByte ? 4 : 2;
}

template <Storage kStorage>
struct Stored;

template <>
struct Stored<Storage::kFloat> {
  static constexpr int kChannels = 1;
  static RCJ_INLINE void Load(Line line, const Step&, Floats* values) {
    values[0] = (Floats)line;
  }
  static RCJ_INLINE Line Store(const Floats* values, const Step&) {
    return (Line)values[0];
  }
};

template <>
struct Stored<Storage::kBfloat16> {
  static constexpr int kChannels = 2;
  static RCJ_INLINE void Load(Line line, const Step&, Floats* values) {
    values[0] = (Floats)(line << 16);
    values[1] = (Floats)(line & Splat(int32_t(0xffff0000)));
  }
  static RCJ_INLINE Line Store(const Floats* values, const Step&) {
    return High(values[0], 0xffff) | (High(values[1], 0xffff) << 16);
  }

 private:
  // Upper halves, rounded to nearest even.
  static RCJ_INLINE Ints High(Floats x, int32_t mask) {
    const Ints bits = (Ints)x;
    const Ints odd = (bits >> 16) & 1;
    return ((bits + odd + 0x7fff) >> 16) & mask;
  }
};

template <>
struct Stored<Storage::kByte> {
  static constexpr int kChannels = 4;
  static RCJ_INLINE void Load(Line line, const Step& step, Floats* values) {
    for (int j = 0; j < 4; ++j) {
      const Floats q = ToFloats((line >> (8 * j)) & 255);
      values[j] = (q - step.zero) * step.scale;
    }
  }
  static RCJ_INLINE Line Store(const Floats* values, const Step& step) {
    Line line = {};
    for (int j = 0; j < 4; ++j) line |= Quantized(values[j], step) << (8 * j);
    return line;
  }
  // Integers 0..255.
  static RCJ_INLINE Ints Quantized(Floats x, const Step& step) {
    const Floats steps = x * (1 / step.scale);
    const Floats low = Splat(-step.zero), high = Splat(255 - step.zero);
    // What is not a number becomes the least.
    return Round(Min(Max(low, steps), high)) + int32_t(step.zero);
  }
};

// What 0 is in memory.
inline Line ZeroLine(Storage storage, const Step& step) {
  if (storage != Storage::kByte) return Line{};
  return Splat(int32_t(uint32_t(step.zero) * 0x01010101u));
}

// Calls f(Stored<storage>()).
template <class F>
RCJ_INLINE void Dispatch(Storage storage, const F& f) {
  switch (storage) {
    case Storage::kFloat:
      return f(Stored<Storage::kFloat>());
    case Storage::kBfloat16:
      return f(Stored<Storage::kBfloat16>());
    case Storage::kByte:
      return f(Stored<Storage::kByte>());
  }
}

}  // namespace rcj::network

#endif  // RCJ_NETWORK_STORED_H_
