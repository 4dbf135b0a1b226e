// rcj_gather_dot: x f32[R,D], a table [M,D] of f32 or bf16, numbers s32[R,K]
// -> f32[R,K], products of each row of x with the rows that it asks for. These
// are read where they lie: no copy of them is made.
#include "gather/operands.h"
#include "gather/plan.h"
#include "gather/row.h"
#include "gather/table.h"

namespace rcj {
namespace {

template <class T>
void Dot(ffi::ThreadPool& pool, const Operands& operands, float* out) {
  const Table<T> table{static_cast<const T*>(operands.table.untyped_data()),
                       operands.M(), operands.D()};
  const Plan<int32_t> plan(pool, operands, [](int64_t, int64_t k) {
    return static_cast<int32_t>(k);
  });
  ParallelFor(pool, plan.Blocks(), [&](int64_t block) {
    plan.Serve(block, [&](int64_t r, const auto* wishes, int64_t count) {
      const float* x = operands.features.typed_data() + r * table.length;
      float* scores = out + r * operands.K();
      table.Fetch(wishes, count,
                  [&](const auto* some, int64_t n, const T* const* rows) {
                    float products[kRows];
                    Products(x, rows, table.length, products);
                    for (int64_t j = 0; j < n; ++j) {
                      scores[some[j].what] = products[j];
                    }
                  });
    });
  });
}

ffi::Error Run(ffi::ThreadPool pool, ffi::BufferR2<ffi::F32> x,
               ffi::AnyBuffer table, ffi::BufferR2<ffi::S32> numbers,
               ffi::Result<ffi::BufferR2<ffi::F32>> out) {
  const Operands operands{table, numbers, x, *out};
  const ffi::Error wrong = operands.Check("gather_dot");
  if (wrong.failure()) return wrong;
  if (operands.Brief()) {
    Dot<uint16_t>(pool, operands, out->typed_data());
  } else {
    Dot<float>(pool, operands, out->typed_data());
  }
  return ffi::Error::Success();
}

}  // namespace
}  // namespace rcj

RCJ_HANDLER(gather_dot, rcj::Run,
            rcj::BindGather(
                xla::ffi::Ffi::Bind().Ctx<xla::ffi::ThreadPool>()));
