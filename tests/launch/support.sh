# Sourced by the tests of launch/: SCRIPT EXECUTABLE SOURCE [ARGUMENT ...] in a scratch folder of its own.
echelon=$(readlink -f "$1")
source=$(readlink -f "$2")
shift 2
scratch=${ECHELON_SCRATCH:-$(mktemp -d)}
cd "$scratch" || exit 1
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

# iterations_per_second RANKS OPTION...: measured over some seconds; a machine that is busy at other times only makes runs last longer or shorter.
iterations_per_second() {
  local ranks=$1
  shift
  rm -rf calibration
  "$source/launch/run" "$ranks" problem.ini --run.output calibration --run.iterations 100000000 --run.seconds 2 \
    --run.checkpoint_every 0 "$@" >calibration.log 2>&1 || { cat calibration.log >&2; return 1; }
  sed -n 's/^done.* after \([0-9]*\) iterations.*/\1/p; s/.* after \([0-9]*\) iterations, .*/\1/p' calibration.log | tail -1 | awk '{ print int($1 / 2) }'
}
