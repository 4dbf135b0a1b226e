"""Images of the benchmark's own scripts, and the draws that made them."""

import functools
import json
import pathlib

import numpy as np
from scipy import stats

from rcj.corruptions import tables

GOLDEN = pathlib.Path(__file__).parent / 'golden' / 'augment'
SIZES = (32, 64, 224)


@functools.cache
def load(name):
  if name.endswith('.json'):
    return json.loads((GOLDEN / name).read_text())
  with np.load(GOLDEN / name) as z:
    return dict(z)


def photo(name):
  return load('images.npz')[name]


@functools.cache
def results(size):
  """What the scripts made; at 224 px of some corruptions only the top rows."""
  parts = (f'corruptions_{size}.npz', f'more_corruptions_{size}.npz')
  return {k: image for part in parts for k, image in load(part).items()}


def cases(name, size):
  return [k for k in results(size) if k.split('|')[0] == name]


def replay(record):
  """Calls a fresh RandomState as the script did: a list of draws."""
  rs = np.random.RandomState(record['seed'])
  draws = []
  for call in record['calls']:
    if 'repeat' in call:
      call = {**call, 'kw': {'size': (call['repeat'], 2)}}
    draws.append(getattr(rs, call['fn'])(*call['args'], **call.get('kw', {})))
  return draws


def plasma_by_index(draws, size):
  """Diamond-square by index arithmetic on the torus, float64."""
  m = np.zeros((size, size))
  step, draws = size, iter(draws)
  while step >= 2:
    h = step // 2
    i = np.arange(0, size, step)

    def at(di, dj, i=i):
      return m[np.ix_((i + di) % size, (i + dj) % size)]

    m[np.ix_(i + h, i + h)] = (
      at(0, 0) + at(0, step) + at(step, 0) + at(step, step)
    ) / 4 + next(draws)
    m[np.ix_(i, i + h)] = (
      at(0, 0) + at(0, step) + at(h, h) + at(-h, h)
    ) / 4 + next(draws)
    m[np.ix_(i + h, i)] = (
      at(0, 0) + at(step, 0) + at(h, h) + at(h, -h)
    ) / 4 + next(draws)
    step = h
  m -= m.min()
  return m / m.max()


def middle_of_quantile(counts, rate):
  """A uniform that the inverse distribution function maps to the counts."""
  below = stats.poisson.cdf(counts.astype(int) - 1, rate)
  middle = (below + stats.poisson.cdf(counts, rate)) / 2
  return np.minimum(middle, np.nextafter(np.float32(1), 0)).astype(np.float32)


def _standard(record):
  """A normal field without its mean and deviation."""
  how = record['calls'][0]['kw']
  return (replay(record)[0] - how.get('loc', 0)) / how['scale']


def _normal(case, size, image, record):
  return {'normal': _standard(record)}


def _shot(case, size, image, record):
  row = tables.TABLES['shot_noise'][size][int(case.split('|')[1]) - 1]
  counts = load(f'corruption_fields_{size}.npz')[f'{case}|poisson']
  return {'uniform': middle_of_quantile(counts, image / 255 * row[0])}


def _impulse(case, size, image, record):
  row = tables.TABLES['impulse_noise'][size][int(case.split('|')[1]) - 1]
  rng = np.random.default_rng(record['seed'])
  flipped = rng.random(image.shape) <= row[0]
  return {'flipped': flipped, 'salted': rng.random(image.shape) <= 0.5}


def _glass(case, size, image, record):
  """Draws of the loops over h and w, both downwards, put where they apply."""
  distance = record['calls'][0]['args'][1]
  inside = slice(distance + 1, size - distance + 1)
  side = len(range(size)[inside])
  draws = np.concatenate(replay(record)).reshape(-1, side, side, 2)
  offsets = np.zeros((3, size, size, 2), np.int8)
  offsets[: len(draws), inside, inside] = draws[:, ::-1, ::-1]
  return {'offsets': offsets}


def _motion(case, size, image, record):
  return {'angle': np.float64(replay(record)[0])}


def _snow(case, size, image, record):
  angle = np.float64(replay(record)[1])
  return {'normal': _standard(record), 'angle': angle}


def _frost(case, size, image, record):
  patch = np.zeros(image.shape, np.uint8)
  crop = load(f'frost_crops_{size}.npz')[case]
  patch[: len(crop)] = crop
  return {'frost': patch}


def _fog(case, size, image, record):
  side = 1 << (size - 1).bit_length()
  widths = [call['args'][1] for call in record['calls']]
  noise = [w * draw for w, draw in zip(widths, replay(record), strict=True)]
  return {'plasma': plasma_by_index(noise, side)[:size, :size]}


def _elastic(case, size, image, record):
  jitter, right, down = replay(record)
  return {
    'jitter': jitter / record['calls'][0]['args'][1],
    'right': right,
    'down': down,
  }


_FIELDS = {
  'gaussian_noise': _normal,
  'shot_noise': _shot,
  'impulse_noise': _impulse,
  'glass_blur': _glass,
  'motion_blur': _motion,
  'snow': _snow,
  'frost': _frost,
  'fog': _fog,
  'elastic_transform': _elastic,
  'speckle_noise': _normal,
  'spatter': _normal,
}
STOCHASTIC = tuple(_FIELDS)


def recorded_fields(case, size, image):
  """The fields that made a golden image, as `apply` takes them."""
  name = case.split('|')[0]
  if name not in _FIELDS:
    return {}
  record = load(f'corruption_draws_{size}.json')[case]
  return _FIELDS[name](case, size, image, record)
