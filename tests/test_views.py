import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from rcj.augment import (
  AugMix,
  AutoAugment,
  CutMix,
  GaussianNoise,
  Noise2Net,
  Views,
  crop_flip,
  normalise,
)
from rcj.augment.noise2net import quantise

MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
HOW = {'mean': MEAN, 'std': STD}


def seen(views: Views, key, images, mesh=None) -> jax.Array:
  """The views of a batch whose labels do not matter."""
  batch = {'image': images, 'label': jnp.zeros(len(images), jnp.int32)}
  return views(key, batch, num_classes=10, mesh=mesh, **HOW)['views']


def photos(n: int, side: int = 12) -> np.ndarray:
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (n, side, side, 3), np.uint8)


def places(image: np.ndarray, cropped: np.ndarray, padding: int) -> list:
  """All (y, x, mirrored) that make `cropped` out of `image`."""
  margins = ((padding, padding), (padding, padding), (0, 0))
  padded = np.pad(image, margins)
  H, W, _ = image.shape
  return [
    (y, x, mirrored)
    for y, x in np.ndindex(2 * padding + 1, 2 * padding + 1)
    for mirrored in (False, True)
    if np.array_equal(
      cropped[:, ::-1] if mirrored else cropped, padded[y : y + H, x : x + W]
    )
  ]


CROPPED = photos(800, 8)


@jax.jit
def crop(key, images, first=0):
  return crop_flip(key, images, padding=2, flip=True, first=first)


def test_every_crop_is_one_of_torchvisions_and_all_are_equally_likely():
  n, padding = len(CROPPED), 2
  got = np.asarray(crop(jax.random.key(0), CROPPED))
  assert got.dtype == np.uint8
  found = [places(a, b, padding) for a, b in zip(CROPPED, got, strict=True)]
  assert all(len(f) == 1 for f in found)
  ys, xs, mirrored = np.array([f[0] for f in found]).T
  for offsets in (ys, xs):
    seen = np.bincount(offsets, minlength=5)
    expected = n / 5
    assert ((seen - expected) ** 2 / expected).sum() < 4 + 5 * np.sqrt(8)
  assert abs(mirrored.mean() - 0.5) < 4 * 0.5 / np.sqrt(n)
  assert abs(np.corrcoef(ys, xs)[0, 1]) < 4 / np.sqrt(n)


def test_crop_without_flip_on_oblong_images():
  x = np.random.default_rng(1).integers(0, 256, (9, 6, 10, 3), np.uint8)
  got = np.asarray(crop_flip(jax.random.key(0), x, padding=3, flip=False))
  for a, b in zip(x, got, strict=True):
    (place,) = places(a, b, 3)
    assert not place[2]


def test_nothing_to_do_leaves_the_images():
  x = photos(3)
  got = crop_flip(jax.random.key(0), x, padding=0, flip=False)
  np.testing.assert_array_equal(got, x)


def test_crop_depends_on_key_and_position_only():
  key = jax.random.key(1)
  whole = np.asarray(crop(key, CROPPED))
  later = crop(key, np.roll(CROPPED, -5, axis=0), first=5)
  np.testing.assert_array_equal(whole[5:], later[:-5])
  assert not np.array_equal(whole, crop(jax.random.key(2), CROPPED))


def test_normalise():
  x = photos(2)
  expected = (x / 255 - MEAN) / STD
  got = normalise(x, **HOW)
  assert got.dtype == jnp.float32
  np.testing.assert_allclose(got, expected, atol=1e-6)
  np.testing.assert_allclose(
    normalise(x[0, 0], **HOW), expected[0, 0], atol=1e-6
  )


