"""Sets that TFDS has prepared as ArrayRecord, read without TensorFlow.

Preparation may need TensorFlow and is done once, elsewhere if need be:
https://www.tensorflow.org/datasets/tfless_tfds
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Int

from rcj.data.decode import decode


class ArrayRecordSource:
  """One split, with the features 'image' and 'label'.

  Attributes:
    classes: names of the labels.
  """

  def __init__(self, builder: Any, split: str):
    """Opens the split.

    Args:
      builder: a `tfds.core.DatasetBuilder` of a prepared set.
      split: its name, or a slice as TFDS writes them: 'train[:10%]'.

    Raises:
      ValueError: if the split or the features are missing, or the set is not
        in a format with random access.
    """
    from tensorflow_datasets import decode as tfds_decode

    _check(builder, split)
    skip = tfds_decode.SkipDecoding()
    try:
      self._records = builder.as_data_source(split, decoders={'image': skip})
    except NotImplementedError as e:
      raise ValueError(
        f'{builder.data_path} is not in ArrayRecord format but '
        f'{builder.info.file_format.value}; prepare it again with '
        "download_and_prepare(file_format='array_record')"
      ) from e
    self._labels = None
    self._where = f'{builder.data_path} {split}'
    self.classes = tuple(builder.info.features['label'].names)

  def __len__(self) -> int:
    return len(self._records)

  def __getitem__(self, index: int) -> Mapping[str, Any]:
    record = self._records[int(index)]
    try:
      image = decode(record['image'])
    except ValueError as e:
      raise ValueError(f'{self._where}, record {index}: {e}') from e
    return {'image': image, 'label': int(record['label'])}

  @property
  def labels(self) -> Int[np.ndarray, ' N']:
    """int32 [N]; the first use reads all records, but decodes no image."""
    if self._labels is None:
      labels = [r['label'] for r in self._records]
      self._labels = np.array(labels, np.int32)
    return self._labels


def prepared(name: str, root: str) -> Any:
  """The `tfds.core.DatasetBuilder` of a set in TFDS' data_dir `root`.

  Raises:
    FileNotFoundError: if it is not prepared there.
  """
  from tensorflow_datasets.core import read_only_builder, registered

  try:
    return read_only_builder.builder_from_files(name, data_dir=root)
  except registered.DatasetNotFoundError as e:
    folder = pathlib.Path(root)
    shown = 'does not exist'
    if folder.is_dir():
      shown = f'has {sorted(p.name for p in folder.iterdir())[:20]}'
    raise FileNotFoundError(
      f'TFDS set {name!r} is not prepared in {root}, which {shown}; '
      f'prepare it once: tfds.builder({name!r}, data_dir={root!r}, '
      "file_format='array_record').download_and_prepare()"
    ) from e


def _check(builder: Any, split: str) -> None:
  known = list(builder.info.splits)
  if split.partition('[')[0] not in known:
    raise ValueError(
      f'{builder.data_path} has no split {split!r}; it has {known}'
    )
  features = list(builder.info.features)
  if not {'image', 'label'} <= set(features):
    raise ValueError(
      f"{builder.data_path} needs the features 'image' and 'label', "
      f'but has {features}'
    )
