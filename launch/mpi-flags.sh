# Sourced by the launch scripts: mpirun with the flags that this machine needs, and what watches over it.

mpirun=(mpirun)
export HWLOC_HIDE_ERRORS=${HWLOC_HIDE_ERRORS:-2} # or every rank complains where /sys is not mounted
if mpirun --version 2>/dev/null | grep -q 'Open MPI'; then
  # More ranks than cores are allowed, and no rank is tied to a core that another program may be using.
  mpirun+=(--oversubscribe --bind-to none)
  # Open MPI refuses root unless told twice; in containers root is the usual user.
  if [[ $EUID -eq 0 ]]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  fi
fi

# A bar where a person watches; mpirun hides the terminal from the ranks.
progress=lines
if [[ -t 1 ]]; then progress=bar; fi

# What was asked of this script: nothing yet, or the first of INT, TERM, USR2.
asked_to_leave=
supervised=

forward() { # forward SIGNAL_FOR_THE_RANKS [SIGNAL_THAT_CAME]
  if [[ -n ${2:-} && -z $asked_to_leave ]]; then asked_to_leave=$2; fi
  if [[ -n $supervised ]]; then kill -"$1" "$supervised" 2>/dev/null || true; fi
}

# From here on signals are remembered, also while there is no launcher yet.
listen() {
  trap 'forward USR2 INT' INT
  trap 'forward USR2 TERM' TERM
  trap 'forward USR2 USR2' USR2
  trap 'forward USR1' USR1
}

# supervise LAUNCHER...: after INT or TERM mpirun kills the ranks within a second, too soon for a large checkpoint (and with a
# longer odls_base_sigkill_timeout it would sit out that time after every failure). So it runs in a process group of its own,
# where Ctrl-C does not reach it, and is sent USR2 instead, by which the ranks save a checkpoint and leave with 75. Returns the
# launcher's code; 75 also if ranks that were still starting died of the USR2.
supervise() {
  local code before=
  listen
  if [[ -n $asked_to_leave ]]; then return 75; fi
  set -m
  "$@" </dev/null &
  supervised=$!
  if [[ -n $asked_to_leave ]]; then kill -USR2 "$supervised"; fi # it came while there was nobody to tell
  while true; do
    code=0
    wait "$supervised" || code=$?
    # A trap ends `wait` early, with the signal's number; a launcher that is gone keeps its code for another `wait`.
    [[ $code -gt 128 && $code != "$before" ]] || break
    kill -0 "$supervised" 2>/dev/null || before=$code
  done
  supervised=
  if [[ -n $asked_to_leave && $code -eq $((128 + $(kill -l USR2))) ]]; then code=75; fi
  return "$code"
}

# launch_ranks N COMMAND...
launch_ranks() { supervise "${mpirun[@]}" -n "$@"; }
