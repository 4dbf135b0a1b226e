"""Starting points for configs: what may stand after the colon of --config."""

from __future__ import annotations

from typing import Any

from rcj import s0
from rcj.s2.config import CARDs
from rcj.s2.recipes import METHODS

VARIANTS = {name: {'method': name} for name in METHODS}


def configure(family: type[CARDs], arg: str, **smoke: Any) -> CARDs:
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
