"""The phase that goes to 8-bit integers."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
from jaxtyping import Float

from rcj import data, graph, quantize, tree
from rcj.carry import Carry, Env, frozen, place
from rcj.phases.images import sized
from rcj.quantize.observers import OBSERVERS


@dataclasses.dataclass(frozen=True)
class Quantize:
  """Rounds the network as 8-bit integers will compute it (decision 13).

  BatchNorm is folded and ranges are calibrated on training images without
  augmentation. A `Train` after it is quantization-aware fine-tuning, without
  one this is post-training quantization; masks stay in force. What ships is
  `quantize.integers` of the result.

  Attributes:
    images: training images to calibrate on, drawn at random.
    observer: 'minmax', 'percentile' or 'mse', see `quantize.observers`.
    keep_float: patterns of names of layers whose kernels stay floats.
    per_channel: a scale for each output channel of a kernel, or one for all.
  """

  images: int = 512
  observer: str = 'minmax'
  keep_float: tuple[str, ...] = ()
  per_channel: bool = True

  def __post_init__(self):
    if self.observer not in OBSERVERS:
      raise ValueError(
        f'no observer {self.observer!r}; there are {", ".join(OBSERVERS)}'
      )
    if self.images < 1:
      raise ValueError(f'Quantize wants 1 image or more, not {self.images}')

  def __call__(self, carry: Carry, env: Env) -> Carry:
    """The carry with a `QuantNet`."""
    network = quantize.quantized(
      frozen(carry, ()),
      self._calibration(carry, env),
      observer=self.observer,
      keep_float=self.keep_float,
      per_channel=self.per_channel,
    )
    nodes = network.model.graph.nodes
    layers = sum(isinstance(node, graph.WEIGHTED) for node in nodes)
    ranges = len(tree.leaves(network.batch_stats)) // 2
    env.journal.say(
      f'quantized: {layers - len(network.model.keep_float)} of {layers} layers '
      f'to int8, {ranges} ranges by {self.observer}'
    )
    state = dataclasses.replace(
      carry.state,
      params=network.params,
      batch_stats=network.batch_stats,
      masks=network.masks,
      scores=network.scores,
    )
    return dataclasses.replace(
      carry,
      state=place(state, env.replicated),
      model=network.model,
      effective=network.effective,
      origin=network.origin,
    )

  def _calibration(
    self, carry: Carry, env: Env
  ) -> Float[np.ndarray, 'N H W 3']:
    """Images in 0..1, the same ones in every process."""
    source, shown = env.data.train, carry.preprocessing
    seed = int(jax.random.bits(env.phase_key(carry)))
    order = np.random.default_rng(seed).permutation(len(source))
    chosen = data.subset(source, np.sort(order[: self.images]))
    return sized(chosen, shown).images.astype(np.float32) / 255
