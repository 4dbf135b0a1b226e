"""What a compiled program sends between devices, and the memory it takes."""

from __future__ import annotations

import dataclasses
import math
import re

import jax

_OPERATIONS = (
  *('all-reduce', 'all-gather', 'all-to-all', 'reduce-scatter'),
  *('collective-permute', 'collective-broadcast', 'send', 'recv'),
)
_EXCHANGE = re.compile(rf'= (.*?) ({"|".join(_OPERATIONS)})(?:-start)?\(')
_ARRAY = re.compile(r'\b([a-z]+(\d*)\w*)\[([\d,]*)\]')


@dataclasses.dataclass(frozen=True)
class Exchange:
  """One operation in which all devices take part.

  Attributes:
    operation: as XLA names it, 'all-reduce' and so on.
    shapes: of the arrays that it leaves on each device; compilers put several
      arrays into one operation.
    size: bytes of these arrays together.
  """

  operation: str
  shapes: tuple[tuple[int, ...], ...]
  size: int


def exchanges(text: str) -> list[Exchange]:
  """The operations of a compiled program that exchange arrays, in its order.

  One within a loop is listed once.

  Args:
    text: of the program, as `jax.stages.Compiled.as_text` gives it.
  """
  found = []
  for match in map(_EXCHANGE.search, text.splitlines()):
    if match:
      arrays = _ARRAY.findall(match[1])
      shapes = tuple(
        tuple(int(n) for n in shape.split(',') if n) for *_, shape in arrays
      )
      # 'pred' has no width in its name and takes a byte.
      widths = (int(bits or 8) for _, bits, _ in arrays)
      bits = sum(
        width * math.prod(shape)
        for width, shape in zip(widths, shapes, strict=True)
      )
      found.append(Exchange(match[2], shapes, bits // 8))
  return found


@dataclasses.dataclass(frozen=True)
class Memory:
  """Bytes that a program needs on each device.

  Attributes:
    held: arguments, and results that do not take an argument's place.
    working: what lives only while it runs.
  """

  held: int
  working: int


def memory(compiled: jax.stages.Compiled) -> Memory | None:
  """What the compiler says of a program, None where it says nothing."""
  stats = compiled.memory_analysis()
  if stats is None:
    return None
  results = stats.output_size_in_bytes - stats.alias_size_in_bytes
  return Memory(
    held=stats.argument_size_in_bytes + results,
    working=stats.temp_size_in_bytes,
  )
