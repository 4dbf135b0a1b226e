#include "network/network.h"

#include <algorithm>

namespace rcj::network {
namespace {

// Whether results are within the limits of the operation.
bool Limits(Kind kind) {
  return kind == Kind::kConv || kind == Kind::kDepthwise ||
         kind == Kind::kAdd || kind == Kind::kRelu;
}

}  // namespace

Network::Network(const int64_t* words, int64_t count, const float* numbers,
                 int64_t total, std::string* fault)
    : numbers_(numbers, numbers + total) {
  *fault = Read(words, count, numbers_.data(), total, &program_);
  if (!fault->empty()) return;
  std::vector<int> strides(program_.values.size(), 1);
  for (const Op& op : program_.ops) {
    if (op.input < 0) continue;
    strides[op.output] = std::min(strides[op.input] * op.stride, 1 << 14);
    total_stride_ = std::max(total_stride_, strides[op.output]);
    // Strides of sums must go together, and maxima see zeros beyond the image.
    if (op.other >= 0) {
      strips_ = strips_ && strides[op.other] == strides[op.output];
    }
    if (op.kind == Kind::kMaxPool) {
      const Op& before = program_.ops[op.input];
      strips_ = strips_ && Limits(before.kind) && before.low >= 0;
    }
  }
  for (int stride : strides) strips_ = strips_ && total_stride_ % stride == 0;
}

void Network::Run(const float* images, int64_t batch, float* logits,
                  int threads) {
  if (batch > 0) PlanFor(batch).Run(images, batch, logits, threads);
}

// As many strips as lanes would be empty, while those are of use.
Layout Network::LayoutFor(int64_t batch) const {
  Layout layout;
  if (!strips_) return layout;
  const int width = program_.values[0].w;
  while (layout.images >= 2 * batch) {
    Layout more{layout.images / 2, layout.strips * 2};
    if (layout.strips * more.Width(width, total_stride_) >= width) break;
    layout = more;
  }
  return layout;
}

Plan& Network::PlanFor(int64_t batch) {
  const Layout layout = LayoutFor(batch);
  std::lock_guard<std::mutex> lock(mutex_);
  auto& plan = plans_[layout.strips];
  if (!plan) plan = std::make_unique<Plan>(program_, layout, total_stride_);
  return *plan;
}

}  // namespace rcj::network
