"""ImageNet, or some of its classes, with ImageNet-C and ImageNet-R.

ImageNet Large Scale Visual Recognition Challenge
(https://arxiv.org/abs/1409.0575), the training and validation images of 2012.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from rcj.data import class_lists
from rcj.data.checks import check_balanced, check_same_classes
from rcj.data.corrupted import CorruptedSets
from rcj.data.corrupted_tree import corrupted_tree
from rcj.data.folder import FolderSource
from rcj.data.generated import origin
from rcj.data.options import blaming
from rcj.data.sources import DataSets, shorten, sized
from rcj.data.variants import variants


def imagenet(
  root: str,
  *,
  classes: Sequence[str] | None = None,
  corrupted_root: str = '',
  rendition_root: str = '',
  train_size: int = 0,
  deepaugment_root: str = '',
) -> DataSets:
  """`root`/{train,val}/wnid/image, and what was made of its classes.

  Args:
    root: folder of train and val.
    classes: wnids to read, other folders are ignored; None reads all.
    corrupted_root: folder of the official ImageNet-C, or of one that rcj
      generated, see `corrupted_tree`; '' for none.
    rendition_root: folder of the official ImageNet-R, wnid/image, of which
      the classes that both have are read; '' for none.
    train_size: a fixed stratified subset of so many training images, 0 for all.
    deepaugment_root: folder of the training images' versions, see `variants`;
      '' for none.

  Raises:
    FileNotFoundError: if a folder, a class or a version of an image is missing.
    ValueError: for other layouts, splits with different classes, or classes of
      val and ImageNet-C that have not equally many images.
  """
  base = pathlib.Path(root)
  train = FolderSource(base / 'train', classes=classes)
  test = FolderSource(base / 'val', classes=classes)
  check_same_classes(base, {'train': train, 'val': test})
  check_balanced(test, base / 'val')
  chosen = shorten(train, train_size)
  listed = class_lists.describe(train.classes)
  rendition = _rendition(rendition_root, train.classes)
  corrupted = _corrupted(corrupted_root, train.classes)
  protocol = {
    'train': f'{sized(chosen, train)} of ImageNet train, {listed}',
    'test': f'{len(test)} images of ImageNet val, {listed}',
  }
  if corrupted:
    protocol['corrupted'] = f'{corrupted.protocol}, {listed}'
  if rendition:
    drawn = class_lists.describe(rendition.classes)
    protocol['rendition'] = (
      f'official ImageNet-R, {len(rendition)} images, {drawn}'
    )
  return DataSets(
    name=class_lists.name_of(train.classes) or 'imagenet',
    train=chosen,
    test=test,
    rendition=rendition,
    protocol=protocol,
    corrupted=corrupted,
    parents=class_lists.parents(train.classes),
    variants=variants(chosen, deepaugment_root),
  )


def _corrupted(root: str, classes: tuple[str, ...]) -> CorruptedSets | None:
  if not root:
    return None
  with blaming('corrupted_root'):
    words = origin(root, official='official ImageNet-C')
    return corrupted_tree(root, classes=classes, origin=words)


def _rendition(root: str, classes: tuple[str, ...]) -> FolderSource | None:
  if not root:
    return None
  with blaming('rendition_root'):
    drawn = class_lists.among_renditions(classes)
    return FolderSource(root, classes=drawn)
