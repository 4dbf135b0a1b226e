"""The phase that attacks a network."""

from __future__ import annotations

import dataclasses

import jax

from rcj.carry import Carry, Env, frozen
from rcj.phases.attack_rows import Case, local, measure
from rcj.phases.measuring import costs
from rcj.phases.network import saved_network

_DRAWS = 0x41747461  # far from the numbers of phases


@dataclasses.dataclass(frozen=True)
class Attack:
  """Measures the network under attack and writes the rows.

  Suites 'light' and 'heavy' are the attacks of both strengths (decision 15);
  'smallest' tells norms of the smallest perturbations; 'check' is what tells
  whether gradients are masked, and the verdict stands in every row. The network
  that ships is attacked: of a quantized one its integers, by the gradients of
  the fake-quantized one (decision 14). Every process does all of it.

  Attributes:
    method: label in tables and figures.
    images: of the test set, a stratified part, for both strengths.
    check_images: a stratified part of these, for 'smallest' and 'check'; 0
      leaves both out.
    parent: name of a saved dense network that transfer begins from.
    network: label within the run.
  """

  method: str
  images: int = 200
  check_images: int = 100
  parent: str | None = None
  network: str = 'network'

  def __post_init__(self):
    if not 0 <= self.check_images <= self.images or self.images < 1:
      raise ValueError(
        'Attack wants images of at least 1 and check_images from 0 to images, '
        f'got images={self.images} and check_images={self.check_images}'
      )

  def __call__(self, carry: Carry, env: Env) -> Carry:
    """The carry unchanged.

    Raises:
      KeyError: if no network was saved as `parent`.
    """
    classes = tuple(env.data.train.classes)
    own = frozen(carry, classes)
    parent = None
    if self.parent is not None:
      parent = saved_network(carry, self.parent, 'Attack').network
    # One for all networks of a seed, so that pairs of them see the same noise.
    key = jax.random.fold_in(env.key, _DRAWS)
    case = Case.of(own, env.data.test, key=key, images=self.images)
    measure(
      dataclasses.replace(case, parent=parent and local(parent)),
      check_images=self.check_images,
      workdir=env.workdir,
      columns={
        **env.labels,
        'run': env.workdir.name,
        'network': self.network,
        'method': self.method,
        **costs(own),
      },
      say=env.journal.say,
    )
    return carry
