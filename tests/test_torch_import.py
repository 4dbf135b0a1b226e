"""PyTorch checkpoints: networks, names, classes, and real accuracy."""

from __future__ import annotations

from collections import OrderedDict

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks import draw, shapes
from safetensors.numpy import save_file

from rcj import models, tree
from rcj.data.decode import decode
from rcj.models import registry

CIFAR_BLOCKS = [(s, b) for s in (1, 2, 3) for b in range(3)]


def resnet20_state(seed=0, num_classes=7) -> dict[str, np.ndarray]:
  """A state dict as the CIFAR code names it, independent of our modules."""
  rs = np.random.RandomState(seed)
  state = {}

  def conv_bn(conv, bn, c_in, c):
    state[f'{conv}.weight'] = rs.randn(c, c_in, 3, 3) * (9 * c_in) ** -0.5
    state[f'{bn}.weight'] = rs.uniform(0.5, 1, c)
    state[f'{bn}.bias'] = rs.randn(c) * 0.1
    state[f'{bn}.running_mean'] = rs.randn(c) * 0.1
    state[f'{bn}.running_var'] = rs.uniform(0.5, 1.5, c)
    state[f'{bn}.num_batches_tracked'] = np.array(3)

  conv_bn('conv1', 'bn1', 3, 16)
  c_in = 16
  for s, b in CIFAR_BLOCKS:
    c = 8 * 2**s
    at = f'layer{s}.{b}'
    conv_bn(f'{at}.conv1', f'{at}.bn1', c_in, c)
    conv_bn(f'{at}.conv2', f'{at}.bn2', c, c)
    c_in = c
  state['linear.weight'] = rs.randn(num_classes, 64) * 0.1
  state['linear.bias'] = rs.randn(num_classes)
  return {
    k: x.astype(np.int64 if 'tracked' in k else np.float32)
    for k, x in state.items()
  }


@pytest.fixture(scope='module')
def state():
  return resnet20_state()


def check_resnet20(frozen, state):
  assert frozen.model == models.create('resnet20', num_classes=7)
  assert frozen.classes == tuple('0123456')
  assert frozen.preprocessing.mean == registry.IMAGENET_MEAN
  assert (frozen.preprocessing.size, frozen.preprocessing.resize) == (32, None)
  assert tree.leaves(frozen.masks) == tree.leaves(frozen.scores) == {}
  assert frozen.masks.keys() == frozen.params.keys()
  named = tree.leaves(frozen.params)
  assert {type(x) for x in named.values()} == {type(jnp.zeros(1))}
  assert {x.dtype for x in named.values()} == {jnp.dtype('float32')}
  np.testing.assert_array_equal(
    named['stage2_block1/conv1/kernel'],
    state['layer2.0.conv1.weight'].transpose(2, 3, 1, 0),
  )
  np.testing.assert_array_equal(
    named['stage3_block3/bn2/scale'], state['layer3.2.bn2.weight']
  )
  np.testing.assert_array_equal(named['head/kernel'], state['linear.weight'].T)
  np.testing.assert_array_equal(
    frozen.batch_stats['bn_stem']['var'], state['bn1.running_var']
  )


def test_safetensors(state, tmp_path):
  path = tmp_path / 'x.safetensors'
  save_file(state, path)
  check_resnet20(models.load_torch(path, 'resnet20'), state)
  path.write_bytes(path.read_bytes()[:100])
  with pytest.raises(ValueError, match='is broken'):
    models.load_torch(path, 'resnet20')


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize('wrapped', [True, False])
def test_files_of_torch(zipped, wrapped, state, tmp_path):
  torch = pytest.importorskip('torch')
  tensors = OrderedDict(
    (('module.' if wrapped else '') + k, torch.from_numpy(x))
    for k, x in state.items()
  )
  tensors._metadata = {'': {'version': 1}}  # as Module.state_dict leaves it
  saved = {'state_dict': tensors, 'best': 0.5} if wrapped else tensors
  path = tmp_path / 'x.pth'
  torch.save(saved, path, _use_new_zipfile_serialization=zipped)
  check_resnet20(models.load_torch(path, 'resnet20'), state)


