"""Distorted copies of a folder of images, whole, in parts, and stopped."""

import dataclasses
import functools
import io
import subprocess
import sys

import children
import jax
import numpy as np
import pytest
from children import ROOT
from PIL import Image
from safetensors.numpy import save_file

from rcj import data, generate
from rcj.augment import cae, edsr
from rcj.augment.weight_changes import apply_changes
from rcj.generate import deepaugment as run
from rcj.generate.schedule import schedule

SMALL = {
  'edsr': dataclasses.replace(generate.EDSR, side=12),
  'cae': dataclasses.replace(generate.CAE, side=16),
}
SHAPES = {'edsr': edsr.shapes, 'cae': cae.shapes}
SIZES = {
  'ant/a.JPEG': (24, 32),
  'ant/b.png': (24, 32),
  'ant/c.jpg': (24, 32),
  'bee/a.JPEG': (32, 24),
  'bee/nest/b.JPEG': (24, 32),
}


def seeded(name):
  """Weights that keep values of the order of one."""
  rng, made = np.random.default_rng(0), {}
  for leaf, shape in SHAPES[name]().items():
    by = 0.7 / np.sqrt(np.prod(shape[1:])) if len(shape) == 4 else 0.01
    made[leaf] = (rng.normal(size=shape) * by).astype(np.float32)
  return made


def test_sides_are_those_of_the_paper():
  assert (generate.EDSR.side, generate.CAE.side) == (128, 512)


@pytest.fixture(scope='module')
def weights():
  return {name: seeded(name) for name in SMALL}


