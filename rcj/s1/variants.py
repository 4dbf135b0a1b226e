"""Starting points for configs: what may stand after the colon of --config."""

from __future__ import annotations

from typing import Any

from rcj import s0
from rcj.s1.config import S1

_PRUNED = {'method': 'l1', 'shrink': True, 'density': 0.4}
_INT8 = {'quantize': 'int8'}
VARIANTS = {
  'base': {'method': 'train'},
  'int8': {'method': 'train', **_INT8},
  'l1': _PRUNED,
  'l1_int8': {**_PRUNED, **_INT8},
  'kd': {'method': 'kd'},
  'kd_int8': {'method': 'kd', **_INT8},
}


def configure(family: type[S1], arg: str, **smoke: Any) -> S1:
  """The config for what stands after the colon of --config.

  Args:
    family: class of the config.
    arg: one of `VARIANTS`, with '-smoke' behind it for a run of seconds that
      shows whether everything works.
    **smoke: fields of the short run.

  Raises:
    ValueError: for an unknown variant; lists what exists.
  """
  return s0.begun(family, arg, VARIANTS, **smoke)
