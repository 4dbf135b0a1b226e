"""The k largest of many values, natively: counted by digits, not sorted.

The handler is `select` of kernels/select/; `rcj.topk` is its reference, which
it equals to the last entry.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from rcj import topk
from rcj.ops import dispatch


def largest(
  leaves: Sequence[Float[Array, ' *shape']],
  k: Int32[Array, ' *shape'],
  *,
  implementation: str | None = None,
) -> list[Bool[Array, ' *shape']]:
  """True at the k largest values, see `rcj.topk.largest`.

  Every device selects by itself from all values; a leaf that is split over
  devices would be gathered.

  Args:
    leaves: arrays of any shape, compared as float32.
    k: scalar (all leaves together) or `[L]` (each leaf).
    implementation: see `rcj.ops.dispatch.run`.

  Raises:
    NativeError: if an implementation is asked for that cannot be had.
  """
  # No gradient: marks have none, and a foreign call cannot be differentiated.
  leaves = [jax.lax.stop_gradient(x.astype(jnp.float32)) for x in leaves]

  def reference(k, *leaves):
    return topk.largest(leaves, k)

  def call(target, k, *leaves):
    marks = [jax.ShapeDtypeStruct(x.shape, jnp.bool_) for x in leaves]
    kernel = jax.ffi.ffi_call(target, marks, vmap_method='sequential')
    return list(kernel(k.reshape(-1), *leaves))

  return dispatch.run(
    'select',
    k,
    *leaves,
    reference=reference,
    call=call,
    implementation=implementation,
  )
