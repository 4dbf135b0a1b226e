"""Artifacts by the places that people name."""

from __future__ import annotations

from etils import epath


def found(place: epath.PathLike) -> epath.Path:
  """The artifact that is meant by a file, or by a run directory with one.

  Raises:
    ValueError: if there is none, or several.
  """
  path = epath.Path(place)
  if path.is_file():
    return path
  files = sorted((path / 'artifact').glob('*.rcj'))
  if len(files) != 1:
    raise ValueError(
      f'expected an artifact or a run directory with one, got {path} with '
      f'{[f.name for f in files] or "none"}; recipes with an Export phase '
      'leave one, of several name the file'
    )
  return files[0]
