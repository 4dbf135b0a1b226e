r"""Measures an exported network: clean, corrupted and rendered images.

  python launch/evaluate.py --artifact=runs/hydra/artifact/network.onnx \
    --runtime=onnx --config=configs/digits.py:hydra --workdir=runs/hydra

The images are those of the config, the network is that of the file, run by
what runs such files: native, native-bf16 or jax (artifacts), onnx, stablehlo or
litert. Rows go to results.csv of --workdir, beside those of the run where that
is its folder, under the name of the file and the runtime; each tells runtime,
threads, and the latency of one image. With --attack_images and --attacked_by
the file is also attacked, by the gradients of that artifact: files have none.
"""

import os
import sys
from typing import Any

import jax
from absl import app, flags, logging
from etils import epath
from ml_collections import config_flags
from parsing import parse

from rcj import data as data_sets
from rcj import evaluate, experiment, export, models
from rcj.export import latency, runtime
from rcj.phases import attack_rows, measuring
from rcj.types import Source

_ARTIFACT = flags.DEFINE_string('artifact', None, 'The exported file.')
_RUNTIME = flags.DEFINE_enum(
  'runtime', 'jax', runtime.NAMES, 'What runs the file.'
)
_THREADS = flags.DEFINE_integer(
  'threads', None, 'That it computes with; as many as it likes by default.'
)
_CONFIG = config_flags.DEFINE_config_file(
  'config', None, 'Experiment file, and after a colon its variant.'
)
_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'Run directory, new or that of the run of this config.'
)
_ATTACK_IMAGES = flags.DEFINE_integer(
  'attack_images', 0, 'Test images to attack; 0 attacks none.'
)
_ATTACKED_BY = flags.DEFINE_string(
  'attacked_by',
  None,
  'Artifact of floats whose gradients the attacks use, such as the network '
  'that the file was exported or quantized from.',
)
flags.register_multi_flags_validator(
  ['attack_images', 'attacked_by'],
  lambda given: bool(given['attack_images']) == bool(given['attacked_by']),
  '--attack_images and --attacked_by need each other',
)
flags.mark_flags_as_required(['artifact', 'config', 'workdir'])


def columns(network: runtime.Runtime) -> dict[str, Any]:
  """What rows say of the network; its provenance knows the run's.

  Raises:
    ValueError: if the file does not say of which run it is.
  """
  provenance = network.metadata.provenance
  known = provenance.get('results') if isinstance(provenance, dict) else None
  if not known:
    raise ValueError(
      f'{_ARTIFACT.value} does not say how large its network was and how it '
      'came to be; files that launch/run.py and launch/export.py write do'
    )
  return {
    **known[0],
    'run': epath.Path(_WORKDIR.value).name,
    'method': f'{known[0]["method"]}, {network.name}',
    'network': f'{epath.Path(_ARTIFACT.value).name} ({network.name})',
    'runtime': network.name,
    'threads': network.threads or os.cpu_count(),
    'batch': 1,
  }


def milliseconds(network: runtime.Runtime, suite: evaluate.Suite) -> float:
  """Latency of one image."""
  source = next(iter(suite.parts())).source
  (batch, *_) = data_sets.eval_batches(
    data_sets.subset(source, [0]), batch_size=1, transform=suite.transform
  )
  run = network.prepare(batch['image'].astype('float32') / 255)
  with latency.on_cores(network.threads):
    return latency.measure({'': run})['']


def attack_case(
  network: runtime.Runtime, test: Source
) -> attack_rows.Case | None:
  """The attacks that are asked for, None if there are none.

  Raises:
    ValueError: if the artifact has no gradients, or a network other classes.
  """
  if not _ATTACK_IMAGES.value:
    return None
  by = export.load(_ATTACKED_BY.value)
  if isinstance(by.model, models.IntNet):
    raise ValueError(
      f'--attacked_by={_ATTACKED_BY.value} is a network of integers, which has '
      'no gradients; give the artifact of the network before it was quantized'
    )
  key = jax.random.key(_CONFIG.value.seed)
  images = attack_rows.some(test, _ATTACK_IMAGES.value, by)
  for each in (network, by):
    evaluate.check_classes(each, images.classes)
  words = f'by gradients of {epath.Path(_ATTACKED_BY.value).name}'
  return attack_rows.Case(key, network, by, images, transferred=words)


def main(argv: list[str]) -> None:
  """Writes the rows and prints the mean errors."""
  logging.set_verbosity(logging.WARNING)
  if len(argv) > 1:
    raise app.UsageError(f'unknown arguments: {argv[1:]}')
  config, workdir = _CONFIG.value, epath.Path(_WORKDIR.value)
  try:
    network = runtime.opened(
      _RUNTIME.value, _ARTIFACT.value, threads=_THREADS.value
    )
    told = columns(network)
    sets = config.load_data()
    suites, attack = config.suites(sets), attack_case(network, sets.test)
    took = milliseconds(network, suites[0])
    experiment.claim(workdir, config)
    shared = {
      'workdir': workdir,
      'columns': {**told, 'latency_ms': round(took, 3)},
      'say': print,
    }
    with experiment.alone(workdir):
      mesh = experiment.data_mesh()
      measuring.measure(network, suites, mesh=mesh, **shared)
      if attack is not None:
        attack_rows.measure(attack, check_images=0, **shared)
  except (ValueError, KeyError, OSError, ImportError) as e:
    sys.exit(f'{type(e).__name__}: {e}')
  print(f'results: {workdir / "results.csv"}')


if __name__ == '__main__':
  app.run(main, flags_parser=parse)
