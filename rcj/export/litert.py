"""Networks as LiteRT (TensorFlow Lite) files, in float32.

https://ai.google.dev/edge/litert. Needs TensorFlow, of the extra 'litert', to
write; to run a file, ai-edge-litert suffices.
"""

from __future__ import annotations

from etils import epath

from rcj import files, models
from rcj.export.deployable import deployable
from rcj.export.runtime import needed
from rcj.types import Frozen


def save(frozen: Frozen, path: epath.PathLike) -> None:
  """Writes a network to a file, which is replaced as a whole.

  It takes images, float32 `[batch, size, size, 3]` in 0..1, and gives logits.

  Args:
    frozen: any network in floating point.
    path: file in an existing folder, or wherever etils.epath writes.

  Raises:
    ValueError: for a network of integers.
    ImportError: without TensorFlow.
  """
  frozen = deployable(frozen)
  if isinstance(frozen.model, models.IntNet):
    raise ValueError(
      'LiteRT files are written in float32; export integers to ONNX, or the '
      'network before it was quantized to LiteRT'
    )
  tf = needed('tensorflow', 'litert')
  from jax.experimental import jax2tf

  side = frozen.preprocessing.size
  function = jax2tf.convert(
    lambda images: models.predict(frozen, images),
    polymorphic_shapes=[f'(b, {side}, {side}, 3)'],
    with_gradient=False,
  )
  described = tf.TensorSpec([None, side, side, 3], tf.float32, name='images')
  program = tf.function(function, input_signature=[described], autograph=False)
  holder = tf.Module()  # keeps the function's constants alive
  holder.program = program
  converter = tf.lite.TFLiteConverter.from_concrete_functions(
    [program.get_concrete_function()], holder
  )
  files.write_whole(epath.Path(path), converter.convert())
