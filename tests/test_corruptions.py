"""Corruptions against the benchmark's own scripts (tests/golden/augment)."""

import functools
import json
import pathlib

import jax
import numpy as np
import pytest
from scipy import ndimage, stats

from rcj import corruptions
from rcj.corruptions import blur, dispatch, tables, weather

GOLDEN = pathlib.Path(__file__).parent / 'golden' / 'augment'
SIZES = (32, 64, 224)
STOCHASTIC = ('gaussian_noise', 'shot_noise', 'impulse_noise', 'fog')


@functools.cache
def load(name):
  if name.endswith('.json'):
    return json.loads((GOLDEN / name).read_text())
  with np.load(GOLDEN / name) as z:
    return dict(z)


def photo(name):
  return load('images.npz')[name]


@pytest.fixture(scope='module')
def photos():
  return np.stack(
    [photo(f'{p}_32') for p in ('astronaut', 'coffee', 'chelsea')]
  )


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


def replay_fog(record):
  """Calls a fresh RandomState as the script did: list of (width, draw)."""
  rs = np.random.RandomState(record['seed'])
  args = [call['args'] for call in record['calls']]
  return [(high, rs.uniform(low, high, shape)) for low, high, shape in args]


def recorded_fields(case, size, image):
  """The fields that made a golden image, as `apply` takes them."""
  name, severity, _ = case.split('|')
  row = tables.TABLES[name][size][int(severity) - 1]
  if name == 'shot_noise':
    counts = load(f'corruption_fields_{size}.npz')[f'{case}|poisson']
    return {'uniform': middle_of_quantile(counts, image / 255 * row[0])}
  if name not in STOCHASTIC:
    return {}
  record = load(f'corruption_draws_{size}.json')[case]
  if name == 'gaussian_noise':
    scale = record['calls'][0]['kw']['scale']
    assert scale == row[0]
    noise = np.random.RandomState(record['seed']).normal(
      size=image.shape, scale=scale
    )
    return {'normal': noise / scale}
  if name == 'impulse_noise':
    rng = np.random.default_rng(record['seed'])
    flipped = rng.random(image.shape) <= row[0]
    return {'flipped': flipped, 'salted': rng.random(image.shape) <= 0.5}
  calls = replay_fog(record)
  assert calls[3][0] == pytest.approx(100 / row[1])
  noise = [width * draw for width, draw in calls]
  side = 1 << (size - 1).bit_length()
  return {'plasma': plasma_by_index(noise, side)[:size, :size]}


def middle_of_quantile(counts, rate):
  """A uniform that the inverse distribution function maps to the counts."""
  below = stats.poisson.cdf(counts.astype(int) - 1, rate)
  middle = (below + stats.poisson.cdf(counts, rate)) / 2
  return np.minimum(middle, np.nextafter(np.float32(1), 0)).astype(np.float32)


def cases(name, size):
  return [k for k in load(f'corruptions_{size}.npz') if k.split('|')[0] == name]


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('name', corruptions.NAMES)
def test_equals_the_reference_with_its_own_draws(name, size):
  assert len(cases(name, size)) == {32: 9, 64: 6, 224: 3}[size]
  for case in cases(name, size):
    severity, image = int(case.split('|')[1]), photo(case.split('|')[2])
    fields = recorded_fields(case, size, image)
    fields = {k: v[None] for k, v in fields.items()}
    expected = load(f'corruptions_{size}.npz')[case]
    if expected.dtype == np.float32:
      values = corruptions.render(image[None], fields, name, severity)[0]
      np.testing.assert_allclose(values, expected, rtol=0, atol=1e-3)
      continue
    result = corruptions.apply(image[None], fields, name, severity)[0]
    assert result.dtype == np.uint8
    if dispatch._CORRUPTIONS[name].on_host:
      np.testing.assert_array_equal(result, expected)
    difference = np.abs(result.astype(int) - expected)
    assert difference.max() <= 1
    # Only values on an integer may be truncated otherwise than in float64.
    # Brightness has many: value + 255 c is one whenever 255 c is.
    values = corruptions.render(image[None], fields, name, severity)[0]
    off_integer = np.abs(values - np.round(values))[difference != 0]
    assert (off_integer < 1e-4).all(), case
    most = 0.01 if name == 'brightness' else 0.0025
    assert (difference != 0).mean() <= most, case


