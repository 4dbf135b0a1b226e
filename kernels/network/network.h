// A whole network that is ready to run.
#ifndef RCJ_NETWORK_NETWORK_H_
#define RCJ_NETWORK_NETWORK_H_

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "network/plan.h"
#include "network/program.h"

namespace rcj::network {

class Network {
 public:
  // Copies what it needs; `fault` says why it is no network, or is empty.
  Network(const int64_t* words, int64_t count, const float* numbers,
          int64_t total, std::string* fault);

  // The size of images and the number of logits.
  int height() const { return program_.values[0].h; }
  int width() const { return program_.values[0].w; }
  int classes() const { return program_.values[program_.output].channels; }

  // Logits [batch][classes] of images [batch][height][width][3] in 0..1. May be
  // called by several threads at once.
  void Run(const float* images, int64_t batch, float* logits, int threads);

 private:
  // The plan for images that share lanes like that.
  Plan& PlanFor(int64_t batch);
  Layout LayoutFor(int64_t batch) const;

  std::vector<float> numbers_;
  Program program_;
  int total_stride_ = 1;
  bool strips_ = true;  // whether images can be cut into strips
  std::mutex mutex_;
  std::map<int, std::unique_ptr<Plan>> plans_;  // by strips
};

}  // namespace rcj::network

#endif  // RCJ_NETWORK_NETWORK_H_
