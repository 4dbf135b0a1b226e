#!/usr/bin/env bash
# Makes .venv in the repository root and installs rcj with these extras in it;
# does nothing where that is done already. PYTHON names the Python to use.
#
#   bash launch/setup.sh demo,tb,fast
set -euo pipefail
unset CDPATH
[[ $0 != */* ]] || cd -- "${0%/*}"
cd ..
readonly extras="${1:-demo,tb,fast}"
readonly venv="$PWD/.venv" log="$PWD/.cache/install.log"
# Stands while pip runs: what a killed installation leaves is not trusted.
readonly unfinished="$venv/unfinished"

die() {
  printf '%s\n' "$*" >&2
  exit 1
}

# Sets `wrong` to what keeps the Python at $1 from serving, '' if nothing does.
inspect() {
  local out status=0
  # The version comes first: where venv is missing, it is told all the same.
  out="$("$1" -c 'import sys
print("%d.%d.%d" % sys.version_info[:3])
import ensurepip, venv' 2>/dev/null </dev/null)" || status=$?
  wrong=''
  if [[ ! $out =~ ([0-9]+)\.([0-9]+)\.[0-9]+ ]]; then
    wrong="$1, which does not run"
  elif ((BASH_REMATCH[1] * 1000 + BASH_REMATCH[2] < 3011)); then
    wrong="${BASH_REMATCH[0]} ($1)"
  elif ((status)); then
    wrong="${BASH_REMATCH[0]} ($1) without venv (Debian: install python3-venv)"
  fi
}

# Sets `python`. An explicit PYTHON is used or refused, never passed over.
find_python() {
  local name wrong seen=''
  for name in ${PYTHON:+"$PYTHON"} python3.12 python3.11 python3 python; do
    if python="$(type -P -- "$name")"; then
      inspect "$python"
      [[ -n $wrong ]] || return 0
      # A shim of a version manager that points nowhere is no Python.
      if [[ -n ${PYTHON:-} || $wrong != *'not run' ]]; then
        seen+="${seen:+, }$wrong"
      fi
    fi
    [[ -z ${PYTHON:-} ]] || break
  done
  seen="${seen:-none${PYTHON:+ at $PYTHON}}"
  die "rcj needs Python 3.11 or newer; found $seen: install one and set" \
    'PYTHON=/path/to/python3.12'
}

version() {
  "$1" -c 'import sys
print(sys.version)
sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# True if .venv runs and is of the Python that PYTHON names, if it names one.
is_usable() {
  local own
  [[ ! -e $unfinished && -x $venv/bin/python ]] &&
    own="$(version "$venv/bin/python")" &&
    [[ -z ${PYTHON:-} || $own == "$(version "$python")" ]]
}

# What an installation depends on; a stamp that says something else is stale.
fingerprint() {
  "$venv/bin/python" - pyproject.toml constraints.txt kernels <<'EOT'
import hashlib, os, pathlib, sys
paths = [p for f in map(pathlib.Path, sys.argv[1:]) for p in [f, *f.rglob('*')]]
parts = [p.read_bytes() for p in sorted(paths) if p.is_file()]
parts += [sys.version.encode(), os.fsencode(os.getcwd())]
parts += [os.fsencode(os.environ.get('RCJ_NO_NATIVE', ''))]
print(hashlib.sha256(b'\0'.join(parts)).hexdigest())
EOT
}

is_done() {
  local extra stamp now
  is_usable && now="$(fingerprint)" || return 1
  for extra in ${extras//,/ }; do
    stamp="$venv/stamps/$extra"
    [[ -f $stamp && $(<"$stamp") == "$now" ]] || return 1
  done
}

make_venv() {
  echo "rcj: making .venv with $python"
  rm -rf -- "$venv"
  mkdir -- "$venv"
  touch -- "$unfinished"
  "$python" -m venv "$venv" >"$log" 2>&1 ||
    die "rcj: $python cannot make .venv: $(tail -n 1 "$log")"
}

run_pip() {
  "$venv/bin/python" -m ensurepip &&
    "$venv/bin/python" -m pip install --no-input --progress-bar off \
      -c constraints.txt -e ".[$extras]"
}

install() {
  local extra now
  echo "rcj: installing in .venv, a few minutes (log: .cache/install.log)"
  touch -- "$unfinished"
  run_pip >"$log" 2>&1 </dev/null || explain
  now="$(fingerprint)"
  mkdir -p -- "$venv/stamps"
  for extra in ${extras//,/ }; do
    echo "$now" >"$venv/stamps/$extra"
  done
  rm -- "$unfinished"
}

explain() {
  local offline='connection|Max retries|name resolution|timed out'
  if grep -qiE "$offline|from versions: none" "$log"; then
    # pip downloads before it installs, so .venv is as it was.
    rm -- "$unfinished"
    die 'rcj: the package index cannot be reached; is this machine offline,' \
      "or does it need PIP_INDEX_URL or HTTPS_PROXY? (pip's log: $log)"
  fi
  die "rcj: pip failed: $(grep -i error "$log" | head -n 1) (its log: $log)"
}

# A second run waits for the first, and then finds its work done.
lock() {
  { mkdir -p .cache && exec 9>.cache/setup.lock && : >>"$log"; } 2>/dev/null ||
    die "rcj: $PWD is not writable: copy the repository to a folder of yours"
  if type -P flock >/dev/null; then flock 9; fi
}

# Else bash would carry on after a pip that was interrupted.
trap 'exit 130' INT TERM

[[ -z ${PYTHON:-} ]] || find_python
if ! is_done; then
  [[ -n ${PYTHON:-} ]] || find_python
  lock
  if ! is_done; then
    is_usable || make_venv
    install
  fi
fi
