"""One API for all of rcj: rules that every public function keeps.

Modules are found on disk, so that a new one is under these rules at once.
"""

import importlib
import inspect
import pathlib
import pkgutil
import types as python_types

import pytest

import rcj
from rcj import types

ROOMS = {
  'attacks',
  'augment',
  'corruptions',
  'crd',
  'data',
  'deck',
  'evaluate',
  'export',
  'fourier',
  'generate',
  'losses',
  'masks',
  'models',
  'quantize',
  'schedules',
  'scores',
  'shrink',
  'size',
  'topk',
  'tree',
  'weights',
}
# Other names that people give to a PRNG key.
NOT_KEYS = {'rng', 'rngs', 'prng', 'prng_key', 'rng_key', 'random_key'}
# `losses.total` passes its arguments on to terms, in the order of LossTerm.
KEY_EXCEPTIONS = {'total'}
PROTOCOLS = (types.Augment, types.Effective, types.LossTerm, types.Source)


def found(folder: pathlib.Path, prefix: str) -> list[str]:
  """Names of all modules below `folder`, none of them imported."""
  names = []
  for module in pkgutil.iter_modules([str(folder)]):
    names.append(f'{prefix}.{module.name}')
    if module.ispkg:
      names += found(folder / module.name, names[-1])
  return names


MODULES = [
  name
  for name in found(pathlib.Path(rcj.__file__).parent, 'rcj')
  if name.split('.')[1] in ROOMS
  and not any(part.startswith('_') for part in name.split('.'))
]


def is_function(x: object) -> bool:
  """True for functions, and for what jit, custom_vjp and the like return."""
  return inspect.isroutine(x) or (
    hasattr(x, '__wrapped__') and not isinstance(x, type)
  )


def public(module: python_types.ModuleType) -> dict[str, object]:
  """Public functions and classes that `module` itself defines."""
  return {
    name: x
    for name, x in vars(module).items()
    if not name.startswith('_')
    and (is_function(x) or isinstance(x, type))
    and getattr(x, '__module__', None) == module.__name__
  }


def functions(module: python_types.ModuleType) -> dict[str, object]:
  """Public functions of a module."""
  return {n: x for n, x in public(module).items() if is_function(x)}


def methods(module: python_types.ModuleType) -> dict[str, object]:
  """{'Class.method': function} of public classes, with `__call__`."""
  return {
    f'{c}.{m}': getattr(x, '__func__', x)
    for c, cls in public(module).items()
    if isinstance(cls, type)
    for m, x in vars(cls).items()
    if (m == '__call__' or not m.startswith('_'))
    and (is_function(x) or isinstance(x, classmethod | staticmethod))
  }


def parameters(function: object) -> list[inspect.Parameter]:
  """Parameters without `self` and `cls`."""
  given = inspect.signature(function).parameters.values()
  return [p for p in given if p.name not in ('self', 'cls')]


def is_protocol(method: object, name: str) -> bool:
  """True if `rcj.types` documents this method, with these arguments."""
  return any(
    [p.name for p in parameters(method)]
    == [p.name for p in parameters(vars(protocol)[name])]
    for protocol in PROTOCOLS
    if name in vars(protocol)
  )


def undocumented(module: python_types.ModuleType) -> list[str]:
  """Public names that no docstring explains."""
  names = [n for n, x in public(module).items() if not inspect.getdoc(x)]
  for n, x in methods(module).items():
    cls, name = n.split('.')
    inherited = inspect.getdoc(getattr(getattr(module, cls), name))
    # A class says what calling it does; flax documents setup.
    exempt = name in ('__call__', 'setup') or is_protocol(x, name)
    if not (inherited or exempt):
      names.append(n)
  return names


def is_key(annotation: object) -> bool:
  """True for jaxtyping's Key, as text where annotations are postponed."""
  return str(annotation).startswith('Key[')


def misplaced_keys(module: python_types.ModuleType) -> list[str]:
  """Functions whose PRNG key has another name, or another place, than first."""
  wrong = []
  for n, x in {**functions(module), **methods(module)}.items():
    names = [p.name for p in parameters(x)]
    keys = [
      p.name
      for p in parameters(x)
      if p.name in {'key', *NOT_KEYS} or is_key(p.annotation)
    ]
    exempt = is_protocol(x, n.rpartition('.')[2]) or n in KEY_EXCEPTIONS
    right = names[:1] in (['key'], ['keys']) and not set(keys) & NOT_KEYS
    if keys and not (exempt or right):
      wrong.append(f'{n}({", ".join(names)})')
  return wrong


def is_option(p: inspect.Parameter) -> bool:
  """True for a default, and for a flag or a choice among words."""
  kind = str(p.annotation)
  return p.default is not p.empty or kind == 'bool' or 'Literal[' in kind


def positional_options(module: python_types.ModuleType) -> list[str]:
  """'function(option)' for each option that may be passed by position."""
  return [
    f'{n}({p.name})'
    for n, x in functions(module).items()
    for p in parameters(x)
    if is_option(p) and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
  ]


RULES = {
  'has a docstring': undocumented,
  'takes its PRNG key first, as `key`': misplaced_keys,
  'takes options by keyword only': positional_options,
}


@pytest.mark.parametrize('rule', RULES)
@pytest.mark.parametrize('name', MODULES)
def test_api(name, rule):
  wrong = RULES[rule](importlib.import_module(name))
  assert not wrong, f'{name}: every public name {rule}; not so: {wrong}'


def module_of(source: str) -> python_types.ModuleType:
  """A module with this source, and nothing imported."""
  module = python_types.ModuleType('example')
  exec(f'from __future__ import annotations\n{source}', vars(module))
  return module


@pytest.mark.parametrize(
  ('rule', 'source'),
  [
    (undocumented, 'def f(): pass'),
    (undocumented, 'class C: pass'),
    (undocumented, 'class C:\n  "Doc."\n  def f(self): pass'),
    (misplaced_keys, 'def f(x, key): pass'),
    (misplaced_keys, 'def f(x, *, key): pass'),
    (misplaced_keys, 'def f(rng, x): pass'),
    (misplaced_keys, 'def f(x, noise: Key[Array, ""]): pass'),
    (misplaced_keys, 'class C:\n  def __call__(self, images, key): pass'),
    (positional_options, 'def f(x, width=3): pass'),
    (positional_options, 'def f(x, hard: bool): pass'),
    (positional_options, 'def f(x, scope: Literal["a", "b"]): pass'),
  ],
)
def test_rules_catch(rule, source):
  assert len(rule(module_of(source))) == 1


def test_rules_accept():
  module = module_of(
    'class C:\n'
    '  "Doc."\n'
    '  def __call__(self, student, batch, teacher, heads, aux, key): pass\n'
    '  def counts(self, scores): pass\n'
    'def f(key, x, *, width=3, hard: bool): "Doc."\n'
    'def _g(x, rng=None): pass\n'
  )
  assert [rule(module) for rule in RULES.values()] == [[], [], []]
