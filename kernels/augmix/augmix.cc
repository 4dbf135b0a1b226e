// rcj_augmix: images u8[B,H,W,3] and a plan of op s32[B*A,K,D], param
// f32[B*A,K,D,3], weights f32[B*A,K], m f32[B*A]; scale f32[3], offset f32[3]
// -> views f32 or bf16 [B,A,H,W,3], with the clean view first A + 1 of them.
//
// rcj_augmix_chains: images, op, param -> u8[B*A,K,H,W,3].
#include <algorithm>
#include <initializer_list>
#include <string>

#include "augmix/run.h"
#include "common/handlers.h"

namespace rcj::augmix {
namespace {

using Images = ffi::BufferR4<ffi::U8>;
using Ops = ffi::BufferR3<ffi::S32>;
using Params = ffi::BufferR4<ffi::F32>;
using Vector = ffi::BufferR1<ffi::F32>;

template <class Buffer>
bool Is(const Buffer& buffer, std::initializer_list<int64_t> shape) {
  const auto found = buffer.dimensions();
  return std::equal(found.begin(), found.end(), shape.begin(), shape.end());
}

Batch BatchOf(const Images& images, const Ops& op, const Params& param) {
  const auto shape = images.dimensions(), plan = op.dimensions();
  return {shape[0],
          shape[1],
          shape[2],
          images.typed_data(),
          {plan[0], plan[1], plan[2], op.typed_data(), param.typed_data()}};
}

// Whether images go with a plan.
bool Fit(const Batch& batch, const Images& images, const Params& param) {
  const Plan& plan = batch.plan;
  return images.dimensions()[3] == 3 &&
         batch.Versions() * batch.B == plan.N &&
         Is(param, {plan.N, plan.K, plan.D, 3});
}

ffi::Error Views(ffi::ThreadPool pool, Images images, Ops op, Params param,
                 ffi::BufferR2<ffi::F32> weights, Vector m, Vector scale,
                 Vector offset, ffi::Result<ffi::AnyBuffer> out, bool clean) {
  const Batch batch = BatchOf(images, op, param);
  const int64_t B = batch.B, views = batch.Versions() + clean;
  const auto type = out->element_type();
  if (!Fit(batch, images, param) ||
      !Is(weights, {batch.plan.N, batch.plan.K}) || !Is(m, {batch.plan.N}) ||
      !Is(scale, {3}) || !Is(offset, {3}) ||
      !Is(*out, {B, views, batch.H, batch.W, 3}) ||
      (type != ffi::F32 && type != ffi::BF16)) {
    return ffi::Error::InvalidArgument(
        "augmix: images u8[B,H,W,3] need a plan of op[B*A,K,D], param[B*A,K,D,"
        "3], weights[B*A,K] and m[B*A], scale[3], offset[3], and views f32 or "
        "bf16[B,A,H,W,3], A + 1 with the clean one, got " +
        Shape(images) + ", " + Shape(op) + ", " + Shape(param) + ", " +
        Shape(weights) + ", " + Shape(m) + ", " + Shape(scale) + ", " +
        Shape(offset) + " and " + Shape(*out));
  }
  const std::string fault = batch.plan.Fault();
  if (!fault.empty()) return ffi::Error::InvalidArgument("augmix: " + fault);
  if (out->element_count() == 0) return ffi::Error::Success();
  const Mixture mixture{weights.typed_data(), m.typed_data(),
                        scale.typed_data(), offset.typed_data(), clean};
  const Output to{out->untyped_data(), type == ffi::BF16};
  // Views of an image share its preparation, unless threads would be idle.
  const int64_t together = B < pool.num_threads() ? 1 : views;
  const int64_t jobs = views / together;
  ParallelFor(pool, B * jobs, [&](int64_t job) {
    const int64_t begin = job % jobs * together;
    WriteViews(batch, mixture, job / jobs, begin, begin + together, to);
  });
  return ffi::Error::Success();
}

ffi::Error Chains(ffi::ThreadPool pool, Images images, Ops op, Params param,
                  ffi::ResultBuffer<ffi::U8> out) {
  const Batch batch = BatchOf(images, op, param);
  const Plan& plan = batch.plan;
  if (!Fit(batch, images, param) ||
      !Is(*out, {plan.N, plan.K, batch.H, batch.W, 3})) {
    return ffi::Error::InvalidArgument(
        "augmix_chains: images u8[B,H,W,3] need a plan of op[B*A,K,D] and "
        "param[B*A,K,D,3], and a result u8[B*A,K,H,W,3], got " +
        Shape(images) + ", " + Shape(op) + ", " + Shape(param) + " and " +
        Shape(*out));
  }
  const std::string fault = plan.Fault();
  if (!fault.empty()) {
    return ffi::Error::InvalidArgument("augmix_chains: " + fault);
  }
  if (out->element_count() == 0) return ffi::Error::Success();
  ParallelFor(pool, plan.N, [&](int64_t n) {
    WriteChains(batch, n, out->typed_data());
  });
  return ffi::Error::Success();
}

}  // namespace
}  // namespace rcj::augmix

RCJ_HANDLER(augmix, rcj::augmix::Views,
            xla::ffi::Ffi::Bind()
                .Ctx<xla::ffi::ThreadPool>()
                .Arg<xla::ffi::BufferR4<xla::ffi::U8>>()
                .Arg<xla::ffi::BufferR3<xla::ffi::S32>>()
                .Arg<xla::ffi::BufferR4<xla::ffi::F32>>()
                .Arg<xla::ffi::BufferR2<xla::ffi::F32>>()
                .Arg<xla::ffi::BufferR1<xla::ffi::F32>>()
                .Arg<xla::ffi::BufferR1<xla::ffi::F32>>()
                .Arg<xla::ffi::BufferR1<xla::ffi::F32>>()
                .Ret<xla::ffi::AnyBuffer>()
                .Attr<bool>("clean"));

RCJ_HANDLER(augmix_chains, rcj::augmix::Chains,
            xla::ffi::Ffi::Bind()
                .Ctx<xla::ffi::ThreadPool>()
                .Arg<xla::ffi::BufferR4<xla::ffi::U8>>()
                .Arg<xla::ffi::BufferR3<xla::ffi::S32>>()
                .Arg<xla::ffi::BufferR4<xla::ffi::F32>>()
                .Ret<xla::ffi::Buffer<xla::ffi::U8>>());
