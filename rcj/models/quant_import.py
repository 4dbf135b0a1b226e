"""TensorFlow's MobileNetV2, from arrays of its dequantised 8-bit weights."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from rcj.models import imported, mobile_plan, registry
from rcj.models.mobile import MobileNet
from rcj.types import Frozen, Preprocessing

_PREPROCESSING = Preprocessing((0.5,) * 3, (0.5,) * 3, size=224, resize=256)
_FIELDS = ('q', 'scale', 'zero', 'bias')
_Layers = list[tuple[str, Mapping[str, np.ndarray]]]


def load_quant_dequant(
  path: str | os.PathLike[str], *, classes: Sequence[int] | None = None
) -> Frozen:
  """Reads a MobileNetV2 whose BatchNorm is folded into its convolutions.

  The first output of such networks is the background, which no data set here
  has: it is dropped, so that 1001 outputs become the 1000 classes of ImageNet
  in their usual order.

  Args:
    path: .npz with `NN_kind_sS_activation/{q,scale,zero,bias}` for the
      convolutions in the order of their execution, the classifier being the
      last; a weight is (q - zero) * scale; kernels OHWI, depthwise 1HWC.
    classes: outputs to keep, in this order, counted without the background;
      None keeps all.

  Returns:
    a dense float32 network with TensorFlow's padding, for x / 127.5 - 1 at
    224 px.

  Raises:
    ValueError: if the file is broken or holds another architecture, or a class
      does not exist.
  """
  layers = _layers(path)
  _, classifier = layers[-1]
  module = registry.create(
    'mobilenet_v2',
    num_classes=max(len(classifier['bias']) - 1, 1),
    padding='tf',
    norm='folded',
  )
  arrays = {}
  for ours, (name, fields) in zip(_order(module, layers), layers, strict=True):
    kernel, bias = _dequantised(name, fields), fields['bias']
    if ours == 'head':
      kernel, bias = kernel[0, 0, :, 1:], bias[1:]
    arrays |= {f'params/{ours}/kernel': kernel, f'params/{ours}/bias': bias}
  _check_shapes(module, arrays)
  return imported.network(module, arrays, _PREPROCESSING, classes)


def _layers(path: str | os.PathLike[str]) -> _Layers:
  """(name, fields) of every convolution in order."""
  try:
    with np.load(path, allow_pickle=False) as file:
      arrays = dict(file)
  except (zipfile.BadZipFile, ValueError, EOFError) as error:
    raise ValueError(
      f'{os.fspath(path)} is no .npz file, or a broken one: {error}'
    ) from error
  names = sorted({key.rpartition('/')[0] for key in arrays})
  missing = [
    f'{name}/{field}'
    for name in names
    for field in _FIELDS
    if f'{name}/{field}' not in arrays
  ]
  strange = [n for n in names if not re.fullmatch(r'\d+_(conv|dw)_s\d_\w+', n)]
  if strange or missing or not names:
    raise ValueError(
      f'{os.fspath(path)}: expected arrays NN_kind_sS_activation/q, scale, '
      f'zero and bias, missing: {missing[:8] or "none"}, got: {names[:8]}'
    )
  return [(n, {f: arrays[f'{n}/{f}'] for f in _FIELDS}) for n in names]


def _order(module: MobileNet, layers: _Layers) -> list[str]:
  """Our layers in the order of their execution."""
  expected = {'conv_stem': 'conv_s2'}
  stages = mobile_plan.stages(module.architecture, module.width, module.stem)
  for block in (block for stage in stages for block in stage):
    if block.expands:
      expected[f'{block.name}/conv_expand'] = 'conv_s1'
    expected[f'{block.name}/conv_depthwise'] = f'dw_s{block.stride}'
    expected[f'{block.name}/conv_project'] = 'conv_s1'
  expected |= {'conv_last': 'conv_s1', 'head': 'conv_s1'}
  got = [_kind(name) for name, _ in layers]
  if got != list(expected.values()):
    raise ValueError(
      'the file does not hold a MobileNetV2: expected the convolutions '
      f'{list(expected.values())}, got {got}'
    )
  return list(expected)


def _kind(name: str) -> str:
  """'04_dw_s2_relu6' is 'dw_s2'."""
  return '_'.join(name.split('_')[1:3])


def _dequantised(
  name: str, fields: Mapping[str, np.ndarray]
) -> Float[np.ndarray, 'H W I O']:
  zero = fields['zero'].astype(np.float32)
  w = (fields['q'].astype(np.float32) - zero) * fields['scale']
  axes = (1, 2, 0, 3) if _kind(name).startswith('dw') else (1, 2, 3, 0)
  return w.transpose(axes)


def _check_shapes(module: MobileNet, arrays: Mapping[str, np.ndarray]) -> None:
  wrong = [
    f'{n} (expected {x.shape}, got {arrays[n].shape})'
    for n, x in imported.leaves(module).items()
    if arrays[n].shape != x.shape
  ]
  if wrong:
    raise ValueError(
      'the file does not hold a MobileNetV2 of width 1; of another shape: '
      f'{", ".join(wrong[:8])}'
    )
