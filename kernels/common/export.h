// What a library shows: plain C functions, everything else stays hidden.
#ifndef RCJ_COMMON_EXPORT_H_
#define RCJ_COMMON_EXPORT_H_

#define RCJ_EXPORT extern "C" __attribute__((visibility("default")))

#endif  // RCJ_COMMON_EXPORT_H_
