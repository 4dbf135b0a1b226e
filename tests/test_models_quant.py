"""MobileNetV2 from dequantised 8-bit arrays: layout, logits, real accuracy."""

from __future__ import annotations

import csv
import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from rcj import models, tree
from rcj.models import mobile_plan

OUTPUTS = 6


def convolutions() -> list[tuple[str, tuple[int, ...]]]:
  """(name, shape of q) in order, from the table of the paper."""
  table = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2))
  table += ((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
  layers, c = [('conv_s2_relu6', (32, 3, 3, 3))], 32
  for expansion, features, repeats, stride in table:
    for i in range(repeats):
      hidden = c * expansion
      if expansion > 1:
        layers.append(('conv_s1_relu6', (hidden, 1, 1, c)))
      s = stride if i == 0 else 1
      layers.append((f'dw_s{s}_relu6', (1, 3, 3, hidden)))
      layers.append(('conv_s1_linear', (features, 1, 1, hidden)))
      c = features
  layers.append(('conv_s1_relu6', (1280, 1, 1, c)))
  layers.append(('conv_s1_linear', (OUTPUTS, 1, 1, 1280)))
  return [(f'{i:02d}_{n}', shape) for i, (n, shape) in enumerate(layers)]


@pytest.fixture(scope='module')
def arrays():
  rs = np.random.RandomState(0)
  result = {}
  for name, shape in convolutions():
    fan_in = np.prod(shape[1:3]) if '_dw_' in name else np.prod(shape[1:])
    channels = shape[-1] if '_dw_' in name else shape[0]
    result |= {
      f'{name}/q': rs.randint(0, 256, shape).astype(np.uint8),
      f'{name}/scale': np.float32([1.5 / 74 / np.sqrt(fan_in)]),
      f'{name}/zero': np.int32([rs.randint(120, 136)]),
      f'{name}/bias': (0.1 * rs.randn(channels)).astype(np.float32),
    }
  return result


def weight(arrays, name):
  q = arrays[f'{name}/q'].astype(np.float32)
  return (q - arrays[f'{name}/zero']).astype('f') * arrays[f'{name}/scale']


def forward_in_torch(torch, arrays, images):
  """The graph as TensorFlow runs it, on NHWC images in 0..1."""
  f = torch.nn.functional
  x = torch.from_numpy(2 * images - 1).permute(0, 3, 1, 2)
  before = None
  for name, _ in convolutions():
    _, kind, stride, activation = name.split('_')
    s = int(stride[1])
    axes = (3, 0, 1, 2) if kind == 'dw' else (0, 3, 1, 2)
    w = torch.from_numpy(weight(arrays, name).transpose(axes).copy())
    bias = torch.from_numpy(arrays[f'{name}/bias'])
    if len(bias) == OUTPUTS:
      x = x.mean((2, 3), keepdim=True)
    if kind == 'conv' and activation == 'relu6':
      before = x
    side, k = x.shape[2], w.shape[-1]
    total = max((-(-side // s) - 1) * s + k - side, 0)
    x = f.pad(x, (total // 2, total - total // 2) * 2)
    x = f.conv2d(x, w, bias, stride=s, groups=len(w) if kind == 'dw' else 1)
    if activation == 'relu6':
      x = x.clamp(0, 6)
    elif before.shape == x.shape:
      x = x + before
  return x[:, :, 0, 0].numpy()


def test_logits_equal_torch_without_the_background(arrays, tmp_path):
  torch = pytest.importorskip('torch')
  np.savez(tmp_path / 'x.npz', **arrays)
  frozen = models.load_quant_dequant(tmp_path / 'x.npz')
  images = np.random.RandomState(1).rand(2, 64, 64, 3).astype(np.float32)
  want = forward_in_torch(torch, arrays, images)[:, 1:]
  got = models.predict(frozen, images)
  np.testing.assert_allclose(got, want, atol=2e-4 * np.ptp(want))
  assert frozen.classes == tuple('01234')


def test_arrays_find_their_places(arrays, tmp_path):
  np.savez(tmp_path / 'x.npz', **arrays)
  frozen = models.load_quant_dequant(tmp_path / 'x.npz', classes=(3, 0))
  params = tree.leaves(frozen.params)
  assert frozen.batch_stats == {}
  assert (frozen.model.padding, frozen.model.norm) == ('tf', 'folded')
  assert frozen.classes == ('3', '0')
  assert (frozen.preprocessing.size, frozen.preprocessing.resize) == (224, 256)
  np.testing.assert_array_equal(
    params['conv_stem/kernel'],
    weight(arrays, '00_conv_s2_relu6').transpose(1, 2, 3, 0),
  )
  np.testing.assert_array_equal(
    params['stage1_block2/conv_depthwise/kernel'],
    weight(arrays, '04_dw_s2_relu6').transpose(1, 2, 0, 3),
  )
  head = weight(arrays, '52_conv_s1_linear')[:, 0, 0].T
  np.testing.assert_array_equal(params['head/kernel'], head[:, [4, 1]])
  bias = arrays['52_conv_s1_linear/bias']
  np.testing.assert_array_equal(params['head/bias'], bias[[4, 1]])


def test_other_files_are_refused(arrays, tmp_path):
  path = tmp_path / 'x.npz'
  path.write_bytes(b'PK no archive')
  with pytest.raises(ValueError, match=r'is no \.npz file'):
    models.load_quant_dequant(path)
  np.savez(path, **{k: v for k, v in arrays.items() if k != next(iter(arrays))})
  with pytest.raises(ValueError, match=r"missing: \['00_conv_s2_relu6/q'\]"):
    models.load_quant_dequant(path)
  np.savez(path, **{k: v for k, v in arrays.items() if k[:2] < '52'})
  with pytest.raises(ValueError, match='does not hold a MobileNetV2: expected'):
    models.load_quant_dequant(path)
  narrow = arrays['03_conv_s1_relu6/q'][:48]
  np.savez(path, **{**arrays, '03_conv_s1_relu6/q': narrow})
  with pytest.raises(ValueError, match=r'conv_expand/kernel \(expected \(1, 1'):
    models.load_quant_dequant(path)


def test_plan_names_every_convolution_once(arrays):
  module = models.create('mobilenet_v2', num_classes=OUTPUTS)
  stages = mobile_plan.stages(module.architecture, 1.0, 'imagenet')
  blocks = [block for stage in stages for block in stage]
  assert sum(2 + block.expands for block in blocks) + 3 == len(convolutions())


def imagenet_sample(folder):
  """Images in 0..1, centre crops of 224 px, and their labels of 1000."""
  images, labels = [], []
  with tarfile.open(folder / 'imagenet100_sample.tar') as tar:
    root = 'imagenet100_sample'
    text = tar.extractfile(f'{root}/labels.csv').read().decode()
    for row in csv.DictReader(io.StringIO(text)):
      image = Image.open(tar.extractfile(f'{root}/{row["file"]}')).convert(
        'RGB'
      )
      assert min(image.size) == 256
      left, top = ((side - 224) // 2 for side in image.size)
      crop = image.crop((left, top, left + 224, top + 224))
      images.append(np.asarray(crop, np.float32) / 255)
      labels.append(int(row['class_index']))
  return np.stack(images), np.array(labels)


def test_accuracy_on_imagenet100_sample(shared_data):
  path = shared_data / 'weights' / 'mobilenet_v2_1.0_224_quant_dequant.npz'
  frozen = models.load_quant_dequant(path)
  images, labels = imagenet_sample(shared_data)
  logits = np.concatenate(
    [models.predict(frozen, images[i : i + 25]) for i in range(0, 100, 25)]
  )
  among = logits[:, labels].argmax(1) == np.arange(100)
  assert among.mean() == pytest.approx(0.99, abs=0.01)
  # One pixel of translation moves this between 0.86 and 0.89.
  assert 0.85 <= (logits.argmax(1) == labels).mean() <= 0.90
  few = models.load_quant_dequant(path, classes=labels.tolist())
  for name, x in few.params['head'].items():
    np.testing.assert_array_equal(x, frozen.params['head'][name][..., labels])