@pytest.mark.parametrize(
  ('views', 'count'),
  [
    (Views(), 1),
    (Views(padding=2, flip=True), 1),
    (Views(flip=True, augmix=AugMix(jsd=False)), 1),
    (Views(flip=True, augmix=AugMix()), 3),
    (Views(flip=True, deepaugment=Noise2Net()), 1),
    (Views(deepaugment=Noise2Net(), augmix=AugMix(jsd=False)), 1),
    (Views(deepaugment=Noise2Net(), augmix=AugMix()), 3),
    (Views(autoaugment=AutoAugment('cifar10')), 1),
    (Views(cutmix=CutMix()), 1),
    (Views(flip=True, gaussian=GaussianNoise()), 1),
    (Views(autoaugment=AutoAugment('imagenet'), augmix=AugMix()), 3),
    (Views(cutmix=CutMix(), augmix=AugMix()), 3),
  ],
)
def test_number_of_views(views, count):
  x = jax.ShapeDtypeStruct((4, 12, 12, 3), jnp.uint8)
  call = functools.partial(seen, views)
  shape = jax.eval_shape(call, jax.eval_shape(jax.random.key, 0), x)
  assert shape.shape == (4, count, 12, 12, 3)
  assert shape.dtype == jnp.float32


@pytest.mark.parametrize(
  'views',
  [
    Views(dtype='bfloat16'),
    Views(dtype='bfloat16', augmix=AugMix()),
    Views(dtype='bfloat16', deepaugment=Noise2Net()),
    Views(dtype='bfloat16', gaussian=GaussianNoise()),
  ],
)
def test_views_have_the_chosen_type(views):
  x = jax.ShapeDtypeStruct((4, 12, 12, 3), jnp.uint8)
  call = functools.partial(seen, views)
  shape = jax.eval_shape(call, jax.eval_shape(jax.random.key, 0), x)
  assert shape.dtype == jnp.bfloat16
  with pytest.raises(ValueError, match="'float32' or 'bfloat16', not 'half'"):
    Views(dtype='half')


@pytest.fixture(scope='module')
def batch():
  """Eight images that severity 1 solarizes nowhere, and their views."""
  x, key = photos(8) % 200, jax.random.key(4)
  views = Views(padding=2, flip=True, augmix=AugMix(severity=1))
  alone = jax.jit(functools.partial(seen, views))(key, x)
  return key, x, views, np.asarray(alone)


def test_view_zero_is_clean_and_all_views_share_its_crop_and_flip(batch):
  _, x, _, got = batch
  pixels = (got[:, 0] * np.float32(STD) + np.float32(MEAN)) * 255
  np.testing.assert_allclose(pixels, pixels.round(), atol=1e-3)
  cropped = pixels.round().astype(np.uint8)
  found = [places(a, b, 2) for a, b in zip(x, cropped, strict=True)]
  assert all(len(f) == 1 for f in found)
  assert len({f[0] for f in found}) > 4
  assert {f[0][2] for f in found} == {False, True}
  for zero, *versions in got:
    assert not np.array_equal(*versions)
    for version in versions:
      like = np.corrcoef(version.ravel(), zero.ravel())[0, 1]
      assert like > 0.6
      assert like > np.corrcoef(version.ravel(), zero[:, ::-1].ravel())[0, 1]


@pytest.fixture(scope='module')
def mesh():
  return jax.make_mesh((4,), ('data',), axis_types=(AxisType.Auto,))


def test_four_devices_give_the_views_of_one_without_communication(batch, mesh):
  key, x, views, alone = batch
  sharded = jax.device_put(x, NamedSharding(mesh, P('data')))
  everywhere = jax.device_put(key, NamedSharding(mesh, P()))
  together = jax.jit(functools.partial(seen, views, mesh=mesh))
  together = together.lower(everywhere, sharded).compile()
  got = together(everywhere, sharded)
  np.testing.assert_allclose(got, alone, atol=1e-6)
  assert got.sharding.spec == P('data')
  for word in ('all-gather', 'all-reduce', 'all-to-all', 'collective-permute'):
    assert word not in together.as_text()


@pytest.fixture(scope='module')
def amda(batch):
  """The views of the same batch under AMDA, where half of it is distorted."""
  key, x, views, _ = batch
  views = dataclasses.replace(views, deepaugment=Noise2Net())
  return views, np.asarray(jax.jit(functools.partial(seen, views))(key, x))


