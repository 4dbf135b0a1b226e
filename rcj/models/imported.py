"""A `Frozen` network from the named arrays of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from rcj import tree
from rcj.models import apply
from rcj.types import Frozen, Preprocessing, PyTree
from rcj.weights import Masked

_HEAD = ('params/head/kernel', 'params/head/bias')


def leaves(module: nn.Module) -> dict[str, jax.ShapeDtypeStruct]:
  """{'params/...' or 'batch_stats/...': shape} of all that a module needs."""
  return tree.leaves(_shapes(module))


def network(
  module: nn.Module,
  arrays: Mapping[str, np.ndarray],
  preprocessing: Preprocessing,
  classes: Sequence[int] | None,
) -> Frozen:
  """A dense network with float32 parameters.

  Args:
    module: a network with as many classes as the arrays have.
    arrays: by the names that `leaves` gives.
    preprocessing: what the network was trained with.
    classes: outputs to keep, in this order; None keeps all.

  Raises:
    ValueError: if a class does not exist, or is named twice.
  """
  chosen = range(module.num_classes) if classes is None else list(classes)
  _check_classes(chosen, module.num_classes)
  index = np.asarray(chosen)
  sliced = {n: arrays[n][..., index] for n in _HEAD if n in arrays}
  arrays = {**arrays, **sliced}
  variables = tree.map_named(
    lambda n, _: jnp.asarray(arrays[n], jnp.float32), _shapes(module)
  )
  nowhere = jax.tree.map(lambda _: None, variables['params'])
  return Frozen(
    **variables,
    masks=nowhere,
    scores=nowhere,
    model=module.clone(num_classes=len(chosen)),
    effective=Masked(),
    preprocessing=preprocessing,
    classes=tuple(str(i) for i in chosen),
  )


def _shapes(module: nn.Module) -> PyTree:
  params, batch_stats = jax.eval_shape(
    lambda key: apply.init(key, module, size=32), jax.random.key(0)
  )
  return {'params': params, 'batch_stats': batch_stats}


def _check_classes(chosen: Sequence[int], total: int) -> None:
  wrong = [i for i in chosen if not 0 <= i < total]
  if wrong or not chosen or len(set(chosen)) < len(chosen):
    what = f'{wrong} of them do not exist' if wrong else 'they are not'
    raise ValueError(
      f'classes must be distinct outputs of the file, which has {total} '
      f'(0 to {total - 1}); {what}: {list(chosen)}'
    )
