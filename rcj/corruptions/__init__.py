"""Common corruptions of ImageNet-C, Tiny-ImageNet-C and CIFAR-10-C.

Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common
Corruptions and Perturbations", 2019, https://arxiv.org/abs/1903.12261.

A corruption first draws its random fields from a key, without knowing the
images; a function without randomness then applies them. The benchmark computes
in float64; noise, defocus blur, fog and contrast are float32 here: there a
value that falls on an integer may be truncated to its neighbour.
"""

from rcj.corruptions.dispatch import apply, corrupt, draw, render
from rcj.corruptions.frost import frost_words
from rcj.corruptions.generate import corrupted_part, corrupted_set
from rcj.corruptions.tables import NAMES, SEVERITIES, STANDARD

__all__ = [
  'NAMES',
  'SEVERITIES',
  'STANDARD',
  'apply',
  'corrupt',
  'corrupted_part',
  'corrupted_set',
  'draw',
  'frost_words',
  'render',
]
