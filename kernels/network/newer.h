// Loops with instructions that only some processors of a library have.
#ifndef RCJ_NETWORK_NEWER_H_
#define RCJ_NETWORK_NEWER_H_

#include "network/cores.h"

namespace rcj::network {

// Those of bytes (AVX-512 VNNI) or bfloat16 (AVX-512 BF16), null where this
// processor lacks them.
const Cores* NewerCores(Unit unit);

}  // namespace rcj::network

#endif  // RCJ_NETWORK_NEWER_H_
