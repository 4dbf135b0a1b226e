"""Sweeps of the small experiment, planned."""

from sweep_config import Small

from rcj import grid
from rcj.sweep.plan import plan

BASE = Small()


def view(*fields, name='table'):
  cells = tuple(grid.Cell(f, str(i)) for i, f in enumerate(fields))
  return grid.View(name, name, 'table', cells)


def planned(*fields, seeds=(0,), base=BASE):
  return plan([view(*fields)], base, seeds)[1]
