"""Starting points for configs: what may stand after the colon of --config."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from rcj.s0.config import S0
from rcj.s0.recipes import HYDRA, PRUNE

# What is pruned, and what teaches, is the family's large network.
_LARGE = (*PRUNE, *HYDRA, 'teacher')

VARIANTS = {
  'std': {'method': 'train', 'augment': 'none'},
  'augmix': {'method': 'train', 'augment': 'augmix'},
  'kd': {'method': 'kd', 'augment': 'none'},
  'at': {'method': 'at', 'augment': 'none'},
  'crd': {'method': 'crd', 'augment': 'none'},
  'kd_augmix': {'method': 'kd', 'augment': 'augmix'},
  'at_augmix': {'method': 'at', 'augment': 'augmix'},
  'crd_augmix': {'method': 'crd', 'augment': 'augmix'},
  'teacher': {'method': 'train', 'augment': 'augmix'},
  **{name: {'method': name, 'augment': 'augmix'} for name in (*PRUNE, *HYDRA)},
}


def configure(family: type[S0], arg: str, **smoke: Any) -> S0:
  """The config for what stands after the colon of --config.

  The variants that prune, and `teacher`, take the family's teacher network as
  their own.

  Args:
    family: class of the config.
    arg: see `begun`.
    **smoke: fields of the short run.

  Raises:
    ValueError: for an unknown variant; lists what exists.
  """
  config = begun(family, arg, VARIANTS, **smoke)
  if config.variant not in _LARGE:
    return config
  return dataclasses.replace(
    config,
    model=config.teacher_model,
    width=config.teacher_width,
    stem=config.teacher_stem,
  )


def begun(
  family: type[S0],
  arg: str,
  variants: Mapping[str, Mapping[str, Any]],
  **smoke: Any,
) -> S0:
  """A config with the fields of one of its variants.

  Args:
    family: class of the config.
    arg: a variant, or a variant and '-smoke' for a run of seconds that shows
      whether everything works.
    variants: the fields of each.
    **smoke: fields of the short run.

  Raises:
    ValueError: for an unknown variant; lists what exists.
  """
  variant, dash, size = arg.partition('-')
  if dash and size != 'smoke':
    raise ValueError(f'{arg!r}: after a variant only -smoke may follow')
  if variant not in variants:
    raise ValueError(
      f'no variant {variant!r}; there are {", ".join(variants)} '
      '(a config file takes one after a colon, as digits.py:hydra or '
      'digits.py:hydra-smoke)'
    )
  config = family(variant=variant, **(smoke if dash else {}))
  return dataclasses.replace(config, **variants[variant])
