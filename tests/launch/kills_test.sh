#!/usr/bin/env bash
# A rank is killed at random moments under launch/restart: the run ends every time, and in the bits of an undisturbed one.
#
#   kills_test.sh EXECUTABLE SOURCE [KILLS] [RANKS] [SEED] [OPTION OF launch/restart ...]
set -uo pipefail
# shellcheck source=tests/launch/support.sh
source "$(dirname "${BASH_SOURCE[0]}")/support.sh" "$1" "$2"
kills=${3:-3}
ranks=${4:-3}
seed=${5:-1}
restart=
stop() {
  trap '' INT TERM HUP
  if [[ -n $restart ]] && kill -0 "$restart" 2>/dev/null; then
    kill -TERM "$restart"
    wait "$restart"
  fi
  rm -rf "$scratch"
}
trap stop EXIT
trap 'exit 1' INT TERM HUP

write_problem problem.ini
gap=1200 # milliseconds that an attempt has at most
options=(--run.checkpoint_every 500 --metrics.every 5000)
export RUN_NAME=killed
write_endless "$scratch/endless"
echo "seed $seed: $kills kills on $ranks ranks"

# The job's ranks are the children of the mpirun that is the child of launch/restart. Sets `launcher` and `victims`.
find_ranks() {
  victims=()
  launcher=$(pgrep -P "$restart" -x mpirun) || return 0
  mapfile -t victims < <(pgrep -P "$launcher" -x "$(basename "$echelon" | cut -c1-15)")
}

ECHELON_EXECUTABLE=$scratch/endless "$source/launch/restart" --ranks "$ranks" --wait 0 --attempts "$((kills + 1))" "${@:6}" -- problem.ini --run.output killed "${options[@]}" >restart.log 2>&1 </dev/null &
restart=$!
RANDOM=$seed
killed=0
previous=none
while [[ $killed -lt $kills ]]; do
  while find_ranks && [[ ${#victims[@]} -eq 0 || $launcher == "$previous" ]]; do
    kill -0 "$restart" 2>/dev/null || break 2
    sleep 0.02
  done
  previous=$launcher
  moment=$((RANDOM * gap / 32768))
  sleep "$(printf '0.%03d' "$((moment % 1000))")"
  if [[ $moment -ge 1000 ]]; then sleep 1; fi
  find_ranks
  [[ ${#victims[@]} -gt 0 && $launcher == "$previous" ]] || continue
  rank=$((RANDOM % ${#victims[@]}))
  if [[ $killed -eq $((kills - 1)) ]]; then touch killed.enough; fi
  kill -9 "${victims[rank]}" 2>/dev/null || continue
  killed=$((killed + 1))
  echo "kill $killed: after $moment ms, process $((rank + 1)) of ${#victims[@]}"
done
wait "$restart"
code=$?
restart=
grep '^restart:' restart.log
cases=$((cases + 1))
[[ $code -eq 0 ]] || { wrong "launch/restart ended with $code"; tail -5 restart.log >&2; }
is "$kills kills happened" test "$killed" -eq "$kills"
is 'each kill took an attempt' test "$(grep -c '^restart: attempt' restart.log)" -eq "$((killed + 1))"
is 'some attempts went on from a checkpoint' grep -q '^resuming at iteration' restart.log
undisturbed killed "${options[@]}"
echo "$(cat killed.total) iterations in the end"
is 'the bits of the undisturbed run' same_bits killed-undisturbed killed
finish