@pytest.mark.parametrize('case', cases('impulse_noise', 32))
def test_replayed_impulses_are_the_recorded_ones(case):
  fields = recorded_fields(case, 32, photo(case.split('|')[2]))
  for name, value in fields.items():
    recorded = load('corruption_fields_32.npz')[f'{case}|{name}']
    np.testing.assert_array_equal(np.packbits(value), recorded)


@pytest.mark.parametrize('case', cases('fog', 32))
def test_diamond_square_repeats_the_recorded_plasma(case):
  calls = replay_fog(load('corruption_draws_32.json')[case])
  noise = np.concatenate([(draw / width).ravel() for width, draw in calls])
  plasma = jax.jit(weather.diamond_square)(noise, calls[0][0] / calls[3][0])
  recorded = load('corruption_fields_32.npz')[f'{case}|plasma']
  np.testing.assert_allclose(plasma, recorded, rtol=0, atol=2e-6)


def statistics(results, image):
  """The columns of corruption_stats.json, one row per draw."""
  rows = results.reshape(len(results), -1).astype(float)
  change = rows - image.ravel()
  columns = [
    rows.mean(1),
    rows.std(1),
    *np.percentile(rows, (1, 5, 25, 50, 75, 95, 99), axis=1),
    change.mean(1),
    np.sqrt((change**2).mean(1)),
    np.abs(change).mean(1),
    *results.astype(float).mean((1, 2)).T,
  ]
  return np.stack(columns, 1)


@pytest.mark.parametrize('size', [32, 224])
@pytest.mark.parametrize('severity', [1, 3, 5])
@pytest.mark.parametrize('name', STOCHASTIC)
def test_own_draws_have_the_statistics_of_the_reference(name, severity, size):
  """Means over draws within 4.5 standard errors, of both sides together."""
  draws = {32: 64, 224: 8}[size]
  image = photo(f'astronaut_{size}')
  images = np.broadcast_to(image, (draws, *image.shape))
  results = corruptions.corrupt(jax.random.key(5), images, name, severity)
  recorded = load('corruption_stats.json')[
    f'{name}|{severity}|astronaut_{size}'
  ]
  found = statistics(results, image)
  spread = np.maximum(recorded['sd_over_draws'], found.std(0))
  error = spread * np.sqrt(1 / recorded['draws'] + 1 / draws)
  # 0.02: the recorded numbers are rounded, and a percentile may stand still.
  excess = np.abs(found.mean(0) - recorded['avg']) - 0.02
  assert (excess <= 4.5 * error).all(), (found.mean(0), recorded, error)
  if size == 32:
    deviation = results.astype(float).std(0).mean()
    # fog moves all pixels of an image together, so 64 draws say little
    near = 0.25 if name == 'fog' else 0.03
    assert deviation == pytest.approx(recorded['per_pixel_std_mean'], rel=near)


def test_counts_are_the_quantiles_of_the_poisson_distribution(photos):
  uniform = np.random.default_rng(0).random(photos.shape).astype(np.float32)
  uniform[0, :4] = 2.0**-24  # the smallest that is ever drawn
  for severity, photons in enumerate((500, 250, 100, 75, 50), 1):
    counts = stats.poisson.ppf(uniform, photos / 255 * photons).clip(0)
    expected = 255 * np.minimum(counts / photons, 1)
    values = corruptions.render(
      photos, {'uniform': uniform}, 'shot_noise', severity
    )
    # A uniform on the step of a float32 distribution function may miss by one.
    wrong = np.abs(values - expected) > 1e-3
    assert wrong.mean() < 1e-3
    assert np.abs(values - expected).max() <= 255 / photons + 1e-3


