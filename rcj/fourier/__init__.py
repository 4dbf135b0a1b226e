"""Fourier analysis of images and networks.

"A Fourier Perspective on Model Robustness in Computer Vision" (Yin et al.
2019), https://arxiv.org/abs/1906.08988: images plus one real Fourier wave, and
spectra of what corruptions add. Images are float in 0..1; spectra and
frequencies are centred, with frequency 0 at (size // 2, size // 2).
"""

from rcj.fourier.basis import basis, half_plane, mirror
from rcj.fourier.perturbation import PAPER, perturbed, signs
from rcj.fourier.spectra import radial, spectrum

__all__ = [
  'PAPER',
  'basis',
  'half_plane',
  'mirror',
  'perturbed',
  'radial',
  'signs',
  'spectrum',
]
