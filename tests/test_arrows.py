"""Which room of rcj may know which: its imports, read with `ast`.

A room is a module or package directly under rcj/. An arrow that is missing from
ALLOWED is an error, so is a room that it does not list.
"""

import ast
import dataclasses
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Mathematics that knows nothing else of rcj, free for everyone.
BASE = {'types', 'tree', 'topk', 'intervals'}
LEAVES = {
  'attacks',
  'augment',
  'corruptions',
  'crd',
  'fourier',
  'initial',
  'losses',
  'masks',
  'quantize',
  'schedules',
  'scores',
  'shrink',
  'size',
  'weights',
}
MODELS = {'graph', 'models', 'native', 'ops', *LEAVES, *BASE}
EVERYTHING = MODELS | {
  'carry',
  'checkpoint',
  'claim',
  'cluster',
  'data',
  'deck',
  'deepaugment',
  'evaluate',
  'experiment',
  'export',
  'files',
  'grid',
  'journal',
  'locks',
  'optimizer',
  'phases',
  'program',
  'recipe',
  'report',
  'results',
  's0',
  's1',
  's2',
  'settings',
  'train',
}
ALLOWED = {
  'types': set(),
  'tree': {'types'},
  'topk': set(),
  'intervals': set(),
  'claim': set(),
  'program': set(),
  'grid': {'claim'},
  **dict.fromkeys(LEAVES, BASE),
  'native': set(),
  'ops': {'native', *BASE},
  'augment': {'ops', *BASE},
  'corruptions': {'native', 'ops', *BASE},
  'crd': {'ops', *BASE},
  'masks': {'ops', *BASE},
  'weights': {'masks', *BASE},
  'graph': {'types'},
  'models': {'graph', 'ops', 'weights', *BASE},
  'quantize': {'graph', 'models', 'ops', *BASE},
  'shrink': {'graph', 'models', 'weights', *BASE},
  'deck': {'augment', 'models', *BASE},
  'deepaugment': {'augment', 'models', *BASE},
  'data': BASE,
  'checkpoint': {'files', *BASE},
  'report': {'claim', 'results', 'grid', *BASE},
  'cluster': BASE,
  'files': BASE,
  'locks': {'cluster', 'files', *BASE},
  'settings': set(),
  'generate': {
    *('augment', 'corruptions', 'data', 'deepaugment'),
    *('files', 'locks', 'settings', *BASE),
  },
  'journal': {'files', *BASE},
  'results': {'files', *BASE},
  'optimizer': {'schedules', *BASE},
  'train': {'optimizer', *MODELS},
  'evaluate': {
    *('data', 'deck', 'train', 'optimizer', 'files', 'locks', 'settings'),
    *MODELS,
  },
  'export': {'deck', 'files', *MODELS},
  **dict.fromkeys(
    ('carry', 'phases', 'recipe', 'experiment', 's0', 's1', 's2', 'sweep'),
    EVERYTHING,
  ),
}
# Where a package outside rcj may be imported; absl and ml_collections: launch/.
HOMES = {
  'flax': {'models'},
  'orbax': {'checkpoint'},
  'grain': {'data'},
  'tensorflow_datasets': {'data'},
  'absl': set(),
  'ml_collections': set(),
  'configs': set(),
  'launch': set(),
  'tests': set(),
}
# Slow to import, or absent, where only sets in memory are used.
LAZY = {'grain', 'tensorflow_datasets'}


@dataclasses.dataclass(frozen=True)
class Import:
  """One imported module, by its absolute dotted name."""

  line: int
  module: str
  lazy: bool


def absolute(node: ast.ImportFrom, package: str) -> str:
  """Dotted name that `node` imports from, in a module of `package`."""
  if not node.level:
    return node.module or ''
  parts = package.split('.')
  parts = parts[: len(parts) - node.level + 1]
  return '.'.join(parts + ([node.module] if node.module else []))


def imports(source: str, package: str) -> list[Import]:
  """Every import of a module in `package`, those inside functions too."""
  tree = ast.parse(source)
  functions = [
    f
    for f in ast.walk(tree)
    if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef)
  ]
  lazy = {id(node) for f in functions for node in ast.walk(f)}
  found = []
  for node in ast.walk(tree):
    modules = []
    if isinstance(node, ast.Import):
      modules = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
      origin = absolute(node, package)
      modules = [f'{origin}.{alias.name}' for alias in node.names]
    found += [Import(node.lineno, m, id(node) in lazy) for m in modules]
  return found


def broken_rule(room: str, imported: Import) -> str | None:
  """The rule that an import in `room` breaks, None if it breaks none."""
  top, _, rest = imported.module.partition('.')
  if top == 'rcj':
    target = rest.partition('.')[0]
    if not target:
      return 'import rooms by name: `from rcj import masks`'
    if target != room and target not in ALLOWED.get(room, set()):
      known = ', '.join(sorted(ALLOWED.get(room, set()))) or 'no other room'
      return f'rcj.{room} may import only: {known}'
  elif top in HOMES and room not in HOMES[top]:
    homes = ', '.join(f'rcj.{h}' for h in HOMES[top]) or 'nothing in rcj'
    return f'{top} may be imported only by: {homes}'
  elif top in LAZY and not imported.lazy:
    return f'{top} may be imported only inside functions'
  return None


