#include "augmix/tone.h"

#include <algorithm>
#include <cstring>

#include "augmix/lookup.h"

namespace rcj::augmix {

Counts CountValues(const Image& image) {
  Counts counts;
  for (int c = 0; c < 3; ++c) {
    // Equal neighbours would wait for each other in a single table.
    uint32_t parts[8][256] = {};
    for (int64_t y = 0; y < image.H; ++y) {
      const uint8_t* row = image.Row(c, y);
      int64_t x = 0;
      for (; x + 8 <= image.W; x += 8) {
        uint64_t values;
        std::memcpy(&values, row + x, 8);
        for (int i = 0; i < 8; ++i) ++parts[i][values >> 8 * i & 255];
      }
      for (; x < image.W; ++x) ++parts[0][row[x]];
    }
    for (int v = 0; v < 256; ++v) {
      uint32_t sum = 0;
      for (int i = 0; i < 8; ++i) sum += parts[i][v];
      counts.of[c][v] = sum;
    }
  }
  return counts;
}

Range FindRange(const Image& image) {
  Range range;
  for (int c = 0; c < 3; ++c) {
    uint8_t low = 255, high = 0;
    for (int64_t y = 0; y < image.H; ++y) {
      const uint8_t* row = image.Row(c, y);
      for (int64_t x = 0; x < image.W; ++x) {
        low = std::min(low, row[x]);
        high = std::max(high, row[x]);
      }
    }
    range.low[c] = low;
    range.high[c] = high;
  }
  return range;
}

template <class Function>
Tone Tone::Of(Kind kind, int value, const Function& function) {
  Tone tone;
  bool changes = false;
  for (int c = 0; c < 3; ++c) {
    for (int v = 0; v < 256; ++v) {
      tone.table_[c][v] = function(c, v);
      changes |= tone.table_[c][v] != v;
    }
  }
  tone.kind_ = changes ? kind : kNothing;
  tone.value_ = value;
  return tone;
}

void Tone::Follow(const Tone& next) {
  if (next.Nothing()) return;
  if (Nothing()) {
    *this = next;
    return;
  }
  for (int c = 0; c < 3; ++c) LookUp(next.table_[c], table_[c], 256, table_[c]);
  kind_ = kTable;
}

Counts Tone::Moved(const Counts& counts) const {
  if (Nothing()) return counts;
  Counts moved = {};
  for (int c = 0; c < 3; ++c) {
    for (int v = 0; v < 256; ++v) moved.of[c][table_[c][v]] += counts.of[c][v];
  }
  return moved;
}

Range Tone::Moved(const Range& range) const {
  if (Nothing()) return range;
  Range moved;
  for (int c = 0; c < 3; ++c) {
    moved.low[c] = table_[c][range.low[c]];
    moved.high[c] = table_[c][range.high[c]];
  }
  return moved;
}

bool Tone::Rises() const {
  if (Nothing()) return true;
  bool falls = false;
  for (int c = 0; c < 3; ++c) {
    for (int v = 0; v < 255; ++v) falls |= table_[c][v] > table_[c][v + 1];
  }
  return !falls;
}

void Tone::Apply(int channel, const uint8_t* from, int64_t n,
                 uint8_t* to) const {
  const uint8_t value = value_;  // which `to` might be, for the compiler
  switch (kind_) {
    case kNothing:
      if (from != to) std::memcpy(to, from, n);
      break;
    case kMask:
      for (int64_t i = 0; i < n; ++i) to[i] = from[i] & value;
      break;
    case kInversion:
      for (int64_t i = 0; i < n; ++i) {
        to[i] = from[i] < value ? from[i] : 255 - from[i];
      }
      break;
    case kTable:
      LookUp(table_[channel], from, n, to);
  }
}

void Tone::Apply(const Image& from, const Image& to) const {
  for (int c = 0; c < 3; ++c) {
    for (int64_t y = 0; y < from.H; ++y) {
      Apply(c, from.Row(c, y), from.W, to.Row(c, y));
    }
  }
}

Tone Posterize(int bits) {
  const int mask = 256 - (1 << (8 - bits));
  return Tone::Of(Tone::kMask, mask, [&](int, int v) { return v & mask; });
}

Tone Solarize(int threshold) {
  return Tone::Of(Tone::kInversion, threshold, [&](int, int v) {
    return v < threshold ? v : 255 - v;
  });
}

Tone Autocontrast(const Range& range) {
  double scale[3], offset[3];
  for (int c = 0; c < 3; ++c) {
    const bool flat = range.low[c] == range.high[c];
    scale[c] = flat ? 1 : 255.0 / (range.high[c] - range.low[c]);
    offset[c] = flat ? 0 : -range.low[c] * scale[c];
  }
  return Tone::Of(Tone::kTable, 0, [&](int c, int v) {
    return std::clamp(static_cast<int>(v * scale[c] + offset[c]), 0, 255);
  });
}

Tone Equalize(const Counts& counts) {
  // Quotients of integers below 2^53, truncated, are exact in double.
  double below[3][256], step[3], half[3];
  for (int c = 0; c < 3; ++c) {
    int64_t total = 0, last = 0;
    for (int v = 0; v < 256; ++v) {
      below[c][v] = total;
      total += counts.of[c][v];
      if (counts.of[c][v]) last = counts.of[c][v];
    }
    const int64_t whole = (total - last) / 255;
    step[c] = whole;
    half[c] = whole / 2;
  }
  return Tone::Of(Tone::kTable, 0, [&](int c, int v) {
    if (step[c] == 0) return v;
    return static_cast<int>(
        std::min((half[c] + below[c][v]) / step[c], 255.0));
  });
}

Tone Brightness(float factor) {
  return Tone::Of(Tone::kTable, 0,
                  [&](int, int v) { return Blend(0, v, factor); });
}

Tone Contrast(float factor, int mean) {
  return Tone::Of(Tone::kTable, 0,
                  [&](int, int v) { return Blend(mean, v, factor); });
}

}  // namespace rcj::augmix
