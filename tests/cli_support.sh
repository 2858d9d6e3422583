# Sourced by the tests of the executable: SCRIPT EXECUTABLE SOURCE, in a scratch folder of its own.
set -uo pipefail
echelon=$(readlink -f "$1")
source=$(readlink -f "$2")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
export HWLOC_HIDE_ERRORS=2 RES_OPTIONS="timeout:1 attempts:1" OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=1
mpi=(mpirun --oversubscribe --bind-to none)

failures=0
cases=0
wrong() {
  failures=$((failures + 1))
  echo "WRONG: $*" >&2
  sed 's/^/    out: /' out | tail -5 >&2
  sed 's/^/    err: /' err | grep -v '^    err: *$' | head -8 >&2
}

# run_on RANKS ARGUMENTS: leaves `out`, `err` and `code`. 0 ranks: without mpirun.
run_on() {
  local ranks=$1
  shift
  if [[ $ranks -eq 0 ]]; then
    timeout 20 "$echelon" "$@" >out 2>err </dev/null
  else
    timeout 20 "${mpi[@]}" -n "$ranks" "$echelon" "$@" >out 2>err </dev/null
  fi
  code=$?
}

fingerprint() { find "$1" -type f -exec md5sum {} + 2>/dev/null | sort | md5sum; }

# refused CODE PATTERN ARGUMENTS: one line, the code, the pattern, nothing new and nothing changed; without mpirun and on 3 ranks, or as `refused_on` says.
refused() {
  local expected=$1 pattern=$2 ranks before lines
  shift 2
  for ranks in ${refused_on:-0 3}; do
    cases=$((cases + 1))
    before=$(fingerprint kept)
    rm -rf new
    run_on "$ranks" "$@"
    [[ $code -eq $expected ]] || wrong "exit code $code, not $expected, on $ranks ranks: $*"
    lines=$(grep -c '^echelon: ' err)
    [[ $lines -eq 1 ]] || wrong "$lines messages, not 1, on $ranks ranks: $*"
    grep '^echelon: ' err | grep -Eq -- "$pattern" || wrong "no /$pattern/ in the message on $ranks ranks: $*"
    [[ $ranks -ne 0 || $(wc -l <err) -eq 1 ]] || wrong "more than one line on standard error: $*"
    [[ $expected -eq 3 || ! -e new ]] || wrong "a refused run left its folder on $ranks ranks: $*"
    [[ $(fingerprint kept) == "$before" ]] || wrong "files of an earlier run changed on $ranks ranks: $*"
  done
}

# done_on RANKS PATTERN ARGUMENTS: exit code 0, and the pattern on standard output or error.
done_on() {
  local ranks=$1 pattern=$2
  shift 2
  cases=$((cases + 1))
  run_on "$ranks" "$@"
  [[ $code -eq 0 ]] || wrong "exit code $code, not 0, on $ranks ranks: $*"
  cat out err | grep -Eq -- "$pattern" || wrong "no /$pattern/ in the output on $ranks ranks: $*"
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
