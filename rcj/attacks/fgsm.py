"""FGSM: one step of the size of the ball.

Goodfellow et al., "Explaining and Harnessing Adversarial Examples", 2015,
https://arxiv.org/abs/1412.6572.
"""

from __future__ import annotations

from rcj.attacks import door
from rcj.attacks.descent import climb
from rcj.attacks.door import Images, Labels, Norm, Predict


def fgsm(
  predict: Predict,
  images: Images,
  labels: Labels,
  *,
  eps: float,
  norm: Norm = 'linf',
) -> Images:
  """One step of size `eps` along the gradient's sign, or its direction (L2).

  Equal to `FGSM` and `FGM` of foolbox. Images that are already wrong move, too.

  Args:
    predict: images in 0..1 to logits.
    images: float32 in 0..1.
    labels: classes to get away from.
    eps: radius of the ball, in units of images in 0..1.
    norm: of the ball.

  Raises:
    ValueError: if shapes, ranges or options are wrong.
    TypeError: if types are.
  """
  predict, images, labels = door.case(predict, images, labels)
  eps = door.radius(eps, images, norm=norm)
  return climb(
    predict, images, labels, images, eps=eps, step_size=eps, steps=1, norm=norm
  )
