"""BIM: FGSM in small steps.

Kurakin et al., "Adversarial examples in the physical world", 2017,
https://arxiv.org/abs/1607.02533.
"""

from __future__ import annotations

from rcj.attacks import door
from rcj.attacks.descent import climb
from rcj.attacks.door import Images, Labels, Norm, Predict


def bim(
  predict: Predict,
  images: Images,
  labels: Labels,
  *,
  eps: float,
  norm: Norm = 'linf',
  steps: int = 10,
  step_size: float | None = None,
) -> Images:
  """Projected steps along the gradient, from the image itself.

  Equal to `LinfBasicIterativeAttack` and `L2BasicIterativeAttack` of foolbox.
  Images that are already wrong move, too.

  Args:
    predict: images in 0..1 to logits.
    images: float32 in 0..1.
    labels: classes to get away from.
    eps: radius of the ball, in units of images in 0..1.
    norm: of the ball.
    steps: gradients taken.
    step_size: in the units of `eps`; None is 0.2 eps.

  Raises:
    ValueError: if shapes, ranges or options are wrong.
    TypeError: if types are.
  """
  predict, images, labels = door.case(predict, images, labels)
  eps = door.radius(eps, images, norm=norm)
  if step_size is None:
    step_size = 0.2 * eps
  return climb(
    predict,
    images,
    labels,
    images,
    eps=eps,
    step_size=door.amount('step_size', step_size, images),
    steps=door.count('steps', steps),
    norm=norm,
  )
