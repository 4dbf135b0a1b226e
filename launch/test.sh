#!/usr/bin/env bash
# Runs the tests, after installing what they need: bash launch/test.sh [pytest
# arguments].
set -euo pipefail
unset CDPATH
[[ $0 != */* ]] || cd -- "${0%/*}"
cd ..
"$BASH" launch/setup.sh demo,tb,fast,dev
source launch/env.sh
# Two processes, because compiling, most of the work, uses one core each. They
# take the files in the order of tests/conftest.py.
exec .venv/bin/python -m pytest -n 2 --dist=loadfile --no-loadscope-reorder "$@"
