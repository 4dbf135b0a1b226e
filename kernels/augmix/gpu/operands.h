// The operands of rcj_augmix, checked.
#ifndef RCJ_AUGMIX_GPU_OPERANDS_H_
#define RCJ_AUGMIX_GPU_OPERANDS_H_

#include <algorithm>
#include <initializer_list>
#include <string>

#include "augmix/gpu/problem.h"
#include "common/handlers.h"

namespace rcj::augmix_gpu {

struct Operands {
  ffi::BufferR4<ffi::U8> images;
  ffi::BufferR3<ffi::S32> op;
  ffi::BufferR4<ffi::F32> param;
  ffi::BufferR2<ffi::F32> weights;
  ffi::BufferR1<ffi::F32> m, scale, offset;
  ffi::AnyBuffer views;
  bool clean;

  // Fails unless the shapes go together; sets all but the scratch memory.
  ffi::Error Read(Problem& problem) const {
    if (!Fit()) {
      return ffi::Error::InvalidArgument(
          "augmix: images u8[B,H,W,3] need a plan of op[B*A,K,D], param[B*A,K,"
          "D,3], weights[B*A,K] and m[B*A], scale[3], offset[3], and views f32 "
          "or bf16[B,A,H,W,3], A + 1 with the clean one, got " +
          Shape(images) + ", " + Shape(op) + ", " + Shape(param) + ", " +
          Shape(weights) + ", " + Shape(m) + ", " + Shape(scale) + ", " +
          Shape(offset) + " and " + Shape(views));
    }
    const auto shape = images.dimensions(), plan = op.dimensions();
    const int64_t versions = shape[0] ? plan[0] / shape[0] : 0;
    constexpr int64_t kMost = int64_t{1} << 20;
    if (shape[1] * shape[2] > kMost << 9 || versions * plan[1] > kMost ||
        plan[2] > kMost) {
      // Places within an image, and among its chains, are 32-bit.
      return ffi::Error::InvalidArgument(
          "augmix: too many pixels or operations for one image, " +
          Shape(images) + " with a plan of " + Shape(op));
    }
    problem.B = shape[0];
    problem.H = shape[1];
    problem.W = shape[2];
    problem.A = versions;
    problem.K = plan[1];
    problem.D = plan[2];
    problem.clean = clean;
    problem.images = images.typed_data();
    problem.op = op.typed_data();
    problem.param = param.typed_data();
    problem.weights = weights.typed_data();
    problem.m = m.typed_data();
    problem.scale = scale.typed_data();
    problem.offset = offset.typed_data();
    return ffi::Error::Success();
  }

 private:
  bool Fit() const {
    const auto shape = images.dimensions(), plan = op.dimensions();
    const int64_t B = shape[0], rows = plan[0], K = plan[1];
    const int64_t A = B ? rows / B : 0;
    const auto type = views.element_type();
    return shape[3] == 3 && A * B == rows && Is(param, {rows, K, plan[2], 3}) &&
           Is(weights, {rows, K}) && Is(m, {rows}) && Is(scale, {3}) &&
           Is(offset, {3}) &&
           Is(views, {B, A + clean, shape[1], shape[2], 3}) &&
           (type == ffi::F32 || type == ffi::BF16);
  }

  template <class Buffer>
  static bool Is(const Buffer& buffer, std::initializer_list<int64_t> shape) {
    const auto found = buffer.dimensions();
    return std::equal(found.begin(), found.end(), shape.begin(), shape.end());
  }
};

// A binding, continued with the operands of Run(..., images, op, ...).
template <class Binding>
auto BindOperands(Binding binding) {
  return std::move(binding)
      .template Arg<ffi::BufferR4<ffi::U8>>()
      .template Arg<ffi::BufferR3<ffi::S32>>()
      .template Arg<ffi::BufferR4<ffi::F32>>()
      .template Arg<ffi::BufferR2<ffi::F32>>()
      .template Arg<ffi::BufferR1<ffi::F32>>()
      .template Arg<ffi::BufferR1<ffi::F32>>()
      .template Arg<ffi::BufferR1<ffi::F32>>()
      .template Ret<ffi::AnyBuffer>()
      .template Attr<bool>("clean");
}

}  // namespace rcj::augmix_gpu

#endif  // RCJ_AUGMIX_GPU_OPERANDS_H_
