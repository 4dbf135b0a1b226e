r"""Writes DeepAugment's distorted copies of a folder of training images.

  python launch/deepaugment.py --network=edsr --images=imagenet/train \
    --weights=edsr_baseline_x4-6b446fab.pt --out=deepaugment/edsr
  python launch/deepaugment.py --network=cae --images=imagenet/train \
    --weights=model_final.state --out=deepaugment/cae

Training with --config.augment=amda (or deepaugment) then takes the two folders
from --config.deepaugment_root=deepaugment; without it, Noise2Net distorts the
images while training.

The weights are those of sanghyun-son/EDSR-PyTorch and alexandru-dinu/cae.
Copies keep the paths of the images. The same command continues a folder that
was stopped and makes the same images; --part=I/N makes one of N parts, so that
each device or machine can have a process (CUDA_VISIBLE_DEVICES says which
device it takes). The network is compiled once for each size of image, which
launch/env.sh keeps for the other processes. A folder of links to the folders of
some classes is a folder of these classes alone. Images that cannot be read are
listed at the end.
"""

import re
import sys

from absl import app, flags
from rich.console import Console

from rcj import deepaugment, generate

_NETWORKS = {'edsr': generate.EDSR, 'cae': generate.CAE}
_NETWORK = flags.DEFINE_enum(
  'network', None, list(_NETWORKS), 'What distorts the images.'
)
_WEIGHTS = flags.DEFINE_string(
  'weights', None, "The network's file, by torch.save or .safetensors."
)
_IMAGES = flags.DEFINE_string('images', None, 'Folder of images.')
_OUT = flags.DEFINE_string('out', None, 'Folder to fill.')
_SEED = flags.DEFINE_integer('seed', 0, 'Of all randomness.')
_PART = flags.DEFINE_string(
  'part', '1/1', 'I/N, the I-th of N parts of the images.'
)
flags.register_validator(
  'out',
  lambda out: '://' not in (out or ''),
  'Images are written to a folder of this machine.',
)
flags.mark_flags_as_required(['network', 'weights', 'images', 'out'])


def main(argv: list[str]) -> None:
  """Distorts the images."""
  if len(argv) > 1:
    raise app.UsageError(f'unknown arguments: {argv[1:]}')
  try:
    part = re.fullmatch(r'(\d+)/(\d+)', _PART.value)
    if part is None:
      raise ValueError(f"part is I/N, such as '1/4', not {_PART.value!r}")
    unread = generate.deepaugment(
      _NETWORKS[_NETWORK.value],
      deepaugment.load(_WEIGHTS.value, _NETWORK.value),
      _IMAGES.value,
      _OUT.value,
      seed=_SEED.value,
      part=int(part[1]),
      parts=int(part[2]),
      console=Console(),
    )
  except (ValueError, OSError) as e:
    sys.exit(f'{type(e).__name__}: {e}')
  if unread:
    shown = '\n  '.join(unread)
    print(f'{len(unread)} images cannot be read:\n  {shown}')
  print(f'written: {_OUT.value}')


if __name__ == '__main__':
  app.run(main)
