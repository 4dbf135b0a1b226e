// Bytes looked up in a table of 256, without a load per byte.
#ifndef RCJ_AUGMIX_LOOKUP_H_
#define RCJ_AUGMIX_LOOKUP_H_

#include <cstdint>

namespace rcj::augmix {

// to[i] = table[from[i]], in place or elsewhere; writes whole vectors.
void LookUp(const uint8_t table[256], const uint8_t* from, int64_t n,
            uint8_t* to);

}  // namespace rcj::augmix

#endif  // RCJ_AUGMIX_LOOKUP_H_
