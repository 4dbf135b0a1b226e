r"""Errors of a network by Fourier frequency, and spectra of corruptions.

  python launch/fourier.py runs/hydra --config=configs/cifar10.py \
    --config.data_root=cifar-10-batches-py --out=maps/hydra
  python launch/fourier.py maps/hydra --minus=maps/std --out=maps/difference
  python launch/fourier.py --spectra --config=configs/cifar10.py \
    --config.data_root=cifar-10-batches-py --out=maps/spectra

The first shows a network test images of the config plus one wave of each
frequency (https://arxiv.org/abs/1906.08988) and writes error rates as
heat_map.npy, centred, heat_map.png, and meta.json. It takes a run directory
with one artifact, or the artifact. The same command continues a map that was
stopped. The second draws the difference of two finished maps, difference.npy
and .png. The third writes what frequencies the config's corruptions add,
spectra.npz and .png.
"""

import hashlib
import io
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from absl import app, flags, logging
from etils import epath
from jaxtyping import Int
from ml_collections import config_flags
from parsing import parse
from rich.console import Console

from rcj import data as data_sets
from rcj import evaluate, experiment, export, files, fourier
from rcj.export import artifact
from rcj.export.runtime import needed
from rcj.generate.folder import progress
from rcj.report import fourier_map

_CONFIG = config_flags.DEFINE_config_file(
  'config', None, 'Experiment file, whose test images are used.'
)
_OUT = flags.DEFINE_string('out', None, 'Folder of the results.')
_NORM = flags.DEFINE_float(
  'norm', None, 'L2 norm of the wave in each channel, for images in 0..1; '
  'by default 4 at 32 px and 15.7 at 224 px.',
)  # fmt: skip
_WINDOW = flags.DEFINE_integer(
  'window', None, 'Side of the square of lowest frequencies; by default all '
  'at 32 px and 63 at 224 px.',
)  # fmt: skip
_IMAGES = flags.DEFINE_integer(
  'images', 1000, 'Test images to use at most; 0 uses all.', lower_bound=0
)
_SEED = flags.DEFINE_integer('seed', 0, 'Of the random signs.')
_BATCH = flags.DEFINE_integer(
  'batch_size', 256, 'Images at a time.', lower_bound=1
)
_MINUS = flags.DEFINE_string(
  'minus', None, 'Folder of a finished map, to take from that named first.'
)
_SPECTRA = flags.DEFINE_bool(
  'spectra', False, 'Spectra of the corruptions of the config.'
)
flags.mark_flag_as_required('out')


def main(argv: list[str]) -> None:
  """Does what the flags ask for."""
  logging.set_verbosity(logging.WARNING)
  named = argv[1:]
  if len(named) != (not _SPECTRA.value) or (_SPECTRA.value and _MINUS.value):
    raise app.UsageError(
      'expected one run directory or artifact, or one folder of a map and '
      f'--minus, or --spectra alone; got {named}'
    )
  if (_CONFIG.value is None) != (_MINUS.value is not None):
    raise app.UsageError('--config is needed except with --minus')
  out = epath.Path(_OUT.value)
  try:
    needed('matplotlib', 'demo')
    if _SPECTRA.value:
      vacant(out, 'spectra.npz')
      spectra(out)
    elif _MINUS.value is not None:
      vacant(out, 'difference.npy')
      subtract(epath.Path(named[0]), epath.Path(_MINUS.value), out)
    else:
      measure(export.found(named[0]), out)
  except (ValueError, KeyError, OSError, ImportError) as e:
    sys.exit(f'{type(e).__name__}: {e}')
  print(f'complete: {out}')


def measure(path: epath.Path, out: epath.Path) -> None:
  """The heat map of an artifact."""
  of_deck = artifact.is_deck(export.describe(path))
  network = export.load_deck(path) if of_deck else export.load(path)
  mesh = experiment.data_mesh()
  suite = _CONFIG.value.suites(_CONFIG.value.load_data())[0]
  indices, words = chosen(suite)
  (part,) = suite.parts()
  source = data_sets.in_memory(
    data_sets.subset(part.source, indices), transform=suite.transform
  )
  norm, window = strength(source.images.shape[1])
  in_run = path.parent.name == 'artifact'
  run = f'{path.parent.parent.name}/' if in_run else ''
  told = {
    'artifact': run + path.name,
    'sha256': hashlib.sha256(path.read_bytes()).hexdigest(),
    'protocol': f'{suite.protocol}, {words}',
  }
  frequencies, _ = fourier.half_plane(source.images.shape[1], window=window)
  with progress('frequencies', len(frequencies), console=Console()) as advance:
    errors = evaluate.heat_map(
      jax.device_put(network, jax.NamedSharding(mesh, jax.P())),
      source,
      out,
      norm=norm,
      window=window,
      seed=_SEED.value,
      mesh=mesh,
      batch_size=_BATCH.value,
      told=told,
      advance=advance,
    )
  note = how(evaluate.read_map(out)[1])
  image = fourier_map.fourier_map(errors, title=short(told), note=note)
  files.write_whole(out / 'heat_map.png', image)


