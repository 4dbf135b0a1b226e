"""Records programs of networks, for kernels/check/network/replay.cc to run.

python tests/network_cases.py FILE
"""

import pathlib
import struct
import sys

import exports
import numpy as np

from rcj.export import program
from rcj.export.deployable import deployable

# Every operation, kind of weights and storage is in one of them.
CASES = (
  ('resnet20', 'masked', 'float32'),
  ('mobile', 'dense', 'bfloat16'),
  ('resnet18', 'int8', 'float32'),
)


def main(path):
  parts = [struct.pack('<q', len(CASES))]
  for family, method, storage in CASES:
    frozen = deployable(exports.network(family, method))
    for array in program.program(frozen, storage=storage):
      parts += [struct.pack('<q', array.size), np.ascontiguousarray(array)]
  pathlib.Path(path).write_bytes(b''.join(bytes(part) for part in parts))


if __name__ == '__main__':
  main(sys.argv[1])
