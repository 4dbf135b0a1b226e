# shellcheck shell=bash
# Environment of every program of rcj; sourced by bash. What is already set
# stays as it is.

_rcj_root="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)"

# glibc maps and unmaps every large buffer anew, and XLA:CPU allocates its
# temporaries per call: keeping freed memory saves the page faults.
: "${MALLOC_MMAP_THRESHOLD_=4294967296}"
export MALLOC_MMAP_THRESHOLD_
: "${MALLOC_TRIM_THRESHOLD_=8589934592}"
export MALLOC_TRIM_THRESHOLD_
: "${MALLOC_TOP_PAD_=268435456}"
export MALLOC_TOP_PAD_

# Compiled programs outlive the process that compiled them.
: "${JAX_COMPILATION_CACHE_DIR=$_rcj_root/.cache/jax}"
export JAX_COMPILATION_CACHE_DIR
: "${JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0.5}"
export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS

# XLA's C++ side logs errors only.
: "${TF_CPP_MIN_LOG_LEVEL=2}"
export TF_CPP_MIN_LOG_LEVEL

# matplotlib builds its font list once, also where HOME is read-only.
: "${MPLCONFIGDIR=$_rcj_root/.cache/matplotlib}"
export MPLCONFIGDIR

unset _rcj_root
