r"""Paper S2's methods on CIFAR-10: compact networks that stay robust.

Six ways to prune (https://arxiv.org/abs/2106.09129): fine-tuning (ft), gradual
magnitude pruning (gmp), lottery tickets (lth), learning-rate rewinding (lrr),
edge-popup (ep) and biprop (bp), where `augment` is none, augmix or gaussian.
Expected (RobustBench, clean / official CIFAR-10-C, 95 % pruned): LRR 96.66 /
90.94 % right with `model` resnet18 of `width` 2, six of them 96.56 / 92.78;
biprop 94.87 / 88.32 with wide_resnet18_2. Without `corrupted_root` the
corruptions are made here. `data` is cifar10 or cifar100.
Cost: at scale=1 (160 epochs, and as many again for each level of lth and lrr,
13 of them) a job for a GPU, not measured yet. `scale` shortens every phase,
`rate` the number of levels, `train_size` the set; see results/cards.

  python launch/run.py --config=configs/cards.py:lrr --workdir=runs/lrr \
    --config.data_root=cifar-10-batches-py --config.scale=0.05

  python launch/sweep.py --config=configs/cards.py --views=all --seeds=0,1 \
    --workdir=runs/cards --config.data_root=cifar-10-batches-py

`data_root` is the folder of the original python batches, or a .npz of arrays.
Variants: dense ft gmp lth lrr ep bp.
Each also as VARIANT-smoke, a run of seconds.
"""

from rcj import grid, s0, s2


def views() -> tuple[grid.View, ...]:
  """The figures, tables and claims of S2."""
  return s2.views(densities=(0.2, 0.05), augments=('none', 'augmix'))


def get_config(arg: str = 'dense') -> s2.CARDs:
  """The experiment; `arg` comes after the colon of --config."""
  return s0.begun(
    s2.CARDs,
    arg,
    s2.VARIANTS,
    train_size=256,
    test_size=100,
    severities='3',
    model='resnet8',
    stem='',
    rate=0.9,
    epochs=1.0,
    mask_epochs=1.0,
    finetune_epochs=1.0,
  )
