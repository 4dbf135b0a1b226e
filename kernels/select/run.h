// Values that lie side by side, for one thread.
#ifndef RCJ_SELECT_RUN_H_
#define RCJ_SELECT_RUN_H_

#include <algorithm>
#include <cstdint>
#include <vector>

namespace rcj {

template <class T>
struct Run {
  const T* values;
  int64_t count;
};

constexpr int64_t kRun = 1 << 16;

template <class T>
void AddRuns(const T* values, int64_t count, std::vector<Run<T>>& runs) {
  for (int64_t i = 0; i < count; i += kRun) {
    runs.push_back({values + i, std::min(kRun, count - i)});
  }
}

}  // namespace rcj

#endif  // RCJ_SELECT_RUN_H_
