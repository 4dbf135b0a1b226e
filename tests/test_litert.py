"""Networks as LiteRT files, where TensorFlow is installed."""

from __future__ import annotations

import exports
import numpy as np
import pytest

pytest.importorskip('tensorflow')
pytest.importorskip('ai_edge_litert')

from rcj import models
from rcj.export import litert, metadata, runtime

# TensorFlow and its converter use what Python has deprecated.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings('ignore')]


@pytest.mark.parametrize('family', exports.FAMILIES)
def test_the_logits_are_the_same(family, tmp_path):
  frozen, path = exports.network(family, 'dense'), tmp_path / 'network.tflite'
  litert.save(frozen, path)
  metadata.write_beside(path, frozen)
  network = runtime.opened('litert', path, threads=1)
  images = np.asarray(exports.images(4, seed=4))
  expected = np.asarray(models.predict(frozen, images))
  for batch in (images, images[:1]):
    np.testing.assert_allclose(
      *(network(batch), expected[: len(batch)]),
      atol=1e-5 * np.ptp(expected),
      rtol=0,
    )


def test_integers_are_refused(tmp_path):
  with pytest.raises(ValueError, match='export integers to ONNX'):
    litert.save(
      exports.network('resnet20', 'int8'), tmp_path / 'network.tflite'
    )
