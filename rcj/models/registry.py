"""Networks by name, their preprocessing, and their description as JSON.

A family is a module and its architectures; a new one is a file with these and
an entry in `FAMILIES`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from rcj.graph import Graph, from_json
from rcj.models import (
  conv_net,
  mnasnet,
  mobile,
  mobilenet_v2,
  resnet,
  wide_resnet,
)
from rcj.models.graph_net import GraphNet
from rcj.models.int_net import IntNet
from rcj.models.quant_net import QuantNet
from rcj.types import Preprocessing


@dataclasses.dataclass(frozen=True)
class Family:
  """Networks that one module runs and one convention names in PyTorch.

  Attributes:
    module: called with architecture, num_classes, width, dtype and options.
    architectures: values with a `name` and a default `stem`.
    options: choices for each further field of the module, 'stem' among them.
    torch_names: {PyTorch's name of a module: ours} of an architecture.
  """

  module: Callable[..., nn.Module]
  architectures: tuple[Any, ...]
  options: Mapping[str, tuple[str, ...]]
  torch_names: Callable[[Any], dict[str, str]]


FAMILIES = (
  Family(
    resnet.ResNet, resnet.ARCHITECTURES, resnet.OPTIONS, resnet.torch_names
  ),
  Family(
    mobile.MobileNet,
    mobilenet_v2.ARCHITECTURES,
    mobile.OPTIONS,
    mobilenet_v2.torch_names,
  ),
  Family(
    mobile.MobileNet,
    mnasnet.ARCHITECTURES,
    mobile.OPTIONS,
    mnasnet.torch_names,
  ),
  Family(
    wide_resnet.WideResNet,
    wide_resnet.ARCHITECTURES,
    wide_resnet.OPTIONS,
    wide_resnet.torch_names,
  ),
  Family(
    conv_net.ConvNet,
    conv_net.ARCHITECTURES,
    conv_net.OPTIONS,
    conv_net.torch_names,
  ),
)
_BY_NAME = {a.name: (f, a) for f in FAMILIES for a in f.architectures}
NAMES = tuple(_BY_NAME)
# What runs a graph, by the name that a description has.
_OF_GRAPHS = {kind.__name__: kind for kind in (GraphNet, QuantNet, IntNet)}
# A field of those: to JSON, and back.
_FORMS = {
  'graph': (Graph.to_json, from_json),
  'dtype': (lambda dtype: jnp.dtype(dtype).name, jnp.dtype),
  'keep_float': (list, tuple),
  'per_channel': (bool, bool),
}
Network = nn.Module | GraphNet | QuantNet | IntNet

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

STEM_PREPROCESSING = {
  'imagenet': Preprocessing(IMAGENET_MEAN, IMAGENET_STD, size=224, resize=256),
  'cifar': Preprocessing(
    (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616), size=32
  ),
  'half': Preprocessing((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), size=32),
}


def create(
  name: str,
  *,
  num_classes: int,
  width: float = 1.0,
  stem: str | None = None,
  dtype: Any = jnp.float32,
  **options: str,
) -> nn.Module:
  """A network by name, without parameters.

  Args:
    name: one of `NAMES`. resnet18 to resnet152, mobilenet_v2, mnasnet0_5 and
      mnasnet1_0 are torchvision's; resnet20 to resnet56 are the CIFAR networks
      with option-A shortcuts; resnet8 is one basic block per stage with
      projections, for 32 px images of digits; wide_resnet28_10 is Zagoruyko's,
      wide_resnet18_2 that of the binary CARDs; conv2 to conv8 are Frankle's,
      for images of 32 px.
    num_classes: outputs of the classifier, at least 1.
    width: multiplies every channel count; rounded to the nearest integer, in
      mobile networks to multiples of 8.
    stem: 'imagenet', 'cifar' or 'half'; None takes the network's own.
    dtype: type of the computation; parameters are float32.
    **options: other fields of the module: `padding` and `norm` of mobile
      networks (see `mobile.MobileNet`), `norm` of ResNets and wide ResNets
      (see `resnet.ResNet`).

  Raises:
    ValueError: on an unknown name, stem or option, or sizes below their
      minimum.
  """
  family, architecture = _find(name)
  stem = architecture.stem if stem is None else stem
  options = {**_defaults(family, architecture), 'stem': stem, **options}
  for option, value in options.items():
    _check_option(name, family, option, value)
  if num_classes < 1 or width <= 0:
    raise ValueError(
      'a network needs num_classes >= 1 and width > 0, '
      f'got num_classes={num_classes} and width={width}'
    )
  return family.module(
    architecture,
    num_classes,
    width=float(width),
    dtype=jnp.dtype(dtype),
    **options,
  )


def preprocessing(name: str, *, stem: str | None = None) -> Preprocessing:
  """How images become inputs of a network trained from scratch.

  Args:
    name: one of `NAMES`.
    stem: as for `create`: the statistics are ImageNet's (resize to 256, crop
      224) for 'imagenet', CIFAR-10's (32 px) for 'cifar', and 0.5 (32 px) for
      'half'.

  Raises:
    ValueError: on an unknown name or stem.
  """
  return STEM_PREPROCESSING[create(name, num_classes=1, stem=stem).stem]


def spec(module: Network) -> dict[str, Any]:
  """All that `from_spec` needs to make the module again, ready for JSON."""
  if isinstance(module, tuple(_OF_GRAPHS.values())):
    names = [f.name for f in dataclasses.fields(module)]
    fields = {n: _FORMS[n][0](getattr(module, n)) for n in names}
    return {'net': type(module).__name__, **fields}
  family, architecture = _find(module.architecture.name)
  return {
    'name': architecture.name,
    'num_classes': module.num_classes,
    'width': module.width,
    'dtype': jnp.dtype(module.dtype).name,
    **{option: getattr(module, option) for option in family.options},
  }


def from_spec(description: Mapping[str, Any]) -> Network:
  """The module that `spec` described; equal to the original one."""
  if 'net' not in description:
    return create(**description)
  fields = dict(description)
  kind = _OF_GRAPHS[fields.pop('net')]
  return kind(**{n: _FORMS[n][1](x) for n, x in fields.items()})


def torch_names(name: str) -> dict[str, str]:
  """{module of the public PyTorch code: ours}, of a network by name.

  Raises:
    ValueError: on an unknown name.
  """
  family, architecture = _find(name)
  return family.torch_names(architecture)


def _find(name: str) -> tuple[Family, Any]:
  if name not in _BY_NAME:
    raise ValueError(
      f'unknown network {name!r}; the names are {", ".join(NAMES)}'
    )
  return _BY_NAME[name]


def _defaults(family: Family, architecture: Any) -> dict[str, str]:
  """An architecture's own choice of an option, else the family's first."""
  return {
    option: getattr(architecture, option, choices[0])
    for option, choices in family.options.items()
  }


def _check_option(name: str, family: Family, option: str, value: str) -> None:
  if option not in family.options:
    raise ValueError(
      f'{name} has no option {option!r}; its options are '
      f'{", ".join(family.options)}'
    )
  choices = family.options[option]
  if value not in choices:
    raise ValueError(
      f'unknown {option} {value!r} of {name}; the choices are '
      f'{", ".join(choices)}'
    )
