#include "augmix/chain.h"

#include "augmix/enhance.h"
#include "augmix/warps.h"

namespace rcj::augmix {

void Chain::Settle() {
  if (tone_.Nothing()) return;
  const Image to = moved_ ? image_ : free_[0];
  tone_.Apply(image_, to);
  if (!moved_) free_[0] = free_[1];
  image_ = to;
  moved_ = true;
  measured_.Forget();
  tone_ = {};
}

template <class Change>
void Chain::Move(const Change& change) {
  Settle();
  const Image to = free_[0];
  change(image_, to);
  free_[0] = moved_ ? image_ : free_[1];
  image_ = to;
  moved_ = true;
  measured_.Forget();
}

Range Chain::CurrentRange() {
  // The ends of a range stay its ends only if the tone keeps their order.
  if (!tone_.Rises()) Settle();
  return tone_.Moved(measured().RangeOf(image_));
}

Counts Chain::CurrentCounts() {
  return tone_.Moved(measured().ValuesOf(image_));
}

void Chain::Run(Op op, double param) {
  const auto factor = static_cast<float>(param);
  switch (op) {
    case kAutocontrast:
      return tone_.Follow(Autocontrast(CurrentRange()));
    case kEqualize:
      return tone_.Follow(Equalize(CurrentCounts()));
    case kPosterize:
      return tone_.Follow(Posterize(static_cast<int>(param)));
    case kSolarize:
      return tone_.Follow(Solarize(static_cast<int>(param)));
    case kBrightness:
      return tone_.Follow(Brightness(factor));
    case kContrast:
      Settle();
      return tone_.Follow(Contrast(factor, GreyMean(image_)));
    case kColor:
      return Move([&](auto& from, auto& to) { Color(from, to, factor); });
    case kSharpness:
      return Move([&](auto& from, auto& to) { Sharpness(from, to, factor); });
    case kRotate:
      if (static_cast<int>(param) == 0) return;
      return Move([&](auto& from, auto& to) {
        Rotate(from, to, static_cast<int>(param));
      });
    case kShearX:
      return Move([&](auto& from, auto& to) { ShearX(from, to, param); });
    case kShearY:
      return Move([&](auto& from, auto& to) {
        ShearY(from, to, param, origin_.turned);
      });
    case kTranslateX:
      return Move([&](auto& from, auto& to) { TranslateX(from, to, param); });
    case kTranslateY:
      return Move([&](auto& from, auto& to) { TranslateY(from, to, param); });
    case kOps:
      return;
  }
}

}  // namespace rcj::augmix
