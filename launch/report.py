"""Tables and figures of finished runs, in the terminal and as one HTML page.

  python launch/report.py RUN_DIR [RUN_DIR ...] --out=report.html
  python launch/report.py SWEEP --out=report.html --figures=results

RUN_DIR is a run directory (it holds results.csv and config.json) or a folder
of run directories. Runs that differ in the seed alone are averaged. SWEEP is
the folder of a sweep, whose tables, figures and claims come first, cells
without results as 'not run'. The page needs matplotlib and jinja2:
pip install 'rcj[demo]'.
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Sequence

from absl import app, flags

from rcj import grid, report

OUT = flags.DEFINE_string('out', 'report.html', 'The HTML page to write.')
FIGURES = flags.DEFINE_string(
  'figures',
  '',
  "Folder for the sweep's views as SVG, CSV and Markdown; none by default.",
)
TITLE = flags.DEFINE_string(
  'title', 'Robust compression: results', 'Headline of the page.'
)
NOTE = flags.DEFINE_multi_string(
  'note', [], 'A paragraph below the headline; may be repeated.'
)
PICTURE = flags.DEFINE_multi_string(
  'picture',
  [],
  'A PNG to show, such as heat_map.png of launch/fourier.py; may be repeated.',
)
REFERENCE = flags.DEFINE_string(
  'reference',
  None,
  'Method that the others are compared with, as the table spells it; by '
  'default the best unpruned network of an architecture that was pruned.',
)


def main(argv: Sequence[str]) -> None:
  """Prints the table, writes the page and prints its path."""
  if len(argv) < 2:
    raise app.UsageError('expected at least one run directory')
  try:
    _check_local(argv[1:], OUT.value, FIGURES.value)
    rows = report.read(argv[1:])
    sweep = [
      report.fill(view, folder, rows)
      for folder in map(pathlib.Path, argv[1:])
      for view in grid.read(folder)
    ]
    for filled in sweep:
      report.print_view(filled)
    shown = {f for filled in sweep for f in filled.folders}
    report.print_attacks([row for row in rows if row.folder in shown])
    report.print_table([row for row in rows if row.folder not in shown])
    path = report.write_html(
      rows,
      OUT.value,
      title=TITLE.value,
      notes=NOTE.value,
      reference=REFERENCE.value,
      sweep=sweep,
      pictures=list(map(pathlib.Path, PICTURE.value)),
    )
    if FIGURES.value:
      report.write_files(sweep, FIGURES.value)
  except (OSError, ValueError, ImportError) as e:
    sys.exit(f'error: {e}')
  print(path.resolve())


def _check_local(folders: Sequence[str], *others: str) -> None:
  for path in (*folders, *others):
    if '://' in path:
      raise ValueError(
        f'{path} is no path of this machine; a report needs a local copy'
      )


if __name__ == '__main__':
  app.run(main)