def short(told: Mapping[str, Any]) -> str:
  """The run of a map's artifact, or the file where it lay in none."""
  return told['artifact'].removesuffix('/network.rcj')


def subtract(folder: epath.Path, other: epath.Path, out: epath.Path) -> None:
  """The difference of two maps."""
  errors = evaluate.map_difference(folder, other)
  said, theirs = (evaluate.read_map(each)[1] for each in (folder, other))
  title = f'{short(said)}\nminus {short(theirs)}'
  image = fourier_map.difference_map(errors, title=title, note=how(said))
  told = {'map': said, 'minus': theirs}
  write(out, 'difference', image, told, npy=saved(np.save, errors))


def spectra(out: epath.Path) -> None:
  """The spectra of the config's corruptions."""
  clean, *others = _CONFIG.value.suites(_CONFIG.value.load_data())
  corrupted = next((s for s in others if s.name == 'corrupted'), None)
  if corrupted is None:
    raise ValueError('the config measures no corrupted images')
  indices, words = chosen(clean)
  with progress('corrupted sets', None, console=Console()) as advance:
    found = evaluate.spectra(clean, corrupted, indices, advance=advance)
  rings = {name: fourier.radial(each) for name, each in found.items()}
  image = fourier_map.spectra(found, rings, note=words)
  named = {f'radial_{name}': ring for name, ring in rings.items()}
  told = {'protocol': f'{corrupted.protocol}, {words}'}
  write(out, 'spectra', image, told, npz=saved(np.savez, **found, **named))


def chosen(suite: evaluate.Suite) -> tuple[Int[np.ndarray, ' M'], str]:
  """Which of the images are used, and that in words."""
  n = len(suite.labels)
  count = min(_IMAGES.value or n, n)
  # All over the set: files are often in the order of their classes.
  indices = np.linspace(0, n - 1, count).astype(int)
  return indices, f'{count:,} of {n:,} images'


def strength(size: int) -> tuple[float, int]:
  """Norm and window; raises ValueError where there is no default."""
  norm, window = _NORM.value, _WINDOW.value
  if norm is None and size not in fourier.PAPER:
    raise ValueError(
      f'--norm is needed for images of {size} px; the paper has '
      f'{ {s: norm for s, (norm, _) in fourier.PAPER.items()} }'
    )
  usual_norm, usual_window = fourier.PAPER.get(size, (norm, size))
  return (
    usual_norm if norm is None else norm,
    usual_window if window is None else window,
  )


def how(said: Mapping[str, Any]) -> str:
  """What a figure says of the measurement."""
  return f'norm {said["norm"]:g}, {said["n"]:,} images'


def vacant(out: epath.Path, own: str) -> None:
  """Raises ValueError if the folder holds something else than `own`."""
  if not (out / own).exists() and out.is_dir() and any(out.iterdir()):
    raise ValueError(
      f'{out} is not empty and holds no {own}; choose another --out'
    )


def write(
  out: epath.Path, name: str, png: bytes, told: Any, **array: bytes
) -> None:
  """Writes the array, its figure, and what is to be known of them."""
  out.mkdir(parents=True, exist_ok=True)
  for kind, data in {**array, 'png': png}.items():
    files.write_whole(out / f'{name}.{kind}', data)
  text = json.dumps(told, indent=2) + '\n'
  files.write_whole(out / 'meta.json', text.encode())


def saved(save: Callable[..., None], *args: Any, **arrays: Any) -> bytes:
  """What a function of NumPy writes."""
  buffer = io.BytesIO()
  save(buffer, *args, **arrays)
  return buffer.getvalue()


if __name__ == '__main__':
  app.run(main, flags_parser=parse)
