// What values become, whichever pixel has them: the operations that look at
// one channel and one pixel at a time.
#ifndef RCJ_AUGMIX_TONE_H_
#define RCJ_AUGMIX_TONE_H_

#include <cstdint>

#include "augmix/image.h"

namespace rcj::augmix {

// Pixels of each value, per channel.
struct Counts {
  uint32_t of[3][256];
};

// The least and the greatest value, per channel.
struct Range {
  uint8_t low[3], high[3];
};

Counts CountValues(const Image& image);
Range FindRange(const Image& image);

// A table per channel. One that is a single mask or inversion is also known as
// such, because that takes fewer instructions than looking up.
class Tone {
 public:
  Tone() {}  // changes nothing

  bool Nothing() const { return kind_ == kNothing; }
  uint8_t At(int channel, int value) const { return table_[channel][value]; }

  // This one followed by `next`.
  void Follow(const Tone& next);

  // How counts and ranges change; `Rises` is what the latter needs.
  Counts Moved(const Counts& counts) const;
  Range Moved(const Range& range) const;
  bool Rises() const;

  // n values, which need not lie elsewhere; writes up to a vector more.
  void Apply(int channel, const uint8_t* from, int64_t n, uint8_t* to) const;
  void Apply(const Image& from, const Image& to) const;

 private:
  enum Kind { kNothing, kMask, kInversion, kTable };

  template <class Function>
  static Tone Of(Kind kind, int value, const Function& function);

  friend Tone Posterize(int);
  friend Tone Solarize(int);
  friend Tone Autocontrast(const Range&);
  friend Tone Equalize(const Counts&);
  friend Tone Brightness(float);
  friend Tone Contrast(float, int);

  Kind kind_ = kNothing;
  uint8_t value_ = 0;  // the mask, or the least value that is inverted
  alignas(kWidest) uint8_t table_[3][256];
};

Tone Posterize(int bits);                 // 1..8
Tone Solarize(int threshold);             // the least inverted value
Tone Autocontrast(const Range& range);
Tone Equalize(const Counts& counts);
Tone Brightness(float factor);
Tone Contrast(float factor, int mean);    // of grey

// Pillow's Image.blend of two values: float32, clipped, truncated.
inline uint8_t Blend(int degenerate, int value, float factor) {
  const float change = static_cast<float>(value - degenerate) * factor;
  const float mixed = static_cast<float>(degenerate) + change;
  return static_cast<int>(mixed < 0 ? 0 : mixed > 255 ? 255 : mixed);
}

}  // namespace rcj::augmix

#endif  // RCJ_AUGMIX_TONE_H_
