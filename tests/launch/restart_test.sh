#!/usr/bin/env bash
# What launch/restart tries again, what it does not, and when it gives up.   restart_test.sh EXECUTABLE SOURCE
set -uo pipefail
# shellcheck source=tests/launch/support.sh
source "$(dirname "${BASH_SOURCE[0]}")/support.sh" "$1" "$2"
trap 'rm -rf "$scratch"' EXIT
export OMPI_MCA_odls_base_sigkill_timeout=0 # mpirun pauses for that long after each failure
write_problem problem.ini
restart=$source/launch/restart

# ends CODE ATTEMPTS PATTERN ARGUMENT...: launch/restart ends with the code after so many attempts and says something.
ends() {
  local expected=$1 attempts=$2 pattern=$3 code=0 made
  shift 3
  cases=$((cases + 1))
  timeout 60 "$restart" --wait 0 "$@" >out 2>err </dev/null || code=$?
  made=$(grep -c '^restart: attempt' out)
  [[ $code -eq $expected ]] || wrong "exit code $code, not $expected: $*"
  [[ $made -eq $attempts ]] || wrong "$made attempts, not $attempts: $*"
  grep -Eq -- "$pattern" out err || { wrong "no /$pattern/ in the output: $*"; tail -5 err >&2; }
  [[ $expected -ne 2 || $(wc -l <err) -ge 1 ]] || wrong "refused without a word: $*"
}

# --- the line that was typed -------------------------------------------------------------------------------------------
ends 0 0 '--fewer' --help
ends 2 0 'is missing'
ends 2 0 'no option `--rank`' --rank 2 problem.ini
ends 2 0 '--attempts: `0`' --attempts 0 problem.ini
ends 2 0 '--ranks: `two`' --ranks two problem.ini
ends 2 0 '--wait has no value' --wait
ends 66 0 'absent.ini: there is no such' absent.ini
ends 66 0 'absent.hosts: there is no such' --hosts absent.hosts problem.ini
printf 'one slots=2\ntwo slots=none\n' >bad.hosts
ends 65 0 'bad.hosts:2: ' --hosts bad.hosts problem.ini
printf 'nowhere.invalid\n' >silent.hosts
ends 76 0 'no host of silent.hosts answers' --hosts silent.hosts --agent false problem.ini
ECHELON_EXECUTABLE=/nowhere ends 66 0 'build it with launch/setup' problem.ini

# --- what is not tried again -------------------------------------------------------------------------------------------
ends 0 1 'done after 40' --ranks 2 -- problem.ini --run.output whole
ends 73 0 'holds a run already' --ranks 2 problem.ini --run.output whole
ends 0 1 'resuming at iteration 40' --ranks 1 whole
ends 2 1 'nearest is `method.alpha`' --ranks 2 problem.ini --run.output new --method.alhpa 1
ends 3 1 'diverged' --ranks 2 problem.ini --run.output diverged --method.alpha 1e6 --run.iterations 2000
ends 66 1 'absent.txt' --ranks 2 problem.ini --run.output new --network.topology file --network.file absent.txt
ends 73 1 '/proc/new' --ranks 2 problem.ini --run.output /proc/new
cp -r whole damaged
for shard in damaged/checkpoints/*/shard-*; do truncate -s -1 "$shard"; done
ends 65 1 'damaged/checkpoints' --ranks 2 damaged

# A checkpoint that does not verify is passed over, and the run goes on from the one before.
cp -r whole fallen
rm fallen/result.h5
for shard in fallen/checkpoints/000000000040/shard-*; do truncate -s -1 "$shard"; done
ends 0 1 'resuming at iteration 30' --ranks 2 fallen
is 'the bits after a fall' same_bits whole fallen

# --- where a run writes ------------------------------------------------------------------------------------------------
for place in 'results/problem' 'from file' environment option; do
  case $place in
    'from file') sed "s|^iterations.*|&\noutput = from file # a comment|" problem.ini >named.ini; ends 0 1 'results: from file/' --ranks 1 named.ini ;;
    environment) ECHELON_RUN_OUTPUT=environment ends 0 1 'results: environment/' --ranks 1 named.ini ;;
    option) ECHELON_RUN_OUTPUT=environment ends 0 1 'results: option/' --ranks 1 named.ini --run.output=option ;;
    *) ends 0 1 'results: results/problem/' --ranks 1 problem.ini ;;
  esac
done

# --- what is tried again: an executable that fails so many times with a code, then does its work --------------------------
cat >sometimes <<'SH'
#!/bin/sh
[ "$1" != status ] || exec "$REAL" "$@"
# FAILURES CODE MADE: the first attempts leave a folder with so much of a run, and the code (for 137: by a signal).
count=$(cat attempts 2>/dev/null || echo 0)
echo $((count + 1)) >attempts
[ "$count" -lt "$FAILURES" ] || exec "$REAL" "$@"
[ -z "$MADE" ] || { mkdir -p "$MADE" && echo cut >"$MADE/config.ini"; }
[ "$CODE" != 137 ] || kill -9 $$
exit "$CODE"
SH
chmod +x sometimes
sometimes() { # sometimes FAILURES CODE MADE EXPECTED ATTEMPTS PATTERN ARGUMENT...
  rm -rf attempts
  FAILURES=$1 CODE=$2 MADE=$3 REAL=$echelon ECHELON_EXECUTABLE=$scratch/sometimes ends "${@:4}"
}
for code in 70 76 137 1; do
  sometimes 2 "$code" '' 0 3 "after $code " --ranks 1 --attempts 3 problem.ini --run.output "after-$code"
  is "the bits after $code" same_bits whole "after-$code"
done
sometimes 9 76 '' 76 2 '2 attempts in a row' --ranks 1 --attempts 2 problem.ini --run.output new
for code in 2 3 65 66 73 74 75; do
  sometimes 1 "$code" '' "$code" 1 "" --ranks 1 problem.ini --run.output new
done
sometimes 1 137 early 0 2 'has no checkpoint yet' --ranks 1 problem.ini --run.output early
is 'a run without a checkpoint starts again' same_bits whole early
is 'and what was there is kept' grep -q cut early.unfinished-1/config.ini

# --- a signal that comes before the ranks can handle it -------------------------------------------------------------------
printf '#!/bin/sh\n[ "$1" != status ] || exec "%s" "$@"\ntouch started\nexec sleep 30\n' "$echelon" >deaf
chmod +x deaf
ECHELON_EXECUTABLE=$scratch/deaf "$restart" --ranks 1 problem.ini --run.output new >out 2>err </dev/null &
job=$!
for ((i = 0; i < 200; ++i)); do
  [[ -e started ]] && break
  sleep 0.05
done
kill -TERM "$job"
code=0
wait "$job" || code=$?
is "exit code $code of ranks that were still starting is 75" test "$code" -eq 75

# --- a signal saves and leaves ---------------------------------------------------------------------------------------------
for signal in TERM USR2; do
  rm -rf long
  "$restart" --ranks 2 problem.ini --run.output long --run.iterations 100000000 --run.checkpoint_every 0 >out 2>err </dev/null &
  job=$!
  for ((i = 0; i < 200; ++i)); do
    [[ -e long/metrics.csv && $(wc -l <long/metrics.csv) -ge 3 ]] && break
    sleep 0.05
  done
  kill -"$signal" "$job"
  code=0
  wait "$job" || code=$?
  is "exit code $code after $signal is 75" test "$code" -eq 75
  is "$signal leaves a checkpoint" test -n "$(ls long/checkpoints)"
  is "$signal is no reason for another attempt" test "$(grep -c '^restart: attempt' out)" -eq 1
done
finish
