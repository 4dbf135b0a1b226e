"""Names of run directories, made from what tells runs apart."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from typing import Any

from rcj.grid import Scalar

LONGEST = 120
_UNSAFE = re.compile(r'[^A-Za-z0-9._+-]')


def run_name(config: Any, base: Any, *, label: str = '') -> str:
  """The directory of a run: 'method=gw-ratio=5-seed=0'.

  It shows the fields that differ from `base`, in the order of the class, and
  the seed. Different configs have different names, and a name does not depend
  on what else is run.

  Args:
    config: dataclass of scalars with the field `seed`.
    base: the config without the fields of a cell.
    label: what `base` is called; comes first.

  Returns:
    At most `LONGEST` characters that every file system takes. A name that is
    cut, or in which characters are replaced, ends with a hash.
  """
  names = [field.name for field in dataclasses.fields(config)]
  differing = {
    n: _shown(getattr(config, n))
    for n in names
    if n != 'seed' and getattr(config, n) != getattr(base, n)
  }
  values = {**differing, 'seed': _shown(config.seed)}
  first = label or ('' if differing else 'default')
  parts = [f'{n}={_UNSAFE.sub("_", x)}' for n, x in values.items()]
  name = '-'.join(([_UNSAFE.sub('_', first)] if first else []) + parts)
  plain = not any(map(_UNSAFE.search, (first, *values.values())))
  if plain and len(name) <= LONGEST:
    return name
  digest = hashlib.sha256(repr((first, values)).encode()).hexdigest()[:8]
  return f'{name[: LONGEST - 9]}-{digest}'


def _shown(value: Scalar) -> str:
  return value if isinstance(value, str) else repr(value).removesuffix('.0')