@pytest.fixture(scope='module')
def images(tmp_path_factory):
  root, rng = (
    tmp_path_factory.mktemp('deep') / 'images',
    np.random.default_rng(0),
  )
  for name, shape in SIZES.items():
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    small = rng.integers(0, 256, (*(n // 8 for n in shape), 3), np.uint8)
    Image.fromarray(small).resize(shape[::-1]).save(path)
  (root / 'ant' / 'notes.txt').touch()
  return root


@pytest.fixture(scope='module')
def whole(images, weights):
  """The copies, made at once."""
  folder = images.parent / 'edsr'
  unread = run(SMALL['edsr'], weights['edsr'], images, folder, seed=3)
  assert unread == []
  return folder


def copies(folder):
  return {
    path.relative_to(folder).as_posix(): path.read_bytes()
    for path in folder.rglob('*')
    if path.suffix in ('.JPEG', '.jpg', '.png')
  }


def test_every_image_has_a_copy_of_its_name(whole):
  assert set(copies(whole)) == {
    *('ant/a.JPEG', 'ant/b.png.JPEG', 'ant/c.jpg'),
    *('bee/a.JPEG', 'bee/nest/b.JPEG'),
  }
  for name, content in copies(whole).items():
    image = Image.open(io.BytesIO(content))
    assert image.format == 'JPEG'
    turned = name == 'bee/a.JPEG'
    assert image.size == ((48, 64) if turned else (64, 48))


def saved(pixels):
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, 'jpeg')
  return file.getvalue()


def test_edsr_sees_0_to_255_and_is_clipped_and_truncated(
  whole, images, weights
):
  plan = schedule(jax.random.key(3), len(SIZES))
  names = sorted(SIZES)
  network = SMALL['edsr']
  for place in (0, len(SIZES) - 1):
    index = plan.order[place]
    key = plan.weights_key(plan.drawn[place])
    changed = apply_changes(weights['edsr'], network.draw_changes(key))
    file = images / names[index]
    image = data.resize_shorter(np.asarray(Image.open(file)), 12)
    drawn = network.draw_plan(plan.plan_key(index), *image.shape[:2])
    made = jax.jit(edsr.enlarge)(changed, image.astype('f'), drawn)
    made = np.clip(np.asarray(made), 0, 255).astype(np.uint8)
    copy = whole / data.variants.variant_name(names[index])
    assert copy.read_bytes() == saved(made)


def test_the_autoencoder_sees_0_to_1_and_multiples_of_four(
  images, weights, tmp_path
):
  folder, names = tmp_path / 'cae', sorted(SIZES)
  network = SMALL['cae']
  run(network, weights['cae'], images, folder)
  plan = schedule(jax.random.key(0), len(SIZES))
  index = names.index('ant/a.JPEG')
  (place,) = np.flatnonzero(plan.order == index)
  key = plan.weights_key(plan.drawn[place])
  changed = apply_changes(weights['cae'], network.draw_changes(key))
  image = data.resize_shorter(np.asarray(Image.open(images / names[index])), 16)
  assert image.shape == (16, 21, 3)
  image = image[:, :20]
  drawn = network.draw_plan(plan.plan_key(index), 16, 20)
  made = jax.jit(cae.reconstruct)(changed, image / np.float32(255), drawn)
  made = (255 * np.clip(np.asarray(made), 0, 1)).astype(np.uint8)
  assert (folder / names[index]).read_bytes() == saved(made)


@pytest.mark.parametrize('parts', [2, 3])
def test_parts_make_the_same_copies(parts, whole, images, weights, tmp_path):
  for part in range(parts, 0, -1):
    how = {'seed': 3, 'part': part, 'parts': parts}
    before = set(copies(tmp_path))
    run(SMALL['edsr'], weights['edsr'], images, tmp_path, **how)
    assert set(copies(tmp_path)) > before
  assert copies(tmp_path) == copies(whole)


def test_what_was_stopped_becomes_the_same(
  whole, images, weights, tmp_path, monkeypatch
):
  go_on = functools.partial(
    run, SMALL['edsr'], weights['edsr'], images, tmp_path, seed=3
  )
  module = sys.modules['rcj.generate.deepaugment']
  write, count = module.write_whole, iter(range(2))

  def stopping(path, content):
    if next(count, None) is None:
      path.with_name(f'{path.name}.partial').write_bytes(content[:9])
      raise KeyboardInterrupt
    write(path, content)

  with monkeypatch.context() as m:
    m.setattr(module, 'write_whole', stopping)
    with pytest.raises(KeyboardInterrupt):
      go_on()
  done = {p: p.stat().st_mtime_ns for p in tmp_path.rglob('*.JPEG')}
  assert len(copies(tmp_path)) == 2
  go_on()
  assert copies(tmp_path) == copies(whole)
  assert done == {p: p.stat().st_mtime_ns for p in done}
  assert not list(tmp_path.rglob('*.partial'))


def test_images_that_cannot_be_read_are_listed(weights, tmp_path):
  images = tmp_path / 'images'
  images.mkdir()
  (images / 'a.png').write_bytes(b'no picture')
  Image.new('RGB', (32, 24), 'red').save(images / 'b.png')
  network = SMALL['edsr']
  unread = run(network, weights['edsr'], images, tmp_path / 'out')
  assert len(unread) == 1
  assert 'a.png: ' in unread[0]
  assert set(copies(tmp_path / 'out')) == {'b.png.JPEG'}


def test_mistakes_leave_the_folder_as_it_is(whole, images, weights, tmp_path):
  network, before = SMALL['edsr'], copies(whole)
  with pytest.raises(ValueError, match='seed: 3 there, 4 now'):
    run(network, weights['edsr'], images, whole, seed=4)
  other = {n: x + 1 for n, x in weights['edsr'].items()}
  with pytest.raises(ValueError, match='weights: '):
    run(network, other, images, whole, seed=3)
  assert copies(whole) == before
  with pytest.raises(ValueError, match='lies inside of'):
    run(network, weights['edsr'], images, images / 'out')
  with pytest.raises(ValueError, match='part must be one of 1 to 3, not 4'):
    run(network, weights['edsr'], images, tmp_path / 'o', part=4, parts=3)
  with pytest.raises(FileNotFoundError, match='holds no images'):
    run(network, weights['edsr'], tmp_path, tmp_path.parent / 'out')
  assert not (tmp_path / 'o').exists()


def test_the_schedule_is_the_reference_s_in_distribution():
  n = 20_000
  plan = schedule(jax.random.key(0), n)
  assert sorted(plan.order) == list(range(n))
  assert plan.drawn[0] == 0
  starts = np.flatnonzero(plan.drawn == np.arange(n))
  assert len(starts) / n == pytest.approx(0.05, abs=5 * (0.05 / n) ** 0.5)
  before = np.searchsorted(starts, np.arange(n), 'right') - 1
  np.testing.assert_array_equal(plan.drawn, starts[before])
  # Neighbours in a folder, of the same class, rarely share weights.
  weights = np.empty(n, int)
  weights[plan.order] = plan.drawn
  assert (weights[1:] == weights[:-1]).mean() < 0.01
  assert (schedule(jax.random.key(1), n).order != plan.order).any()


def test_the_program_lists_what_it_cannot_read(weights, tmp_path):
  path = tmp_path / 'edsr.safetensors'
  save_file(weights['edsr'], path)
  (tmp_path / 'images').mkdir()
  (tmp_path / 'images' / 'a.jpg').write_bytes(b'no picture')
  result = subprocess.run(
    [
      *(sys.executable, 'launch/deepaugment.py', '--network=edsr'),
      *(f'--weights={path}', f'--images={tmp_path}/images'),
      f'--out={tmp_path}/edsr',
    ],
    cwd=ROOT,
    env=children.environment(),
    stdin=subprocess.DEVNULL,
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert result.returncode == 0, result.stderr
  assert '1 images cannot be read:\n' in result.stdout
  assert f'{tmp_path}/images/a.jpg: ' in result.stdout
