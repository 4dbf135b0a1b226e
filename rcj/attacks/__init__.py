"""Adversarial images: what makes a network fail within a small distance.

An attack takes any function `predict` from images in 0..1, [B,H,W,3], to
logits, [B,K], such as `functools.partial(models.predict, frozen)`. It is
compiled once for each function (for each `func` of a `functools.partial` of
arrays, whose arrays become arguments) and each shape, not for each `eps`, and
may itself be part of a compiled function. Images and steps are those of
foolbox 3.3.4 where it has the attack; eps is in units of images in 0..1.

What an attack reached is for `outcome` to say. An `Attack` is one of them with
its strength, as a value; `LIGHT` and `HEAVY` are those of paper S1.
"""

from rcj.attacks.apgd import apgd as apgd
from rcj.attacks.attack import HEAVY as HEAVY
from rcj.attacks.attack import LIGHT as LIGHT
from rcj.attacks.attack import SMALLEST as SMALLEST
from rcj.attacks.attack import Attack as Attack
from rcj.attacks.bim import bim as bim
from rcj.attacks.deepfool import deepfool as deepfool
from rcj.attacks.fgsm import fgsm as fgsm
from rcj.attacks.gaussian_noise import gaussian_noise as gaussian_noise
from rcj.attacks.outcome import Outcome as Outcome
from rcj.attacks.outcome import outcome as outcome
from rcj.attacks.pgd import pgd as pgd
from rcj.attacks.salt_and_pepper import salt_and_pepper as salt_and_pepper
from rcj.attacks.search import salt_and_pepper_search as salt_and_pepper_search
from rcj.attacks.square import square as square
