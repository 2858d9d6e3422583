# Sourced by the tests of launch/: SCRIPT EXECUTABLE SOURCE [ARGUMENT ...] in a scratch folder of its own.
echelon=$(readlink -f "$1")
source=$(readlink -f "$2")
shift 2
scratch=${ECHELON_SCRATCH:-$(mktemp -d)}
cd "$scratch" || exit 1
export RUN_NAME=
export ECHELON_EXECUTABLE=$echelon HWLOC_HIDE_ERRORS=2 RES_OPTIONS="timeout:1 attempts:1" OMP_NUM_THREADS=1
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl_vader_single_copy_mechanism=none
export OMPI_MCA_mpi_yield_when_idle=1 # cores are shared with other tests

failures=0
cases=0
wrong() {
  failures=$((failures + 1))
  echo "WRONG: $*" >&2
}
is() { # is WHAT COMMAND...
  local what=$1
  shift
  cases=$((cases + 1))
  "$@" >is.out 2>&1 || wrong "$what: $*"
}
finish() { # the last line of a test
  echo "$cases cases, $failures wrong"
  [[ $failures -eq 0 ]]
}
skip() {
  echo "skipped: $*"
  exit 77
}

# same_bits RUN_DIR RUN_DIR: equal results, and equal rows of metrics.csv but for the column of seconds.
same_bits() {
  cmp "$1/result.h5" "$2/result.h5" && cmp <(cut -d, -f1,3- "$1/metrics.csv") <(cut -d, -f1,3- "$2/metrics.csv")
}

# write_problem FILE [DIMENSION]: by default a problem of milliseconds per hundred iterations; with 300, of milliseconds for each, so that the
# time goes into computation and not into messages, whose pace depends on what else the machine does.
write_problem() {
  cat >"$1" <<INI
[run]
iterations = 40
checkpoint_every = 10
[network]
agents = 6
[problem]
name = quadratic
upper_dimension = ${2:-40}
lower_dimension = ${2:-40}
[method]
name = soba
alpha = 0.05
[metrics]
every = 1000
INI
}

# write_endless FILE: an executable that runs without an end until it has been disturbed enough, which the file $RUN_NAME.enough or a requeue
# by Slurm says, and from then on to some iterations past the newest checkpoint. So disturbances always find the run at work, whatever
# the pace of the machine. The total is left in $RUN_NAME.total; rank 0's command line is everybody's.
write_endless() {
  cat >"$1" <<SH
#!/bin/sh
[ "\$1" != status ] || exec "$echelon" "\$@"
total=100000000
if [ -e "\$RUN_NAME.total" ]; then
  total=\$(cat "\$RUN_NAME.total")
elif [ -e "\$RUN_NAME.enough" ] || [ "\${SLURM_RESTART_COUNT:-0}" -gt 0 ]; then
  newest=0
  for manifest in "\$RUN_NAME"/checkpoints/*/manifest.txt; do
    [ ! -e "\$manifest" ] || newest=\$(basename "\$(dirname "\$manifest")" | sed 's/^0*//')
  done
  total=\$((newest + 300))
  [ "\${OMPI_COMM_WORLD_RANK:-\${PMIX_RANK:-0}}" != 0 ] || echo "\$total" >"\$RUN_NAME.total"
fi
exec "$echelon" "\$@" --run.iterations "\$total"
SH
  chmod +x "$1"
}

# undisturbed NAME OPTION...: the run NAME-undisturbed on two ranks with as many iterations as NAME was told to make.
undisturbed() {
  ECHELON_EXECUTABLE=$echelon "$source/launch/run" 2 problem.ini --run.output "$1-undisturbed" "${@:2}" --run.iterations "$(cat "$1.total")" \
    >"$1-undisturbed.log" 2>&1 || { wrong "the undisturbed run failed"; tail -3 "$1-undisturbed.log" >&2; }
}
