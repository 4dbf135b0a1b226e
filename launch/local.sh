#!/usr/bin/env bash
# Runs one experiment on all devices of this machine, after installing what it
# needs: bash launch/local.sh [arguments of launch/run.py].
set -euo pipefail
unset CDPATH
[[ $0 != */* ]] || cd -- "${0%/*}"
cd ..
source launch/extras.sh
"$BASH" launch/setup.sh "$extras"
source launch/env.sh
exec .venv/bin/python launch/run.py "$@"
