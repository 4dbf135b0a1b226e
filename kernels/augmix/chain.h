// One chain of operations on one image.
#ifndef RCJ_AUGMIX_CHAIN_H_
#define RCJ_AUGMIX_CHAIN_H_

#include <optional>
#include <utility>

#include "augmix/image.h"
#include "augmix/plan.h"
#include "augmix/tone.h"

namespace rcj::augmix {

// What was counted of an image, each once and only if asked for.
class Measured {
 public:
  const Counts& ValuesOf(const Image& image) {
    if (!counts_) counts_ = CountValues(image);
    return *counts_;
  }
  const Range& RangeOf(const Image& image) {
    if (!range_) range_ = FindRange(image);
    return *range_;
  }
  void Forget() {
    counts_.reset();
    range_.reset();
  }

 private:
  std::optional<Counts> counts_;
  std::optional<Range> range_;
};

// Chains share the image they begin with and what is known of it.
struct Origin {
  Image image;
  Image turned[2];  // with rows and columns swapped, to work in
  Measured measured;
};

// A chain is an image and a tone that has not yet been applied to it. Pixels
// are copied only where an operation moves them; operations that depend on all
// values read them through the tone.
class Chain {
 public:
  // The result may be in either buffer, or still in the origin.
  Chain(Origin& origin, const Image& own, const Image& spare)
      : origin_(origin), image_(origin.image), free_{own, spare} {}

  void Run(Op op, double param);

  // Leaves nothing to the tone.
  void Settle();

  const Image& image() const { return image_; }
  const Tone& tone() const { return tone_; }

  // The buffers: the result is in the first, if it has moved, and not in the
  // second.
  const Image& own() const { return moved_ ? image_ : free_[0]; }
  const Image& spare() const { return free_[moved_ ? 0 : 1]; }

 private:
  Range CurrentRange();
  Counts CurrentCounts();
  Measured& measured() { return moved_ ? measured_ : origin_.measured; }

  // Replaces the image by what change(from, to) makes of it.
  template <class Change>
  void Move(const Change& change);

  Origin& origin_;
  Image image_;
  Image free_[2];       // the second only until the image has moved
  bool moved_ = false;  // away from the origin
  Measured measured_;
  Tone tone_;
};

}  // namespace rcj::augmix

#endif  // RCJ_AUGMIX_CHAIN_H_
