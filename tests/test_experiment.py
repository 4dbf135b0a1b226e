"""Experiments in their run directories, from config to rows."""

import dataclasses
import json

import numpy as np
import pytest
import tiny

from rcj import experiment, phases, results


@pytest.mark.parametrize(
  ('variant', 'masks'), [('at', ''), ('hydra_kd', 'augmix')]
)
def test_distillation_runs_from_teacher_to_rows(tmp_path, variant, masks):
  lengths = {'epochs': 1.0, 'mask_epochs': 1.0, 'finetune_epochs': 2.0}
  augment = {'augment': 'none', 'teacher': 'none', 'mask_augment': masks}
  config = tiny.config(variant, **augment, **lengths)
  experiment.execute(config, tmp_path / 'run')
  (row,) = results.read_rows(tmp_path / 'run' / 'results.csv')
  assert ('Hydra + KD' if variant == 'hydra_kd' else 'AT') in row['method']
  assert float(row['ratio']) == pytest.approx(
    4.0 if variant == 'hydra_kd' else 1.0, rel=0.02
  )


def test_a_run_directory_is_for_one_process(tmp_path):
  with (
    experiment.alone(tmp_path),
    pytest.raises(BlockingIOError, match='another process'),
    experiment.alone(tmp_path),
  ):
    pass


def test_a_directory_in_use_keeps_its_config(tmp_path):
  """Another config comes while the first has not taken a step yet."""
  experiment.claim(tmp_path, tiny.Tiny(seed=1))
  with experiment.alone(tmp_path):
    experiment.claim(tmp_path, tiny.Tiny(seed=1))
    with pytest.raises(ValueError, match='seed: 1 there, 2 now'):
      experiment.claim(tmp_path, tiny.Tiny(seed=2))
    with pytest.raises(BlockingIOError, match='another process'):
      experiment.execute(tiny.Tiny(seed=2), tmp_path)
  assert json.loads((tmp_path / 'config.json').read_text())['seed'] == 1


def test_a_kill_while_claiming_does_not_lock_the_directory_out(tmp_path):
  (tmp_path / 'config.json.partial').write_text('{"va')
  (tmp_path / 'lock').touch()
  experiment.claim(tmp_path, tiny.Tiny())
  assert json.loads((tmp_path / 'config.json').read_text())['variant'] == 'std'


def test_execute_writes_rows_continues_and_refuses_others(tmp_path):
  config = tiny.config('gw', augment='none', epochs=1.0, finetune_epochs=1.0)
  folder = tmp_path / 'run'
  experiment.execute(config, folder)
  rows = results.read_rows(folder / 'results.csv')
  assert [row['suite'] for row in rows] == ['clean']
  assert float(rows[0]['ratio']) == pytest.approx(4.0, rel=0.02)
  assert int(rows[0]['n']) == 597
  predicted = np.load(folder / 'predictions.npz')
  wrong = predicted['network|clean||'] != predicted['labels|clean']
  assert wrong.mean() == pytest.approx(float(rows[0]['error']))
  logged = (folder / 'metrics.jsonl').read_text()
  experiment.execute(config, folder)
  assert results.read_rows(folder / 'results.csv') == rows
  assert (folder / 'metrics.jsonl').read_text() == logged
  assert json.loads(logged.splitlines()[0])['step'] == 1
  other = dataclasses.replace(config, ratio=7.0)
  with pytest.raises(ValueError, match=r'ratio: 4\.0 there, 7\.0 now'):
    experiment.execute(other, folder)
  assert results.read_rows(folder / 'results.csv') == rows


def test_a_folder_that_is_no_run_is_left_alone(tmp_path):
  (tmp_path / 'thesis.tex').write_text('text')
  with pytest.raises(ValueError, match=r'no config\.json'):
    experiment.execute(tiny.Tiny(), tmp_path)
  assert [p.name for p in tmp_path.iterdir()] == ['thesis.tex']


@pytest.mark.parametrize(
  'variant', [v for v in tiny.s0.VARIANTS if v not in ('std', 'gw', 'hydra')]
)
def test_every_variant_is_a_recipe_that_ends_in_results(variant):
  made = tiny.config(variant).recipe()
  assert isinstance(made[0], phases.Init)
  assert [type(p) for p in made[-2:]] == [phases.Evaluate, phases.Export]
  assert made == tiny.config(variant).recipe()
  assert made != tiny.config(variant, weight_decay=0.1).recipe()


def test_unknown_variant_lists_the_variants():
  with pytest.raises(ValueError, match='hydra_kd'):
    tiny.config('hidra')


def test_a_config_that_never_took_a_step_may_be_corrected(tmp_path):
  experiment.claim(tmp_path, tiny.Tiny(seed=1))
  experiment.claim(tmp_path, tiny.Tiny(seed=2))
  assert json.loads((tmp_path / 'config.json').read_text())['seed'] == 2
  (tmp_path / 'checkpoints' / '10000003').mkdir(parents=True)
  with pytest.raises(ValueError, match='seed: 2 there, 3 now'):
    experiment.claim(tmp_path, tiny.Tiny(seed=3))
