"""Corrupts images with imagecorruptions, for benchmarks/corruptions.py.

  python benchmarks/corruption_peer.py IMAGES.npy

Runs in the peer's own environment. Each line of the input is a name and a
severity; the answer is the CPU time of all images together, in seconds, or 0
where the peer cannot do it.
"""

import contextlib
import sys
import time
import warnings


def main():
  """Answers until the input ends."""
  warnings.simplefilter('ignore')
  answers = sys.stdout
  # What the peer prints is not an answer.
  with contextlib.redirect_stdout(sys.stderr):
    import cv2
    import imagecorruptions
    import numpy as np

    cv2.setNumThreads(1)
    images = np.load(sys.argv[1])
    print('ready', file=answers, flush=True)
    for line in sys.stdin:
      name, severity = line.split()
      start = time.process_time()
      try:
        for image in images:
          imagecorruptions.corrupt(
            image, corruption_name=name, severity=int(severity)
          )
        seconds = time.process_time() - start
      except Exception as error:
        print(f'{name}: {error!r}', file=sys.stderr)
        seconds = 0
      print(seconds, file=answers, flush=True)


if __name__ == '__main__':
  main()
