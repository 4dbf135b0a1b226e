"""Tables and figures of finished runs, in the terminal and as one HTML page.

  python launch/report.py RUN_DIR [RUN_DIR ...] --out=report.html

RUN_DIR is a run directory (it holds results.csv and config.json) or a folder
of run directories. Runs that differ in the seed alone are averaged. The page
needs matplotlib and jinja2: pip install 'rcj[demo]'.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from absl import app, flags

from rcj import report

OUT = flags.DEFINE_string('out', 'report.html', 'The HTML page to write.')
TITLE = flags.DEFINE_string(
  'title', 'Robust compression: results', 'Headline of the page.'
)
NOTE = flags.DEFINE_multi_string(
  'note', [], 'A paragraph below the headline; may be repeated.'
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
    rows = report.read(argv[1:])
    report.print_table(rows)
    path = report.write_html(
      rows,
      OUT.value,
      title=TITLE.value,
      notes=NOTE.value,
      reference=REFERENCE.value,
    )
  except (OSError, ValueError, ImportError) as e:
    sys.exit(f'error: {e}')
  print(path.resolve())


if __name__ == '__main__':
  app.run(main)
