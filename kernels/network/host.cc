// Networks for programs without XLA, by plain C, and as an FFI call.
#include <cstdio>
#include <exception>
#include <map>
#include <memory>
#include <mutex>

#include "common/handlers.h"
#include "network/network.h"

namespace rcj::network {
namespace {

constexpr int kMostThreads = 1024;

// Networks by their number, for as long as somebody needs them.
class Networks {
 public:
  int64_t Add(std::shared_ptr<Network> network) {
    std::lock_guard<std::mutex> lock(mutex_);
    networks_[++last_] = std::move(network);
    return last_;
  }

  std::shared_ptr<Network> Find(int64_t number) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = networks_.find(number);
    return found == networks_.end() ? nullptr : found->second;
  }

  void Remove(int64_t number) {
    std::lock_guard<std::mutex> lock(mutex_);
    networks_.erase(number);
  }

 private:
  std::mutex mutex_;
  std::map<int64_t, std::shared_ptr<Network>> networks_;
  int64_t last_ = 0;
};

Networks& All() {
  static Networks* all = new Networks;
  return *all;
}

ffi::Error RunHandler(ffi::Buffer<ffi::F32> images,
                      ffi::ResultBuffer<ffi::F32> logits, int64_t network,
                      int64_t threads) {
  const auto found = All().Find(network);
  if (!found || threads < 1 || threads > kMostThreads) {
    return ffi::Error::InvalidArgument(
        "network: there is none of this number, or not 1 to 1024 threads");
  }
  const auto in = images.dimensions(), out = logits->dimensions();
  const bool fits = in.size() == 4 && out.size() == 2 && in[0] == out[0] &&
                    in[1] == found->height() && in[2] == found->width() &&
                    in[3] == 3 && out[1] == found->classes();
  if (!fits) {
    return ffi::Error::InvalidArgument(
        "network: images and logits do not fit it, got " + Shape(images) +
        " and " + Shape(*logits));
  }
  try {
    found->Run(images.typed_data(), in[0], logits->typed_data(), threads);
  } catch (const std::exception&) {
    return ffi::Error::Internal("network: there is not enough memory");
  }
  return ffi::Error::Success();
}

}  // namespace
}  // namespace rcj::network

RCJ_HANDLER(network, rcj::network::RunHandler,
            rcj::ffi::Ffi::Bind()
                .Arg<rcj::ffi::Buffer<rcj::ffi::F32>>()
                .Ret<rcj::ffi::Buffer<rcj::ffi::F32>>()
                .Attr<int64_t>("network")
                .Attr<int64_t>("threads"));

// The number of a network of which `words` and `numbers` tell, see program.h;
// 0 if they are none, and why in `fault`.
RCJ_EXPORT int64_t rcj_network_make(const int64_t* words, int64_t count,
                                    const float* numbers, int64_t total,
                                    char* fault, int64_t fault_size) {
  using namespace rcj::network;  // NOLINT: this is one of its functions
  std::string text;
  try {
    auto network =
        std::make_shared<Network>(words, count, numbers, total, &text);
    if (text.empty()) return All().Add(std::move(network));
  } catch (const std::exception&) {
    text = "there is not enough memory";
  }
  std::snprintf(fault, fault_size, "%s", text.c_str());
  return 0;
}

// Logits of a batch of images; 1 if there is no such network or no memory.
RCJ_EXPORT int rcj_network_run(int64_t number, const float* images,
                               int64_t batch, float* logits, int threads) {
  const auto network = rcj::network::All().Find(number);
  if (!network || threads < 1 || threads > rcj::network::kMostThreads ||
      batch < 0) {
    return 1;
  }
  try {
    network->Run(images, batch, logits, threads);
  } catch (const std::exception&) {
    return 1;
  }
  return 0;
}

RCJ_EXPORT void rcj_network_free(int64_t number) {
  rcj::network::All().Remove(number);
}
