"""From an op to the code that runs it on each platform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from rcj import native

# Gets the name of an FFI target, then the operands.
Call = Callable[..., Any]


def run(
  op: str,
  *operands: Any,
  reference: Callable[..., Any],
  call: Call,
  implementation: str | None = None,
  cuda: bool = False,
) -> Any:
  """Runs an op natively where that is possible, else by its reference.

  By default the platform that the program is compiled for decides: the native
  kernel on a CPU whose library is there, the CUDA kernel likewise, and the
  reference everywhere else. Only targets that exist are offered, so that a
  program always lowers.

  Args:
    op: name of the FFI handler without its prefix.
    *operands: arrays, for `reference` and `call` alike.
    reference: pure JAX.
    call: `call(target, *operands)` makes the FFI call.
    implementation: None for the above; 'reference'; 'native' for the fastest
      CPU kernel; or one of `native.CPU`.
    cuda: whether the op has a CUDA kernel.

  Raises:
    NativeError: if an implementation is asked for that cannot be had.
  """
  if implementation == 'reference':
    return reference(*operands)
  if implementation is not None:
    return call(native.target(op, implementation), *operands)
  branches = {}
  if native.available():
    branches['cpu'] = _bound(call, native.target(op))
  if cuda and native.has_cuda():
    branches['cuda'] = _bound(call, native.target(op, native.GPU))
  if not branches:
    return reference(*operands)
  return jax.lax.platform_dependent(*operands, **branches, default=reference)


def is_native() -> bool:
  """Whether programs for this process's devices run CPU kernels by default."""
  return native.available() and jax.default_backend() == 'cpu'


def _bound(call: Call, target: str) -> Callable[..., Any]:
  return lambda *operands: call(target, *operands)
