#!/usr/bin/env bash
# launch/slurm and launch/slurm-sweep on a Slurm that this script starts and removes: jobs that reach their time limit, are requeued,
# and end in the bits of an uninterrupted run.
#
#   slurm_test.sh EXECUTABLE SOURCE [short|full|array]
#
# array: an array of two runs alone. short: one job by mpirun that is told to leave early, and the array. full: by srun, too, a minute
# each; a signal while checkpoints are written; a job that dies before its first checkpoint; signals by hand; the limit of requeues.
# Returns 77 with one line of explanation where there is no Slurm.
set -uo pipefail
size=${3:-short}
# shellcheck source=tests/launch/slurm_cluster.sh
source "$(dirname "${BASH_SOURCE[0]}")/slurm_cluster.sh"
reason=$(missing_slurm)
if [[ -n $reason ]]; then
  echo "skipped: $reason"
  exit 77
fi
# Where the kernel allows it, in a process namespace of its own: then nothing can be left behind.
private=(setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc)
if [[ -z ${ECHELON_SCRATCH:-} && $EUID -eq 0 ]] && "${private[@]}" true 2>/dev/null; then
  ECHELON_SCRATCH=$(mktemp -d)
  export ECHELON_SCRATCH
  "${private[@]}" "$0" "$@" &
  child=$!
  # A second signal, which timeout and terminals send, must not end the cleaning.
  trap 'trap "" INT TERM HUP; kill -KILL "$child" 2>/dev/null; wait "$child" 2>/dev/null; rm -rf "$ECHELON_SCRATCH"' EXIT
  trap 'exit 1' INT TERM HUP
  code=0
  wait "$child" || code=$?
  exit "$code"
fi
# shellcheck source=tests/launch/support.sh
source "$(dirname "${BASH_SOURCE[0]}")/support.sh" "$1" "$2"
stop() {
  trap '' INT TERM HUP
  stop_slurm
  rm -rf "$scratch"
}
trap stop EXIT
trap 'exit 1' INT TERM HUP

job_state() { scontrol show job "$1" 2>/dev/null | sed -n 's/.*JobState=\([A-Z]*\).*/\1/p'; }
exit_code_of() { scontrol show job "$1" | sed -n 's/.* ExitCode=\([0-9]*\):.*/\1/p'; }

# wait_for JOB SECONDS: until it has ended for good. A job that queues again is pending at times.
wait_for() {
  local state
  for ((i = 0; i < $2; ++i)); do
    state=$(job_state "$1")
    case $state in COMPLETED | FAILED | TIMEOUT | CANCELLED | NODE_FAIL) [[ -z $(squeue -h -j "$1" 2>/dev/null) ]] && return 0 ;; esac
    sleep 1
  done
  return 1
}

show() { sed 's/^/  | /' "$1" | grep -E 'slurm:|resuming|done after|interrupted|launch/|echelon:' | tail -n "${2:-30}"; }

submit() { # submit OPTION...: sets `job` and `log`
  job=$("$source/launch/slurm" "$@" | sed -n 's/^Submitted batch job //p')
  [[ -n $job ]]
}

# limited NAME LAUNCHER AHEAD OPTION...: a job without an end, but for the time limit; it is requeued, and ends in the bits of an undisturbed run.
limited() {
  local name=$1 launcher=$2 ahead=$3 log
  shift 3
  RUN_NAME=$name submit --nodes 2 --ntasks 2 --time 1 --ahead "$ahead" --launcher "$launcher" --output "$name" problem.ini "$@" || { wrong "$name was not submitted"; return; }
  log=$name.slurm-$job.log
  if ! wait_for "$job" 400; then
    wrong "$name did not end; it is $(job_state "$job")"
    show "$log"
    return
  fi
  show "$log"
  is "$name ends with 0, not $(exit_code_of "$job")" test "$(exit_code_of "$job")" -eq 0
  is "$name runs on both nodes" grep -q 'on 2 ranks' "$log"
  is "$name was requeued" grep -q "queues again, 1 of" "$log"
  is "$name went on from a checkpoint" grep -q '^resuming at iteration' "$log"
  undisturbed "$name" "$@"
  is "$name has the bits of the undisturbed run" same_bits "$name-undisturbed" "$name"
}

wait_for_rows() { # wait_for_rows NAME N: so many lines of metrics.csv
  for ((i = 0; i < 600; ++i)); do
    [[ -e $1/metrics.csv && $(wc -l <"$1/metrics.csv") -ge $2 ]] && return
    sleep 0.1
  done
  wrong "$1 has no $2 rows after a minute"
}

# All ranks die before the first checkpoint, as with a node that fails, and the job is put into the queue again.
early_death() {
  local process
  RUN_NAME=died submit --nodes 2 --ntasks 2 --time 5 --launcher mpirun --output died problem.ini "${options[@]}"
  wait_for_rows died 2
  for process in /proc/[0-9]*; do
    if [[ $(readlink "$process/exe") == "$echelon" ]] && grep -qz "^SLURM_JOB_ID=$job$" "$process/environ"; then kill -9 "${process#/proc/}"; fi
  done
  wait_for "$job" 60
  is "a job whose ranks die fails with 137, not $(exit_code_of "$job")" test "$(exit_code_of "$job")" -eq 137
  is 'and leaves no checkpoint' test -z "$(ls died/checkpoints)"
  scontrol requeue "$job"
  sleep 3 # until it counts as pending
  wait_for "$job" 200
  show "died.slurm-$job.log"
  undisturbed died "${options[@]}"
  is 'a job that is queued again without a checkpoint starts again' same_bits died-undisturbed died
  is 'and keeps what was there' test -e died.unfinished-1/config.ini
}

