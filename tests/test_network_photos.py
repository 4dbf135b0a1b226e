"""The native runtime on real images, with networks that others trained."""

from __future__ import annotations

import numpy as np
import pytest
from test_torch_import import cifar10

from rcj import models, native, quantize
from rcj.export import program
from rcj.export.deployable import deployable
from rcj.ops.network import Network

pytestmark = pytest.mark.skipif(
  not native.available(), reason='there are no native kernels here'
)


def answers(frozen, images, *, storage='float32'):
  """Classes, natively."""
  made = program.program(deployable(frozen), storage=storage)
  return Network(*made)(images, threads=2).argmax(-1)


def test_resnet56_gives_the_same_answers(shared_data):
  path = shared_data / 'weights' / 'resnet56-4bfd9763.th'
  frozen = models.load_torch(path, 'resnet56')
  images, _ = cifar10(shared_data, 1000)
  images = images[:200].astype(np.float32) / 255
  expected = np.asarray(models.predict(frozen, images)).argmax(-1)
  np.testing.assert_array_equal(answers(frozen, images), expected)
  halves = answers(frozen, images, storage='bfloat16')
  assert (halves == expected).mean() >= 0.99
  whole = quantize.integers(quantize.quantized(frozen, images[:64]))
  integers = np.asarray(models.predict(whole, images)).argmax(-1)
  assert (answers(whole, images) == integers).mean() >= 0.99
