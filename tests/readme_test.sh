#!/usr/bin/env bash
# Runs every ```sh block of README.md and docs/ as printed, each file in a fresh copy of the project whose build/ is the
# given build tree.   readme_test.sh BUILD SOURCE
#
# Not run: ```text blocks. Packages are not installed and nothing is compiled anew.
set -uo pipefail
build=$1
source=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export HWLOC_HIDE_ERRORS=2 RES_OPTIONS="timeout:1 attempts:1" OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=1
# A python3 of the user's own may lack the packages of the distribution.
python3 -c "import h5py" 2>/dev/null || export PATH=/usr/bin:$PATH
# On a machine with fewer cores than a command asks for ranks, mpirun refuses without these.
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none

failures=0
blocks=0
for page in "$source"/README.md "$source"/docs/*.md; do
  copy=$scratch/$(basename "$page" .md)
  mkdir -p "$copy"
  for part in "$source"/*; do
    case $(basename "$part") in
      build | build-* | results) ;;
      *) cp -r "$part" "$copy/" ;;
    esac
  done
  ln -s "$build" "$copy/build"
  # Set-up would build in the copy; what it builds is there already.
  printf '#!/bin/sh\nexit 0\n' >"$copy/launch/setup"
  awk -v to="$copy/block" '/^ *```sh$/ { inside = 1; ++n; next } /^ *```/ { inside = 0 } inside { print > (to "-" sprintf("%02d", n) ".sh") }' "$page"
  for block in "$copy"/block-*.sh; do
    [[ -e $block ]] || continue
    blocks=$((blocks + 1))
    if ! (cd "$copy" && timeout 300 bash -euo pipefail "$block" >log 2>&1 </dev/null); then
      failures=$((failures + 1))
      echo "FAILED: $(basename "$page"):" >&2
      sed 's/^/    /' "$block" >&2
      tail -5 "$copy/log" | sed 's/^/  | /' >&2
    fi
  done
  rm -rf "$copy"
done
echo "$blocks blocks, $failures failed"
[[ $blocks -gt 0 && $failures -eq 0 ]]
