"""Paper S1 as recipes: compressed networks under domain shift and attack.

S1 is "Robustness to distribution shifts of compressed networks for edge
devices", https://arxiv.org/abs/2401.12014. It fine-tunes pre-trained ResNets on
one domain of Office-31, compresses them by L1 filter pruning, distillation and
int8, and measures them on the other domains and under attack. Its recipes are
those of `rcj.s0`, on `pretrained_root` and with `attack_images`.
"""

from rcj.s1.config import S1
from rcj.s1.variants import VARIANTS, configure
from rcj.s1.views import views

__all__ = ['S1', 'VARIANTS', 'configure', 'views']