# By hand: USR1 saves, TERM saves and ends the job.
by_hand() {
  RUN_NAME=stopped submit --nodes 2 --ntasks 2 --time 5 --launcher mpirun --output stopped problem.ini "${options[@]}"
  wait_for_rows stopped 3
  scancel --batch --signal=USR1 "$job"
  for ((i = 0; i < 100; ++i)); do
    compgen -G 'stopped/checkpoints/*/manifest.txt' >/dev/null && break
    sleep 0.2
  done
  is 'USR1 saves' compgen -G 'stopped/checkpoints/*/manifest.txt'
  is 'and the job goes on' test "$(job_state "$job")" == RUNNING
  scancel --batch --signal=TERM "$job"
  wait_for "$job" 60
  is "after TERM the job ends with 75, not $(exit_code_of "$job")" test "$(exit_code_of "$job")" -eq 75
  is 'and does not queue again' test "$(job_state "$job")" == FAILED
}

# The limit of requeues: the job ends with 75, and the same command goes on. The run is that of by_hand.
used_up() {
  local again=(--nodes 2 --ntasks 2 --time 5 --launcher mpirun --requeues 0 --output stopped problem.ini "${options[@]}") rows
  rows=$(wc -l <stopped/metrics.csv)
  RUN_NAME=stopped submit "${again[@]}"
  wait_for_rows stopped "$((rows + 2))"
  scancel --batch --signal=USR2 "$job"
  wait_for "$job" 60
  is "after the last requeue the job ends with 75, not $(exit_code_of "$job")" test "$(exit_code_of "$job")" -eq 75
  touch stopped.enough
  RUN_NAME=stopped submit "${again[@]}"
  wait_for "$job" 200
  show "stopped.slurm-$job.log"
  is 'the same command resumes' grep -q '^resuming at iteration' "stopped.slurm-$job.log"
  undisturbed stopped "${options[@]}"
  is 'and ends in the same bits' same_bits stopped-undisturbed stopped
}

# launch/slurm-sweep: an array of two runs, both told to leave; they queue again, and end in the bits of undisturbed runs.
array() {
  local seed run total
  # Starts a run without an end, or one that ends soon once Slurm has queued it again: PROGRAM resume RUN_DIR ...
  cat >until-requeued <<'SH'
#!/bin/sh
total=100000000
if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ]; then
  newest=$(ls "$3/checkpoints" | sort | tail -1 | sed 's/^0*//')
  total=$((newest + 300))
  echo "$total" >"$3.total"
fi
exec "$@" --run.iterations "$total"
SH
  chmod +x until-requeued
  job=$(ECHELON_EXECUTABLE=$echelon "$source/launch/slurm-sweep" --time 5 --output grid --command "$PWD/until-requeued" problem.ini --seeds 2 \
    "${options[@]}" | sed -n 's/^Submitted batch job //p')
  for seed in 1 2; do wait_for_rows "grid/run.seed=$seed" 2; done
  scancel --batch --signal=USR2 "$job"
  for ((i = 0; i < 240; ++i)); do
    [[ -n $(squeue -h -j "$job" 2>/dev/null) ]] || break
    sleep 1
  done
  for seed in 1 2; do
    run=grid/run.seed=$seed
    show "grid/slurm-${job}_$((seed - 1)).log"
    is "run $seed of the array was requeued" grep -q "queues again, 1 of" "grid/slurm-${job}_$((seed - 1)).log"
    is "run $seed of the array queued again by itself" test -z "$(grep 'could not queue' "grid/slurm-${job}_$((seed - 1)).log")"
    is "run $seed of the array went on from a checkpoint" grep -q '^resuming at iteration' "$run.log"
    total=$(cat "$run.total")
    "$echelon" run problem.ini --run.output "undisturbed-$seed" --run.seed "$seed" "${options[@]}" --run.iterations "$total" >/dev/null 2>&1
    is "run $seed of the array has the bits of the undisturbed run" same_bits "undisturbed-$seed" "$run"
  done
  is 'the table of the array is whole' "$echelon" sweep --table grid
  is 'and holds both runs' grep -q '^2,2,0,0,0,' grid/sweep.csv
}

write_problem problem.ini 300
write_endless "$scratch/endless"
export ECHELON_EXECUTABLE=$scratch/endless
start_slurm || { wrong "Slurm did not start"; finish; exit 1; }
options=(--run.checkpoint_every 0 --metrics.every 100)
if [[ $size == array ]]; then
  array
elif [[ $size == short ]]; then
  limited by-mpirun mpirun 55 "${options[@]}"
  array
else
  limited by-mpirun mpirun 15 "${options[@]}"
  limited by-srun srun 15 "${options[@]}"
  # With a checkpoint after each iteration the signal comes while one is written.
  limited often-by-mpirun mpirun 55 --run.checkpoint_every 1 --metrics.every 100
  limited often-by-auto auto 55 --run.checkpoint_every 1 --metrics.every 100
  early_death
  by_hand
  used_up
  array
fi
finish
