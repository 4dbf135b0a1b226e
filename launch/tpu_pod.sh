#!/usr/bin/env bash
# Runs one experiment on all workers of a TPU pod slice that exists already:
#
#   bash launch/tpu_pod.sh --name=my-pod --zone=us-east5-a [--project=PROJECT] \
#     [--repository=URL [--reference=COMMIT]] [--dry-run] -- \
#     --config=configs/imagenet100.py:kd --workdir=gs://bucket/runs/kd
#
# --name, --zone, --project: of the TPU VM, as gcloud takes them.
# --repository, --reference: the workers fetch the code from there, as it is at
#   that moment, the default branch unless told otherwise; without them this
#   working tree is copied.
# --dry-run: prints the commands of gcloud and runs none.
# What follows -- is for launch/run.py. The workers share no disk, so the run
# directory is in a bucket that they may write, and --shared if it is given;
# data is on every worker's disk. The same command continues a run; stop the
# first one before, for nothing in a bucket is locked. The workers need Python
# 3.11 or newer with venv, and say so where they lack it.
set -euo pipefail
unset CDPATH

die() {
  printf 'tpu_pod.sh: %s\n' "$*" >&2
  exit 1
}

name='' zone='' project='' repository='' reference='' dry_run=''
while (($#)); do
  case $1 in
    --name=*) name="${1#*=}" ;;
    --zone=*) zone="${1#*=}" ;;
    --project=*) project="${1#*=}" ;;
    --repository=*) repository="${1#*=}" ;;
    --reference=*) reference="${1#*=}" ;;
    --dry-run) dry_run=yes ;;
    --)
      shift
      break
      ;;
    *) die "unknown argument $1; arguments of launch/run.py follow --" ;;
  esac
  shift
done
[[ -n $name && -n $zone ]] || die 'expected --name=TPU and --zone=ZONE'
[[ -z $reference || -n $repository ]] || die '--reference needs --repository'
[[ " $* " == *' --config='* ]] || die 'expected -- --config=... --workdir=...'
[[ " $* " == *' --workdir=gs://'* ]] ||
  die 'the workers share no disk: expected --workdir=gs://BUCKET/RUN after --'
[[ " $* " != *' --shared='* || " $* " == *' --shared=gs://'* ]] ||
  die 'the workers share no disk: expected --shared=gs://BUCKET/FOLDER'

# gcloud on all workers.
workers() {
  local command=(gcloud compute tpus tpu-vm "$@" --worker=all --zone="$zone")
  [[ -z $project ]] || command+=(--project="$project")
  if [[ -n $dry_run ]]; then
    printf '%q ' "${command[@]}"
    echo
  else
    "${command[@]}"
  fi
}

# Copies the files that git knows, as they are now.
copy() {
  local archive="$PWD/.cache/rcj.tar.gz" file files=()
  mkdir -p .cache
  while IFS= read -r -d '' file; do
    [[ ! -e $file ]] || files+=("$file") # what was removed is still listed
  done < <(git ls-files -z --cached --others --exclude-standard)
  tar -czf "$archive" -- "${files[@]}"
  workers scp "$archive" "$name:rcj.tar.gz"
}

[[ $0 != */* ]] || cd -- "${0%/*}"
cd ..
# The folder may be there already, from a clone or a copy.
code='set -e; mkdir -p rcj; cd rcj; rm -rf rcj configs launch; '
if [[ -n $repository ]]; then
  printf -v code '%sgit init -q; git fetch -q --tags --force %q %q %q; ' \
    "$code" "$repository" '+HEAD:refs/remotes/new/HEAD' \
    '+refs/heads/*:refs/remotes/new/*'
  # A branch as it is there, not as it was here.
  checkout='git checkout -qf'
  printf -v code "%s$checkout new/%q 2>/dev/null || $checkout %q" "$code" \
    "${reference:-HEAD}" "${reference:-HEAD}"
else
  copy
  code+='tar -xzf ../rcj.tar.gz'
fi
code+='; bash launch/local.sh --coordinator=auto'
printf -v code '%s %s' "$code" "$(printf '%q ' "$@")"
workers ssh "$name" --command="$code"
