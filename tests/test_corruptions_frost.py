"""Frost: where its textures are from, and what is cut from them."""

import jax
import numpy as np
import pytest
from PIL import Image

from rcj import corruptions
from rcj.corruptions import frost, frost_textures

GREYS = (10, 60, 110, 160, 210)


@pytest.fixture
def folder(tmp_path):
  """Five flat textures, of different sizes."""
  for i, (name, grey) in enumerate(zip(frost.FILES, GREYS, strict=True)):
    texture = np.full((20 + 10 * i, 50 - 5 * i, 3), grey, np.uint8)
    Image.fromarray(texture).save(tmp_path / name)
  return tmp_path


def test_textures_come_from_the_folder_and_all_are_drawn(folder):
  """Flat ones, so that a patch beyond a texture's border would show."""
  fields = corruptions.draw(
    jax.random.key(0), (60, 16, 24, 3), 'frost', 1, textures=folder
  )
  patches = np.asarray(fields['frost'])
  assert patches.dtype == np.uint8
  assert (patches == patches[:, :1, :1]).all()
  assert set(patches[:, 0, 0, 0].tolist()) == set(GREYS)


def test_a_set_is_made_with_the_textures_of_the_folder(folder):
  image = np.full((1, 16, 16, 3), 100, np.uint8)
  how = {'names': ['frost'], 'severities': [3], 'textures': folder}
  ((_, _, found),) = corruptions.corrupted_set(image, **how)
  allowed = [int(0.9 * 100 + 0.4 * grey) for grey in GREYS]
  assert found[0, 0, 0, 0] in allowed
  assert (found == found[0, 0, 0, 0]).all()


def test_words_say_which_textures(folder):
  assert corruptions.frost_words() == 'frost textures made here'
  assert corruptions.frost_words(textures=folder) == 'frost textures from files'


def test_a_missing_texture_is_named(folder):
  (folder / 'frost4.jpg').unlink()
  with pytest.raises(ValueError, match=r"lacks frost4.jpg .* \['frost1.png'"):
    corruptions.draw(
      jax.random.key(0), (1, 16, 16, 3), 'frost', 1, textures=folder
    )


def test_made_textures_are_rough_bright_and_wrap_around():
  made = frost_textures.made_textures()
  assert made is frost_textures.made_textures()
  assert len({t.tobytes() for t in made}) == len(frost.FILES)
  for texture in made:
    texture = texture.astype(float)
    assert 100 < texture.mean() < 220
    for axis in (0, 1):
      steps = np.abs(np.diff(texture, axis=axis)).mean()
      first, last = texture.take(0, axis), texture.take(-1, axis)
      assert 3 < steps < 30
      assert np.abs(first - last).mean() < 1.5 * steps


def test_every_image_gets_a_patch_of_its_own():
  fields = corruptions.draw(jax.random.key(1), (20, 64, 64, 3), 'frost', 5)
  assert len({p.tobytes() for p in np.asarray(fields['frost'])}) == 20


def test_small_textures_are_enlarged_to_the_image(folder):
  image = np.zeros((1, 90, 70, 3), np.uint8)
  fields = corruptions.draw(
    jax.random.key(2), image.shape, 'frost', 2, table=32, textures=folder
  )
  assert fields['frost'].shape == image.shape
  assert fields['frost'][0].min() == fields['frost'][0].max() > 0
