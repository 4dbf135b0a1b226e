"""Training images of which there are other versions, as DeepAugment makes them.

https://arxiv.org/abs/2006.16241: a version by EDSR and one by an autoencoder
stand beside each image, in folders of the same layout.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from rcj.data.decode import decode
from rcj.data.listing import some
from rcj.types import Source

NETWORKS = ('edsr', 'cae')
_JPEG = ('.jpg', '.jpeg')


@dataclasses.dataclass(frozen=True, eq=False)
class Variants:
  """A source that shows the clean image or a version of it, as it is drawn.

  Attributes:
    clean: the images themselves, which indexing gives.
    folders: of the versions, as text.
    names: path of each image's version below each of the folders.
  """

  clean: Source
  folders: tuple[str, ...]
  names: tuple[str, ...]

  @property
  def labels(self) -> Int[np.ndarray, ' N']:
    return self.clean.labels

  @property
  def classes(self) -> tuple[str, ...]:
    return self.clean.classes

  def __len__(self) -> int:
    return len(self.clean)

  def __getitem__(self, index: int) -> Mapping[str, Any]:
    return self.clean[index]

  def draw(
    self, generator: np.random.Generator, index: int
  ) -> Mapping[str, Any]:
    """The image or one of its versions, with equal chance.

    Raises:
      ValueError: if its file cannot be decoded.
    """
    which = int(generator.integers(1 + len(self.folders)))
    if which == 0:
      return self.clean[index]
    file = pathlib.Path(self.folders[which - 1], self.names[index])
    try:
      image = decode(file.read_bytes())
    except ValueError as e:
      raise ValueError(f'{file}: {e}; delete it and make it again') from e
    return {'image': image, 'label': int(self.labels[index])}


def variant_name(name: str) -> str:
  """Where the version of an image lies: its own path, and always a JPEG.

  '.JPEG' is appended to the name of any other kind of file.
  """
  return name if name.lower().endswith(_JPEG) else f'{name}.JPEG'


def variants(train: Source, deepaugment_root: str) -> Variants | None:
  """Training images with the versions in `deepaugment_root`/{edsr,cae}.

  Args:
    train: files in the layout class/image.
    deepaugment_root: folder of both networks' versions, each made by
      launch/deepaugment.py or the published ones; '' gives None.

  Raises:
    FileNotFoundError: if versions are missing; says which and how many.
  """
  if not deepaugment_root:
    return None
  files = train.files
  parts = [tuple(file.split(os.sep)[-2:]) for file in files]
  names = tuple(variant_name(os.path.join(*part)) for part in parts)
  folders = tuple(os.path.join(deepaugment_root, n) for n in NETWORKS)
  images = os.path.dirname(os.path.dirname(files[0]))
  for network, folder in zip(NETWORKS, folders, strict=True):
    if missing := _missing(folder, names):
      raise FileNotFoundError(
        f'deepaugment_root: {folder} lacks {len(missing)} of {len(names)} '
        f'images: {some(missing)}; make them by python launch/deepaugment.py '
        f'--network={network} --weights=FILE --images={images} --out={folder}'
      )
  return Variants(train, folders, names)


def _missing(folder: str, names: Sequence[str]) -> list[str]:
  """Names that are not in the folder, by one listing per class."""
  inside = {
    c: set(os.listdir(path))
    for c in {os.path.dirname(name) for name in names}
    if os.path.isdir(path := os.path.join(folder, c))
  }
  split = [(name, *os.path.split(name)) for name in names]
  return [name for name, c, base in split if base not in inside.get(c, ())]
