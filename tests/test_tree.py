import jax.numpy as jnp
import pytest

from rcj import tree

PARAMS = {
  'stem': {'conv': {'kernel': jnp.ones((2, 2)), 'bias': None}},
  'head': {'kernel': jnp.zeros(3)},
}


def test_names_are_paths_in_tree_order_without_none():
  assert tree.names(PARAMS) == ['head/kernel', 'stem/conv/kernel']


def test_select_keeps_whole_name_matches_only():
  chosen = tree.select(PARAMS, r'.*conv/kernel')
  assert tree.names(chosen) == ['stem/conv/kernel']
  with pytest.raises(ValueError, match='head/kernel, stem/conv/kernel'):
    tree.select(PARAMS, 'kernel')


def test_partition_and_combine_are_inverse_and_disjoint():
  chosen, rest = tree.partition(PARAMS, 'head/.*')
  assert tree.names(chosen) == ['head/kernel']
  assert tree.names(rest) == ['stem/conv/kernel']
  both = tree.combine(chosen, rest)
  assert tree.names(both) == tree.names(PARAMS)
  assert both['stem']['conv']['kernel'] is PARAMS['stem']['conv']['kernel']


def test_replace_leaves_refuses_unknown_names():
  new = tree.replace_leaves(PARAMS, {'head/kernel': 5})
  assert new['head']['kernel'] == 5
  with pytest.raises(KeyError, match='nose'):
    tree.replace_leaves(PARAMS, {'nose': 1})


def test_describe_and_rebuild_keep_none_tuples_and_empty_dicts():
  nested = {'a': (jnp.ones(2), None), 'b': {}, 'c': {'d': jnp.zeros((), int)}}
  made = tree.rebuild(tree.describe(nested), tree.leaves(nested))
  assert made['a'][0] is nested['a'][0]
  assert made['a'][1] is None
  assert made['b'] == {}
  assert made['c']['d'] is nested['c']['d']
