"""The numbers of an experiment of S0, and the phases that they make."""

# No postponed annotations here: the flags read the fields' types.
import dataclasses
from collections.abc import Mapping
from typing import Any

from rcj import train
from rcj.optimizer import SGD
from rcj.phases import Train
from rcj.recipe import Phase
from rcj.s0 import recipes, training
from rcj.schedules import Cosine, MultiStep
from rcj.types import Preprocessing


@dataclasses.dataclass
class S0:
  """Numbers of one family of experiments; every field is a flag.

  Attributes:
    variant: the starting point that a config file was asked for; a label.
    seed: of initial weights, data order, augmentation.
    data: name of the data set, see `data.load`.
    data_root: its folder, where it has one.
    train_size: images to train on, 0 for all.
    deepaugment_root: folder of DeepAugment's versions of the training images,
      edsr/ and cae/, for sets of image files; '' makes versions by Noise2Net.
    method: what is done with the network, one of `recipes.METHODS`.
    augment: how it is trained: 'none', 'augmix', 'deepaugment', 'amda',
      'autoaugment', 'cutmix' or 'gaussian'.
    mask_augment: likewise while masks are learned; '' for `augment`.
    model: the network that is trained, distilled into, or pruned.
    width: its width.
    stem: its first layers, '' for the model's own.
    teacher: how the teacher was trained: as `augment`, or 'swsl' (files only).
    teacher_model: network of the teacher.
    teacher_width: its width.
    teacher_stem: its first layers, '' for the model's own.
    teacher_root: folder of teachers as PyTorch files that are named after
      `teacher`, such as augmix.pth, with the model's own stem and width 1; ''
      or no such file trains the teacher.
    pretrained_root: folder of networks that training begins with, named after
      the model: resnet18.pth, or the run directory resnet18 of a network that
      was trained here; their classifier is replaced. '' begins with random
      weights.
    dtype: compute type, 'float32' or 'bfloat16'.
    ratio: all parameters / non-zero parameters after pruning.
    density: fraction kept of the kernels; if given, it replaces `ratio`.
    nonzero: parameters left; if given, it replaces `ratio`.
    groups: filters that filter methods prune: 'coupled' prunes all, those that
      additions tie as one; 'inner' those inside residual blocks alone.
    shrink: take pruned filters away before fine-tuning, which is then faster.
    recalibrate: batches of training images, not augmented, that re-estimate
      BatchNorm's statistics after pruning; the network is measured there, as
      'recalibrated', apart from fine-tuning. 0 leaves both out.
    epochs: of training from random weights.
    mask_epochs: of learning masks (Hydra).
    finetune_epochs: after pruning; Hydra's mask_epochs are taken off, so that
      all methods train equally long.
    quantize: 'int8' rounds the finished network to 8-bit integers, '' does not.
    quantize_epochs: of quantization-aware fine-tuning; 0 leaves the weights.
    quantize_learning_rate: at its peak then; without BatchNorm, which is folded
      by then, the rate of other phases would be too high.
    attack_images: test images that attacks are run on; 0 runs none.
    check_images: of these, how many are used to find the smallest
      perturbations and whether gradients are masked.
    scale: multiplies every number of epochs.
    batch_size: images per step.
    learning_rate: at its peak, in every phase (learning-rate rewinding).
    nesterov: look-ahead form of momentum 0.9.
    weight_decay: L2 coefficient.
    decay: pattern of the leaves that decay.
    crop: pixels of zero padding for random crops.
    flip: mirror half of the training images.
    augmix_severity: upper bound of AugMix's level.
    autoaugment_policy: 'cifar10' or 'imagenet'.
    cutmix_prob: part of the batches that CutMix mixes.
    jsd: weight of the Jensen-Shannon term of AugMix; 0 leaves it out, and one
      augmented view of an image takes the place of three.
    jsd_distilled: its weight when there is a teacher.
    kd: weight of distillation; cross-entropy has the rest to one.
    kd_augmented: likewise where the student is trained with augmentation.
    temperature: of distillation.
    at: weight of attention transfer.
    at_pairs: stages that it compares, as '1-1,2-3' (student-teacher, from 1);
      '' pairs them in order.
    crd: weight of contrastive distillation.
    negatives: its contrasting images per image.
    checkpoint_every: steps between checkpoints within a phase.
  """

  variant: str = 'std'
  seed: int = 0
  data: str = ''
  data_root: str = ''
  train_size: int = 0
  deepaugment_root: str = ''
  method: str = 'train'
  augment: str = 'none'
  mask_augment: str = ''
  model: str = 'resnet18'
  width: float = 1.0
  stem: str = ''
  teacher: str = 'augmix'
  teacher_model: str = 'resnet18'
  teacher_width: float = 1.0
  teacher_stem: str = ''
  teacher_root: str = ''
  pretrained_root: str = ''
  dtype: str = 'float32'
  ratio: float = 10.0
  density: float = 0.0
  nonzero: int = 0
  groups: str = 'coupled'
  shrink: bool = False
  recalibrate: int = 0
  epochs: float = 160.0
  mask_epochs: float = 160.0
  finetune_epochs: float = 320.0
  quantize: str = ''
  quantize_epochs: float = 0.0
  quantize_learning_rate: float = 0.001
  attack_images: int = 0
  check_images: int = 0
  scale: float = 1.0
  batch_size: int = 128
  learning_rate: float = 0.1
  nesterov: bool = True
  weight_decay: float = 5e-4
  decay: str = '.*'
  crop: int = 4
  flip: bool = True
  augmix_severity: float = 3.0
  autoaugment_policy: str = 'cifar10'
  cutmix_prob: float = 0.5
  jsd: float = 12.0
  jsd_distilled: float = 6.0
  kd: float = 0.9
  kd_augmented: float = 0.5
  temperature: float = 4.0
  at: float = 1000.0
  at_pairs: str = ''
  crd: float = 0.8
  negatives: int = 16384
  checkpoint_every: int = 1000

  def schedule(self) -> MultiStep | Cosine:
    """Learning rate of every phase."""
    raise NotImplementedError

  def preprocessing(self) -> Preprocessing:
    """Normalisation of every network that is trained here."""
    raise NotImplementedError

  def identity(self) -> Mapping[str, Any]:
    """See `experiment.Config`."""
    names = ('seed', 'data', 'data_root', 'train_size', 'deepaugment_root')
    return {n: getattr(self, n) for n in names}

  def recipe(self) -> tuple[Phase, ...]:
    """The phases; raises ValueError where fields contradict each other."""
    return recipes.recipe(self)

  def training(
    self,
    augment: str,
    *,
    distil: str = '',
    epochs: float | None = None,
    trainable: str = train.WEIGHTS,
  ) -> Train:
    """A training phase with the numbers of this config.

    Args:
      augment: one of `training.AUGMENTS`.
      distil: 'kd', 'at' or 'crd' from the network saved as 'teacher'.
      epochs: before scaling, None for `self.epochs`.
      trainable: see `Train`.
    """
    return Train(
      terms=training.terms(self, augment, distil),
      optimizer=SGD(
        self.schedule(),
        nesterov=self.nesterov,
        weight_decay=self.weight_decay,
        decay=self.decay,
      ),
      epochs=self.scale * (self.epochs if epochs is None else epochs),
      batch_size=self.batch_size,
      augment=training.views(self, augment),
      variants=training.from_files(self, augment),
      teacher='teacher' if distil else None,
      trainable=trainable,
    )
