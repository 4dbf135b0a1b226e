"""The report as one HTML page without external assets."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Iterable, Sequence
from itertools import groupby

from rcj.report import attacks, costs, paired, provenance, style, suites, views
from rcj.report.heat_map import heat_map
from rcj.report.rows import Row
from rcj.report.severity import by_severity
from rcj.report.sizes import against_size
from rcj.report.summary import (
  SMOKE,
  Line,
  Setting,
  is_smoke,
  label,
  table,
)

_DRAWN = 14  # methods that a figure can tell apart


@dataclasses.dataclass(frozen=True)
class ViewSection:
  """What the template shows of a sweep's view; `image` as in `Section`."""

  filled: views.Filled
  image: str

  @property
  def notes(self) -> Sequence[str]:
    """Sentences below the numbers."""
    return views.notes(self.filled)


@dataclasses.dataclass(frozen=True)
class ClaimSection:
  """What the template shows of a claim."""

  filled: views.Filled

  @property
  def verdict(self) -> str:
    """Of the claim as a whole."""
    return views.answer.answered(self.filled)

  @property
  def heads(self) -> Sequence[str]:
    """Names of the columns."""
    return views.answer.HEADS

  @property
  def rows(self) -> Sequence[tuple[bool, Sequence[str]]]:
    """For each difference, whether it is of all pairs, and its cells."""
    found = self.filled.findings
    return [(f.pooled, views.answer.row(f)) for f in found]

  @property
  def notes(self) -> Sequence[str]:
    """Sentences below the differences."""
    return views.notes(self.filled)