def violations(source: str, file: str) -> list[str]:
  """Lines 'file:line: import: rule' for a module at path `file`, from rcj/."""
  parts = pathlib.PurePosixPath(file).with_suffix('').parts
  room = parts[1]
  return [
    f'{file}:{i.line}: {i.module}: {rule}'
    for i in imports(source, '.'.join(parts[:-1]))
    if (rule := broken_rule(room, i))
  ]


def modules() -> list[str]:
  return sorted(
    p.relative_to(ROOT).as_posix() for p in ROOT.glob('rcj/**/*.py')
  )


@pytest.mark.parametrize('file', modules())
def test_arrows(file):
  found = violations((ROOT / file).read_text(), file)
  assert not found, '\n' + '\n'.join(found)


def test_every_room_is_listed():
  rooms = {pathlib.Path(f).with_suffix('').parts[1] for f in modules()}
  unlisted = rooms - set(ALLOWED) - {'__init__'}
  assert not unlisted, f'say in ALLOWED what these may import: {unlisted}'


def test_nothing_points_back():
  """The table itself has no cycle below the rooms that may import all."""
  for room, allowed in ALLOWED.items():
    if allowed is EVERYTHING:
      continue
    for target in allowed - {room}:
      assert room not in ALLOWED[target] - {target}, (room, target)


@pytest.mark.parametrize(
  ('file', 'source'),
  [
    ('rcj/losses.py', 'from rcj import scores'),
    ('rcj/losses.py', 'import rcj.masks as m'),
    ('rcj/losses.py', 'import rcj'),
    ('rcj/losses.py', 'from . import train'),
    ('rcj/augment/amda.py', 'from ..masks import apply'),
    ('rcj/masks.py', 'from rcj.weights import Masked'),
    ('rcj/tree.py', 'def f():\n  from rcj import masks'),
    ('rcj/types.py', 'from rcj import tree'),
    ('rcj/models/resnet.py', 'from rcj.losses import kd'),
    ('rcj/data/sources.py', 'from rcj import checkpoint'),
    ('rcj/report/html.py', 'from rcj import data'),
    ('rcj/train.py', 'from rcj import evaluate'),
    ('rcj/evaluate.py', 'from rcj import recipe'),
    ('rcj/train.py', 'import flax.linen as nn'),
    ('rcj/train.py', 'import orbax.checkpoint as ocp'),
    ('rcj/train.py', 'def f():\n  import grain'),
    ('rcj/data/pipeline.py', 'import grain.python as pygrain'),
    ('rcj/recipe.py', 'from absl import flags'),
    ('rcj/recipe.py', 'import ml_collections'),
    ('rcj/recipe.py', 'from configs import digits'),
    ('rcj/recipe.py', 'from launch import run'),
    ('rcj/recipe.py', 'import tests.conftest'),
    ('rcj/nonesuch.py', 'from rcj import masks'),
  ],
)
def test_checker_catches(file, source):
  (found,) = violations(source, file)
  assert found.startswith(f'{file}:{len(source.splitlines())}: ')


@pytest.mark.parametrize(
  ('file', 'source'),
  [
    ('rcj/weights.py', 'from rcj import masks, tree'),
    ('rcj/augment/amda.py', 'from . import augmix\nfrom ..types import Batch'),
    ('rcj/models/resnet.py', 'from flax import linen\nimport grainy'),
    ('rcj/data/pipeline.py', 'def f():\n  import grain'),
    ('rcj/train.py', 'from rcj import losses, masks, models'),
    ('rcj/evaluate.py', 'from rcj.train import Metrics'),
    ('rcj/recipe.py', 'from rcj import report, data, checkpoint'),
  ],
)
def test_checker_accepts(file, source):
  assert violations(source, file) == []


def loaded_after(statement: str) -> set[str]:
  """Top-level modules in a fresh Python after `statement`."""
  code = f'import sys; {statement}; print(*sys.modules)'
  result = subprocess.run(
    [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True
  )
  assert result.returncode == 0, result.stderr
  return {m.partition('.')[0] for m in result.stdout.split()}


def test_import_rcj_costs_nothing():
  assert not loaded_after('import rcj') & {'jax', 'numpy', 'flax'}


def test_losses_masks_scores_need_jax_alone():
  rooms = [
    r for r in ('losses', 'masks', 'scores') if f'rcj/{r}.py' in modules()
  ]
  loaded = loaded_after(f'from rcj import {", ".join(rooms)}')
  assert not loaded & {*HOMES, 'optax', 'sklearn', 'PIL', 'matplotlib', 'rich'}
