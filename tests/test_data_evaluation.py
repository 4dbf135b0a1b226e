import jax
import numpy as np
import pytest

from rcj import data


def make_source(n):
  images = np.arange(n, dtype=np.uint8)[:, None, None, None]
  images = np.broadcast_to(images, (n, 4, 5, 3)).copy()
  return data.ArraySource(images, np.arange(n), tuple(map(str, range(n))))


def collect(batches):
  """Valid rows of all batches, after checks of their form."""
  kept = []
  for b in batches:
    assert (b['image'][~b['valid']] == 0).all()
    assert (b['index'][~b['valid']] == -1).all()
    np.testing.assert_array_equal(
      b['image'][b['valid'], 0, 0, 0], b['index'][b['valid']]
    )
    np.testing.assert_array_equal(
      b['label'][b['valid']], b['index'][b['valid']]
    )
    kept.append(b['index'][b['valid']])
  return np.concatenate(kept).tolist()


@pytest.mark.parametrize('size', [1, 3, 4, 5, 11, 12, 40])
def test_every_image_once(size):
  batches = list(data.eval_batches(make_source(12), batch_size=size))
  assert len(batches) == -(-12 // size)
  for b in batches:
    assert b['image'].shape == (size, 4, 5, 3)
    assert b['valid'].dtype == bool
    assert (b['image'].dtype, b['label'].dtype) == (np.uint8, np.int32)
  assert collect(batches) == list(range(12))


@pytest.mark.parametrize('n', [1, 8, 9, 10])
@pytest.mark.parametrize('parts', [2, 3])
def test_processes_share_the_images(monkeypatch, n, parts):
  monkeypatch.setattr(jax, 'process_count', lambda: parts)
  seen, lengths = [], set()
  for p in range(parts):
    monkeypatch.setattr(jax, 'process_index', lambda p=p: p)
    batches = list(data.eval_batches(make_source(n), batch_size=3))
    lengths.add(len(batches))
    seen += collect(batches)
  assert sorted(seen) == list(range(n))
  assert len(lengths) == 1


def test_transform():
  (batch,) = data.eval_batches(
    make_source(3),
    batch_size=4,
    transform=lambda x: data.resize_center_crop(x, 8, 6),
  )
  assert batch['image'].shape == (4, 6, 6, 3)
  assert batch['image'][2].max() == 2


def test_wrong_batch_size():
  with pytest.raises(ValueError, match='not 0'):
    data.eval_batches(make_source(3), batch_size=0)
