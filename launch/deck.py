r"""Lets finished networks vote: a CARD-Deck, measured and as one file.

  python launch/deck.py runs/lrr runs/lrr_augmix --config=configs/cards.py \
    --config.data_root=cifar-10-batches-py --workdir=runs/deck

Each argument is an artifact or a run directory with one. Images are those of
the config. The mean softmax of all members is measured ('agnostic'); and where
members were trained with several augmentations, a gate is built from training
images that chooses whose members are asked, for each batch of one corruption
and for each image ('adaptive'). Rows go to results.csv of --workdir, the deck
with its gate to artifact/deck.rcj.
"""

import functools
import sys
from typing import Any

import jax
from absl import app, flags, logging
from etils import epath
from ml_collections import config_flags
from parsing import parse

from rcj import experiment
from rcj.augment import Views
from rcj.phases import deck_rows
from rcj.s0 import training

_CONFIG = config_flags.DEFINE_config_file(
  'config', None, 'Experiment file, whose images are used.'
)
_WORKDIR = flags.DEFINE_string('workdir', None, 'Run directory of the deck.')
_METHOD = flags.DEFINE_string(
  'method', None, "Label in tables; 'CARD-Deck of 4' of four by default."
)
flags.mark_flags_as_required(['config', 'workdir'])


def scheme(config: Any, augment: str) -> Views:
  """What networks saw that were trained with an augmentation.

  Raises:
    ValueError: if it was read from files, which the gate does not see.
  """
  if training.from_files(config, augment):
    raise ValueError(
      f'members were trained with {augment} from files, which a gate cannot be '
      'built from; leave out deepaugment_root for Noise2Net in its place'
    )
  return training.views(config, augment)


def main(argv: list[str]) -> None:
  """Writes rows and file, and prints the mean errors."""
  logging.set_verbosity(logging.WARNING)
  if len(argv) < 2:
    raise app.UsageError('expected artifacts or run directories')
  config, workdir = _CONFIG.value, epath.Path(_WORKDIR.value)
  method = _METHOD.value or f'CARD-Deck of {len(argv) - 1}'
  try:
    cards = [deck_rows.read(place) for place in argv[1:]]
    sets = config.load_data()
    suites = config.suites(sets)
    made = deck_rows.assembled(
      jax.random.key(config.seed),
      cards,
      train=sets.train,
      views=functools.partial(scheme, config),
    )
    experiment.claim(workdir, config)
    with experiment.alone(workdir):
      deck_rows.measure(
        made,
        cards,
        suites,
        method=method,
        workdir=workdir,
        mesh=experiment.data_mesh(),
        labels={'variant': config.variant, 'seed': config.seed},
        say=print,
      )
  except (ValueError, KeyError, OSError, ImportError) as e:
    sys.exit(f'{type(e).__name__}: {e}')
  print(f'results: {workdir / "results.csv"}')


if __name__ == '__main__':
  app.run(main, flags_parser=parse)
