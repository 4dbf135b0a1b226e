#!/usr/bin/env bash
# Runs the tests, after installing what they need: bash launch/test.sh [pytest
# arguments].
set -euo pipefail
unset CDPATH
[[ $0 != */* ]] || cd -- "${0%/*}"
cd ..
"$BASH" launch/setup.sh demo,tb,fast,dev
source launch/env.sh
exec .venv/bin/python -m pytest "$@"
