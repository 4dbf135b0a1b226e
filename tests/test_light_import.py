import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = """
import sys
for name in ('flax', 'optax', 'orbax', 'grain', 'tensorflow_datasets', 'absl',
             'ml_collections'):
  sys.modules[name] = None  # importing it raises ImportError
from rcj import losses, masks, scores, weights
print(losses.kd, masks.keep_top, scores.magnitude, weights.hydra)
"""


def test_the_functions_need_jax_numpy_and_jaxtyping_alone():
  result = subprocess.run(
    [sys.executable, '-c', PROGRAM],
    env={**os.environ, 'PYTHONPATH': str(ROOT)},
    capture_output=True,
    text=True,
    timeout=120,
    check=False,
  )
  assert result.returncode == 0, result.stderr