def test_plasma_wraps_around_and_spans_zero_to_one():
  shape = (8, 32, 32, 3)
  plasma = corruptions.draw(jax.random.key(0), shape, 'fog', 3)['plasma']
  np.testing.assert_allclose(np.min(plasma, (1, 2)), 0, atol=1e-6)
  np.testing.assert_allclose(np.max(plasma, (1, 2)), 1, atol=1e-6)
  seam = np.abs(np.asarray(plasma[:, :, 0] - plasma[:, :, -1])).mean()
  inside = np.abs(np.diff(plasma, axis=2)).mean()
  assert seam < 2 * inside


@pytest.mark.parametrize('table', SIZES)
@pytest.mark.parametrize('name', corruptions.NAMES)
def test_change_grows_with_severity(name, table, photos):
  """One exception, checked as such.

  At 224 the fog of severity 4 is as thick as that of 3 and only rougher.
  """
  key, changes = jax.random.key(1), []
  for severity in corruptions.SEVERITIES:
    fields = corruptions.draw(key, photos.shape, name, severity, table=table)
    values = corruptions.render(photos, fields, name, severity, table=table)
    changes.append(np.abs(values - photos).mean())
  growth = np.diff(changes)
  if (name, table) == ('fog', 224):
    assert tables.TABLES['fog'][224][2][0] == tables.TABLES['fog'][224][3][0]
    growth = np.delete(growth, 2)
  assert changes[0] > 0
  assert (growth > 0).all(), changes


@pytest.mark.parametrize('shape', [(32, 32), (8, 8), (20, 33)])
def test_defocus_reflects_at_borders_of_any_size(shape):
  rng = np.random.default_rng(1)
  image = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
  for severity, (radius, sigma) in enumerate(
    tables.TABLES['defocus_blur'][224]
  ):
    kernel = blur.disk_kernel(radius, sigma)[0].sum(-1)
    expected = ndimage.correlate(
      image.astype(float), kernel[:, :, None].astype(float), mode='mirror'
    )
    values = corruptions.render(
      image[None], {}, 'defocus_blur', severity + 1, table=224
    )
    expected = np.clip(expected, 0, 255)
    np.testing.assert_allclose(values[0], expected, rtol=0, atol=1e-3)


def test_digits_take_the_table_of_224(photos):
  key = jax.random.key(2)
  for name in corruptions.NAMES:
    strong = corruptions.corrupt(key, photos, name, 5, table=224)
    weak = corruptions.corrupt(key, photos, name, 5, table=32)
    default = corruptions.corrupt(key, photos, name, 5)
    change = [np.abs(x.astype(int) - photos).mean() for x in (strong, weak)]
    assert change[0] > change[1], name
    np.testing.assert_array_equal(default, weak)


@pytest.mark.parametrize(
  ('side', 'table'),
  [(8, 32), (32, 32), (33, 64), (64, 64), (65, 224), (999, 224)],
)
def test_default_table_by_the_longer_side(side, table):
  found = tables.parameters('contrast', 1, None, (1, 4, side, 3))
  assert found == tables.parameters('contrast', 1, table, (1, 4, side, 3))
  assert (table == 32) == (found == (0.75,))


@pytest.mark.parametrize('name', ['fog', 'contrast', 'pixelate'])
def test_images_of_two_sides_keep_their_shape(name):
  images = np.random.default_rng(3).integers(0, 256, (2, 9, 21, 3), np.uint8)
  result = corruptions.corrupt(jax.random.key(0), images, name, 3)
  assert result.shape == images.shape
  assert result.dtype == np.uint8
  assert (result != images).any()


