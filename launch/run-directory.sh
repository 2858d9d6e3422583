# Sourced by the launch scripts: where a run writes, and what is there to go on from.

# find_echelon NAME: sets `echelon` to the executable's absolute path, or ends the script NAME with 66.
find_echelon() {
  echelon=${ECHELON_EXECUTABLE:-$root/build/echelon}
  if [[ ! -x $echelon ]]; then
    echo "$1: $echelon is not there; build it with launch/setup" >&2
    exit 66
  fi
  echelon=$(readlink -f "$echelon")
}

# output_of CONFIG OPTION...: the run directory that `echelon run CONFIG OPTION...` would take.
output_of() {
  local config=$1 output='' previous='' word
  shift
  for word in "$@"; do
    if [[ $word == --run.output=* ]]; then output=${word#*=}; fi
    if [[ $previous == --run.output ]]; then output=$word; fi
    previous=$word
  done
  : "${output:=${ECHELON_RUN_OUTPUT:-}}"
  if [[ -z $output && -r $config ]]; then
    output=$(awk '{ sub(/#.*/, "") }
      /^[ \t]*\[/ { inside = /^[ \t]*\[run\]/ }
      (inside && /^[ \t]*output[ \t]*=/) || /^[ \t]*run\.output[ \t]*=/ { sub(/^[^=]*=[ \t]*/, ""); sub(/[ \t\r]*$/, ""); print; exit }' "$config")
  fi
  if [[ -z $output ]]; then
    output=${config##*/}
    output=results/${output%.*}
  fi
  echo "$output"
}

# newest_checkpoint RUN_DIR: the iteration of the newest checkpoint that is complete, or nothing.
newest_checkpoint() {
  local manifest
  for manifest in "$1"/checkpoints/[0-9]*/manifest.txt; do :; done # folders are numbered with twelve digits, so the last is the newest
  [[ -e $manifest ]] || return 0
  manifest=${manifest%/manifest.txt}
  echo $((10#${manifest##*/}))
}

# What `echelon run` refuses to write over.
holds_run() {
  local name
  for name in config.ini metrics.csv result.h5 checkpoints; do
    if [[ -e $1/$name ]]; then return 0; fi
  done
  return 1
}

# wait_for_end RUN_DIR: a rank 0 that has lost its launcher holds the lock for some moments more.
wait_for_end() {
  if [[ ! -e $1/.lock ]] || ! command -v flock >/dev/null; then return 0; fi
  flock --wait "${ECHELON_LOCK_SECONDS:-60}" "$1/.lock" true || echo "note: another process is still at work in $1" >&2
}

# set_aside RUN_DIR: a run that ended before its first checkpoint can only start again, and does so in an empty folder.
set_aside() {
  local number=1
  while [[ -e $1.unfinished-$number ]]; do number=$((number + 1)); done
  mv "$1" "$1.unfinished-$number"
  echo "note: $1 has no checkpoint yet; what was there is now $1.unfinished-$number" >&2
}
