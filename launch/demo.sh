#!/usr/bin/env bash
# Runs the demonstration, after installing what it needs: bash launch/demo.sh
# [arguments of launch/demo.py].
set -euo pipefail
unset CDPATH
[[ $0 != */* ]] || cd -- "${0%/*}"
cd ..
"$BASH" launch/setup.sh demo,tb,fast
source launch/env.sh
exec .venv/bin/python launch/demo.py "$@"
