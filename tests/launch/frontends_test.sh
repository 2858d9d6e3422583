#!/usr/bin/env bash
# What the scripts of launch/ say to what is typed, without Slurm, other hosts or containers.   frontends_test.sh EXECUTABLE SOURCE
set -uo pipefail
# shellcheck source=tests/launch/support.sh
source "$(dirname "${BASH_SOURCE[0]}")/support.sh" "$1" "$2"
trap 'rm -rf "$scratch"' EXIT
write_problem problem.ini

# says CODE PATTERN SCRIPT ARGUMENT...: the code and the pattern; a refusal is one line.
says() {
  local expected=$1 pattern=$2 script=$3 code=0
  shift 3
  cases=$((cases + 1))
  timeout 60 "$source/launch/$script" "$@" >out 2>err </dev/null || code=$?
  [[ $code -eq $expected ]] || wrong "exit code $code, not $expected: $script $*"
  grep -Eq -- "$pattern" out err || { wrong "no /$pattern/ in the output: $script $*"; tail -n 3 out err >&2; }
  [[ $expected -eq 0 || $(cat out err | wc -l) -eq 1 ]] || wrong "a refusal of $(cat out err | wc -l) lines: $script $*"
  [[ ! -e new ]] || wrong "a refusal left a folder: $script $*"
}

for script in "$source"/launch/*; do
  script=$(basename "$script")
  [[ $script != *.sh && $script != Containerfile ]] || continue # sourced, or no script
  for word in --help -h; do
    says 0 "launch/$script" "$script" "$word"
    grep -q '^set -\|^#\|^self=' out && wrong "$word of $script shows code"
    [[ ! -s err ]] || wrong "$word of $script writes to standard error: $(head -1 err)"
    is "$word of $script does nothing else" test "$(wc -l <out)" -lt 40 -a -z "$(grep -i 'setup:' out)"
  done
done
says 0 'launch/demo' demo --method.alpha 0.1 --help
says 2 'usage: launch/run N' run two problem.ini

says 2 'usage: launch/hosts' hosts problem.ini
says 2 'no option `--rank`' hosts --rank 2 some.hosts problem.ini
says 2 '--bind: `cores`' hosts --bind cores some.hosts problem.ini
says 2 '--grace: `0`' hosts --grace 0 some.hosts problem.ini
says 66 'absent.ini: there is no such' hosts some.hosts absent.ini
says 66 'absent.hosts: there is no such' hosts absent.hosts problem.ini
printf '# nobody\n\n' >empty.hosts
says 65 'empty.hosts: names no host' hosts empty.hosts problem.ini
printf 'one slots=2 # two ranks\none two\n' >bad.hosts
says 65 'bad.hosts:2: `one two`' hosts bad.hosts problem.ini
echo "$(hostname) slots=2" >here.hosts # this host is not asked whether it is there
says 2 '3 ranks are more than the 2 slots' hosts --agent false --ranks 3 here.hosts problem.ini --run.output new
says 0 'on 2 ranks' hosts --agent false --bind none here.hosts problem.ini --run.output here
says 0 'on 3 ranks' hosts --agent false --ranks 3 --oversubscribe here.hosts problem.ini --run.output crowded
is 'the same bits' same_bits here crowded

says 2 'is missing' slurm
says 2 'no option `--node`' slurm --node 2 problem.ini
says 2 '--nodes: `0`' slurm --nodes=0 problem.ini
says 2 '--ahead has no value' slurm --ahead
says 2 '--requeues: `some`' slurm --requeues some problem.ini
says 2 '--launcher: `mpiexec`' slurm --launcher mpiexec problem.ini
says 66 'absent.ini: there is no such' slurm absent.ini
says 2 'resumed where it is' slurm --output new here
mkdir bare && touch bare/config.ini
says 73 'bare: holds a run without a checkpoint' slurm --output bare problem.ini
says 0 '^sbatch --nodes 4 --ntasks 64 --time 04:00:00 --signal B:USR2@300 --requeue --open-mode append --job-name long ' \
  slurm --print --nodes 4 --ntasks 64 --time 04:00:00 --ahead 300 --output runs/long problem.ini --method.alpha 0.1
says 0 '--output runs/long.slurm-%j.log --partition fat --account=me .*/launch/slurm --job .* srun 7 problem.ini --method.alpha 0.1 --run.output runs/long' \
  slurm --print --partition=fat --sbatch --account=me --launcher srun --requeues 7 --output runs/long problem.ini --method.alpha 0.1

says 2 '--at-once: `0`' slurm-sweep --at-once 0 problem.ini --seeds 2
says 2 'no option `--node`' slurm-sweep --node 2 problem.ini --seeds 2
says 2 '--vary: `x` is not of the form' slurm-sweep --output new problem.ini --vary x

# Where a run writes is the executable's business: a file that it cannot read is refused before anything is started.
printf '[run]\niterations 5\n' >equals.ini
says 2 'equals.ini:2: `iterations 5`' slurm equals.ini
says 2 'equals.ini:2: `iterations 5`' restart equals.ini
printf '[RUN]\n[run] \n output\t=  runs/with blanks # a comment\n' >blanks.ini
says 0 '--output runs/with\\ blanks.slurm-%j.log' slurm --print blanks.ini

says 2 'usage: launch/container' container
says 2 'run needs a configuration' container run
ECHELON_ENGINE=no-engine says 69 'no program `no-engine`' container build
cat >engine <<'SH'
#!/bin/sh
[ "$1" = --version ] && echo "${NAME:-docker} 1" || echo "$@"
SH
chmod +x engine
export ECHELON_ENGINE=$scratch/engine ECHELON_IMAGE=mine
says 0 "^build --file $source/launch/Containerfile --tag mine $source" container build
says 0 "^run --rm --volume $scratch:/work .* --entrypoint /echelon/launch/run --user $(id -u):$(id -g) mine 2 problem.ini --run.seed 3" container run 2 problem.ini --run.seed 3
NAME=podman says 0 '--entrypoint /echelon/launch/restart mine --ranks 2 problem.ini' container restart --ranks 2 problem.ini
says 0 '^save --output image.tar mine' container save image.tar

says 2 'no check `slrum`' check launching slrum
finish