def test_brightness_of_black_is_grey_and_hue_stays():
  colours = np.array([[0, 0, 0], [200, 100, 50], [30, 60, 90]], np.uint8)
  values = corruptions.render(
    colours[None, None], {}, 'brightness', 2, table=224
  )
  expected = [[51, 51, 51], [251, 125.5, 62.75], [47, 94, 141]]
  np.testing.assert_allclose(values[0, 0], expected, rtol=0, atol=1e-4)


def test_a_set_may_be_drawn_in_pieces_in_any_order():
  key = jax.random.key(4)
  for name in STOCHASTIC:
    whole = corruptions.draw(key, (8, 32, 32, 3), name, 1)
    some = np.array([6, 1, 4])
    piece = corruptions.draw(key, (3, 32, 32, 3), name, 1, indices=some)
    for field, value in piece.items():
      np.testing.assert_array_equal(value, whole[field][some])


def test_every_table_has_its_functions_and_five_rows():
  assert tuple(dispatch._CORRUPTIONS) == corruptions.NAMES
  for sides in tables.TABLES.values():
    assert sorted(sides) == list(SIZES)
    assert {len(rows) for rows in sides.values()} == {5}


def test_deterministic_corruptions_draw_nothing():
  for name in set(corruptions.NAMES) - set(STOCHASTIC):
    assert corruptions.draw(jax.random.key(0), (2, 8, 8, 3), name, 1) == {}


def test_severities_share_compiled_programs():
  images = np.zeros((2, 12, 12, 3), np.uint8)
  most = {'shot_noise': (1, 1), 'defocus_blur': (2, 2), 'fog': (1, 1)}
  for name, programs in most.items():
    before = dispatch._apply._cache_size(), dispatch._draw._cache_size()
    for table in SIZES:
      for severity in corruptions.SEVERITIES:
        key = jax.random.key(0)
        corruptions.corrupt(key, images, name, severity, table=table)
    after = dispatch._apply._cache_size(), dispatch._draw._cache_size()
    assert tuple(np.subtract(after, before)) == programs, name


IMAGES = np.zeros((2, 8, 8, 3), np.uint8)


@pytest.mark.parametrize(
  ('options', 'message'),
  [
    ({'name': 'foggy'}, "'foggy'; implemented are gaussian_noise, shot_noise"),
    ({'severity': 0}, 'integer from 1 to 5, not 0'),
    ({'severity': 6}, 'integer from 1 to 5, not 6'),
    ({'severity': 2.0}, 'integer from 1 to 5, not 2.0'),
    ({'table': 100}, r'100; the tables are \(32, 64, 224\)'),
    ({'images': IMAGES[0]}, r'not \(8, 8, 3\); one image needs'),
    ({'images': IMAGES[..., :1]}, r'not \(2, 8, 8, 1\)'),
    ({'images': IMAGES / 255}, 'uint8 in 0..255, not float64'),
  ],
)
def test_bad_input_is_named(options, message):
  given = {'images': IMAGES, 'name': 'fog', 'severity': 1, **options}
  with pytest.raises(ValueError, match=message):
    corruptions.corrupt(jax.random.key(0), **given)
  given['names'] = [given.pop('name')]
  given['severities'] = [given.pop('severity')]
  with pytest.raises(ValueError, match=message):
    corruptions.corrupted_set(**given)


def test_bad_fields_are_named():
  key = jax.random.key(0)
  with pytest.raises(
    ValueError, match=r"shapes {'plasma': \(2, 8, 8\)}, not {}"
  ):
    corruptions.apply(IMAGES, {}, 'fog', 1)
  fields = corruptions.draw(key, (1, 8, 8, 3), 'gaussian_noise', 1)
  with pytest.raises(ValueError, match='draw them with the same shape'):
    corruptions.apply(IMAGES, fields, 'gaussian_noise', 1)
  with pytest.raises(ValueError, match='draw them with the same shape'):
    corruptions.apply(IMAGES, fields, 'jpeg_compression', 1)