def test_logits_equal_torch(state, tmp_path):
  torch = pytest.importorskip('torch')
  f = torch.nn.functional
  save_file(state, tmp_path / 'x.safetensors')
  frozen = models.load_torch(tmp_path / 'x.safetensors', 'resnet20')
  images = np.random.RandomState(1).rand(3, 32, 32, 3).astype(np.float32)
  t = {k: torch.from_numpy(x) for k, x in state.items()}

  def conv_bn(x, conv, bn, stride):
    x = f.conv2d(x, t[f'{conv}.weight'], stride=stride, padding=1)
    stats = (t[f'{bn}.running_mean'], t[f'{bn}.running_var'])
    return f.batch_norm(x, *stats, t[f'{bn}.weight'], t[f'{bn}.bias'])

  mean, std = (
    torch.tensor(v) for v in (registry.IMAGENET_MEAN, registry.IMAGENET_STD)
  )
  x = ((torch.from_numpy(images) - mean) / std).permute(0, 3, 1, 2)
  x = f.relu(conv_bn(x, 'conv1', 'bn1', 1))
  for s, b in CIFAR_BLOCKS:
    at, stride = f'layer{s}.{b}', 2 if s > 1 and b == 0 else 1
    y = f.relu(conv_bn(x, f'{at}.conv1', f'{at}.bn1', stride))
    y = conv_bn(y, f'{at}.conv2', f'{at}.bn2', 1)
    if stride == 2:
      c = x.shape[1] // 2
      x = f.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, c, c))
    x = f.relu(x + y)
  pooled = x.mean((2, 3))
  want = f.linear(pooled, t['linear.weight'], t['linear.bias']).numpy()
  got = models.predict(frozen, images)
  np.testing.assert_allclose(got, want, atol=2e-4 * np.ptp(want))
  normalised = (images - np.float32(mean)) / np.float32(std)
  again = models.logits(frozen, normalised.astype(np.float32))
  np.testing.assert_allclose(got, again, atol=1e-5 * np.ptp(want))
  gradient = jax.grad(lambda i: models.predict(frozen, i).sum())(images)
  assert float(jnp.abs(gradient).max()) > 0


def test_names_must_match(state, tmp_path):
  path = tmp_path / 'x.safetensors'
  changed = {**state, 'layer1.0.conv3.weight': state['layer1.0.conv1.weight']}
  del changed['bn1.bias']
  changed['linear.weight'] = changed['linear.weight'][:, :60].copy()
  save_file(changed, path)
  with pytest.raises(ValueError, match='does not hold a resnet20') as error:
    models.load_torch(path, 'resnet20')
  text = str(error.value)
  assert 'missing: params/bn_stem/bias\n' in text
  assert 'unexpected: layer1.0.conv3.weight\n' in text
  assert 'none of the known networks; known are resnet18, ' in text
  assert 'params/head/kernel (expected (64, 7), got (60, 7))' in text


def test_wrong_architecture_names_the_right_one(state, tmp_path):
  path = tmp_path / 'x.safetensors'
  save_file(state, path)
  with pytest.raises(
    ValueError, match=r'names of its layers are those of resnet20;'
  ):
    models.load_torch(path, 'resnet32')
  with pytest.raises(ValueError, match='unknown network'):
    models.load_torch(path, 'resnet21')


@pytest.mark.parametrize('name', models.NAMES)
def test_names_cover_every_layer_of_every_network(name):
  module = models.create(name, num_classes=2)
  params, batch_stats = shapes(module)
  leaves = [*tree.names(params), *tree.names(batch_stats)]
  layers = {n.rpartition('/')[0] for n in leaves}
  assert set(registry.torch_names(name).values()) == layers


def test_names_of_torchvision(golden):
  for name in ('resnet50', 'mobilenet_v2', 'mnasnet0_5'):
    keys = golden(f'models/{name}')['keys'].tolist()
    modules = {k.rpartition('.')[0] for k in keys}
    assert modules <= set(registry.torch_names(name))


