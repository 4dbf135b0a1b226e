"""The phase that starts from a network that was trained before."""

from __future__ import annotations

import dataclasses

from etils import epath

from rcj import export, models, weights
from rcj.carry import Carry, Env, decode_any, frozen, place
from rcj.checkpoint import opened
from rcj.data.listing import some
from rcj.phases.network import dense_state
from rcj.types import Frozen, Preprocessing

_IMAGENET = 1000


@dataclasses.dataclass(frozen=True)
class Load:
  """Starts from a network of a file or of another run.

  The network is dense: what masks or scores had removed is zero, and may grow
  again. It keeps its own normalisation.

  A PyTorch network of all 1000 classes of ImageNet keeps the outputs of the
  data's classes alone (decision 25), where the data set knows which they are.

  Attributes:
    path: a PyTorch checkpoint, see `models.load_torch`; the directory of a run,
      whose last network is taken; or an artifact (.rcj), see `export.load`.
      BatchNorm is part of the convolutions in an artifact: to train on, a run's
      directory is the better beginning.
    model: name in the registry. PyTorch checkpoints need it, the network of a
      run is compared with it where it is given, artifacts tell no name.
    new_head: replaces the classifier by one of random weights for the classes
      of the data, as transfer learning does.
    sizes: its size and resize are those of the inputs from now on; None keeps
      the network's own.
  """

  path: str
  model: str = ''
  new_head: bool = False
  sizes: Preprocessing | None = None

  def __post_init__(self):
    if self.model:
      models.create(self.model, num_classes=1)  # an unknown name fails here

  def __call__(self, carry: Carry, env: Env) -> Carry:
    """The carry with the loaded network.

    Raises:
      FileNotFoundError: if there is nothing at the path.
      ValueError: if it is of another kind, another network than `model`, or of
        other classes than the data while `new_head` is False; or for a new
        head of a quantized network.
    """
    network = self._resized(self._read(env))
    classes = tuple(env.data.train.classes)
    if self.new_head:
      network = models.with_new_head(env.phase_key(carry), network, classes)
    else:
      self._check_classes(network, classes)
    k = network.effective.counts(network.scores)
    params = network.effective(network.params, network.masks, network.scores, k)
    state = dense_state(params, network.batch_stats)
    return dataclasses.replace(
      carry,
      state=place(state, env.replicated),
      model=network.model,
      effective=weights.Masked(),
      preprocessing=network.preprocessing,
      origin=network.origin,
    )

  def _resized(self, network: Frozen) -> Frozen:
    if self.sizes is None:
      return network
    shown = dataclasses.replace(
      network.preprocessing, size=self.sizes.size, resize=self.sizes.resize
    )
    return dataclasses.replace(network, preprocessing=shown)

  def _read(self, env: Env) -> Frozen:
    path = epath.Path(self.path)
    if path.is_dir():
      return self._of_run(path, env)
    if not path.exists():
      raise FileNotFoundError(f'Load: {path} does not exist{_beside(path)}')
    if self._is_artifact:
      return export.load(path)
    if not self.model:
      raise ValueError(
        f'{path} is no directory of a run and no .rcj; to be read as a PyTorch '
        'checkpoint it needs the name of its network, model=...'
      )
    network = models.load_torch(self.path, self.model)
    parents = env.data.parents
    fewer = len(env.data.train.classes) < _IMAGENET == len(network.classes)
    if fewer and parents is not None and not self.new_head:
      return models.load_torch(self.path, self.model, classes=parents)
    return network

  @property
  def _is_artifact(self) -> bool:
    return self.path.endswith('.rcj')

  def _of_run(self, path: epath.Path, env: Env) -> Frozen:
    network = _last(path, env)
    found = models.spec(network.origin or network.model)
    if self.model and found.get('name') != self.model:
      raise ValueError(
        f'the network of {path} is a {found.get("name", found.get("net"))}, '
        f'not a {self.model}'
      )
    return network

  def _check_classes(self, network: Frozen, classes: tuple[str, ...]) -> None:
    have, want = network.model.num_classes, len(classes)
    if have != want:
      raise ValueError(
        f'{self.path} classifies {have} classes, the data has {want}; '
        'new_head=True replaces its classifier by an untrained one'
      )
    if self._is_artifact and network.classes != classes:
      raise ValueError(
        f'{self.path} has the classes {some(network.classes)}; those of the '
        f'data are {some(classes)}; new_head=True replaces its classifier by '
        'an untrained one'
      )


def _last(path: epath.Path, env: Env) -> Frozen:
  """The network of a run's last checkpoint."""
  folder = path / 'checkpoints'
  latest = None
  if folder.is_dir():
    with opened(folder) as checkpoints:
      latest = checkpoints.latest()
      if latest is not None:
        carry = decode_any(*checkpoints.restore(latest, env.replicated))
  if latest is None:
    raise ValueError(
      f'{path} has no checkpoint in checkpoints/; expected is the directory '
      f'of a finished run. It has: {some(_names(path)) or "nothing"}'
    )
  if carry.step or not (path / 'results.csv').exists():
    raise ValueError(
      f'the run in {path} is still at step {carry.step} of phase '
      f'{carry.phase} and was not measured yet; finish it first'
    )
  return frozen(carry, ())


def _beside(path: epath.Path) -> str:
  if not path.parent.is_dir():
    return ', nor does its folder'
  return f'; beside it are: {some(_names(path.parent)) or "nothing"}'


def _names(folder: epath.Path) -> list[str]:
  return sorted(p.name for p in folder.iterdir())
