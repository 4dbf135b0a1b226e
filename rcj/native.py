"""The shared libraries of C++ and CUDA kernels: what there is, and why not.

There is one CPU library per instruction set, all of the same sources; the
fastest that the processor can run is used. A library that is missing or does
not fit is never an error by itself: `why_not` says the reason, and the ops in
`rcj.ops` run their pure-JAX references.

The environment variable RCJ_NATIVE, read at first use, is `auto` (the default),
`off`, or `require`, which turns the reason into an error. One of `CPU` requires
that very library.
"""

from __future__ import annotations

import ctypes
import functools
import os
import pathlib
import re

CPU = ('avx512', 'avx2', 'scalar')  # fastest first
GPU = 'cuda'
_FOLDER = pathlib.Path(__file__).parent / 'lib'


class NativeError(RuntimeError):
  """A native kernel was asked for by name and cannot be had."""


def available() -> bool:
  """Whether the CPU kernels are used where nothing is asked for by name."""
  return bool(implementations())


def why_not() -> str | None:
  """Why the CPU kernels are not used, None if they are."""
  return None if available() else _chosen()[1]


@functools.cache
def implementations() -> tuple[str, ...]:
  """The CPU libraries that can be used here, the default first.

  Raises:
    NativeError: under RCJ_NATIVE=require (or the name of a library) if there
      is none (or not that one).
    ValueError: if RCJ_NATIVE is something else.
  """
  return _chosen()[0]


@functools.cache
def has_cuda() -> bool:
  """Whether the CUDA kernels were built and this jaxlib takes them."""
  return _mode() != 'off' and _reason(GPU) is None


@functools.cache
def library(implementation: str) -> ctypes.CDLL:
  """A loaded library, one of `CPU` or `GPU`; its functions are plain C.

  Nothing of JAX is needed to call them, or imported here.

  Raises:
    NativeError: with the reason, if it cannot be used here.
  """
  reason = _reason(implementation)
  if reason is not None:
    raise NativeError(f'no {implementation} kernels: {reason}')
  return _load(implementation)


@functools.cache
def target(op: str, implementation: str = 'native') -> str:
  """Name of the registered FFI target of an op, such as 'augmix'.

  Args:
    op: a handler of the library, without the prefix rcj_.
    implementation: one of `CPU` or `GPU`, or 'native' for the fastest on CPU.

  Raises:
    NativeError: with the reason, if there is no such kernel here.
  """
  import jax

  if implementation == 'native':
    if not available():
      raise NativeError(f'no native kernels: {why_not()}')
    implementation = implementations()[0]
  handler = f'rcj_{op}'
  found = library(implementation)
  if not hasattr(found, handler):
    raise NativeError(
      f'{_path(implementation)} has no {handler}: it was built from other '
      'sources; install rcj again'
    )
  name = f'{handler}_{implementation}'
  jax.ffi.register_ffi_target(
    name,
    jax.ffi.pycapsule(getattr(found, handler)),
    platform='CUDA' if implementation == GPU else 'cpu',
  )
  return name


def _mode() -> str:
  mode = os.environ.get('RCJ_NATIVE') or 'auto'
  if mode not in ('auto', 'require', 'off', *CPU):
    raise ValueError(
      f'RCJ_NATIVE must be auto, require, off, or one of {", ".join(CPU)}, not '
      f'{mode!r}'
    )
  return mode


@functools.cache
def _chosen() -> tuple[tuple[str, ...], str | None]:
  """The usable libraries, and why there are none."""
  mode = _mode()
  if mode == 'off':
    return (), 'RCJ_NATIVE=off'
  wanted = (mode,) if mode in CPU else CPU
  reasons = {name: _reason(name) for name in wanted}
  usable = tuple(name for name, reason in reasons.items() if reason is None)
  if usable:
    return usable, None
  # All libraries are built together: the plainest has the telling reason.
  reason = reasons[wanted[-1]]
  if mode != 'auto':
    raise NativeError(f'RCJ_NATIVE={mode}, but {reason}')
  return (), reason


@functools.cache
def _reason(implementation: str) -> str | None:
  """Why a library cannot be used, None if it can."""
  path = _path(implementation)
  if not path.exists():
    compiler = 'nvcc' if implementation == GPU else 'C++17 compiler'
    return (
      f'{path} does not exist: rcj was installed where no {compiler} was '
      'found, or with RCJ_NO_NATIVE; install one, then rcj again'
    )
  if implementation in CPU[:-1]:
    # The plainest library knows the processor.
    reason = _reason(CPU[-1])
    if reason is not None:
      return reason
    if not _runs(implementation):
      return f'this processor does not run {implementation}'
  try:
    built = _load(implementation).rcj_ffi_api_minor()
  except (OSError, AttributeError) as error:
    return f'{path} does not load: {error}'
  if built > _runtime_minor():
    # Registering it would break every program of this process.
    return (
      f'{path} was built for FFI API 0.{built}, this jaxlib has 0.'
      f'{_runtime_minor()}: install rcj again without --no-build-isolation'
    )
  return None


def _path(implementation: str) -> pathlib.Path:
  if implementation not in (*CPU, GPU):
    raise NativeError(
      f'there is no implementation {implementation!r}; there are '
      f'{", ".join((*CPU, GPU))}'
    )
  return _FOLDER / f'rcj_{implementation}.so'


@functools.cache
def _load(implementation: str) -> ctypes.CDLL:
  return ctypes.CDLL(str(_path(implementation)))


def _runs(implementation: str) -> bool:
  """Whether the processor has the instructions of a library."""
  ask = _load(CPU[-1]).rcj_processor
  ask.restype = ctypes.c_char_p
  fastest = ask().decode()
  return CPU.index(fastest) <= CPU.index(implementation)


@functools.cache
def _runtime_minor() -> int:
  """Minor version of the FFI API of the installed jaxlib, from its header."""
  import importlib.util

  origin = importlib.util.find_spec('jaxlib').origin
  header = pathlib.Path(origin).parent / 'include/xla/ffi/api/c_api.h'
  found = re.search(r'XLA_FFI_API_MINOR (\d+)', header.read_text())
  return int(found.group(1))
