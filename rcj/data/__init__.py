"""Data: from files to labelled images, and from those to device batches.

`load(name)` gives the sets of a benchmark, `TrainStream` the training batches,
`eval_batches` the evaluation batches. A new data set is a `types.Source`.
"""

from rcj.data.class_lists import IMAGENET100, IMAGENET_R
from rcj.data.corrupted import CorruptedSets
from rcj.data.crops import (
  crop_and_flip,
  random_flip,
  random_resized_crop,
  resize_center_crop,
  resize_shorter,
)
from rcj.data.evaluation import eval_batches
from rcj.data.folder import FolderSource
from rcj.data.memory import in_memory
from rcj.data.pipeline import TrainStream
from rcj.data.registry import load, taking
from rcj.data.sources import ArraySource, DataSets, shorten, subset
from rcj.data.variants import Variants

__all__ = [
  'IMAGENET100',
  'IMAGENET_R',
  'ArraySource',
  'CorruptedSets',
  'DataSets',
  'FolderSource',
  'TrainStream',
  'Variants',
  'crop_and_flip',
  'eval_batches',
  'in_memory',
  'load',
  'random_flip',
  'random_resized_crop',
  'resize_center_crop',
  'resize_shorter',
  'shorten',
  'subset',
  'taking',
]
