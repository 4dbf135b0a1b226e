"""Errors that name the option of `load` whose files are wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def blaming(option: str) -> Iterator[None]:
  """Puts the option's name before errors about its files.

  Raises:
    FileNotFoundError: in place of one that was raised inside.
    ValueError: likewise.
  """
  try:
    yield
  except FileNotFoundError as e:
    raise FileNotFoundError(f'{option}: {e}') from e
  except ValueError as e:
    raise ValueError(f'{option}: {e}') from e
