"""Many experiments in one folder: what to run, in which order, by whom.

`plan` turns the cells of views into runs, one directory each; `order` brings
those that share a trained network together; `workers` runs them, one process
per device. A run that is finished is skipped, one that was stopped continues.
"""

from rcj.sweep.board import Board
from rcj.sweep.devices import local, slots
from rcj.sweep.fields import axes
from rcj.sweep.merging import add
from rcj.sweep.order import ordered
from rcj.sweep.plan import Run, chosen, grid_view, plan
from rcj.sweep.progress import Display, list_runs, summarize
from rcj.sweep.state import conflicts, state
from rcj.sweep.worker import serve
from rcj.sweep.workers import work

__all__ = [
  'Board',
  'Display',
  'Run',
  'add',
  'axes',
  'chosen',
  'conflicts',
  'grid_view',
  'list_runs',
  'local',
  'ordered',
  'plan',
  'serve',
  'slots',
  'state',
  'summarize',
  'work',
]
