"""ResNet-18 with a CIFAR stem in PyTorch, the peer of benchmarks/training.py.

Same layers as `rcj.models.create('resnet18', stem='cifar')`: torchvision's
v1.5 blocks after a 3x3 stem without pooling.
"""

import torch
from torch import nn


class Block(nn.Module):
  """Two 3x3 convolutions and a shortcut."""

  def __init__(self, inputs: int, channels: int, stride: int):
    """A projection shortcut where the shape changes."""
    super().__init__()
    self.conv1 = nn.Conv2d(inputs, channels, 3, stride, 1, bias=False)
    self.bn1 = nn.BatchNorm2d(channels)
    self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
    self.bn2 = nn.BatchNorm2d(channels)
    self.shortcut = nn.Identity()
    if stride != 1 or inputs != channels:
      self.shortcut = nn.Sequential(
        nn.Conv2d(inputs, channels, 1, stride, bias=False),
        nn.BatchNorm2d(channels),
      )

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    """[N,C,H,W] to [N,channels,H/stride,W/stride]."""
    y = torch.relu(self.bn1(self.conv1(x)))
    return torch.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


def resnet18(num_classes: int) -> nn.Module:
  """The network; input [N,3,H,W]."""
  layers = [
    nn.Conv2d(3, 64, 3, 1, 1, bias=False),
    nn.BatchNorm2d(64),
    nn.ReLU(),
  ]
  inputs = 64
  for stage, channels in enumerate((64, 128, 256, 512)):
    for block in range(2):
      stride = 2 if stage and not block else 1
      layers.append(Block(inputs, channels, stride))
      inputs = channels
  head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, num_classes)]
  return nn.Sequential(*layers, *head)
