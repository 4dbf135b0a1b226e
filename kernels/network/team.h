// Threads that share a loop, and wait a little for the next one.
#ifndef RCJ_NETWORK_TEAM_H_
#define RCJ_NETWORK_TEAM_H_

#include <cstdint>
#include <functional>

namespace rcj::network {

// Calls body(i, worker) for 0 <= i < n, each once, on up to so many threads,
// and returns when all are done; 0 <= worker < threads. While another loop
// runs, this thread does it alone. Throws std::bad_alloc if a call did.
void Share(int threads, int64_t n,
           const std::function<void(int64_t, int)>& body);

}  // namespace rcj::network

#endif  // RCJ_NETWORK_TEAM_H_
