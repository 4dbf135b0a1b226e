"""Robust compression of neural networks in JAX.

Submodules load on first use, so that `import rcj` costs nothing and
`from rcj import losses, masks, scores` needs only jax, numpy and jaxtyping.
"""

import importlib
import pkgutil

_SUBMODULES = tuple(m.name for m in pkgutil.iter_modules(__path__))


def __getattr__(name: str):
  if name in _SUBMODULES:
    return importlib.import_module(f'{__name__}.{name}')
  raise AttributeError(
    f'module {__name__!r} has no attribute {name!r}; it has '
    f'{", ".join(_SUBMODULES)}'
  )


def __dir__() -> list[str]:
  return list(_SUBMODULES)
