// Fills arrays with values that are made of the words of Philox.
#ifndef RCJ_RANDOM_FILL_H_
#define RCJ_RANDOM_FILL_H_

#include <algorithm>
#include <string>

#include "common/handlers.h"
#include "random/philox.h"

namespace rcj {

// keys u32[..., 2] -> out [..., M]: row by row, each group of 64 values by
// make(words, values) from as many words.
template <ffi::DataType type, class Make>
ffi::Error FillRows(ffi::ThreadPool& pool, ffi::Buffer<ffi::U32> keys,
                    ffi::ResultBuffer<type> out, int64_t stream,
                    const char* name, const Make& make) {
  using T = ffi::NativeType<type>;
  const auto from = keys.dimensions();
  const auto to = out->dimensions();
  if (from.size() < 1 || from.back() != 2 || to.size() != from.size() ||
      keys.element_count() / 2 * to.back() != out->element_count()) {
    return ffi::Error::InvalidArgument(
        std::string(name) +
        ": keys must be u32[...,2] and the result [...,M], got " + Shape(keys) +
        " and " + Shape(*out));
  }
  constexpr int64_t kPiece = 64 * kGroup;
  const int64_t count = to.back(), pieces = (count + kPiece - 1) / kPiece;
  ParallelFor(pool, keys.element_count() / 2 * pieces, [&](int64_t i) {
    const int64_t row = i / pieces, begin = i % pieces * kPiece;
    const uint32_t* key = keys.typed_data() + 2 * row;
    T* values = out->typed_data() + count * row;
    uint32_t words[kGroup];
    int64_t at = begin;
    for (; at + kGroup <= std::min(begin + kPiece, count); at += kGroup) {
      PhiloxGroup(key, stream, at / kGroup, words);
      make(words, values + at);
    }
    if (at == begin + kPiece || at >= count) return;
    T last[kGroup];
    PhiloxGroup(key, stream, at / kGroup, words);
    make(words, last);
    std::copy(last, last + (count - at), values + at);
  });
  return ffi::Error::Success();
}

}  // namespace rcj

#endif  // RCJ_RANDOM_FILL_H_
