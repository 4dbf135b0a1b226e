r"""Re-measures paper S2: prunes by every method, deals decks, draws heat maps.

  bash launch/s2.sh --data_root=cifar-10-batches-py [--workdir=runs/s2] \
    [--seeds=0,1,2] [--jobs=2] [--budget_minutes=120] [--set=scale=0.1] ...

A sweep runs the figures, tables and claims of configs/cards.py, seed by seed;
its finished networks vote as CARD-Decks; Fourier heat maps compare dense and
compact networks; and the report shows what has been run. Each step prints its
command. What is finished is skipped, what was stopped continues; --set gives
any field of the config, and may be repeated.
"""

import dataclasses
import json
import pathlib
import shlex
import subprocess
import sys

from absl import app, flags

from rcj import grid, s2

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_DATA = flags.DEFINE_string(
  'data_root', None, "CIFAR-10: the python batches' folder, or a .npz."
)
_WORKDIR = flags.DEFINE_string(
  'workdir', str(_ROOT / 'runs' / 's2'), 'Folder of everything.'
)
_SEEDS = flags.DEFINE_string('seeds', '0,1,2', 'Of every network.')
_JOBS = flags.DEFINE_integer(
  'jobs', None, 'Processes of the sweep; see launch/sweep.py.'
)
_BUDGET = flags.DEFINE_float(
  'budget_minutes', None, 'The sweep starts no run after this time.'
)
_SET = flags.DEFINE_multi_string('set', [], 'FIELD=VALUE of the config.')
_IMAGES = flags.DEFINE_integer('images', 1000, 'Of each heat map.')
_DRY_RUN = flags.DEFINE_bool(
  'dry_run', False, 'Prints the commands, runs nothing.'
)
flags.mark_flag_as_required('data_root')

Runs = dict[frozenset, tuple[str | None, ...]]
Hands = list[tuple[grid.View, tuple[str, ...]]]

_CONFIG = 'configs/cards.py'
_DENSITY, _AUGMENTS = 0.05, ('none', 'augmix')
# Whose heat maps are drawn; the dense one of an augmentation comes first.
_MAPS = (
  ('dense', 'none'),
  ('lrr', 'none'),
  ('bp', 'none'),
  ('dense', 'augmix'),
  ('lrr', 'augmix'),
)


def main(argv: list[str]) -> None:
  """Runs the steps; what cannot be made yet is left out and said."""
  if len(argv) > 1:
    raise app.UsageError(f'unknown arguments: {argv[1:]}')
  folder = pathlib.Path(_WORKDIR.value).resolve()
  failed = _run(sweep(folder / 'cards'))
  runs = finished(folder)
  hands = deal(runs)
  for deck, hand in hands:
    failed |= _run(measure(deck, hand, folder))
  for command in maps(runs, folder):
    failed |= _run(command)
  if not _DRY_RUN.value:
    views = (*swept(folder), *s2.deck_views(measured(hands, folder)))
    grid.write(views, folder)
  failed |= _run(report(folder))
  sys.exit(int(failed))


def sweep(folder: pathlib.Path) -> list[str]:
  """The command that fills the views of configs/cards.py."""
  limits = {'jobs': _JOBS.value, 'budget_minutes': _BUDGET.value}
  return [
    *('launch/sweep.py', f'--config={_CONFIG}', '--views=all'),
    *(f'--seeds={_SEEDS.value}', f'--workdir={folder}', *_fields()),
    *(f'--{n}={x}' for n, x in limits.items() if x is not None),
  ]


def swept(folder: pathlib.Path) -> tuple[grid.View, ...]:
  """The views of the sweep, with runs relative to `folder`."""
  return tuple(
    dataclasses.replace(
      view,
      cells=tuple(
        dataclasses.replace(
          cell, runs=tuple(f'cards/{run}' for run in cell.runs)
        )
        for cell in view.cells
      ),
    )
    for view in grid.read(folder / 'cards')
  )


