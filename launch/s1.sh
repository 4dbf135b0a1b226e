#!/usr/bin/env bash
# Re-measures paper S1 on PACS, after installing what it needs: bash
# launch/s1.sh --pacs=pacs_64.npz --tiny_imagenet=tiny_imagenet_30.npz
# [other arguments of launch/s1.py].
set -euo pipefail
unset CDPATH
[[ $0 != */* ]] || cd -- "${0%/*}"
cd ..
source launch/extras.sh
"$BASH" launch/setup.sh "$extras"
source launch/env.sh
exec .venv/bin/python launch/s1.py "$@"
