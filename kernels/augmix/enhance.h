// The operations that look at several channels or pixels at a time.
#ifndef RCJ_AUGMIX_ENHANCE_H_
#define RCJ_AUGMIX_ENHANCE_H_

#include "augmix/image.h"

namespace rcj::augmix {

// The mean of the grey image, rounded.
int GreyMean(const Image& image);

// Saturation. Here and below `to` is another image.
void Color(const Image& from, const Image& to, float factor);

// Distance from a smoothed copy.
void Sharpness(const Image& from, const Image& to, float factor);

}  // namespace rcj::augmix

#endif  // RCJ_AUGMIX_ENHANCE_H_
