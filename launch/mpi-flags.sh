# Sourced by the launch scripts.

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

# launch_ranks N COMMAND...: after INT or TERM mpirun kills the ranks within a second, too soon for a large checkpoint (and with a
# longer odls_base_sigkill_timeout it would sit out that time after every failure). So it runs in a process group of its own,
# where Ctrl-C does not reach it, and is sent USR2 instead, by which the ranks save a checkpoint and leave with 75.
launch_ranks() {
  local job code again
  set -m
  "${mpirun[@]}" -n "$@" </dev/null &
  job=$!
  trap 'again=yes; kill -USR2 "$job"' INT TERM USR2
  trap 'again=yes; kill -USR1 "$job"' USR1
  again=yes
  while [[ $again == yes ]]; do # a trap ends `wait` early
    again=no
    code=0
    wait "$job" || code=$?
  done
  return "$code"
}
