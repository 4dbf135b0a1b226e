"""Builds kernels/check and the kernels as programs of their own.

Object files are named by what they are made of, and kept: only what has changed
is compiled again.
"""

import concurrent.futures
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess

import jax

KERNELS = pathlib.Path(__file__).resolve().parent.parent / 'kernels'
COMPILER = shutil.which(os.environ.get('CXX', 'g++'))
# As in kernels/CMakeLists.txt.
EXACT = ('-ffp-contract=off', '-fno-math-errno', '-fno-trapping-math')
INSTRUCTIONS = {
  'scalar': (),
  'avx2': ('-march=x86-64-v3',),
  'avx512': ('-march=x86-64-v4', '-mprefer-vector-width=512'),
}


def flags(implementation, *others):
  """Compiler flags of a library, and what comes on top."""
  include = [f'-I{KERNELS}', '-isystem', jax.ffi.include_dir()]
  instructions = INSTRUCTIONS[implementation]
  return ['-std=gnu++17', *EXACT, *instructions, *others, *include]


def build(folder, name, sources, flags, link=(), compiler=COMPILER):
  """The program or library `folder`/`name`, of sources below kernels/."""
  folder.mkdir(parents=True, exist_ok=True)
  with open(folder / 'lock', 'w') as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    return _build(folder, name, sources, flags, link, compiler)


def _build(folder, name, sources, flags, link, compiler):
  (folder / 'handlers.inc').write_text(
    ''.join(f'HANDLER({handler})\n' for handler in handlers(sources))
  )
  flags = [*flags, f'-I{folder}']
  objects = {source: _object(folder, source, flags) for source in sources}
  missing = {s: o for s, o in objects.items() if not o.exists()}
  if missing:
    _compile(folder, missing, flags, compiler)
  found = folder / name
  run(compiler, '-o', found, *objects.values(), *link)
  return found


def _compile(folder, objects, flags, compiler):
  """Makes {source: object file}."""
  common = folder / 'handlers.h.gch'
  if compiler == COMPILER:
    # XLA's headers take longer than a kernel: they are compiled once.
    header = common.with_suffix('')
    header.write_text('#include "common/handlers.h"\n')
    run(compiler, *flags, '-x', 'c++-header', header, '-o', common)
    flags = [*flags, '-include', header]

  def compile_one(item):
    source, found = item
    partial = found.with_suffix('.partial')
    said = run(compiler, *flags, '-c', source, '-o', partial)
    assert not said, said
    for former in folder.glob(f'{_stem(source)}-*.o'):
      former.unlink()
    partial.rename(found)

  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    list(pool.map(compile_one, objects.items()))
  common.unlink(missing_ok=True)


def sources(*folders):
  """The C++ files of folders below kernels/, in order."""
  return sorted(path for f in folders for path in (KERNELS / f).glob('*.cc'))


def kernels():
  """All C++ files of the CPU libraries."""
  return sorted(p for p in KERNELS.glob('*/*.cc') if p.parent.name != 'check')


def handlers(sources):
  """Names of the handlers that files define."""
  text = ''.join(path.read_text() for path in sources)
  return re.findall(r'^RCJ_HANDLER\((\w+)', text, re.MULTILINE)


def run(*command, **options):
  """Output of a program; it is in the message if the program fails."""
  done = subprocess.run(
    [str(part) for part in command],
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
    **options,
  )
  assert done.returncode == 0, f'{command[0]}: {done.stdout[-5000:]}'
  return done.stdout


def _object(folder, source, flags):
  """Where the object file of a source goes, by what it is made of."""
  parts = [*map(str, flags), *sorted(_texts(source, {}).values())]
  if source.parent.name == 'check':
    parts.append((folder / 'handlers.inc').read_text())
  digest = hashlib.sha256('\0'.join(parts).encode()).hexdigest()[:16]
  return folder / f'{_stem(source)}-{digest}.o'


def _stem(source):
  return f'{source.parent.name}.{source.stem}'


def _texts(path: pathlib.Path, seen: dict) -> dict:
  """The texts of a file and of what it includes of ours, by path."""
  if path not in seen:
    seen[path] = path.read_text()
    for name in re.findall(r'#include "(\w+/[\w/.]+)"', seen[path]):
      if (KERNELS / name).exists():
        _texts(KERNELS / name, seen)
  return seen
