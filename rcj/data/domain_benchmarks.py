"""Benchmarks of domain shift: what a whole copy of each has."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping

from rcj.types import Source


@dataclasses.dataclass(frozen=True, eq=False)
class Benchmark:
  """A published set of domains.

  Attributes:
    title: as the literature calls it.
    sizes: images of each domain, by its name.
    classes: how many there are, in each domain.
    page: where the set can be had.
    paper: that introduced it.
    inner: folder that copies may have before the domains.
  """

  title: str
  sizes: Mapping[str, int]
  classes: int
  page: str
  paper: str
  inner: str

  def name(self, spelled: str) -> str:
    """The domain that this means; other text is returned as it is.

    Copies differ in capitals, spaces, hyphens and underscores: 'Real World' is
    also 'RealWorld' and 'real_world'.
    """
    known = {_letters(name): name for name in self.sizes}
    return known.get(_letters(spelled), spelled)

  def root(self, folder: pathlib.Path) -> pathlib.Path:
    """The folder of the domains, which may be inside of the given one."""
    inside = folder / self.inner
    return inside if inside.is_dir() else folder

  @property
  def where(self) -> str:
    """Where it can be had, in words."""
    return f'{self.title} can be had from {self.page} ({self.paper})'

  def check(self, root: str, parts: Mapping[str, Source]) -> None:
    """Raises ValueError unless each domain is as large as it was published."""
    odd = [
      f'{name} has {len(part)} images of {len(part.classes)} classes, not '
      f'{self.sizes[name]} of {self.classes}'
      for name, part in parts.items()
      if (len(part), len(part.classes)) != (self.sizes[name], self.classes)
    ]
    if odd:
      raise ValueError(
        f'{root} is not the whole of {self.title}: {"; ".join(odd)}. A usual '
        f'cause is an incomplete download or copy. {self.where}. A part of it, '
        "or a set that was changed, is read by the name 'domains'"
      )


OFFICE31 = Benchmark(
  title='Office-31',
  sizes={'amazon': 2817, 'webcam': 795, 'dslr': 498},
  classes=31,
  page='https://faculty.cc.gatech.edu/~judy/domainadapt/',
  paper='https://doi.org/10.1007/978-3-642-15561-1_16',
  inner='domain_adaptation_images',
)
PACS = Benchmark(
  title='PACS',
  sizes={
    'photo': 1670,
    'art_painting': 2048,
    'cartoon': 2344,
    'sketch': 3929,
  },
  classes=7,
  page='https://domaingeneralization.github.io',
  paper='https://arxiv.org/abs/1710.03077',
  inner='kfold',
)
OFFICE_HOME = Benchmark(
  title='Office-Home',
  sizes={'Art': 2427, 'Clipart': 4365, 'Product': 4439, 'Real World': 4357},
  classes=65,
  page='https://www.hemanthdv.org/officeHomeDataset.html',
  paper='https://arxiv.org/abs/1706.07522',
  inner='OfficeHomeDataset_10072016',
)


def _letters(name: str) -> str:
  return ''.join(c for c in name.lower() if c.isalnum())