@dataclasses.dataclass(frozen=True)
class Section:
  """What the template shows of one setting; figures are data URIs or ''."""

  setting: Setting
  lines: Sequence[Line]
  reference: str
  sizes: str
  heat_map: str
  severity: str
  differences: Sequence[tuple[str, Sequence[paired.Difference | None]]]
  unpaired: str

  @property
  def costs(self) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Heads and rows of the table of costs."""
    return costs.table(self.lines)

  @property
  def attacks(self) -> tuple[Sequence[str], Sequence[attacks.Attacks]]:
    """Heads of the table of attacks, and its networks."""
    return attacks.table(self.lines)

  @property
  def suites(self) -> Sequence[str]:
    """Suites that some line has."""
    return suites.ordered(s for line in self.lines for s in line.errors)

  @property
  def smoke(self) -> bool:
    """Whether some line rests on one seed."""
    return is_smoke(self.lines)

  @property
  def seeds(self) -> Sequence[int]:
    """All seeds of the section."""
    return sorted({seed for line in self.lines for seed in line.sources})


def write_html(
  rows: Iterable[Row],
  path: str | os.PathLike[str],
  *,
  title: str,
  notes: Sequence[str] = (),
  reference: str | None = None,
  sweep: Sequence[views.Filled] = (),
  pictures: Sequence[pathlib.Path] = (),
) -> pathlib.Path:
  """Writes the report: views, claims, tables, figures, settings.

  Args:
    rows: rows as `read` gives them.
    path: the file to write; its folder is made.
    title: headline of the page.
    notes: paragraphs below it, plain text.
    reference: method whose unpruned network is the dashed line and the
      reference of the paired differences; by default, of the architecture
      that most networks were pruned from, the one with the lowest error.
    sweep: views of a sweep, which come first, and then its claims.
    pictures: PNG files to show behind these, such as Fourier heat maps; the
      name of its folder stands below each.

  Returns:
    The path of the page.

  Raises:
    ImportError: without matplotlib or jinja2; says how to install them.
    ValueError: if there are neither rows nor views, or `reference` is no
      method of the rows.
  """
  _require_extra()
  import jinja2
  import matplotlib

  lines = table(rows)
  if not lines and not sweep:
    raise ValueError('there are no rows to report')
  _check_reference(lines, reference)
  with matplotlib.rc_context(style.RC):
    drawn = [_view_section(f) for f in sweep if f.view.kind != 'claim']
    sections = [
      _section(setting, list(group), reference)
      for setting, group in groupby(lines, key=lambda line: line.setting)
    ]
  folders = list(
    dict.fromkeys(f for line in lines for f, _ in line.sources.values())
  )
  environment = jinja2.Environment(
    loader=jinja2.PackageLoader('rcj'),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  page = environment.get_template('report.html.j2').render(
    title=title,
    notes=notes,
    views=drawn,
    claims=[ClaimSection(f) for f in sweep if f.view.kind == 'claim'],
    pictures=[(path.parent.name, style.png_uri(path)) for path in pictures],
    sections=sections,
    smoke=SMOKE,
    costs=costs.CAPTION,
    attacks=attacks.CAPTION,
    settings=provenance.settings(folders),
    phases=[p for folder in folders for p in provenance.phases(folder)],
  )
  path = pathlib.Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(page, 'utf-8')
  return path


def _require_extra() -> None:
  try:
    import jinja2  # noqa: F401
    import matplotlib  # noqa: F401
  except ImportError as e:
    raise ImportError(
      f"the HTML report needs {e.name}: pip install 'rcj[demo]'"
    ) from e


def _check_reference(lines: Sequence[Line], reference: str | None) -> None:
  methods = list(dict.fromkeys(line.method for line in lines))
  if reference is not None and reference not in methods:
    raise ValueError(
      f'no method is called {reference!r}; the methods are: {methods}'
    )


def _view_section(filled: views.Filled) -> ViewSection:
  figure = views.figure(filled)
  return ViewSection(filled, style.data_uri(figure) if figure else '')


def _section(
  setting: Setting, lines: Sequence[Line], reference: str | None
) -> Section:
  chosen = _reference(lines, reference)
  differences, unpaired = _differences(lines, chosen)
  uri = style.data_uri
  severity = len(setting.severities) > 1
  few = len({line.method for line in lines}) <= _DRAWN
  return Section(
    setting=setting,
    lines=lines,
    reference=label(chosen, lines),
    sizes=uri(against_size(lines, chosen)) if few else '',
    heat_map=uri(heat_map(lines)) if setting.cells else '',
    severity=(uri(by_severity(lines, chosen)) if severity else ''),
    differences=differences,
    unpaired=unpaired,
  )


def _reference(lines: Sequence[Line], method: str | None) -> Line:
  """The unpruned line of `method`, by default the best that was pruned."""
  named = [line for line in lines if method in (None, line.method)] or lines
  dense = [line for line in named if not line.pruned] or named

  def rank(line: Line) -> tuple[int, int, float]:
    runs = {folder for folder, _ in line.sources.values()}
    smaller = [
      {folder for folder, _ in other.sources.values()}
      for other in lines
      if other.pruned and other.parameters == line.parameters
    ]
    same_run = sum(not runs.isdisjoint(folders) for folders in smaller)
    errors = [e.mean for e in line.errors.values()]
    return same_run, len(smaller), -sum(errors) / max(len(errors), 1)

  return max(dense, key=rank)


def _differences(
  lines: Sequence[Line], reference: Line
) -> tuple[list[tuple[str, list[paired.Difference | None]]], str]:
  """Rows of the table of differences, or why there is none."""
  if len(lines) == 1:
    return [], 'There is one network only, so nothing to compare it with.'
  try:
    found = paired.differences(lines, reference)
  except (FileNotFoundError, ValueError) as e:
    # Everything else of the report stands without them.
    return [], f'Not available: {e}.'
  by_cell = {(id(d.line), d.suite): d for d in found}
  shown = suites.ordered(s for line in lines for s in line.errors)
  return [
    (label(line, lines), [by_cell.get((id(line), s)) for s in shown])
    for line in lines
    if any((id(line), suite) in by_cell for suite in shown)
  ], ''
