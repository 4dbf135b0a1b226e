"""The methods of S0 as tuples of phases."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Collection
from typing import TYPE_CHECKING

from rcj import data, train
from rcj.phases import (
  Attack,
  Evaluate,
  Export,
  FreezeMask,
  Init,
  InitScores,
  Load,
  Prune,
  Quantize,
  RecalibrateBN,
  Restore,
  Save,
  Shrink,
)
from rcj.recipe import Phase
from rcj.s0.training import AUGMENTS, DISTIL

if TYPE_CHECKING:
  from rcj.s0.config import S0

PRUNE = {
  'gw': ('global weight', {'score': 'magnitude', 'scope': 'global'}),
  'lw': ('layer weight', {'score': 'magnitude', 'scope': 'layer'}),
  'random': ('random weight', {'score': 'random', 'scope': 'layer'}),
  'l1': ('L1 filter', {'score': 'l1_filter'}),
  'random_filter': ('random filter', {'score': 'random_filter'}),
}
FILTERS = ('l1', 'random_filter')
HYDRA = {'hydra': 'Hydra', 'hydra_kd': 'Hydra + KD'}
METHODS = ('train', *DISTIL, *PRUNE, *HYDRA)
TEACHERS = {**AUGMENTS, 'swsl': 'SWSL'}
GROUPS = ('coupled', 'inner')
_TORCH = ('.pth', '.pt', '.th', '.safetensors')
_DENSE = 'dense'


def recipe(config: S0) -> tuple[Phase, ...]:
  """The phases of `config.method`.

  Raises:
    ValueError: for unknown names, and a teacher that can only be read where
      there is no file; lists what exists.
  """
  _check(config)
  learn = (init(config), config.training(config.augment))
  if config.method == 'train':
    kept = _kept(config) if config.quantize else ()
    return (*learn, *kept, *_finish(config))
  if config.method in DISTIL:
    distilled = config.training(config.augment, distil=config.method)
    return (
      *_teacher(config),
      init(config),
      distilled,
      *_finish(config),
    )
  if config.method in PRUNE:
    return (*learn, *_kept(config), *_prune(config), *_finish(config))
  return (*learn, *_kept(config), *_hydra(config), *_finish(config))


def label(config: S0) -> str:
  """Name of the method in tables: 'AugMix + KD, AMDA teacher + int8'."""
  return rounded(config, _learned(config))


def rounded(config: S0, method: str) -> str:
  """The name of a method, with int8 where the config asks for it."""
  if not config.quantize:
    return method
  tuned = ', fine-tuned' if config.quantize_epochs else ''
  return f'{method} + int8{tuned}'


def _learned(config: S0) -> str:
  names = {**DISTIL, **{m: name for m, (name, _) in PRUNE.items()}, **HYDRA}
  augment = AUGMENTS[config.augment]
  if config.method == 'train':
    return augment
  text = names[config.method]
  if config.augment != 'none':
    text = f'{augment} + {text}'
  if config.mask_augment not in ('', config.augment):
    text += f', {AUGMENTS[config.mask_augment]} masks'
  if _taught_by(config) and config.teacher != config.augment:
    text += f', {TEACHERS[config.teacher]} teacher'
  if config.groups == 'inner':
    text += ', inside blocks'
  return f'{text}, shrunk' if config.shrink else text


def _check(config: S0) -> None:
  _known('method', config.method, METHODS)
  _known('augment', config.augment, AUGMENTS)
  _known('mask_augment', config.mask_augment, ('', *AUGMENTS))
  _known('teacher', config.teacher, TEACHERS)
  _known('groups', config.groups, GROUPS)
  filters = config.shrink or config.groups == 'inner'
  if filters and config.method not in FILTERS:
    raise ValueError(
      'shrink and groups are about whole filters, which only the methods '
      f'{", ".join(FILTERS)} prune, not {config.method!r}'
    )
  if config.recalibrate and config.method not in PRUNE:
    raise ValueError(
      f'recalibrate={config.recalibrate} is of networks that were just pruned '
      f'by {", ".join(PRUNE)}, not of {config.method!r}'
    )
  check_finish(config)
  known = data.taking('deepaugment_root')
  if config.deepaugment_root and config.data not in known:
    raise ValueError(
      'deepaugment_root holds versions of image files: it is for data '
      f'{", ".join(known)}, not {config.data!r}. Without it, Noise2Net '
      'distorts the images while training'
    )
  if (config.method, config.augment) == ('crd', 'cutmix'):
    raise ValueError(
      'CRD tells images apart, and an image of CutMix is two of them: train '
      'with another augment, or distil with kd or at'
    )


def check_finish(config: S0) -> None:
  """Raises ValueError where fields that `finish` reads contradict others."""
  _known('quantize', config.quantize, ('', 'int8'))
  if config.quantize_epochs and not config.quantize:
    raise ValueError(
      f'quantize_epochs={config.quantize_epochs:g} fine-tune a quantized '
      'network: they need quantize=int8'
    )
  if config.check_images > config.attack_images:
    raise ValueError(
      f'check_images={config.check_images} are some of the '
      f'attack_images={config.attack_images}'
    )


def _finish(config: S0) -> tuple[Phase, ...]:
  """Transfer begins from the teacher, or the network before its compression."""
  parent = 'teacher' if config.method in DISTIL else _DENSE
  compressed = config.method != 'train' or config.quantize
  return finish(
    config,
    label(config),
    distil=_taught_by(config),
    parent=parent if compressed else None,
  )


def finish(
  config: S0, method: str, *, distil: str = '', parent: str | None = None
) -> tuple[Phase, ...]:
  """What every network comes to: int8 perhaps, measured, attacked, exported.

  Args:
    config: the numbers.
    method: label of the results.
    distil: how a teacher is part of quantization-aware fine-tuning.
    parent: name of a saved network that attacks also begin from.
  """
  attacks = ()
  if config.attack_images:
    attacks = (
      Attack(
        method,
        images=config.attack_images,
        check_images=config.check_images,
        parent=parent,
      ),
    )
  return (
    *_quantize(config, distil),
    Evaluate(method),
    *attacks,
    Export(),
  )


def _kept(config: S0) -> tuple[Phase, ...]:
  """The dense network, if attacks will transfer from it."""
  return (Save(_DENSE),) if config.attack_images else ()


def _quantize(config: S0, distil: str) -> tuple[Phase, ...]:
  """Post-training, or followed by quantization-aware fine-tuning."""
  if not config.quantize:
    return ()
  if not config.quantize_epochs:
    return (Quantize(),)
  slower = dataclasses.replace(
    config, learning_rate=config.quantize_learning_rate
  )
  tune = slower.training(
    config.augment, distil=distil, epochs=config.quantize_epochs
  )
  return Quantize(), tune


def _taught_by(config: S0) -> str:
  """How a teacher is part of the method, '' where there is none."""
  if config.method == 'hydra_kd':
    return 'kd'
  return config.method if config.method in DISTIL else ''


def _known(field: str, value: str, names: Collection[str]) -> None:
  if value not in names:
    raise ValueError(f'no {field} {value!r}; there are {", ".join(names)}')


def init(config: S0, role: str = '') -> Init | Load:
  """The network of a role: '' for the one of the experiment, or 'teacher_'."""
  if config.pretrained_root:
    return _pretrained(config, role)
  return Init(
    getattr(config, f'{role}model' if role else 'model'),
    config.preprocessing(),
    width=getattr(config, f'{role}width'),
    stem=getattr(config, f'{role}stem') or None,
    dtype=config.dtype,
  )


def _pretrained(config: S0, role: str) -> Load:
  model = getattr(config, f'{role}model')
  folder = pathlib.Path(config.pretrained_root)
  run = folder / model
  has = {'width': 1.0, 'stem': '', 'dtype': 'float32'}
  path = next(
    (p for s in _TORCH if (p := folder / f'{model}{s}').is_file()), run
  )
  if path == run:
    if not (run / 'checkpoints').is_dir():
      raise ValueError(
        f'pretrained_root {folder} has no {model}: expected is a file '
        f'{model}.pth or the run directory {model}'
      )
    has |= json.loads((run / 'config.json').read_text())
  for name in ('width', 'stem', 'dtype'):
    field = name if name == 'dtype' else f'{role}{name}'
    if (wanted := getattr(config, field)) != has[name]:
      raise ValueError(
        f'{path} has {name} {has[name]!r}; {field}={wanted!r} cannot begin '
        'with it'
      )
  return Load(str(path), model, new_head=True, sizes=config.preprocessing())


def _teacher(config: S0) -> tuple[Phase, ...]:
  """A network saved as 'teacher': read where there is a file, else trained."""
  path = _teacher_file(config)
  if path is not None:
    return Load(str(path), config.teacher_model), Save('teacher')
  return (
    init(config, 'teacher_'),
    config.training(config.teacher),
    Save('teacher'),
  )


def _teacher_file(config: S0) -> pathlib.Path | None:
  folder = pathlib.Path(config.teacher_root)
  if config.teacher_root:
    if not folder.is_dir():
      raise ValueError(f'teacher_root {folder} is no folder')
    for suffix in _TORCH:
      path = folder / f'{config.teacher}{suffix}'
      if path.is_file():
        return path
  if config.teacher == 'swsl':
    raise ValueError(
      'the SWSL teacher cannot be trained here, it is read from '
      f'teacher_root/swsl.pth; teacher_root is {config.teacher_root!r}'
    )
  return None


def _prune(config: S0) -> tuple[Phase, ...]:
  _, how = PRUNE[config.method]
  recalibrated = (
    RecalibrateBN(config.recalibrate, config.batch_size),
    Evaluate(f'{_learned(config)}, recalibrated', 'recalibrated'),
  )
  return (
    Prune(**how, groups=config.groups, **_size(config)),
    *((Shrink(),) if config.shrink else ()),
    *(recalibrated if config.recalibrate else ()),
    config.training(config.augment, epochs=config.finetune_epochs),
  )


def _hydra(config: S0) -> tuple[Phase, ...]:
  """Masks learned on pre-trained weights, then fine-tuned weights."""
  distil = _taught_by(config)
  rest = config.finetune_epochs - config.mask_epochs
  masks = config.training(
    config.mask_augment or config.augment,
    distil=distil,
    epochs=config.mask_epochs,
    trainable=train.SCORES,
  )
  tune = config.training(config.augment, distil=distil, epochs=max(rest, 1))
  return (
    *(_beside(config) if distil else ()),
    InitScores(**_size(config)),
    masks,
    FreezeMask(),
    *((tune,) if rest > 0 else ()),
  )


def _beside(config: S0) -> tuple[Phase, ...]:
  """A teacher, while the dense network waits; the same one teaches itself."""
  own = (config.model, config.width, config.stem, config.augment)
  wanted = (
    *(config.teacher_model, config.teacher_width, config.teacher_stem),
    config.teacher,
  )
  if own == wanted and _teacher_file(config) is None:
    return (Save('teacher'),)
  return (Save(_DENSE), *_teacher(config), Restore(_DENSE))


def _size(config: S0) -> dict[str, float]:
  if config.density and config.nonzero:
    raise ValueError(
      'density and nonzero both say how much is kept; give one of them, got '
      f'density={config.density} and nonzero={config.nonzero}'
    )
  if config.density:
    return {'density': config.density}
  if config.nonzero:
    return {'nonzero': config.nonzero}
  return {'ratio': config.ratio}
