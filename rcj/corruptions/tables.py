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
  # sigma, how far pixels look, rounds
  'glass_blur': {
    224: ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    64: ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
    32: ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
  },
  # radius (half the length of the line), sigma
  'motion_blur': {
    224: ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    64: ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
    32: ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
  },
  # end and step of the factors, which start at 1
  'zoom_blur': {
    224: ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    64: ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
    32: ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
  },
  # mean and deviation of the flakes, their enlargement and threshold,
  # radius and sigma of their motion, part of the image that is kept
  'snow': {
    224: (
      (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
      (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
      (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
      (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
      (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    ),
    64: (
      (0.1, 0.2, 1, 0.6, 8, 3, 0.8),
      (0.1, 0.2, 1, 0.5, 10, 4, 0.8),
      (0.15, 0.3, 1.75, 0.55, 10, 4, 0.7),
      (0.25, 0.3, 2.25, 0.6, 12, 6, 0.65),
      (0.3, 0.3, 1.25, 0.65, 14, 12, 0.6),
    ),
    32: (
      (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
      (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
      (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
      (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
      (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    ),
  },
  # factors of image and texture, factor of the sides of the texture
  'frost': {
    224: (
      (1, 0.4, 1),
      (0.8, 0.6, 1),
      (0.7, 0.7, 1),
      (0.65, 0.7, 1),
      (0.6, 0.75, 1),
    ),
    64: (
      (1, 0.3, 0.3),
      (0.9, 0.4, 0.3),
      (0.8, 0.45, 0.3),
      (0.75, 0.5, 0.3),
      (0.7, 0.55, 0.3),
    ),
    32: (
      (1, 0.2, 0.2),
      (1, 0.3, 0.2),
      (0.9, 0.4, 0.2),
      (0.85, 0.4, 0.2),
      (0.75, 0.45, 0.2),
    ),
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
  # unit in pixels; in units: largest displacement before smoothing, sigma of
  # the smoothing, jitter of the affine map
  'elastic_transform': {
    224: (
      (244, 2, 0.7, 0.1),
      (244, 2, 0.08, 0.2),
      (244, 0.05, 0.01, 0.02),
      (244, 0.07, 0.01, 0.02),
      (244, 0.12, 0.01, 0.02),
    ),
    64: (
      (64, 0, 0, 0.08),
      (64, 0.05, 0.3, 0.06),
      (64, 0.1, 0.08, 0.06),
      (64, 0.1, 0.03, 0.03),
      (64, 0.16, 0.03, 0.02),
    ),
    32: (
      (32, 0, 0, 0.08),
      (32, 0.05, 0.2, 0.07),
      (32, 0.08, 0.06, 0.06),
      (32, 0.1, 0.04, 0.05),
      (32, 0.1, 0.03, 0.03),
    ),
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
  # standard deviation, relative to the value
  'speckle_noise': {
    224: ((0.15,), (0.2,), (0.35,), (0.45,), (0.6,)),
    64: ((0.15,), (0.2,), (0.25,), (0.3,), (0.35,)),
    32: ((0.06,), (0.1,), (0.12,), (0.16,), (0.2,)),
  },
  # sigma in pixels
  'gaussian_blur': {
    224: ((1,), (2,), (3,), (4,), (6,)),
    64: ((0.5,), (0.75,), (1,), (1.25,), (1.5,)),
    32: ((0.4,), (0.6,), (0.7,), (0.8,), (1,)),
  },
  # mean, deviation and sigma of the liquid, threshold of drops, strength of
  # water or sigma of the edges of mud, whether it is mud
  'spatter': {
    224: (
      (0.65, 0.3, 4, 0.69, 0.6, 0),
      (0.65, 0.3, 3, 0.68, 0.6, 0),
      (0.65, 0.3, 2, 0.68, 0.5, 0),
      (0.65, 0.3, 1, 0.65, 1.5, 1),
      (0.67, 0.4, 1, 0.65, 1.5, 1),
    ),
    64: (
      (0.62, 0.1, 0.7, 0.7, 0.6, 0),
      (0.65, 0.1, 0.8, 0.7, 0.6, 0),
      (0.65, 0.3, 1, 0.69, 0.6, 0),
      (0.65, 0.1, 0.7, 0.68, 0.6, 1),
      (0.65, 0.1, 0.5, 0.67, 0.6, 1),
    ),
    32: (
      (0.62, 0.1, 0.7, 0.7, 0.5, 0),
      (0.65, 0.1, 0.8, 0.7, 0.5, 0),
      (0.65, 0.3, 1, 0.69, 0.5, 0),
      (0.65, 0.1, 0.7, 0.69, 0.6, 1),
      (0.65, 0.1, 0.5, 0.68, 0.6, 1),
    ),
  },
  # factor of the saturation of HSV, added to it
  'saturate': {
    224: ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),
    64: ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (30, 0.2)),
    32: ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
  },
}

NAMES = tuple(TABLES)
STANDARD = NAMES[:15]  # those of the benchmark's mean; the others are extra


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
      f'unknown corruption {name!r}; there are {", ".join(NAMES)}'
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
