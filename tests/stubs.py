"""A copy of the launch scripts, and stub programs for them.

The path of the copy has a space. Nothing is installed and the network is not
touched.
"""

import pathlib
import shutil
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

BASH = shutil.which('bash')
RUN = ('--config=configs/a.py:kd', '--workdir=gs://b/run', '--config.x=a b')

# A Python whose venvs hold itself and whose pip does what $PIP_STUB says.
STUB_PYTHON = f"""#!{BASH}
here="${{BASH_SOURCE[0]}}"
case "$*" in
  '-m venv '*)
    mkdir -p "$3/bin"
    cp "$here" "$3/bin/python"
    ;;
  '-m ensurepip') ;;
  '-m pip install '*)
    echo "$@" >>"$PWD/pip calls"
    eval "$PIP_STUB"
    ;;
  *) exec '{sys.executable}' "$@" ;;
esac
"""


def write_program(path: pathlib.Path, text: str) -> None:
  path.write_text(text)
  path.chmod(0o755)


@pytest.fixture
def copy(tmp_path):
  """A copy of what setup.sh reads, and a folder of stub programs."""
  root = tmp_path / 'a copy of rcj'
  shutil.copytree(ROOT / 'launch', root / 'launch')
  for name in ('pyproject.toml', 'constraints.txt'):
    shutil.copy(ROOT / name, root)
  (tmp_path / 'bin').mkdir()
  return root
