#!/usr/bin/env bash
# Re-measures paper S2 on CIFAR-10, after installing what it needs: bash
# launch/s2.sh --data_root=cifar-10-batches-py [other arguments of launch/s2.py].
set -euo pipefail
unset CDPATH
[[ $0 != */* ]] || cd -- "${0%/*}"
cd ..
source launch/extras.sh
"$BASH" launch/setup.sh "$extras"
source launch/env.sh
exec .venv/bin/python launch/s2.py "$@"