def test_wrong_width_of_the_right_names(golden, tmp_path):
  save_file(draw(golden('models/mnasnet0_5')), tmp_path / 'x.safetensors')
  with pytest.raises(ValueError, match='those of mnasnet0_5, mnasnet1_0') as e:
    models.load_torch(tmp_path / 'x.safetensors', 'mnasnet1_0')
  assert 'params/bn_stem/bias (expected (32,), got (16,))' in str(e.value)
  assert 'more\n' in str(e.value)


def test_chosen_classes(state, tmp_path):
  path = tmp_path / 'x.safetensors'
  save_file(state, path)
  every = models.load_torch(path, 'resnet20')
  some = models.load_torch(path, 'resnet20', classes=[6, 0, 3])
  assert some.classes == ('6', '0', '3')
  assert some.model == models.create('resnet20', num_classes=3)
  images = np.random.RandomState(1).rand(2, 32, 32, 3).astype(np.float32)
  want = models.predict(every, images)[:, [6, 0, 3]]
  np.testing.assert_allclose(models.predict(some, images), want, atol=1e-5)


@pytest.mark.parametrize(
  ('classes', 'message'),
  [
    ([1, 7], r'has 7 \(0 to 6\); \[7\] of them do not exist'),
    ([-1], r'\[-1\] of them do not exist'),
    ([2, 2], r'they are not: \[2, 2\]'),
    ([], r'they are not: \[\]'),
  ],
)
def test_classes_that_the_file_lacks(classes, message, state, tmp_path):
  save_file(state, tmp_path / 'x.safetensors')
  with pytest.raises(ValueError, match=message):
    models.load_torch(tmp_path / 'x.safetensors', 'resnet20', classes=classes)


@pytest.mark.parametrize(
  ('images', 'message'),
  [
    (np.zeros((1, 32, 32, 3), np.uint8), 'divide uint8 by 255'),
    (np.zeros((1, 3, 32, 32), np.float32), 'channels-first'),
    (np.zeros((32, 32, 3), np.float32), r'expected images \[B,H,W,3\]'),
  ],
)
def test_bad_images(images, message, state, tmp_path):
  save_file(state, tmp_path / 'x.safetensors')
  frozen = models.load_torch(tmp_path / 'x.safetensors', 'resnet20')
  for run in (models.predict, models.logits):
    with pytest.raises(ValueError, match=message):
      run(frozen, images)


def cifar10(folder, n):
  """The first test images, whole thousands, and their labels."""
  with np.load(folder / 'cifar10' / 'cifar10_test_part0.npz') as z:
    files, edges, labels = z['webp'], z['offset'][: n // 1000 + 1], z['labels']
  # One WebP holds 1000 images in 25 rows of 40.
  mosaics = [decode(x.tobytes()) for x in np.split(files, edges)[1:-1]]
  rows = np.concatenate(mosaics).reshape(-1, 32, 40, 32, 3)
  return rows.swapaxes(1, 2).reshape(-1, 32, 32, 3), labels[:n]


@pytest.mark.parametrize(
  ('file', 'name', 'accuracy', 'n'),
  [
    ('resnet20-12fca82f.th', 'resnet20', 0.9173, 1000),
    *(
      pytest.param(*known, 10_000, marks=pytest.mark.slow)
      for known in (
        ('resnet20-12fca82f.th', 'resnet20', 0.9173),
        ('resnet56-4bfd9763.th', 'resnet56', 0.9339),
      )
    ),
  ],
)
def test_public_checkpoints_on_cifar10(file, name, accuracy, n, shared_data):
  frozen = models.load_torch(shared_data / 'weights' / file, name)
  images, labels = cifar10(shared_data, n)
  hits = 0
  for i in range(0, n, 500):
    batch = images[i : i + 500].astype(np.float32) / 255
    scores = np.asarray(models.predict(frozen, batch))
    hits += (scores.argmax(1) == labels[i : i + 500]).sum()
  # As published; of a part, within two standard deviations.
  tolerance = 5e-4 if n == 10_000 else 2 * (0.08 * 0.92 / n) ** 0.5
  assert hits / n == pytest.approx(accuracy, abs=tolerance)
