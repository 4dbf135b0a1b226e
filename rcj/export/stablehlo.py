"""Networks as StableHLO programs, which run without this project.

https://docs.jax.dev/en/latest/export/export.html. The weights are constants of
the program, the batch size is free, and one file serves CPU, CUDA and TPU.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
from etils import epath
from jaxtyping import Array, Float

from rcj import files, models
from rcj.export.deployable import deployable
from rcj.types import Frozen

PLATFORMS = ('cpu', 'cuda', 'tpu')

Program = Callable[[Float[Array, 'B H W 3']], Float[Array, 'B K']]


def save(frozen: Frozen, path: epath.PathLike) -> None:
  """Writes a network to a file, which is replaced as a whole.

  Args:
    frozen: any network; see `deployable` for what becomes of it.
    path: file in an existing folder, or wherever etils.epath writes.
  """
  data = bytes(exported(frozen).serialize())
  files.write_whole(epath.Path(path), data)


def exported(frozen: Frozen) -> jax.export.Exported:
  """`models.predict` with the weights in it.

  Takes images, float32 `[b, size, size, 3]` in 0..1, of the size that the
  network's preprocessing names, and gives logits, float32 `[b, classes]`.

  Args:
    frozen: any network; see `deployable` for what becomes of it.
  """
  frozen = deployable(jax.device_get(frozen))
  side = frozen.preprocessing.size
  shape = jax.export.symbolic_shape(f'b, {side}, {side}, 3')
  program = jax.jit(lambda images: models.predict(frozen, images))
  images = jax.ShapeDtypeStruct(shape, jnp.float32)
  with _without_places():
    return jax.export.export(program, platforms=PLATFORMS)(images)


@contextlib.contextmanager
def _without_places() -> Iterator[None]:
  """Leaves the paths of source files out of programs."""
  name = 'jax_traceback_in_locations_limit'
  before = getattr(jax.config, name)
  jax.config.update(name, 0)
  try:
    yield
  finally:
    jax.config.update(name, before)


def load(path: epath.PathLike) -> Program:
  """The program of a file, compiled once for each batch size.

  Raises:
    ValueError: if the file is none, or of a JAX that this one cannot read.
  """
  data = epath.Path(path).read_bytes()
  try:
    program = jax.export.deserialize(bytearray(data))
  except Exception as error:
    raise ValueError(
      f'{path} is no program of jax.export that JAX {jax.__version__} reads: '
      f'{str(error)[:200]}; usually the file is not complete, or a much newer '
      'JAX wrote it'
    ) from error
  return jax.jit(program.call)
