"""Whole networks by the native runtime, without JAX."""

from __future__ import annotations

import ctypes
import weakref

import numpy as np
from jaxtyping import Array, Float, Float32, Int64

from rcj import native


class Network:
  """A network that is ready to run; kernels/network/program.h describes it.

  May be called by several threads at once.
  """

  def __init__(
    self,
    words: Int64[np.ndarray, ' w'],
    numbers: Float32[np.ndarray, ' n'],
    *,
    implementation: str | None = None,
  ):
    """Lays out the weights for this processor.

    Args:
      words: header and operations of the program.
      numbers: weights and what else operations point to.
      implementation: one of `native.CPU`, None for the fastest.

    Raises:
      NativeError: if there is no native runtime here.
      ValueError: if they are no program; says why.
    """
    if implementation is None:
      if not native.available():
        raise native.NativeError(f'no native kernels: {native.why_not()}')
      implementation = native.implementations()[0]
    self._implementation = implementation
    self._library = native.library(implementation)
    self._library.rcj_network_make.restype = ctypes.c_int64
    words = np.ascontiguousarray(words, np.int64)
    numbers = np.ascontiguousarray(numbers, np.float32)
    fault = ctypes.create_string_buffer(256)
    self._number = self._library.rcj_network_make(
      _pointer(words),
      ctypes.c_int64(words.size),
      _pointer(numbers),
      ctypes.c_int64(numbers.size),
      fault,
      ctypes.c_int64(len(fault)),
    )
    if not self._number:
      raise ValueError(f'this is no network: {fault.value.decode()}')
    self._shape = tuple(map(int, words[1:3]))
    self._classes = int(words[8 + 14 * (words[6] - 1) + 3])
    free = self._library.rcj_network_free
    weakref.finalize(self, free, ctypes.c_int64(self._number))

  def __call__(
    self, images01: Float32[np.ndarray, 'B H W 3'], *, threads: int = 1
  ) -> Float32[np.ndarray, 'B K']:
    """Logits of images in 0..1.

    Args:
      images01: of the network's size.
      threads: to compute with.

    Raises:
      ValueError: if the images or the number of threads do not fit.
      MemoryError: if there is not enough memory.
    """
    images01 = np.ascontiguousarray(images01)
    fits = images01.ndim == 4 and images01.shape[1:] == (*self._shape, 3)
    if not fits or images01.dtype != np.float32:
      raise ValueError(
        f'expected float32 images [batch, {self._shape[0]}, {self._shape[1]}, '
        f'3], got {images01.dtype} {list(images01.shape)}'
      )
    _check(threads)
    logits = np.empty((len(images01), self._classes), np.float32)
    failed = self._library.rcj_network_run(
      ctypes.c_int64(self._number),
      _pointer(images01),
      ctypes.c_int64(len(images01)),
      _pointer(logits),
      ctypes.c_int(threads),
    )
    if failed:
      raise MemoryError('there is not enough memory to run the network')
    return logits

  def traced(
    self, images01: Float[Array, 'B H W 3'], *, threads: int = 1
  ) -> Float[Array, 'B K']:
    """The same as a part of a JAX program for the CPU, as one FFI call.

    The program must not outlive this network.

    Args:
      images01: float32 of the network's size.
      threads: to compute with.

    Raises:
      ValueError: if the number of threads is not 1 to 1024.
    """
    import jax

    _check(threads)
    target = native.target('network', self._implementation)
    shape = len(images01), self._classes
    call = jax.ffi.ffi_call(
      target,
      jax.ShapeDtypeStruct(shape, np.float32),
      vmap_method='sequential',
    )
    return call(
      images01, network=np.int64(self._number), threads=np.int64(threads)
    )


def _check(threads: int) -> None:
  if not 1 <= threads <= 1024:
    raise ValueError(f'threads must be 1 to 1024, not {threads}')


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
  return array.ctypes.data_as(ctypes.c_void_p)
