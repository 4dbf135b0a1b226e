# shellcheck shell=bash
# Sets `extras`, what setup.sh installs for the devices of this machine; sourced
# by bash.

extras=demo,tb,fast
if compgen -G '/dev/accel*' >/dev/null || [[ -e /dev/vfio/0 ]]; then
  extras+=,tpu
elif type -P nvidia-smi >/dev/null && nvidia-smi --list-gpus &>/dev/null; then
  extras+=,cuda13
fi
