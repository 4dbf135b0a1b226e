"""Paper S0 as recipes: distil, prune, learn masks, with and without AugMix.

S0 is "Towards improving robustness of compressed CNNs", Hoffmann et al. 2021,
https://openreview.net/forum?id=z_p2SaYS9d. It compresses networks for
ImageNet100 and measures them on clean, corrupted (-C) and rendered (-R)
images. A family of configs is a subclass of `S0` with its own numbers;
`VARIANTS` names the recipes.
"""

# No postponed annotations here: the flags read the fields' types.
import dataclasses
from collections.abc import Mapping
from typing import Any

from rcj import losses, train
from rcj.augment import AugMix, Views
from rcj.optimizer import SGD
from rcj.phases import (
  Evaluate,
  FreezeMask,
  Init,
  InitScores,
  Prune,
  Save,
  Train,
)
from rcj.recipe import Phase
from rcj.schedules import Cosine, MultiStep
from rcj.types import Preprocessing

_PRUNE = {
  'gw': ('global weight', {'score': 'magnitude', 'scope': 'global'}),
  'lw': ('layer weight', {'score': 'magnitude', 'scope': 'layer'}),
  'l1': ('L1 filter', {'score': 'l1_filter'}),
  'random': ('random weight', {'score': 'random', 'scope': 'layer'}),
}
_STUDENT = {
  'std': 'standard',
  'augmix': 'AugMix',
  'kd': 'KD',
  'at': 'AT',
  'kd_augmix': 'AugMix + KD',
}
_HYDRA = {'hydra': 'Hydra', 'hydra_kd': 'Hydra + KD'}
VARIANTS = (*_STUDENT, 'teacher', *_PRUNE, *_HYDRA)


