"""PGD: projected gradient steps from a random point of the ball.

Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks",
2018, https://arxiv.org/abs/1706.06083.
"""

from __future__ import annotations

from jaxtyping import Array, Key

from rcj.attacks import balls, door
from rcj.attacks.descent import climb
from rcj.attacks.door import Images, Labels, Norm, Predict

_STEPS = {'linf': 40, 'l2': 50}
_STEP_SIZE = {'linf': 0.01 / 0.3, 'l2': 0.025}  # in units of eps


def pgd(
  key: Key[Array, ''],
  predict: Predict,
  images: Images,
  labels: Labels,
  *,
  eps: float,
  norm: Norm = 'linf',
  steps: int | None = None,
  step_size: float | None = None,
  random_start: bool = True,
) -> Images:
  """Projected steps along the gradient, from a random point of the ball.

  Equal to `LinfPGD` and `L2PGD` of foolbox. Images that are already wrong
  move, too.

  Args:
    key: draws the starts.
    predict: images in 0..1 to logits.
    images: float32 in 0..1.
    labels: classes to get away from.
    eps: radius of the ball, in units of images in 0..1.
    norm: of the ball.
    steps: gradients taken; None is 40 for Linf, 50 for L2.
    step_size: in the units of `eps`; None is eps / 30 for Linf, eps / 40 for
      L2.
    random_start: False starts at the images; the key is then not used.

  Raises:
    ValueError: if shapes, ranges or options are wrong.
    TypeError: if types are.
  """
  predict, images, labels = door.case(predict, images, labels)
  eps = door.radius(eps, images, norm=norm)
  if step_size is None:
    step_size = _STEP_SIZE[norm] * eps
  start = images
  if random_start:
    delta = balls.draw(key, images, eps=eps, norm=norm)
    start = balls.moved(images, delta, eps=eps, norm=norm)
  return climb(
    predict,
    images,
    labels,
    start,
    eps=eps,
    step_size=door.amount('step_size', step_size, images),
    steps=door.count('steps', _STEPS[norm] if steps is None else steps),
    norm=norm,
  )
