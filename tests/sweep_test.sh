#!/usr/bin/env bash
# Grids of runs: `echelon sweep`, and launch/slurm-sweep with a stand-in for sbatch.   sweep_test.sh EXECUTABLE SOURCE
# shellcheck source=tests/cli_support.sh
source "$(dirname "${BASH_SOURCE[0]}")/cli_support.sh" "$@"
refused_on=0

cat >grid.ini <<'END'
[run]
iterations = 40
[network]
agents = 4
[problem]
name = quadratic
[method]
name = soba
alpha = 0.05
[metrics]
every = 20
END

# --- a grid -----------------------------------------------------------------------------------------------------------
done_on 0 '^7 method.alpha=0.05,network.topology=path,run.seed=2$' sweep grid.ini --vary method.alpha=0.01,0.05 --vary 'network.topology=ring,path' --seeds 2 --output new --dry-run
is 'a dry sweep writes nothing' test ! -e new
grid=(sweep grid.ini --vary 'method.alpha=0.01, 0.05' --vary network.topology=ring,path --seeds 2 --output kept)
done_on 0 '^table: kept/sweep.csv' "${grid[@]}" --jobs 2
is 'eight runs were made' test "$(grep -c '^[1-8] of 8  .*  done$' out)" -eq 8
is 'a row per setting' test "$(wc -l <kept/sweep.csv)" -eq 5
python3 - <<'END' || wrong "sweep.csv is not the mean and deviation of the last rows"
import csv, statistics
rows = list(csv.DictReader(open("kept/sweep.csv")))
for row in rows:
    last = []
    for seed in "12":
        name = f"kept/method.alpha={row['method.alpha']},network.topology={row['network.topology']},run.seed={seed}"
        last.append(float(list(csv.DictReader(open(name + "/metrics.csv")))[-1]["distance_to_solution"]))
    assert row["runs"] == row["done"] == "2" and last[0] != last[1], row
    assert abs(float(row["distance_to_solution_mean"]) - statistics.mean(last)) < 1e-12
    assert abs(float(row["distance_to_solution_std"]) - statistics.stdev(last)) < 1e-12
    assert float(row["iteration_mean"]) == 40 and float(row["iteration_std"]) == 0
END
run_on 0 run grid.ini --run.output alone --method.alpha 0.05 --network.topology path --run.seed 2
is 'a run of a sweep is the run by hand' cmp alone/result.h5 'kept/method.alpha=0.05,network.topology=path,run.seed=2/result.h5'

# --- again, larger, interrupted ---------------------------------------------------------------------------------------
before=$(fingerprint kept)
done_on 0 '^8 runs in kept, 8 of them ended before' "${grid[@]}"
is 'what is done is not done again' test "$(fingerprint kept)" == "$before"
done_on 0 '^12 runs in kept, 8 of them ended before' sweep grid.ini --vary method.alpha=0.01,0.05,0.02 --vary network.topology=ring,path --seeds 2 --output kept
done_on 0 '^0.02 ' sweep --table kept
cp kept/sweep.csv first.csv
sed 's/iterations = 40/iterations = 41/' grid.ini >other.ini
refused 73 'kept: holds a sweep with another configuration' sweep other.ini --seeds 2 --output kept
refused 73 'kept: holds a sweep with another' sweep grid.ini --seeds 2 --output kept --method.beta 0.2
refused 73 'alone: holds a run' sweep grid.ini --seeds 2 --output alone

sed 's/iterations = 40/iterations = 100000000/' grid.ini >long.ini
"$echelon" sweep long.ini --seeds 3 --jobs 2 --output long >out 2>err </dev/null &
sweep=$!
for ((i = 0; i < 200; ++i)); do
  [[ $(cat long/run.seed=[12]/metrics.csv 2>/dev/null | wc -l) -ge 4 ]] && break
  sleep 0.1
done
is 'two runs at once' test ! -e long/run.seed=3
kill -TERM "$sweep"
wait "$sweep"
code=$?
cases=$((cases + 1))
[[ $code -eq 75 ]] && grep -q 'continues the sweep' out || wrong "a sweep that is told to leave ends with $code"
is 'its runs have saved' test "$(ls -d long/run.seed=[12]/checkpoints/*/manifest.txt | wc -l)" -eq 2
run_on 0 sweep --table long
[[ $code -eq 75 ]] && grep -q 'run.seed=1: not finished' out || wrong "the table of an unfinished sweep ends with $code"
# Runs that ended before a checkpoint start anew; others go on.
mkdir -p cut/run.seed=1
echo lost >cut/run.seed=1/metrics.csv
done_on 0 '^table' sweep grid.ini --seeds 2 --output cut
is 'what was cut short is set aside' test "$(cat cut/run.seed=1.unfinished-1/metrics.csv)" == lost
done_on 0 'run.seed=2' sweep grid.ini --seeds 2 --output cut2
rm cut2/run.seed=2/result.h5
done_on 0 '^2 runs in cut2, 1 of them ended before' sweep grid.ini --seeds 2 --output cut2
is 'a run with a checkpoint is resumed' grep -q 'resuming at iteration 40' cut2/run.seed=2.log

# Processes without a launcher share no folder in which they could meet.
cases=$((cases + 1))
TMPDIR=$PWD/grid.ini/nowhere run_on 0 run grid.ini --run.output homeless
[[ $code -eq 0 ]] || wrong "a run alone needs a folder for temporary files ($code)"