def test_amda_puts_distorted_images_in_the_place_of_some(batch, amda):
  _, got = amda
  changed = (got[:, 0] != batch[3][:, 0]).any((1, 2, 3))
  assert 0 < changed.sum() < len(changed)
  pixels = (got[:, 0] * np.float32(STD) + np.float32(MEAN)) * 255
  np.testing.assert_allclose(pixels, pixels.round(), atol=1e-3)
  for (zero, *versions), (plain, *old) in zip(got, batch[3], strict=True):
    same = np.array_equal(zero, plain)
    assert np.array_equal(versions, old) == same
    for version in versions:
      like = np.corrcoef(version.ravel(), zero.ravel())[0, 1]
      assert same or like > np.corrcoef(version.ravel(), plain.ravel())[0, 1]


def test_deepaugment_alone_shows_what_amda_mixes_before_it_becomes_bytes(
  batch, amda
):
  key, x, _, _ = batch
  views = dataclasses.replace(amda[0], augmix=None)
  alone = jax.jit(functools.partial(seen, views))(key, x)
  np.testing.assert_allclose(
    normalise(quantise(alone[:, 0], **HOW), **HOW),
    amda[1][:, 0],
    atol=1.1 / 255 / min(STD),
  )
  pixels = np.asarray(alone) * np.float32(STD) + np.float32(MEAN)
  assert pixels.min() < -0.1
  assert pixels.max() > 1.1


def test_four_devices_give_the_amda_of_one_without_communication(
  batch, amda, mesh
):
  key, x, *_ = batch
  sharded = jax.device_put(x, NamedSharding(mesh, P('data')))
  everywhere = jax.device_put(key, NamedSharding(mesh, P()))
  together = jax.jit(functools.partial(seen, amda[0], mesh=mesh))
  together = together.lower(everywhere, sharded).compile()
  got = together(everywhere, sharded)
  # A byte may be truncated otherwise where a sum falls on an integer.
  assert (np.abs(got - amda[1]) > 1e-5).mean() < 1e-3
  for word in ('all-gather', 'all-reduce', 'all-to-all', 'collective-permute'):
    assert word not in together.as_text()


@pytest.mark.parametrize('platform', ['cuda', 'tpu'])
def test_amda_lowers_for_accelerators(amda, platform):
  x = jax.ShapeDtypeStruct((4, 12, 12, 3), jnp.uint8)
  traced = jax.jit(functools.partial(seen, amda[0])).trace(
    jax.eval_shape(jax.random.key, 0), x
  )
  assert 'while' in traced.lower(lowering_platforms=(platform,)).as_text()


def test_batches_that_do_not_divide_and_other_meshes_are_named(mesh):
  key = jax.random.key(0)
  with pytest.raises(
    ValueError, match='batch of 6 does not divide among the 4'
  ):
    seen(Views(), key, photos(6), mesh)
  other = jax.make_mesh((4,), ('model',), axis_types=(AxisType.Auto,))
  with pytest.raises(ValueError, match=r"an axis 'data', it has \['model'\]"):
    seen(Views(), key, photos(4), other)


def test_bad_input_is_named():
  key = jax.random.key(0)
  with pytest.raises(TypeError, match=r'needs uint8 images .* got float32'):
    seen(Views(), key, photos(2).astype(np.float32))
  with pytest.raises(ValueError, match='single image without its batch axis'):
    seen(Views(), key, photos(2)[0])
  with pytest.raises(ValueError, match='padding must not be negative, got -1'):
    crop_flip(key, photos(2), padding=-1, flip=False)
  with pytest.raises(ValueError, match=r'severity .* got 20'):
    AugMix(severity=20)
  with pytest.raises(ValueError, match=r'std of the noise .* got 25'):
    GaussianNoise(std=25)
  for other in ({'augmix': AugMix()}, {'deepaugment': Noise2Net()}):
    with pytest.raises(ValueError, match='instead of AugMix and DeepAugment'):
      Views(gaussian=GaussianNoise(), **other)
