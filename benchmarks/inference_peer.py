"""Runs networks in one program, for benchmarks/inference.py.

  python benchmarks/inference_peer.py RUNTIME THREADS BATCH SIZE

Runs in the environment of the program that it times. A line 'load NAME PATH'
of the input opens a file: an ONNX file, for rcj and XLA an artifact; the answer
is 'ready' or what is wrong. A line 'time NAME SECONDS' runs it for about as
long; the answer is the median in milliseconds. The process is bound to as many
cores as it has threads.
"""

import contextlib
import functools
import os
import statistics
import sys
import time
import warnings


def native(path, threads, images):
  """An artifact by rcj's kernels."""
  from rcj.export import runtime

  return runtime.opened('native', path, threads=threads).prepare(images)


def bfloat16(path, threads, images):
  """The same with weights and results of 16 bits."""
  from rcj.export import runtime

  return runtime.opened('native-bf16', path, threads=threads).prepare(images)


def xla(path, threads, images):
  """An artifact by `rcj.export`, compiled by XLA."""
  from rcj.export import runtime

  # The process has one core where there is one thread.
  return runtime.opened('jax', path).prepare(images)


def onnxruntime(path, threads, images):
  """As rcj runs its exports."""
  from rcj.export import runtime

  return runtime.opened('onnx', path, threads=threads).prepare(images)


def openvino(path, threads, images, precision='f32'):
  """One stream, for latency."""
  import openvino

  core = openvino.Core()
  how = {
    'INFERENCE_NUM_THREADS': threads,
    'PERFORMANCE_HINT': 'LATENCY',
    'INFERENCE_PRECISION_HINT': precision,
  }
  network = core.read_model(path)
  x = channels_first(images)
  network.reshape({'images': list(x.shape)})
  request = core.compile_model(network, 'CPU', how).create_infer_request()
  return lambda: request.infer({'images': x}, share_inputs=True)


def deepsparse(path, threads, images):
  """Its engine, which takes one batch size."""
  import deepsparse

  engine = deepsparse.Engine(
    model=path, batch_size=len(images), num_cores=threads
  )
  x = [channels_first(images)]
  return lambda: engine.run(x, val_inp=False)


def torch(path, threads, images):
  """torch.compile with frozen weights, channels last."""
  import inference_torch
  import torch
  import torch._inductor.config

  torch.set_num_threads(threads)
  torch._inductor.config.freezing = True
  network = inference_torch.Network(path).eval()
  network = network.to(memory_format=torch.channels_last)
  x = torch.from_numpy(channels_first(images))
  x = x.to(memory_format=torch.channels_last)
  run = torch.compile(network)

  def call():
    with torch.inference_mode():
      return run(x)

  return call


OPENERS = {
  'native': native,
  'bfloat16': bfloat16,
  'xla': xla,
  'onnxruntime': onnxruntime,
  'openvino': openvino,
  'openvino-bf16': functools.partial(openvino, precision='bf16'),
  'deepsparse': deepsparse,
  'torch': torch,
}


def channels_first(images):
  """[N, H, W, 3] as [N, 3, H, W]."""
  import numpy as np

  return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def median(call, seconds):
  """Milliseconds, at least three calls."""
  times, begin = [], time.perf_counter()
  while len(times) < 3 or time.perf_counter() - begin < seconds:
    start = time.perf_counter()
    call()
    times.append(time.perf_counter() - start)
  return 1e3 * statistics.median(times)


def answer(opener, networks, words):
  """What to say to one line."""
  match words:
    case ['load', name, path]:
      try:
        networks[name] = opener(path)
        networks[name]()
      except Exception as error:
        networks.pop(name, None)
        return f'{type(error).__name__}: {error}'.replace('\n', ' ')
      return 'ready'
    case ['time', name, seconds]:
      return median(networks[name], float(seconds))


def main():
  """Answers until the input ends."""
  name, (threads, batch, size) = sys.argv[1], map(int, sys.argv[2:])
  if hasattr(os, 'sched_setaffinity'):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
  os.environ['OMP_NUM_THREADS'] = str(threads)
  warnings.simplefilter('ignore')
  answers = sys.stdout
  # What the program prints is not an answer.
  with contextlib.redirect_stdout(sys.stderr):
    import numpy as np

    shape = batch, size, size, 3
    images = np.random.default_rng(0).random(shape, np.float32)
    opener = functools.partial(OPENERS[name], threads=threads, images=images)
    networks = {}
    for line in sys.stdin:
      print(answer(opener, networks, line.split()), file=answers, flush=True)


if __name__ == '__main__':
  main()
