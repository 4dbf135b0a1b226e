"""Named leaves of a pytree: the only tree walks of the project.

A leaf's name is its '/'-joined path, for example 'stage1_block1/conv1/kernel'.
Patterns are regular expressions that must match a whole name; a pattern that
matches nothing is an error, because it is nearly always a misspelt layer.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
from jaxtyping import Array, Key

from rcj.types import PyTree


def name(path: tuple[Any, ...]) -> str:
  """'/'-joined name of a key path of `jax.tree_util`."""
  return jax.tree_util.keystr(path, simple=True, separator='/')


def _is_none(x: Any) -> bool:
  return x is None


def leaves(tree: PyTree) -> dict[str, Any]:
  """{name: leaf} in tree order, None leaves left out."""
  return {name(p): x for p, x in jax.tree.leaves_with_path(tree)}


def names(tree: PyTree) -> list[str]:
  """Names of all leaves in tree order, None leaves left out."""
  return list(leaves(tree))


def map_named(f: Callable[..., Any], tree: PyTree, *rest: PyTree) -> PyTree:
  """`jax.tree.map` whose function gets the leaf's name first.

  None leaves of `tree` are skipped; those of `rest` are passed on as None.
  """
  return jax.tree.map_with_path(lambda p, *x: f(name(p), *x), tree, *rest)


def leaf_key(key: Key[Array, ''], name: str) -> Key[Array, '']:
  """A leaf's own key; a new leaf leaves those of others as they were."""
  return jax.random.fold_in(key, zlib.crc32(name.encode()))


def select(tree: PyTree, pattern: str) -> PyTree:
  """`tree` with None in place of every leaf that `pattern` does not match.

  Raises:
    ValueError: if the pattern matches no leaf; lists the names that exist.
  """
  check_pattern(tree, pattern)
  return map_named(lambda n, x: x if re.fullmatch(pattern, n) else None, tree)


def partition(tree: PyTree, pattern: str) -> tuple[PyTree, PyTree]:
  """Splits `tree` in (matching, rest), each with None where the other has it.

  Every leaf is in exactly one of the two; `combine` puts them together again.

  Raises:
    ValueError: if the pattern matches no leaf.
  """
  chosen = select(tree, pattern)
  rest = map_named(lambda n, x: None if re.fullmatch(pattern, n) else x, tree)
  return chosen, rest


def combine(first: PyTree, second: PyTree) -> PyTree:
  """Inverse of `partition`: leaves of `first`, those of `second` where None."""
  return jax.tree.map(
    lambda a, b: b if a is None else a, first, second, is_leaf=_is_none
  )


def check_pattern(tree: PyTree, pattern: str) -> None:
  """Raises ValueError, listing what exists, if `pattern` matches no leaf."""
  known = names(tree)
  if not any(re.fullmatch(pattern, n) for n in known):
    raise ValueError(
      f'the pattern {pattern!r} matches no leaf (patterns match whole names); '
      f'the names are: {", ".join(known) or "none, the tree is empty"}'
    )


def replace_leaves(tree: PyTree, values: Mapping[str, Any]) -> PyTree:
  """`tree` with the named leaves replaced.

  Raises:
    KeyError: if a name of `values` is no leaf of `tree`.
  """
  unknown = set(values) - set(names(tree))
  if unknown:
    raise KeyError(f'no such leaves: {sorted(unknown)}; known: {names(tree)}')
  return map_named(lambda n, x: values.get(n, x), tree)


def describe(tree: PyTree) -> Any:
  """JSON form of a tree of dicts, tuples and None; leaves as [shape, dtype]."""
  if tree is None:
    return None
  if isinstance(tree, Mapping):
    return {'dict': {k: describe(v) for k, v in sorted(tree.items())}}
  if isinstance(tree, tuple):
    return {'tuple': [describe(v) for v in tree]}
  return [list(tree.shape), str(tree.dtype)]


def rebuild(description: Any, values: Mapping[str, Any]) -> PyTree:
  """Inverse of `describe`, with leaves taken by name from `values`."""
  return _rebuild(description, values, '')


def _rebuild(description: Any, values: Mapping[str, Any], at: str) -> PyTree:
  if description is None:
    return None
  if isinstance(description, list):
    return values[at]
  prefix = f'{at}/' if at else ''
  if 'dict' in description:
    items = description['dict'].items()
    return {k: _rebuild(v, values, f'{prefix}{k}') for k, v in items}
  parts = enumerate(description['tuple'])
  return tuple(_rebuild(v, values, f'{prefix}{i}') for i, v in parts)
