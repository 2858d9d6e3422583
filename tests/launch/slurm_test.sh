#!/usr/bin/env bash
# launch/slurm on a Slurm that this script starts and removes: jobs that reach their time limit, are requeued, and end in the bits
# of an uninterrupted run.
#
#   slurm_test.sh EXECUTABLE SOURCE [short|full]
#
# short: one job by mpirun that is told to leave almost at once. full: by srun, too, a minute each; a signal while checkpoints are
# written; a job that dies before its first checkpoint. Returns 77 with one line of explanation where there is no Slurm.
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

# limited NAME LAUNCHER AHEAD ITERATIONS OPTION...: the job is interrupted at least once and ends in the bits of `reference`.
limited() {
  local name=$1 launcher=$2 ahead=$3 reference=$4 log
  shift 4
  submit --nodes 2 --ntasks 2 --time 1 --ahead "$ahead" --launcher "$launcher" --output "$name" problem.ini "$@" || { wrong "$name was not submitted"; return; }
  log=$name.slurm-$job.log
  if ! wait_for "$job" 900; then
    wrong "$name did not end; it is $(job_state "$job")"
    show "$log"
    return
  fi
  show "$log"
  is "$name ends with 0, not $(exit_code_of "$job")" test "$(exit_code_of "$job")" -eq 0
  is "$name was requeued" grep -q "queues again, 1 of" "$log"
  is "$name went on from a checkpoint" grep -q '^resuming at iteration' "$log"
  is "$name has the bits of the uninterrupted run" same_bits "$reference" "$name"
}

write_problem problem.ini 300
start_slurm || { wrong "Slurm did not start"; finish; exit 1; }

# The rate inside of Slurm, where the ranks of two nodes talk over the network: by a first job, which needs no requeue.
slurm_rate() { # slurm_rate LAUNCHER OPTION...: sets `rate`
  local launcher=$1 log
  shift
  rm -rf first
  submit --nodes 2 --ntasks 2 --time 1 --launcher "$launcher" --output first problem.ini --run.iterations 100000000 --run.seconds 3 \
    --run.checkpoint_every 0 --metrics.every 100000000 "$@" && wait_for "$job" 100
  log=first.slurm-$job.log
  rate=$(sed -n 's/^time is up after \([0-9]*\) iterations.*/\1/p' "$log" | awk '{ print int($1 / 3) }')
  is "a job by $launcher ends with 0" test "$(exit_code_of "$job")" -eq 0
  is "a job by $launcher runs on both nodes" grep -q 'on 2 ranks' "$log"
  [[ -n $rate && $rate -gt 0 ]] || { show "$log"; return 1; }
}

# undisturbed NAME OPTION...: the run to compare with
undisturbed() { "$source/launch/run" 2 problem.ini --run.output "$@" >"$1.log" 2>&1 || { wrong "$1 failed"; tail -3 "$1.log" >&2; }; }

seconds=25 ahead=55
if [[ $size == full ]]; then seconds=75 ahead=15; fi
slurm_rate mpirun || { finish; exit 1; }
options=(--run.iterations "$((rate * seconds))" --run.checkpoint_every 0 --metrics.every "$rate")
echo "$rate iterations per second; a run of $seconds s under a limit of 60 s, told $ahead s ahead"
undisturbed reference "${options[@]}"
limited by-mpirun mpirun "$ahead" reference "${options[@]}"

if [[ $size == full ]]; then
  slurm_rate srun && limited by-srun srun "$ahead" reference "${options[@]}"

  # With a checkpoint after each iteration the signal comes while one is written.
  slurm_rate mpirun --run.checkpoint_every 1
  options=(--run.iterations "$((rate * 40))" --run.checkpoint_every 1 --metrics.every "$rate")
  undisturbed often "${options[@]}"
  limited often-by-mpirun mpirun 55 often "${options[@]}"
  limited often-by-auto auto 55 often "${options[@]}"

  # All ranks die before the first checkpoint, as with a node that fails, and the job is put into the queue again.
  submit --nodes 2 --ntasks 2 --time 5 --launcher mpirun --output died problem.ini "${options[@]}" --run.checkpoint_every 0
  for ((i = 0; i < 300; ++i)); do
    [[ -e died/metrics.csv ]] && break
    sleep 0.1
  done
  for process in /proc/[0-9]*; do
    if [[ $(readlink "$process/exe") == "$echelon" ]] && grep -qz "^SLURM_JOB_ID=$job$" "$process/environ"; then kill -9 "${process#/proc/}"; fi
  done
  wait_for "$job" 60
  is "a job whose ranks die fails with $(exit_code_of "$job")" test "$(exit_code_of "$job")" -eq 137
  is 'and leaves no checkpoint' test -z "$(ls died/checkpoints)"
  scontrol requeue "$job"
  sleep 8
  wait_for "$job" 300
  show "died.slurm-$job.log"
  is 'a job that is queued again without a checkpoint starts again' same_bits often died
  is 'and keeps what was there' test -e died.unfinished-1/config.ini

  # The limit of requeues: the job ends with 75, and the same command goes on.
  again=(--nodes 2 --ntasks 2 --time 5 --launcher mpirun --requeues 0 --output stopped problem.ini "${options[@]}" --run.checkpoint_every 0)
  submit "${again[@]}"
  for ((i = 0; i < 300; ++i)); do
    [[ $(wc -l <stopped/metrics.csv) -ge 3 ]] 2>/dev/null && break
    sleep 0.1
  done
  scancel --batch --signal=USR2 "$job"
  wait_for "$job" 60
  is "after the last requeue the job ends with 75, not $(exit_code_of "$job")" test "$(exit_code_of "$job")" -eq 75
  submit "${again[@]}"
  wait_for "$job" 300
  show "stopped.slurm-$job.log"
  is 'the same command resumes' grep -q '^resuming at iteration' "stopped.slurm-$job.log"
  is 'and ends in the same bits' same_bits often stopped
fi
finish
