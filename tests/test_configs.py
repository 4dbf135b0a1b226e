"""Every file under configs/: its essay, its fields, its recipes."""

import dataclasses
import importlib.util
import pathlib
import re

import pytest
from absl import flags
from ml_collections import config_flags

from rcj import phases, s0, s1, s2

# ml_collections loads config files by a method that Python has deprecated.
pytestmark = pytest.mark.filterwarnings(
  r'ignore:the load_module\(\) method:DeprecationWarning'
)

FOLDER = pathlib.Path(__file__).resolve().parent.parent / 'configs'
FILES = sorted(path.name for path in FOLDER.glob('*.py'))
OF_S1, OF_S2 = ('office31.py', 'pacs.py'), ('cards.py',)
VARIANTS = {
  **dict.fromkeys(FILES, s0.VARIANTS),
  **dict.fromkeys(OF_S1, s1.VARIANTS),
  **dict.fromkeys(OF_S2, s2.VARIANTS),
}
EVERY = [(name, variant) for name, own in VARIANTS.items() for variant in own]
PRUNED = ('gw', 'lw', 'l1', 'random_filter', 'hydra', 'hydra_kd')
OTHER = {int: '3', float: '0.375', str: 'other', bool: 'true'}


def module(name):
  spec = importlib.util.spec_from_file_location('config', FOLDER / name)
  made = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(made)
  return made


def parsed(*argv):
  """The config that these words of a command line give."""
  argv = ['run.py', *argv]
  values = flags.FlagValues()
  holder = config_flags.DEFINE_config_file(
    'config', flag_values=values, sys_argv=argv
  )
  values(argv)
  return holder.value


@pytest.fixture(params=FILES)
def name(request):
  return request.param


def test_there_are_configs():
  assert {
    *('cifar10.py', 'digits.py', 'folder.py'),
    *('imagenet100.py', 'tiny_imagenet.py', *OF_S1, *OF_S2),
  } <= set(FILES)


def test_the_essay_says_what_it_costs_and_how_to_run_it(name):
  essay = module(name).__doc__
  assert essay.splitlines()[0].endswith('.')
  assert 'Cost: ' in essay or 'Cost at ' in essay
  assert f'python launch/run.py --config=configs/{name}:' in essay
  assert '--workdir=' in essay
  (listed,) = re.findall(r'Variants: ([^.]*)\.', essay)
  assert listed.split() == list(VARIANTS[name])


def test_the_command_of_the_essay_is_understood(name):
  essay = module(name).__doc__.partition('launch/sweep.py')[0]
  words = re.findall(r'--config\S*', essay)
  config = parsed(
    words[0].replace('configs', str(FOLDER)),
    *words[1:],
  )
  assert words[0].endswith(f':{config.variant}')
  for word in words[1:]:
    field, value = word.removeprefix('--config.').split('=')
    assert str(getattr(config, field)) == value


@pytest.mark.parametrize(('name', 'variant'), EVERY)
def test_every_variant_is_a_plain_value_with_a_recipe(name, variant):
  config = module(name).get_config(variant)
  assert dataclasses.is_dataclass(config)
  assert config.variant == variant
  for value in dataclasses.asdict(config).values():
    assert type(value) in (str, int, float, bool)
  recipe = config.recipe()
  assert isinstance(recipe[0], phases.Init)
  attack = [phases.Attack] if config.attack_images else []
  told = [phases.ModelInfo] if name in OF_S2 else []
  ends = [phases.Evaluate, *attack, phases.Export, *told]
  assert [type(p) for p in recipe[-len(ends) :]] == ends
  assert recipe == module(name).get_config(variant).recipe()
  assert set(config.identity()) <= set(dataclasses.asdict(config))


def test_the_variant_has_a_default(name):
  assert module(name).get_config().variant in VARIANTS[name]


def test_an_unknown_variant_is_answered_with_all(name):
  with pytest.raises(
    ValueError, match=r"'hidra'.*" + ', '.join(VARIANTS[name])
  ):
    module(name).get_config('hidra')


def test_every_field_is_a_flag_of_its_type(name):
  default = module(name).get_config()
  values = {
    f.name: OTHER[f.type]
    for f in dataclasses.fields(default)
    if f.name != 'variant'
  }
  config = parsed(
    f'--config={FOLDER / name}:{next(iter(VARIANTS[name]))}',
    '--config.variant=gw',
    *(f'--config.{field}={value}' for field, value in values.items()),
  )
  assert config.variant == 'gw'
  for field, value in values.items():
    got = getattr(config, field)
    assert type(got) is type(getattr(default, field)), field
    assert str(got).lower() == value


def test_an_unknown_field_and_a_wrong_type_are_refused(name):
  with pytest.raises(KeyError, match='densty'):
    parsed(f'--config={FOLDER / name}', '--config.densty=0.1')
  with pytest.raises(flags.IllegalFlagValueError, match='density'):
    parsed(f'--config={FOLDER / name}', '--config.density=much')


@pytest.mark.parametrize(
  ('name', 'variant'),
  [(name, v) for name, v in EVERY if v in PRUNED and name not in OF_S1],
)
def test_density_replaces_the_ratio(name, variant):
  config = module(name).get_config(variant)
  before = config.recipe()
  config.density = 0.07
  after = config.recipe()
  changed = [
    (old, new) for old, new in zip(before, after, strict=True) if old != new
  ]
  ((old, new),) = changed
  assert isinstance(new, (phases.Prune, phases.InitScores))
  assert (old.density, old.ratio) == (None, config.ratio)
  assert (new.density, new.ratio) == (0.07, None)


def trained(recipe):
  return [phase for phase in recipe if isinstance(phase, phases.Train)]


@pytest.mark.parametrize(('name', 'variant'), EVERY)
def test_scale_shortens_every_training_and_nothing_else(name, variant):
  config = module(name).get_config(variant)
  before = config.recipe()
  config.scale = 0.25
  after = config.recipe()
  assert trained(before)
  for old, new in zip(trained(before), trained(after), strict=True):
    assert new.epochs == pytest.approx(old.epochs / 4)
    assert new.epochs > 0
    assert dataclasses.replace(new, epochs=old.epochs) == old
  rest = [p for p in before if not isinstance(p, phases.Train)]
  assert rest == [p for p in after if not isinstance(p, phases.Train)]


def test_smoke_is_the_same_recipe_in_small(name):
  variant = list(VARIANTS[name])[2]
  full, small = (
    module(name).get_config(variant),
    module(name).get_config(f'{variant}-smoke'),
  )
  kinds = [type(phase) for phase in full.recipe()]
  assert [type(phase) for phase in small.recipe()] == kinds
  assert small.epochs < full.epochs
  with pytest.raises(ValueError, match='only -smoke may follow'):
    module(name).get_config(f'{variant}-fast')
