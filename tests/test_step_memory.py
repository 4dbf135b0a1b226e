"""What a training phase says of its memory before the first step."""

import io
import re
import types

import jax
import jax.numpy as jnp
import numpy as np
import rich.console

from rcj import experiment, program
from rcj.journal import Journal
from rcj.phases import memory

ROW = 2**18  # numbers in a MiB


@jax.jit
def step(state, batch, key, k, teacher):
  """Holds a MiB of state, and some for each image."""
  each = jnp.sort(batch['image'] * state, 1)
  return state + jnp.sum(each, 0, keepdims=True), jnp.mean(each)


def arguments(images):
  mesh = experiment.data_mesh()
  split = jax.NamedSharding(mesh, jax.P('data'))
  whole = jax.NamedSharding(mesh, jax.P())
  kind = np.float32
  state = jax.ShapeDtypeStruct((1, ROW), kind, sharding=whole)
  image = jax.ShapeDtypeStruct((images, ROW), kind, sharding=split)
  return state, {'image': image}, None, None, None


def needs(images):
  return program.memory(step.lower(*arguments(images)).compile())


def said(tmp_path, images, stats):
  mesh, text = experiment.data_mesh(), io.StringIO()
  device = types.SimpleNamespace(memory_stats=lambda: stats)
  env = types.SimpleNamespace(
    mesh=types.SimpleNamespace(size=mesh.size, local_devices=[device]),
    journal=Journal(
      tmp_path, console=rich.console.Console(file=text, width=300)
    ),
  )
  memory.announce_step(step, arguments(images), env, images)
  return text.getvalue()


def test_memory_of_a_program_is_that_of_its_arrays():
  a, b = (jax.ShapeDtypeStruct((n,), np.float32) for n in (1000, 500))
  lowered = jax.jit(lambda a, b: (a + 1, b[:2]), donate_argnums=0).lower(a, b)
  found = program.memory(lowered.compile())
  # The first result takes the place of `a`; two numbers are new.
  assert 4 * 1502 <= found.held < 4 * 1502 + 100
  assert found.working < 100


def test_each_device_is_told_what_a_step_needs(tmp_path):
  text = said(tmp_path, 32, None)
  numbers = re.fullmatch(
    r'a device needs (\d+) MiB for networks and optimizer, (\d+) MiB for its 8 '
    r'images\n',
    text,
  )
  fixed, growing = map(int, numbers.groups())
  assert fixed == 2, 'the state, and the next one'
  assert growing >= 2 * 8, 'images, and what is sorted'
  found = needs(32)
  assert abs(fixed + growing - (found.held + found.working) / 2**20) <= 1


def test_the_batch_that_is_said_to_fit_does_and_hardly_more(tmp_path):
  limit = 2**30
  text = said(tmp_path, 32, {'bytes_limit': limit})
  fit = re.search(
    r'; its 1,024 MiB would do for a batch of about ([\d,]+)$', text
  )
  images = int(fit[1].replace(',', ''))
  assert images % 4 == 0
  fitting, more = needs(images), needs(images + images // 10 // 4 * 4)
  assert fitting.held + fitting.working <= limit
  assert more.held + more.working > limit


def test_nothing_fits_beside_a_network_that_does_not(tmp_path):
  text = said(tmp_path, 4, {'bytes_limit': 1000})
  assert text.endswith('; its 0 MiB would do for a batch of about 0\n')
