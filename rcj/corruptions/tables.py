"""Severity tables: what each corruption is told at severities 1 to 5.

Three tables by the side of the images that they were made for: 224 of
ImageNet-C, 64 of Tiny-ImageNet-C, 32 of CIFAR-10-C (hendrycks/robustness,
make_imagenet_c.py, make_tinyimagenet_c.py and make_cifar_c.py).
"""

from __future__ import annotations

SEVERITIES = (1, 2, 3, 4, 5)
SIDES = (32, 64, 224)

# {corruption: {side: one row per severity}}; a row holds what stands above it.
TABLES = {
  # standard deviation, images in 0..1
  'gaussian_noise': {
    224: ((0.08,), (0.12,), (0.18,), (0.26,), (0.38,)),
    64: ((0.04,), (0.08,), (0.12,), (0.15,), (0.18,)),
    32: ((0.04,), (0.06,), (0.08,), (0.09,), (0.10,)),
  },
  # photons of a value of 1
  'shot_noise': {
    224: ((60,), (25,), (12,), (5,), (3,)),
    64: ((250,), (100,), (50,), (30,), (15,)),
    32: ((500,), (250,), (100,), (75,), (50,)),
  },
  # probability that a value is replaced
  'impulse_noise': {
    224: ((0.03,), (0.06,), (0.09,), (0.17,), (0.27,)),
    64: ((0.01,), (0.02,), (0.05,), (0.08,), (0.14,)),
    32: ((0.01,), (0.02,), (0.03,), (0.05,), (0.07,)),
  },
  # radius of the disk in pixels, sigma of the blur that softens its rim
  'defocus_blur': {
    224: ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    64: ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
    32: ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
  },
  # thickness, decay of the plasma's roughness from one octave to the next
  'fog': {
    224: ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    64: ((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75)),
    32: ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
  },
  # added to the value of HSV, in 0..1
  'brightness': {
    224: ((0.1,), (0.2,), (0.3,), (0.4,), (0.5,)),
    64: ((0.1,), (0.2,), (0.3,), (0.4,), (0.5,)),
    32: ((0.05,), (0.1,), (0.15,), (0.2,), (0.3,)),
  },
  # factor of the distance to the mean
  'contrast': {
    224: ((0.4,), (0.3,), (0.2,), (0.1,), (0.05,)),
    64: ((0.4,), (0.3,), (0.2,), (0.1,), (0.05,)),
    32: ((0.75,), (0.5,), (0.4,), (0.3,), (0.15,)),
  },
  # factor of the side
  'pixelate': {
    224: ((0.6,), (0.5,), (0.4,), (0.3,), (0.25,)),
    64: ((0.9,), (0.8,), (0.7,), (0.6,), (0.5,)),
    32: ((0.95,), (0.9,), (0.85,), (0.75,), (0.65,)),
  },
  # libjpeg's quality
  'jpeg_compression': {
    224: ((25,), (18,), (15,), (10,), (7,)),
    64: ((65,), (58,), (50,), (40,), (25,)),
    32: ((80,), (65,), (58,), (50,), (40,)),
  },
}

NAMES = tuple(TABLES)  # those that can be made here
STANDARD = (  # those of the benchmark's mean
  *('gaussian_noise', 'shot_noise', 'impulse_noise'),
  *('defocus_blur', 'glass_blur', 'motion_blur', 'zoom_blur'),
  *('snow', 'frost', 'fog', 'brightness'),
  *('contrast', 'elastic_transform', 'pixelate', 'jpeg_compression'),
)


def parameters(
  name: str, severity: int, table: int | None, shape: tuple[int, ...]
) -> tuple[float, ...]:
  """The row of a corruption at a severity.

  Args:
    name: one of `NAMES`.
    severity: 1 to 5.
    table: 32, 64 or 224; None takes the smallest of them that is not smaller
      than the longer side of the images, and 224 for larger images.
    shape: `(N, H, W, 3)` of the images.

  Raises:
    ValueError: an unknown name, severity or table.
  """
  if name not in TABLES:
    raise ValueError(
      f'unknown corruption {name!r}; implemented are {", ".join(NAMES)}'
    )
  if severity not in SEVERITIES or isinstance(severity, float):
    raise ValueError(
      f'severity must be an integer from 1 to 5, not {severity!r}; a clean '
      'image is severity 0 and needs no call'
    )
  if table is None:
    side = max(shape[1:3])
    table = next((s for s in SIDES if side <= s), SIDES[-1])
  if table not in SIDES:
    raise ValueError(
      f'no severity table {table!r}; the tables are {SIDES} (the side of the '
      'images they were made for), or None to choose by the side'
    )
  return tuple(float(value) for value in TABLES[name][table][severity - 1])