@dataclasses.dataclass
class S0:
  """Numbers of one family of experiments; every field is a flag.

  Attributes:
    variant: recipe, one of `VARIANTS`.
    seed: of initial weights, data order, augmentation.
    data: name of the data set, see `data.load`.
    data_root: its folder, where it has one.
    train_size: images to train on, 0 for all.
    student: model of std, augmix, kd, at, kd_augmix.
    student_width: its width.
    student_stem: its first layers, '' for the model's own.
    large: model of the teacher, and of every network that is pruned.
    large_width: its width.
    large_stem: its first layers, '' for the model's own.
    dtype: compute type, 'float32' or 'bfloat16'.
    ratio: all parameters / non-zero parameters after pruning.
    density: fraction kept of the kernels; if given, it replaces `ratio`.
    epochs: of training from random weights.
    mask_epochs: of learning masks (Hydra).
    finetune_epochs: after pruning; Hydra's mask_epochs are taken off.
    scale: multiplies every number of epochs.
    batch_size: images per step.
    learning_rate: at its peak, in every phase (learning-rate rewinding).
    nesterov: look-ahead form of momentum 0.9.
    weight_decay: L2 coefficient.
    decay: pattern of the leaves that decay.
    crop: pixels of zero padding for random crops.
    flip: mirror half of the training images.
    augmix_severity: upper bound of AugMix's level.
    jsd: weight of the Jensen-Shannon term.
    jsd_distilled: its weight when there is a teacher.
    kd: weight of distillation; cross-entropy has the rest to one.
    temperature: of distillation.
    at: weight of attention transfer.
    checkpoint_every: steps between checkpoints within a phase.
  """

  variant: str = 'std'
  seed: int = 0
  data: str = ''
  data_root: str = ''
  train_size: int = 0
  student: str = 'resnet20'
  student_width: float = 1.0
  student_stem: str = ''
  large: str = 'resnet18'
  large_width: float = 1.0
  large_stem: str = ''
  dtype: str = 'float32'
  ratio: float = 10.0
  density: float = 0.0
  epochs: float = 160.0
  mask_epochs: float = 160.0
  finetune_epochs: float = 320.0
  scale: float = 1.0
  batch_size: int = 128
  learning_rate: float = 0.1
  nesterov: bool = True
  weight_decay: float = 5e-4
  decay: str = '.*'
  crop: int = 4
  flip: bool = True
  augmix_severity: float = 3.0
  jsd: float = 12.0
  jsd_distilled: float = 6.0
  kd: float = 0.9
  temperature: float = 4.0
  at: float = 1000.0
  checkpoint_every: int = 1000

  def __post_init__(self):
    check_variant(self.variant)

  def schedule(self) -> MultiStep | Cosine:
    """Learning rate of every phase."""
    raise NotImplementedError

  def preprocessing(self) -> Preprocessing:
    """Normalisation of every network."""
    raise NotImplementedError

  def identity(self) -> Mapping[str, Any]:
    """See `experiment.Config`."""
    names = ('seed', 'data', 'data_root', 'train_size')
    return {n: getattr(self, n) for n in names}

  def recipe(self) -> tuple[Phase, ...]:
    """The phases of `variant`."""
    check_variant(self.variant)
    if self.variant in _STUDENT:
      return self._student()
    dense = (self._init('large'), self._train(augmix=True))
    if self.variant == 'teacher':
      return (*dense, Evaluate('AugMix, unpruned'))
    if self.variant in _PRUNE:
      return (*dense, *self._prune())
    return (*dense, *self._hydra())

  def _student(self) -> tuple[Phase, ...]:
    method = _STUDENT[self.variant]
    learn = (
      self._init('student'),
      self._train(augmix='augmix' in self.variant),
    )
    if self.variant in ('std', 'augmix'):
      return (*learn, Evaluate(method))
    distil = self._train(
      augmix='augmix' in self.variant, distil=self.variant[:2]
    )
    return (
      self._init('large'),
      self._train(augmix=True),
      Save('teacher'),
      self._init('student'),
      distil,
      Evaluate(method),
    )

  def _prune(self) -> tuple[Phase, ...]:
    method, how = _PRUNE[self.variant]
    return (
      Prune(**how, **self._size()),
      self._train(augmix=True, epochs=self.finetune_epochs),
      Evaluate(method),
    )

  def _hydra(self) -> tuple[Phase, ...]:
    """Pre-trained weights, learned masks, fine-tuned weights (3 phases)."""
    distil = 'kd' if self.variant == 'hydra_kd' else ''
    rest = self.finetune_epochs - self.mask_epochs
    tune = self._train(augmix=True, distil=distil, epochs=max(rest, 1))
    return (
      *((Save('teacher'),) if distil else ()),
      InitScores(**self._size()),
      self._train(
        augmix=True,
        distil=distil,
        epochs=self.mask_epochs,
        trainable=train.SCORES,
      ),
      FreezeMask(),
      *((tune,) if rest > 0 else ()),
      Evaluate(_HYDRA[self.variant]),
    )

  def _size(self) -> dict[str, float]:
    if self.density:
      return {'density': self.density}
    return {'ratio': self.ratio}

  def _init(self, role: str) -> Init:
    return Init(
      getattr(self, role),
      self.preprocessing(),
      width=getattr(self, f'{role}_width'),
      stem=getattr(self, f'{role}_stem') or None,
      dtype=self.dtype,
    )

  def _train(
    self,
    *,
    augmix: bool,
    distil: str = '',
    epochs: float | None = None,
    trainable: str = train.WEIGHTS,
  ) -> Train:
    mixing = AugMix(severity=self.augmix_severity) if augmix else None
    return Train(
      terms=self._terms(augmix, distil),
      optimizer=SGD(
        self.schedule(),
        nesterov=self.nesterov,
        weight_decay=self.weight_decay,
        decay=self.decay,
      ),
      epochs=self.scale * (self.epochs if epochs is None else epochs),
      batch_size=self.batch_size,
      augment=Views(padding=self.crop, flip=self.flip, augmix=mixing),
      teacher='teacher' if distil else None,
      trainable=trainable,
    )

  def _terms(self, augmix: bool, distil: str) -> dict[str, losses.Weighted]:
    share = 1 - self.kd if distil == 'kd' else 1.0
    terms = {'ce': losses.Weighted(share, losses.CrossEntropy())}
    if distil == 'kd':
      kd = losses.KD(temperature=self.temperature)
      terms['kd'] = losses.Weighted(self.kd, kd)
    if distil == 'at':
      terms['at'] = losses.Weighted(self.at, losses.AttentionTransfer())
    if augmix:
      weight = self.jsd_distilled if distil else self.jsd
      terms['jsd'] = losses.Weighted(weight, losses.JSD())
    return terms


def configure(family: type[S0], arg: str, **smoke: Any) -> S0:
  """The config for what stands after the colon of --config.

  Args:
    family: class of the config.
    arg: a variant, or a variant and '-smoke' for a run of seconds that shows
      whether everything works.
    **smoke: fields of the short run.
  """
  variant, dash, size = arg.partition('-')
  if dash and size != 'smoke':
    raise ValueError(f'{arg!r}: after a variant only -smoke may follow')
  return family(variant=variant, **(smoke if dash else {}))


def check_variant(variant: str) -> None:
  """Raises ValueError, listing what exists, for an unknown variant."""
  if variant not in VARIANTS:
    raise ValueError(
      f'no variant {variant!r}; there are {", ".join(VARIANTS)} '
      '(a config file takes one after a colon, as digits.py:hydra or '
      'digits.py:hydra-smoke)'
    )
