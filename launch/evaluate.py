r"""Measures an exported network: clean, corrupted and rendered images.

  python launch/evaluate.py --artifact=runs/hydra/artifact/network.onnx \
    --runtime=onnx --config=configs/digits.py:hydra --workdir=runs/hydra

The images are those of the config, the network is that of the file, run by
what runs such files: jax (artifacts), onnx, stablehlo or litert. Rows go to
results.csv of --workdir, beside those of the run where it is the run's folder,
under the name of the file and the runtime; each tells runtime, threads, and the
latency of one image.
"""

import os
import sys
from typing import Any

from absl import app, flags, logging
from etils import epath
from ml_collections import config_flags
from parsing import parse

from rcj import data as data_sets
from rcj import evaluate, experiment
from rcj.export import latency, runtime
from rcj.phases import measuring

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
    suites = config.suites(config.load_data())
    took = milliseconds(network, suites[0])
    experiment.claim(workdir, config)
    with experiment.alone(workdir):
      measuring.measure(
        network,
        suites,
        workdir=workdir,
        mesh=experiment.data_mesh(),
        columns={**told, 'latency_ms': round(took, 3)},
        say=print,
      )
  except (ValueError, KeyError, OSError, ImportError) as e:
    sys.exit(f'{type(e).__name__}: {e}')
  print(f'results: {workdir / "results.csv"}')


if __name__ == '__main__':
  app.run(main, flags_parser=parse)