def finished(folder: pathlib.Path) -> Runs:
  """{config fields: run for each seed, None where it is not finished}."""
  return {
    frozenset(cell.fields.items()): tuple(
      run if (folder / run / 'artifact' / 'network.rcj').is_file() else None
      for run in cell.runs
    )
    for view in swept(folder)
    for cell in view.cells
  }


def deal(runs: Runs) -> Hands:
  """The decks whose members are finished."""
  made = []
  for deck in s2.decks(density=_DENSITY, augments=_AUGMENTS):
    hand = s2.dealt(deck, runs)
    if hand is None:
      print(f'{deck.title}: not run, some of its members are not finished')
    else:
      made.append((deck, hand))
  return made


def measure(
  deck: grid.View, hand: tuple[str, ...], folder: pathlib.Path
) -> list[str]:
  """The command that measures a deck."""
  return [
    *('launch/deck.py', *(str(folder / run) for run in hand)),
    *(f'--config={_CONFIG}', *_fields()),
    *(f'--method={deck.title}', f'--workdir={folder / "decks" / deck.name}'),
  ]


def measured(hands: Hands, folder: pathlib.Path) -> list[s2.Dealt]:
  """The decks that have results."""
  return [
    s2.Dealt(
      deck.title,
      f'decks/{deck.name}',
      {_words(folder / run): run for run in hand},
      gated=len({cell.panel for cell in deck.cells}) > 1,
    )
    for deck, hand in hands
    if (folder / 'decks' / deck.name / 'artifact' / 'deck.rcj').is_file()
  ]


def _words(run: pathlib.Path) -> str:
  """'lrr, augmix, seed 0', of the run's config."""
  told = json.loads((run / 'config.json').read_text())
  return f'{told["method"]}, {told["augment"]}, seed {told["seed"]}'


def maps(runs: Runs, folder: pathlib.Path) -> list[list[str]]:
  """The commands that draw heat maps, differences, and spectra."""
  images = (f'--config={_CONFIG}', *_fields())
  made, done = [], set()
  for method, augment in _MAPS:
    fields = s2.fields(method, augment, _DENSITY)
    (run, *_) = (*runs.get(frozenset(fields.items()), ()), None)
    if run is None:
      continue
    out = folder / 'maps' / f'{method}-{augment}'
    made.append(
      [
        *('launch/fourier.py', str(folder / run), *images),
        *(f'--images={_IMAGES.value}', f'--out={out}'),
      ]
    )
    done.add(out)
    dense = folder / 'maps' / f'dense-{augment}'
    if method != 'dense' and dense in done:
      minus = [f'--minus={dense}', f'--out={out}-minus-dense']
      made.append(['launch/fourier.py', str(out), *minus])
  spectra = ['--spectra', *images, f'--out={folder / "maps" / "spectra"}']
  return [*made, ['launch/fourier.py', *spectra]]


def report(folder: pathlib.Path) -> list[str]:
  """The command that writes tables, figures, claims and heat maps."""
  pictures = sorted((folder / 'maps').glob('*/*.png'))
  return [
    *('launch/report.py', str(folder), f'--out={folder / "report.html"}'),
    *(f'--figures={folder / "figures"}', '--title=Paper S2'),
    *(f'--picture={path}' for path in pictures),
  ]


def _fields() -> list[str]:
  root = pathlib.Path(_DATA.value).resolve()
  return [
    f'--config.data_root={root}',
    *(f'--config.{word}' for word in _SET.value),
  ]


def _run(command: list[str]) -> bool:
  """Whether it failed; the others go on."""
  print(f'python {shlex.join(command)}', flush=True)
  if _DRY_RUN.value:
    return False
  done = subprocess.run([sys.executable, *command], check=False, cwd=_ROOT)
  return done.returncode != 0


if __name__ == '__main__':
  app.run(main)
