"""What lies in a folder of images, and errors that say what should."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence

SUFFIXES = ('.jpg', '.jpeg', '.png', '.webp', '.bmp')
_SHOWN = 5


def is_image(name: str) -> bool:
  """True if a file of this name should be an image."""
  return name.lower().endswith(SUFFIXES)


def visible(root: str | pathlib.Path) -> list[str]:
  """Sorted paths in a folder, without those whose names begin with a dot."""
  names = sorted(n for n in os.listdir(root) if not n.startswith('.'))
  return [os.path.join(root, n) for n in names]


def contents(root: str | pathlib.Path) -> tuple[list[str], list[str]]:
  """Sorted names of the folders, and of the files, that are not hidden.

  One pass over the folder's own entries; no file is looked at.
  """
  with os.scandir(root) as entries:
    found = [(e.name, e.is_dir()) for e in entries if e.name[0] != '.']
  folders = sorted(name for name, is_folder in found if is_folder)
  return folders, sorted(name for name, is_folder in found if not is_folder)


def class_folders(
  root: pathlib.Path, *, classes: Sequence[str] | None = None
) -> list[str]:
  """Paths of the folders of classes in `root`, sorted.

  Args:
    root: folder of one split.
    classes: names of the classes; other folders are ignored. None takes all.

  Raises:
    FileNotFoundError: if `root` is no folder, or lacks one of the classes.
    ValueError: if there are no class folders, or images lie beside them; as
      `chosen_classes`.
  """
  if not root.is_dir():
    raise FileNotFoundError(
      f'{root} is no folder; beside it are: '
      f'{some(_beside(root)) or "nothing"}. '
      'Expected is root/split/class/image.jpg'
    )
  folders, files = contents(root)
  if not folders:
    raise ValueError(
      f'{root} has no class folders, but {len(files)} files'
      f'{f" ({some(files)})" if files else ""}; expected is '
      f'root/split/class/image.jpg. {_remedy(files)}'
    )
  if loose := [f for f in files if is_image(f)]:
    raise ValueError(
      f'{root} mixes two layouts: {len(folders)} class folders and, beside '
      f'them, {len(loose)} images: {some(loose)}; move each image into the '
      'folder of its class, or away'
    )
  chosen = folders if classes is None else chosen_classes(classes)
  if missing := [name for name in chosen if name not in set(folders)]:
    raise FileNotFoundError(
      f'{root} lacks {len(missing)} of {len(chosen)} classes: '
      f'{some(missing)}; it has {len(folders)} folders: {some(folders)}. A '
      'usual cause is an archive that was unpacked in part, or elsewhere'
    )
  return [os.path.join(root, name) for name in chosen]


def chosen_classes(classes: Sequence[str]) -> list[str]:
  """The names in the order of their labels: sorted, each once.

  Raises:
    ValueError: if there are none, or a word stands where a list should.
  """
  if isinstance(classes, str) or not classes:
    raise ValueError(
      f'classes must be a sequence of one name or more, not {classes!r}'
    )
  return sorted(set(classes))


def some(names: Sequence[str]) -> str:
  """The first few names, and how many there are beside them."""
  more = f' and {len(names) - _SHOWN} more' if len(names) > _SHOWN else ''
  return ', '.join(names[:_SHOWN]) + more


def _beside(root: pathlib.Path) -> list[str]:
  if not root.parent.is_dir():
    return []
  return [os.path.basename(p) for p in visible(root.parent)]


def _remedy(files: Sequence[str]) -> str:
  """What to do with files where class folders should be."""
  if any(f.startswith('ILSVRC2012_val_') for f in files):
    return (
      'These are the validation images as ImageNet ships them: sort them into '
      'a folder per class by the ground truth of its development kit'
    )
  if any(f.endswith('.tar') for f in files):
    return 'Unpack each archive into a folder of its name'
  if any(map(is_image, files)):
    return 'Move each image into the folder of its class'
  return 'Is this the folder of a split?'
