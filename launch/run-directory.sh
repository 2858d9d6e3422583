# Sourced by the launch scripts after options.sh: where a run writes, and how it goes on. What a run directory is, `echelon status` says.

# find_echelon: sets `echelon` to the executable's absolute path, or ends the script with 66.
find_echelon() {
  echelon=${ECHELON_EXECUTABLE:-$root/build/echelon}
  [[ -x $echelon ]] || refuse "$echelon is not there; build it with launch/setup" 66
  echelon=$(readlink -f "$echelon")
}

# output_of CONFIG OPTION...: the run directory that `echelon run CONFIG OPTION...` would take.
output_of() { "$echelon" status --field folder --quick --of "$@"; }

# status_field RUN_DIR NAME: a field of `echelon status`. Checksums are left to `echelon resume`, which verifies them anyway.
status_field() { "$echelon" status "$1" --quick --field "$2" || [[ $? -eq 66 ]]; }

# newest_checkpoint RUN_DIR: the iteration of the newest checkpoint that is complete, or nothing.
newest_checkpoint() { status_field "$1" checkpoint; }

# plan_start RUN_DIR CONFIG|RUN_DIR: fills `start` with the words after `echelon` that go on.
plan_start() {
  local next=resume
  if [[ ! -d $2 ]]; then next=$(status_field "$1" next); fi
  if [[ $next == run* ]]; then start=(run "$2" --run.output "$1"); else start=(resume "$1"); fi
}

# clear_way RUN_DIR: moves away what an attempt left that ended before its first checkpoint, since `echelon run` refuses such a folder.
clear_way() {
  if [[ $(status_field "$1" next) == run-again ]]; then set_aside "$1"; fi
}

# wait_for_end RUN_DIR: a rank 0 that has lost its launcher is at work for some moments more.
wait_for_end() {
  local fifths=0
  while [[ $(status_field "$1" state) == running ]]; do
    if [[ $fifths -ge $((5 * ${ECHELON_LOCK_SECONDS:-60})) ]]; then
      echo "note: another process is still at work in $1" >&2
      return 0
    fi
    sleep 0.2
    fifths=$((fifths + 1))
  done
}

# set_aside RUN_DIR: a run that ended before its first checkpoint can only start again, and does so in an empty folder.
set_aside() {
  local number=1
  while [[ -e $1.unfinished-$number ]]; do number=$((number + 1)); done
  mv "$1" "$1.unfinished-$number"
  echo "note: $1 has no checkpoint yet; what was there is now $1.unfinished-$number" >&2
}
