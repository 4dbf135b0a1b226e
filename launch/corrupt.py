r"""Writes a test set under corruptions, in the layout of a published benchmark.

  python launch/corrupt.py --data=imagenet100 --data_root=imagenet \
    --out=imagenet100-c
  python launch/corrupt.py --data=tiny_imagenet --data_root=tiny-imagenet-200 \
    --out=tiny-imagenet-c --resize=64 --size=64
  python launch/corrupt.py --data=cifar10 --data_root=cifar-10-batches-py \
    --out=cifar-10-c --layout=cifar10_c

Layout imagenet_c is CORRUPTION/SEVERITY/CLASS/*.JPEG, of any set that rcj
reads; cifar10_c is CORRUPTION.npy and labels.npy, of sets with 32 px. The same
command continues a folder that was stopped and makes the same images; other
settings in the same folder are refused. The folder is read wherever the
official one is, as --config.corrupted_root, and every row says that it was
generated.
"""

import sys

from absl import app, flags
from rich.console import Console

from rcj import corruptions, data, generate

_DATA = flags.DEFINE_string('data', None, 'Name of the data set.')
_DATA_ROOT = flags.DEFINE_string('data_root', '', 'Its folder, if it has one.')
_OPTION = flags.DEFINE_multi_string(
  'option', [], "NAME=TEXT, option of the set's reader; may be repeated."
)
_OUT = flags.DEFINE_string('out', None, 'Folder to fill.')
_LAYOUT = flags.DEFINE_enum(
  'layout', 'imagenet_c', ['imagenet_c', 'cifar10_c'], 'What it looks like.'
)
_NAMES = flags.DEFINE_list(
  'names',
  list(corruptions.STANDARD),
  'Corruptions; the benchmark has 15, 4 extra.',
)
_SEVERITIES = flags.DEFINE_string('severities', '12345', 'Their digits.')
_TABLE = flags.DEFINE_integer(
  'table', None, 'Severity table, 32, 64 or 224; by default by the size.'
)
_SEED = flags.DEFINE_integer('seed', 0, 'Of all randomness.')
_TEXTURES = flags.DEFINE_string(
  'textures', None, "Folder of the benchmark's frost textures; else own ones."
)
_RESIZE = flags.DEFINE_integer(
  'resize', 256, 'Shorter side before the crop (imagenet_c).'
)
_SIZE = flags.DEFINE_integer('size', 224, 'Side of the crop (imagenet_c).')
_QUALITY = flags.DEFINE_string(
  'quality', '85', 'Of the JPEG files, or png for no loss (imagenet_c).'
)
flags.register_validator(
  'out',
  lambda out: '://' not in (out or ''),
  'Images are written to a folder of this machine.',
)
flags.mark_flags_as_required(['data', 'out'])


def main(argv: list[str]) -> None:
  """Corrupts the test images of the set."""
  if len(argv) > 1:
    raise app.UsageError(f'unknown arguments: {argv[1:]}')
  try:
    cells, how = settings()
    source = data.load(_DATA.value, root=_DATA_ROOT.value, **options()).test
    write = getattr(generate, _LAYOUT.value)
    write(
      source,
      _OUT.value,
      cells,
      name=_DATA.value,
      console=Console(),
      **how,
    )
  except (ValueError, TypeError, OSError, ImportError) as e:
    sys.exit(f'{type(e).__name__}: {e}')
  print(f'complete: {_OUT.value}')


def options() -> dict[str, str]:
  """What --option says; raises ValueError for words without '='."""
  pairs = [word.partition('=') for word in _OPTION.value]
  if odd := [name for name, equals, _ in pairs if not equals]:
    raise ValueError(f'--option is NAME=TEXT, such as source=photo, not {odd}')
  return {name: text for name, _, text in pairs}


def settings() -> tuple[generate.Cells, dict[str, int | None]]:
  """The cells, and the options of the layout.

  Raises:
    ValueError: for severities or a quality that are no numbers.
  """
  severities, quality = _SEVERITIES.value, _QUALITY.value
  if not set(severities) <= set('12345'):
    raise ValueError(
      f"severities are some of the digits 12345, such as '135', not "
      f'{severities!r}'
    )
  cells = generate.Cells(
    names=tuple(dict.fromkeys(_NAMES.value)),
    severities=tuple(sorted(map(int, set(severities)))),
    table=_TABLE.value,
    seed=_SEED.value,
    textures=_TEXTURES.value,
  )
  if _LAYOUT.value == 'cifar10_c':
    return cells, {}
  if quality != 'png' and not quality.isdecimal():
    raise ValueError(f"quality is a number or 'png', not {quality!r}")
  return cells, {
    'resize': _RESIZE.value,
    'size': _SIZE.value,
    'quality': None if quality == 'png' else int(quality),
  }


if __name__ == '__main__':
  app.run(main)
