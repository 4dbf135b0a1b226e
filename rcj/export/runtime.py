"""Networks in files, run by what runs them where they are used.

A `Runtime` is the same function whatever executes it: images in 0..1 to logits.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import types
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from etils import epath
from jaxtyping import Array, Float

from rcj import deck, models, native
from rcj.export import (
  artifact,
  decks,
  latency,
  metadata,
  program,
  stablehlo,
)
from rcj.export.metadata import Metadata
from rcj.ops.network import Network
from rcj.types import Frozen

Images = Float[np.ndarray, 'B H W 3']
Run = Callable[[], Float[np.ndarray, 'B K']]
# Brings images to where and how a program wants them, and gives what runs it.
Program = Callable[[Images], Run]


@dataclasses.dataclass(frozen=True)
class Runtime:
  """A network in a file, opened by the program that runs it.

  Attributes:
    name: of the program, one of `NAMES`.
    threads: that it was opened with, None for as many as it likes.
    metadata: what the file says of itself.
    program: of images that `prepare` has checked.
  """

  name: str
  threads: int | None
  metadata: Metadata
  program: Program

  @property
  def classes(self) -> tuple[str, ...]:
    """Names of the logits."""
    return self.metadata.classes

  def __call__(self, images01: Images) -> Float[np.ndarray, 'B K']:
    """Logits of images in 0..1."""
    return self.prepare(images01)()

  def prepare(self, images01: Images) -> Run:
    """What runs the network on these images, as often as it is called.

    Args:
      images01: float32 in 0..1, of the size that the metadata name.

    Raises:
      ValueError: if they are not such images.
    """
    side = self.metadata.preprocessing.size
    if images01.ndim != 4 or images01.shape[1:] != (side, side, 3):
      raise ValueError(
        f'the network takes images [batch, {side}, {side}, 3], got '
        f'{list(images01.shape)}; usually they belong to another network'
      )
    if not np.issubdtype(images01.dtype, np.floating):
      raise ValueError(
        f'expected float images, got {images01.dtype}; divide uint8 by 255'
      )
    return self.program(np.asarray(images01, np.float32))


def opened(
  name: str, path: epath.PathLike, *, threads: int | None = None
) -> Runtime:
  """A file of a network in the program of this name.

  Args:
    name: 'native' for artifacts by the kernels of rcj, 'native-bf16' for the
      same with weights and results of 16 bits; 'jax' for artifacts, those of
      decks too; 'onnx', 'stablehlo' or 'litert' for exports.
    path: the file.
    threads: to compute with, None for as many as it likes. jax and stablehlo
      always use those of the process, which `latency.on_cores` binds.

  Raises:
    ValueError: for an unknown name, less than one thread, or a file of another
      kind.
    FileNotFoundError: if there is no such file.
    ImportError: if the program is not installed; says how to.
  """
  if name not in _OPENERS:
    raise ValueError(
      f'unknown runtime {name!r}; the names are {", ".join(NAMES)}'
    )
  path = epath.Path(path)
  if not path.is_file():
    raise FileNotFoundError(f'{path} is no file; expected an exported network')
  if threads is not None and threads < 1:
    raise ValueError(f'threads must be 1 or more, not {threads}')
  return Runtime(name, threads, *_OPENERS[name](path, threads))


def needed(module: str, extra: str) -> types.ModuleType:
  """A package of an extra; raises ImportError that names the extra."""
  try:
    return importlib.import_module(module)
  except ImportError as error:
    raise ImportError(
      f"{module} is not installed: pip install 'rcj[{extra}]'"
    ) from error


def _jax(path: epath.Path, threads: int | None) -> tuple[Metadata, Program]:
  del threads
  told, network = _artifact(path)
  of_deck = isinstance(network, deck.Deck)
  return told, _compiled(
    deck.predict if of_deck else models.predict, (network,)
  )


def _native(
  path: epath.Path, threads: int | None, *, storage: str = 'float32'
) -> tuple[Metadata, Program]:
  threads = threads or latency.cores()
  if not native.available():
    raise ImportError(f'there are no native kernels: {native.why_not()}')

  def ready(frozen: Frozen) -> Network:
    return Network(*program.program(frozen, storage=storage))

  told, network = _artifact(path)
  if not isinstance(network, deck.Deck):
    run = ready(network)
    return told, lambda images01: lambda: run(images01, threads=threads)
  members = [ready(member) for member in network.members]

  @jax.jit
  def vote(images01: Array) -> Array:
    def logits(i: int, images01: Array) -> Array:
      return members[i].traced(images01, threads=threads)

    return deck.voted(network, images01, logits)

  return told, _compiled(vote, ())


def _artifact(path: epath.Path) -> tuple[Metadata, Frozen | deck.Deck]:
  record = artifact.describe(path)
  load = decks.load_deck if artifact.is_deck(record) else artifact.load
  network = load(path)
  told = Metadata(network.classes, network.preprocessing, record['provenance'])
  return told, network


def _stablehlo(
  path: epath.Path, threads: int | None
) -> tuple[Metadata, Program]:
  del threads
  told = metadata.read_beside(path)
  return told, _compiled(stablehlo.load(path), ())


def _compiled(
  function: Callable[..., Array], first: tuple[Any, ...]
) -> Program:
  """Of a jitted function of `first` and images, compiled once per shape."""
  compiled = {}

  def prepare(images01: Images) -> Run:
    images = jax.device_put(images01)
    if images.shape not in compiled:
      compiled[images.shape] = function.lower(*first, images).compile()
    run = compiled[images.shape]
    return lambda: np.asarray(run(*first, images))

  return prepare


def _onnx(path: epath.Path, threads: int | None) -> tuple[Metadata, Program]:
  runtime = needed('onnxruntime', 'onnx')
  options = runtime.SessionOptions()
  options.intra_op_num_threads = threads or 0
  options.log_severity_level = 3
  # Else sums of products saturate at 16 bits on processors without VNNI.
  options.add_session_config_entry('session.x64quantprecision', '1')
  try:
    session = runtime.InferenceSession(
      path.read_bytes(), options, providers=['CPUExecutionProvider']
    )
  except Exception as error:  # its exceptions have no common base
    raise ValueError(f'onnxruntime cannot read {path}: {error}') from error
  told = metadata.from_json(session.get_modelmeta().custom_metadata_map)

  def prepare(images01: Images) -> Run:
    images = np.ascontiguousarray(images01.transpose(0, 3, 1, 2))
    return lambda: session.run(['logits'], {'images': images})[0]

  return told, prepare


def _litert(path: epath.Path, threads: int | None) -> tuple[Metadata, Program]:
  interpreters = needed('ai_edge_litert.interpreter', 'litert')
  told = metadata.read_beside(path)

  @functools.cache
  def of_shape(shape: tuple[int, ...] | None) -> Any:
    """An interpreter holds buffers of one shape; None leaves the file's."""
    try:
      made = interpreters.Interpreter(str(path), num_threads=threads)
    except (ValueError, RuntimeError) as error:
      raise ValueError(f'LiteRT cannot read {path}: {error}') from error
    if shape is not None:
      (place,) = made.get_input_details()
      made.resize_tensor_input(place['index'], shape)
      made.allocate_tensors()
    return made

  first = of_shape(None)
  (place,), (result,) = first.get_input_details(), first.get_output_details()

  def prepare(images01: Images) -> Run:
    interpreter = of_shape(images01.shape)

    def run() -> Float[np.ndarray, 'B K']:
      interpreter.set_tensor(place['index'], images01)
      interpreter.invoke()
      return interpreter.get_tensor(result['index'])

    return run

  return told, prepare


_OPENERS = {
  'native': _native,
  'native-bf16': functools.partial(_native, storage='bfloat16'),
  'jax': _jax,
  'onnx': _onnx,
  'stablehlo': _stablehlo,
  'litert': _litert,
}
NAMES = tuple(_OPENERS)
