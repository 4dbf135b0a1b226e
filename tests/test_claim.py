"""Claims as text: what is read, what is refused, what intervals say."""

import dataclasses
import json

import pytest
import synthetic_attacks

from rcj import claim, grid
from rcj.claim import Claim, Measure, Quantity

PGD, PEPPER = Measure('heavy', 'pgd'), Measure('heavy', 'salt_and_pepper')


@pytest.mark.parametrize(
  ('text', 'expected'),
  [
    ('heavy lower', Claim((Quantity(Measure('heavy')),), 'lower')),
    (
      'clean,  shifts higher',
      Claim(
        (Quantity(Measure('clean')), Quantity(Measure('shifts'))), 'higher'
      ),
    ),
    ('light within 1.5', Claim((Quantity(Measure('light')),), 'within', 1.5)),
    (
      'heavy:pgd minus heavy:salt_and_pepper lower',
      Claim((Quantity(PGD, PEPPER),), 'lower'),
    ),
  ],
)
def test_a_claim_is_read_and_written(text, expected):
  assert claim.parse(text) == expected
  assert str(claim.parse(str(expected))) == str(expected)


@pytest.mark.parametrize(
  ('text', 'message'),
  [
    ('', "'lower', 'higher' or 'within N'"),
    ('clean', 'what must be true'),
    ('clean better', 'what must be true'),
    ('lower', "'' is no error"),
    ('clean, lower', "'' is no error"),
    ('rendition lower', "'rendition' is no.*clean, corrupted, shifts, light"),
    ('clean:pgd lower', "'clean:pgd' is no error"),
    ('heavy: lower', "'heavy:' is no error"),
    ('clean light lower', "'clean light' is no error"),
    ('clean within', 'what must be true'),
    ('clean within few', "margin is 'few'"),
    ('clean within 0', "margin is '0'"),
    ('clean within -1', "margin is '-1'"),
    ('clean within nan', "margin is 'nan'"),
    ('clean minus light minus heavy lower', 'more than once'),
  ],
)
def test_other_text_is_refused(text, message):
  with pytest.raises(ValueError, match=message):
    claim.parse(text)


@pytest.mark.parametrize(
  ('text', 'below', 'around', 'above'),
  [
    ('clean lower', 'holds', 'not resolved', 'does not hold'),
    ('clean higher', 'does not hold', 'not resolved', 'holds'),
    ('clean within 3', 'holds', 'holds', 'does not hold'),
    ('clean within 1', 'holds', 'not resolved', 'does not hold'),
  ],
)
def test_verdicts_of_intervals(text, below, around, above):
  stated = claim.parse(text)
  assert stated.verdict(-5.0, -4.0) == below
  assert stated.verdict(-2.0, 2.0) == around
  assert stated.verdict(4.0, 5.0) == above
  assert claim.parse('clean lower').verdict(0.0, 0.0) == 'not resolved'


def view(cells, axis='clean lower'):
  return grid.View('claim1', 'A claim.', 'claim', tuple(cells), axis)


def test_pairs_have_the_first_series_first():
  (a, b), (c, d) = synthetic_attacks.pair('a'), synthetic_attacks.pair('b')
  assert grid.pairs(view([a, b, d, c])) == ((a, b), (c, d))
  (x, y), (z, _) = (synthetic_attacks.pair('a', x) for x in '12')
  with pytest.raises(ValueError, match=r"claim1.*\('a', '2'\).*\['int8'\]"):
    view([x, y, z])


@pytest.mark.parametrize('change', ['third', 'twice', 'alone'])
def test_cells_that_are_no_pairs_are_refused(change):
  a, b = synthetic_attacks.pair()
  cells = {
    'third': [a, b, dataclasses.replace(b, series='other')],
    'twice': [a, b, b],
    'alone': [a],
  }[change]
  with pytest.raises(ValueError, match='one cell of each'):
    view(cells)


def test_a_view_with_a_bad_claim_is_refused_and_named():
  with pytest.raises(ValueError, match=r"view 'claim1': claim 'worse' does"):
    view(synthetic_attacks.pair(), 'worse')


def test_a_claim_is_stored_in_the_file_of_a_sweep(tmp_path):
  claimed = view(synthetic_attacks.pair(), 'clean, heavy:pgd within 2')
  grid.write([claimed], tmp_path)
  assert grid.read(tmp_path) == (claimed,)
  (stored,) = json.loads((tmp_path / grid.FILE).read_text())['views']
  assert stored['axis'] == 'clean, heavy:pgd within 2'


def test_other_seeds_are_merged_into_a_claim():
  from rcj.sweep import merging

  first, second = (view(synthetic_attacks.pair(seeds=(s,))) for s in (0, 1))
  (merged,) = merging.merged([first], [second])
  assert [cell.runs for cell in merged.cells] == [
    (f'net-{series}-0', f'net-{series}-1') for series in ('int8', 'float')
  ]
