"""Networks to attack: the golden one, linear ones, perceptrons."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from rcj import weights
from rcj.types import Frozen, Preprocessing

CLASSES = 4
SIDE = 10
SHOWN = Preprocessing((0.5,) * 3, (0.5,) * 3, size=32)


def nhwc(x):
  return np.moveaxis(x, 1, -1)


def golden_predict(g):
  """Network of `attacks.npz`; NHWC images, weights in the images' type."""
  layers = [(g['w1'], g['b1'], 1), (g['w2'], g['b2'], 2)]

  def predict(x):
    for w, b, stride in layers:
      x = jax.lax.conv_general_dilated(
        x,
        jnp.asarray(np.transpose(w, (2, 3, 1, 0)), x.dtype),
        (stride, stride),
        [(1, 1), (1, 1)],
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
        precision='highest',
      )
      x = jnp.tanh(x + jnp.asarray(b, x.dtype)[None, None, None])
    x = jnp.mean(x, axis=(1, 2))
    weights, bias = jnp.asarray(g['wf'].T, x.dtype), jnp.asarray(g['bf'])
    return jnp.dot(x, weights, precision='highest') + bias[None].astype(x.dtype)

  return predict


def linear(weights, bias, images):
  """Two classes: class 1 where <weights, image> + bias is positive."""
  flat = images.reshape(len(images), -1)
  score = jnp.dot(flat, weights.reshape(-1), precision='highest') + bias
  return jnp.stack([-score / 2, score / 2], axis=-1)


def mlp(params, images):
  x = images.reshape(len(images), -1) - 0.5
  x = jnp.tanh(jnp.dot(x, params['w1']) + params['b1'][None])
  return jnp.dot(x, params['w2']) + params['b2'][None]


@functools.cache
def trained():
  """(predict, images, labels) of an MLP; six of seven images are right."""
  rng = np.random.default_rng(0)
  prototypes = rng.uniform(0.4, 0.6, (CLASSES, SIDE, SIDE, 3))
  labels = rng.integers(0, CLASSES, 320)
  images = prototypes[labels] + rng.normal(0, 0.3, (320, SIDE, SIDE, 3))
  images = np.clip(images, 0, 1).astype(np.float32)
  shapes = {'w1': (SIDE * SIDE * 3, 24), 'w2': (24, CLASSES)}
  params = {
    k: jnp.asarray(rng.normal(0, s[0] ** -0.5, s), jnp.float32)
    for k, s in shapes.items()
  }
  params |= {'b1': jnp.zeros(24), 'b2': jnp.zeros(CLASSES)}

  def loss(params):
    log_p = jax.nn.log_softmax(mlp(params, images[:256]))
    return -jnp.mean(jnp.take_along_axis(log_p, labels[:256, None], axis=1))

  @jax.jit
  def train(params):
    def step(_, p):
      return jax.tree.map(lambda a, g: a - 0.3 * g, p, jax.grad(loss)(p))

    return jax.lax.fori_loop(0, 60, step, params)

  return functools.partial(mlp, train(params)), images[256:], labels[256:]


@dataclasses.dataclass(frozen=True)
class Layer:
  """What evaluation wants of a module: a perceptron, which compiles quickly."""

  def apply(self, variables, images, *, train):
    assert not train
    p = variables['params']
    flat = images.reshape(len(images), -1)
    return jnp.tanh(flat @ p['first']) @ p['kernel'], (), None


def perceptron(scale, classes, *, seed=0):
  """A random network whose logits are so large."""
  first, last = jax.random.split(jax.random.key(seed))
  params = {
    'first': jax.random.normal(first, (32 * 32 * 3, 16)) / 55,
    'kernel': scale * jax.random.normal(last, (16, 10)),
  }
  return frozen(Layer(), params, {}, classes)


def frozen(module, params, batch_stats, classes):
  nowhere = jax.tree.map(lambda _: None, params)
  return Frozen(
    params=params,
    batch_stats=batch_stats,
    masks=nowhere,
    scores=nowhere,
    model=module,
    effective=weights.Masked(),
    preprocessing=SHOWN,
    classes=classes,
  )