# --- what fails -------------------------------------------------------------------------------------------------------
run_on 0 sweep grid.ini --vary method.alpha=0.05,1e6 --run.iterations 3000 --output diverging
[[ $code -eq 3 ]] && grep -Eq '^1e6 .*0 of 1 .*diverged' out && grep -Eq '^0.05 .*1 of 1' out || wrong "a diverging run is not shown as such ($code)"
is 'the table counts what diverged' grep -q '^1e6,1,0,1,0,0,' diverging/sweep.csv
run_on 0 sweep grid.ini --vary consensus.strategy=gt-atc,choco --vary method.gamma=0.1 --network.topology exponential --output failing
failed=$code
[[ $failed -eq 2 ]] && grep -Eq 'choco.*failed .exit code 2.: ' out || wrong "a refused run is not shown as failed ($failed)"
run_on 0 sweep grid.ini --seeds 2 --output nobody --command no-such-launcher
[[ $code -eq 66 ]] && grep -q 'run.seed=2 .*failed (exit code 66).*no-such-launcher cannot be started' out || wrong "a launcher that is not there is not named ($code)"
refused 2 'nothing is varied' sweep grid.ini --output new
refused 2 'not of the form section.key=a,b,c' sweep grid.ini --output new --vary method.alpha
refused 2 'no section `metod`' sweep grid.ini --output new --vary metod.alpha=1,2
refused 2 'names a value twice' sweep grid.ini --output new --vary method.alpha=1,1
refused 2 'varied twice' sweep grid.ini --output new --vary method.alpha=1 --vary method.alpha=2
refused 2 'by --seeds already' sweep grid.ini --output new --vary run.seed=1,2 --seeds 2
refused 2 'folders of their own' sweep grid.ini --seeds 2 --run.output new
refused 2 'network.agents: 0 is out of range' sweep grid.ini --output new --vary network.agents=0,4
refused 2 'nearest is `--seeds`' sweep grid.ini --output new --seed 2
refused 2 '--jobs: `0`' sweep grid.ini --output new --seeds 2 --jobs 0
refused 2 '--task: `2` is not a whole number from 0 to 1' sweep grid.ini --output new --seeds 2 --task 2
refused 66 'absent/sweep.txt' sweep --table absent

# --- launchers --------------------------------------------------------------------------------------------------------
done_on 0 '1 of 1' sweep grid.ini --seeds 1 --output parallel --command "${mpi[*]} -n 2"
is 'the launcher starts two ranks' grep -q 'ring on 2 ranks' parallel/run.seed=1.log
is 'two ranks give the same bits' cmp <(tail -c +600 parallel/run.seed=1/result.h5) <("$echelon" run grid.ini --run.output solo --run.seed 1 >/dev/null; tail -c +600 solo/result.h5)
for setting in OMPI_COMM_WORLD_SIZE=3 SLURM_STEP_NUM_TASKS=3; do
  cases=$((cases + 1))
  env "$setting" "$echelon" sweep grid.ini --seeds 2 --output new >out 2>err
  code=$?
  [[ $code -eq 2 ]] && grep -Eq -- '--command' err || wrong "a sweep under a launcher ends with $code ($setting)"
done

cases=$((cases + 1))
run_on 2 sweep grid.ini --seeds 2 --output new
[[ $code -eq 2 && ! -e new ]] && grep -q 'under a launcher.*--command "mpirun -n 4"' err || wrong "a sweep under mpirun ends with $code"

# --- launch/slurm-sweep, with an sbatch that runs the tasks of the array one after the other ---------------------------------------
mkdir bin
cat >bin/sbatch <<'END'
#!/usr/bin/env bash
while [[ $1 != */slurm-sweep ]]; do
  if [[ $1 == --array ]]; then last=${2#0-}; last=${last%\%*}; fi
  shift
done
for ((task = 0; task <= last; ++task)); do
  SLURM_JOB_ID=$((7 + task)) SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=$task SLURM_PROCID=0 "$@" || echo "task $task: $?"
done
END
chmod +x bin/sbatch
export ECHELON_EXECUTABLE=$echelon
cases=$((cases + 1))
PATH=$PWD/bin:$PATH "$source/launch/slurm-sweep" --at-once 2 --output array grid.ini --vary method.alpha=0.01,0.05,0.02 --vary network.topology=ring,path --seeds 2 >out 2>err || wrong "slurm-sweep ends with $?"
is 'every task made a run' test "$(grep -c '^1 of 1  ' out)" -eq 12
done_on 0 'array/sweep.csv' sweep --table array
python3 - <<'END' || wrong "the table of an array differs from that of one process"
import csv
first, array = (list(csv.DictReader(open(name))) for name in ("first.csv", "array/sweep.csv"))
key = lambda row: (row["method.alpha"], row["network.topology"])
for a, b in zip(sorted(first, key=key), sorted(array, key=key)):
    for column in a:
        assert a[column] == b[column] or column.startswith("seconds"), column
END
cases=$((cases + 1))
"$source/launch/slurm-sweep" --print --nodes 2 --ntasks 8 --partition gpu --output array grid.ini --seeds 3 >out
grep -q -- '--array 0-2 --nodes 2 --ntasks 8 .*--partition gpu .*mpirun\\ --bind-to\\ none\\ -n\\ 8 grid.ini --seeds 3 --output array' out || wrong "slurm-sweep --print: $(cat out)"
cases=$((cases + 1))
"$source/launch/slurm-sweep" grid.ini --vary method.alpha=1,1 >out 2>err
[[ $? -eq 2 ]] && grep -q 'twice' err || wrong "slurm-sweep submits a sweep that is refused"

finish
