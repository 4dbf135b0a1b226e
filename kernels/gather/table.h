// Fetches the rows of a table by number, in an order that caches like.
#ifndef RCJ_GATHER_TABLE_H_
#define RCJ_GATHER_TABLE_H_

#include <algorithm>
#include <cstdint>

#include "gather/row.h"

namespace rcj {

// A row of the table, and what it is asked for: where its product goes, or its
// weight in a sum.
template <class What>
struct Wish {
  int32_t row;
  What what;
};

template <class T>
struct Table {
  const T* data;
  int64_t rows, length;

  void Prefetch(int64_t i) const {
    const char* row = reinterpret_cast<const char*>(data + length * i);
    const int64_t bytes = length * static_cast<int64_t>(sizeof(T));
    for (int64_t at = 0; at < bytes; at += 64) __builtin_prefetch(row + at);
  }

  // Calls visit(wishes, n, rows) with the rows of n wishes, four or, at the
  // end, fewer, and then the last of them again.
  template <class What, class Visit>
  void Fetch(const Wish<What>* wishes, int64_t count,
             const Visit& visit) const {
    constexpr int64_t kAhead = 2 * kRows;
    const int64_t last = count - 1;
    for (int64_t i = 0; i < count; i += kRows) {
      const T* found[kRows];
      for (int j = 0; j < kRows; ++j) {
        Prefetch(wishes[std::min(i + kAhead + j, last)].row);
        found[j] = data + length * wishes[std::min(i + j, last)].row;
      }
      visit(wishes + i, std::min<int64_t>(kRows, count - i), found);
    }
  }
};

}  // namespace rcj

#endif  // RCJ_GATHER_TABLE_H_
