#!/usr/bin/env bash
# What the executable does with good and bad input, alone and on several ranks.   cli_test.sh EXECUTABLE SOURCE
# shellcheck source=tests/cli_support.sh
source "$(dirname "${BASH_SOURCE[0]}")/cli_support.sh" "$@"

# --- inputs ---------------------------------------------------------------------------------------------------------
cat >quadratic.ini <<'END'
[run]
iterations = 40
checkpoint_every = 10
[network]
agents = 5
[problem]
name = quadratic
[method]
name = soba
alpha = 0.05
[metrics]
every = 10
END
quadratic=(run quadratic.ini --run.output new)

idx_header() { printf "\\x00\\x00\\x08\\x$1"; shift; for size in "$@"; do printf "\\x00\\x00\\x00\\x$size"; done; }
{ idx_header 03 0a 02 02; head -c 40 /dev/zero | tr '\0' '\7'; } >images.idx
{ idx_header 01 0a; printf '\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09'; } >labels.idx
{ idx_header 01 09; printf '\x00\x01\x02\x03\x04\x05\x06\x07\x08'; } >nine-labels.idx
head -c 41 images.idx >cut.idx
{ printf '\x00\x00\x0d\x03'; tail -c +5 images.idx; } >floats.idx
gzip -c images.idx | head -c 30 >cut.idx.gz
cleaning() { echo run quadratic.ini --run.output new --problem.name hyper-cleaning --method.name f2sa --problem.images "$1" --problem.labels "$2" --problem.train 4 --problem.validation 3 --problem.test 3 "${@:3}"; }

for row in 1 2 3 4 5 6 7 8; do echo "+1 1:0.5 3:$row"; echo "-1 2:1 3:-$row"; done >good.svm
sed '3s/.*/+1 3:1 2:1/' good.svm >order.svm
sed '4s/1/one/' good.svm >word.svm
sed '5s/0.5/nan/' good.svm >nan.svm
selection() { echo run quadratic.ini --run.output new --problem.name regularization --method.name f2sa --problem.data "$1" "${@:2}"; }

printf '0 1\n1 2\n2 x\n' >word.txt
printf '0 1\n1 2\nagents 5\n' >late.txt
printf 'agents 4\n0 1\n2 3\n' >split.txt
printf 'directed\n0 1 0.7\n0 0 0.7\n1 0 1\n' >sum.txt
printf 'directed\n0 1 0.5\n0 0 0.5\n1 0 0.2\n1 1 0.8\n' >row-stochastic.txt
printf '0 1 nan\n' >nan.txt
network() { echo run quadratic.ini --run.output new --network.topology file --network.file "$1" "${@:2}"; }
sed -i '/^agents/d' quadratic.ini

# --- what works -----------------------------------------------------------------------------------------------------
done_on 0 'echelon run CONFIG.ini' --help
done_on 0 'echelon run CONFIG.ini' run --help
done_on 0 '^echelon [0-9]+\.[0-9]+\.[0-9]+$' --version
done_on 0 'echelon COMMAND --help' --help
is 'the overview is short' test "$(wc -l <out)" -lt 30
commands=$(sed -n 's/^  echelon \([a-z]*\) .*/\1/p' out | sort -u)
is 'the overview names all commands' test "$(echo "$commands" | tr '\n' ' ')" == 'describe inspect list resume run status sweep topology '
for command in $commands; do
  done_on 0 "^usage: echelon $command " "$command" --help
  cp out help
  is "$command has examples and exit codes" grep -q '^exit codes' help
  is "$command has an example of its own" grep -q "^  echelon $command" help
  done_on 0 "^usage: echelon $command " "$command" -h
  done_on 0 "^usage: echelon $command " help "$command"
  is "help takes one form" cmp out help
  is "the documentation names $command" grep -rqE "echelon $command " "$source/README.md" "$source/docs"
done
done_on 0 '^  --run.iterations +integer >= 0, default 1000' run --help
is 'run --help lists every section' test "$(grep -oE '^  --[a-z]+[.]' out | sort -u | wc -l)" -ge 9
done_on 0 '^  --vary KEY=A,B,C' sweep --help
is 'the help of other commands does not list all keys' test "$(grep -c 'default' out)" -lt 4
done_on 3 '^usage: echelon run' run --help
is 'one rank prints help' test "$(grep -c '^usage' out)" -eq 1
done_on 0 '^f2sa .methods.' describe F2SA
done_on 0 '^sparkle-ed .presets.' describe Sparkle-ED
done_on 0 '^methods' list Methods
done_on 0 'spectral gap' topology RING --agents 6
names=0
for kind in problems methods consensus aggregation compressors estimators steps attacks topologies; do
  done_on 0 "^$kind" list "$kind"
  for name in $(sed -n 's/^  \([a-z0-9-]*\) .*/\1/p' out); do
    names=$((names + 1))
    done_on 0 "^$name " describe "$name"
  done
done
[[ $names -ge 20 ]] || wrong "only $names names to describe"
done_on 2 'f2sa' list methods
is 'one rank speaks' test "$(grep -c '^methods' out)" -eq 1
done_on 0 'spectral gap' topology ring --agents 12
is 'the graph is DOT' grep -Eq '^(di)?graph' out
done_on 0 'spectral gap' topology "$source/topologies/ring-8.txt"
done_on 0 'spectral gap' topology exponential --network.agents 9 --weights uniform

done_on 0 'results: kept/result.h5' run quadratic.ini --run.output kept
for file in config.ini metrics.csv result.h5 checkpoints; do is 'a run directory is complete' test -e "kept/$file"; done
is 'the header of metrics.csv' grep -q '^iteration,seconds,upper_value,lower_gradient_norm,hyperobjective,hypergradient_norm,consensus_error_x,consensus_error_y,distance_to_solution,gradient_calls,product_calls,value_calls,bytes_sent' kept/metrics.csv
is 'a row per report' test "$(wc -l <kept/metrics.csv)" -eq 6
done_on 0 'checksum|verified|sound' inspect kept
done_on 0 'iterates' inspect kept/result.h5

done_on 0 'results: results/quadratic/result.h5' run quadratic.ini
done_on 2 'results: again/result.h5' run kept/config.ini --run.output again
is 'config.ini reproduces the run on 2 ranks' cmp kept/result.h5 again/result.h5

done_on 2 'done after 7' run quadratic.ini --run.output part --run.iterations 7
done_on 3 'resuming at iteration 7' resume part --run.iterations 40
is 'stopped at 7 on 2 ranks, resumed on 3' cmp kept/result.h5 part/result.h5

# Reports may become finer or coarser on resume; what decides the iterates may not change.
same_iterates() {
  python3 - "$@" <<'PY'
import h5py, sys
a, b = (h5py.File(name + "/result.h5") for name in sys.argv[1:3])
for name in "iterates/x", "iterates/y", "mean/x", "mean/y":
    assert a[name][:].tobytes() == b[name][:].tobytes(), name
assert list(b["metrics/iteration"][:]) == [float(k) for k in sys.argv[3:]], list(b["metrics/iteration"][:])
assert a["configuration"][0] == b["configuration"][0]
PY
}
python3 -c 'import h5py' 2>/dev/null || export PATH=/usr/bin:$PATH
done_on 0 'done after 23' run quadratic.ini --run.output finer --run.iterations 23
done_on 2 'done after 40' resume finer --run.iterations 40 --metrics.every 4 --metrics.hypergradient yes --run.progress none
is 'finer reports leave the iterates alone' same_iterates kept finer 0 10 20 24 28 32 36 40
is 'metrics.csv holds the same reports' test "$(cut -d, -f1 finer/metrics.csv | tr '\n' ' ')" == 'iteration 0 10 20 24 28 32 36 40 '
is 'figures that were not computed are empty' test "$(cut -d, -f6 finer/metrics.csv | grep -c '^$')" -eq 3
is 'the interval holds for the next resume' grep -q '^every = 4' finer/config.ini
done_on 0 'done after 23' run quadratic.ini --run.output coarser --run.iterations 23
done_on 0 'done after 40' resume coarser --run.iterations 40 --metrics.every 1000
is 'coarser reports leave the iterates alone' same_iterates kept coarser 0 10 20 40
sampled=(--participation.clients 20 --consensus.strategy local-server --consensus.local_steps 3)
done_on 0 'done after 40' run quadratic.ini --run.output sampled "${sampled[@]}"
done_on 0 'done after 23' run quadratic.ini --run.output resampled "${sampled[@]}" --run.iterations 23
done_on 2 'done after 40' resume resampled --run.iterations 40 --metrics.every 3 --metrics.clients 7
is 'so do reports about sampled clients' same_iterates sampled resampled 0 10 20 24 27 30 33 36 39 40
refused 2 'method.alpha is `0.05` there and `0.1` now.*change what is computed' resume kept --method.alpha 0.1
refused 2 'run.seed is `1` there and `2` now' resume kept --run.seed 2
refused 2 'method.alpha is .*, method.beta is .*, problem.heterogeneity is .*, and 1 more' resume kept --method.alpha 0.1 --method.beta 0.1 --run.seed 2 --problem.heterogeneity 2

# Columns are as wide as their headers.
done_on 0 'done after 2' run quadratic.ini --run.output wide --run.iterations 2 --problem.name demodulation --method.name f2sa
is 'headers of the table stand apart' grep -Eq '^ +test_symbol_accuracy +test_loss +likelihood_accuracy$' out
is 'figures stand below their headers' test "$(grep 'test_symbol_accuracy' out | wc -c)" -eq "$(grep '^this run' out | wc -c)"

# The command line beats the environment, which beats the file, which beats the default.
ECHELON_RUN_ITERATIONS=9 done_on 0 'done after 9' run quadratic.ini --run.output env1
ECHELON_RUN_ITERATIONS=9 done_on 2 'done after 5' run quadratic.ini --run.output env2 --run.iterations 5
ECHELON_METHOD_NAME=f2sa done_on 0 'f2sa' run quadratic.ini --run.output env3 --method.alpha=0.01
is 'the default output is recorded' grep -q '^alpha = 0.01' env3/config.ini

# --- signals --------------------------------------------------------------------------------------------------------
# signalled SIGNAL LAUNCHER...: a long run gets the signal after its first report. Leaves `code`.
set -m # background jobs get INT like others
signalled() {
  local signal=$1 job
  shift
  rm -rf long
  timeout 30 "$@" quadratic.ini --run.output long --run.iterations 100000000 --run.checkpoint_every 0 \
    --metrics.every 100000000 >out 2>err </dev/null &
  job=$!
  for ((i = 0; i < 100; ++i)); do
    [[ -e long/metrics.csv && $(wc -l <long/metrics.csv) -ge 2 ]] && break
    sleep 0.1
  done
  sleep 0.3
  pkill -"$signal" -P "$job"
  if [[ $signal == USR1 ]]; then
    for ((i = 0; i < 100; ++i)); do
      compgen -G 'long/checkpoints/*/manifest.txt' >/dev/null && break
      sleep 0.1
    done
    sleep 0.3
    kill -0 "$job" 2>/dev/null || wrong "USR1 ended the run: $*"
    pkill -USR2 -P "$job"
  fi
  code=0
  wait "$job" || code=$?
  cases=$((cases + 1))
  [[ $code -eq 75 ]] || wrong "exit code $code after $signal, not 75: $*"
  grep -q 'echelon resume long' out || wrong "$signal: the run does not say how to continue: $*"
  compgen -G 'long/checkpoints/*/manifest.txt' >/dev/null || wrong "no checkpoint after $signal: $*"
}
export ECHELON_EXECUTABLE=$echelon
for signal in USR1 USR2 TERM INT; do
  signalled $signal "$echelon" run
  signalled $signal "$source/launch/run" 2
done
for signal in USR1 USR2; do signalled $signal "${mpi[@]}" -n 3 "$echelon" run; done
here=$(ls long/checkpoints | sort | tail -1)
done_on 3 "resuming at iteration $((10#$here))" resume long --run.iterations $((10#$here + 3))

# --- command line ---------------------------------------------------------------------------------------------------
refused 2 'nearest is `describe`' descibe soba
refused 2 'nearest is `soba`' describe sobba
refused 2 'nearest is `methods`' list method
refused 2 '`quadratic.ini` is a file, not a command; try `echelon run quadratic.ini`' quadratic.ini
refused 2 'try `echelon run absent.ini`' absent.ini --run.output new
refused 2 '`kept` is a folder, not a command; try `echelon status kept` or `echelon resume kept`' kept
refused 2 'one configuration file' run
refused 2 'nearest is `--dry-run`' run --dryrun quadratic.ini
refused 2 'no such option; the nearest is `run.iterations`' "${quadratic[@]}" --iterations 5
refused 2 'no such option; the nearest is `method.alpha`' "${quadratic[@]}" --alpha 1
refused 2 '`echelon inspect` has no option --json; see `echelon inspect --help`' inspect kept --json
refused 2 '--dry-run takes no value' run quadratic.ini --run.output new --dry-run=yes
refused 2 'no value' run quadratic.ini --run.output new --run.iterations
refused 2 'command line.*`method.alhpa`.*nearest is `method.alpha`' "${quadratic[@]}" --method.alhpa 1
refused 2 'no section `metod`.*nearest is `method`' "${quadratic[@]}" --metod.alpha 1
refused 2 'no such option' "${quadratic[@]}" --alpha 1
refused 2 'method.alpha: `fast` is not a number' "${quadratic[@]}" --method.alpha fast
refused 2 'network.agents: 0 is out of range.*must be' "${quadratic[@]}" --network.agents 0
refused 2 'network.agents: `1.5` is not a whole number' "${quadratic[@]}" --network.agents 1.5
refused 2 'method.alpha: -1 is out of range' "${quadratic[@]}" --method.alpha -1
refused 2 'neither yes nor no' "${quadratic[@]}" --metrics.baselines maybe
refused 2 'no problem called `quadratics`; the nearest is `quadratic`' "${quadratic[@]}" --problem.name quadratics
refused 2 'no method called `sobo`; the nearest is `soba`' "${quadratic[@]}" --method.name sobo
refused 2 'gt-act.*nearest is `gt-atc`' "${quadratic[@]}" --consensus.strategy gt-act
refused 2 'topology.*ringg.*nearest is `ring`' "${quadratic[@]}" --network.topology ringg
refused 2 'run.target.*distance_to_solution' "${quadratic[@]}" --run.target 'distance_to_solutoin <= 1'
ECHELON_METHOD_ALHPA=1 refused 2 'ECHELON_METHOD_ALHPA in the environment.*nearest is `method.alpha`' "${quadratic[@]}"

# --- configuration files --------------------------------------------------------------------------------------------
refused 66 'absent.ini' run absent.ini --run.output new
printf '[run]\niterations = 5\n\n[method]\nname = soba\nalhpa = 1\n' >typo.ini
refused 2 'typo.ini:6: .*`method.alhpa`.*nearest is `method.alpha`' run typo.ini --run.output new
printf '[run]\niterations 5\n' >equals.ini
refused 2 'equals.ini:2: `iterations 5`' run equals.ini --run.output new
printf '[run]\niterations = many\n' >many.ini
refused 2 'many.ini:2: run.iterations: `many`' run many.ini --run.output new
printf '[run]\niterations = 5\niterations = 6\n' >twice.ini
refused 2 'twice.ini:3: run.iterations is given twice' run twice.ini --run.output new
printf '[rum]\niterations = 5\n' >section.ini
refused 2 'section.ini:2: .*nearest is `run.iterations`' run section.ini --run.output new
mkdir folder.ini
refused 74 'folder.ini.*(directory|folder|read)' run folder.ini --run.output new
head -c 300 /dev/urandom | tr '\n=[#' '....' >noise.ini
refused 2 'noise.ini:1' run noise.ini --run.output new

# --- data -----------------------------------------------------------------------------------------------------------
refused 66 'absent.idx' $(cleaning absent.idx labels.idx)
refused 65 'cut.idx: offset [0-9]+' $(cleaning cut.idx labels.idx)
refused 65 'floats.idx: offset [0-9]+' $(cleaning floats.idx labels.idx)
refused 65 'cut.idx.gz: offset [0-9]+' $(cleaning cut.idx.gz labels.idx)
refused 65 'nine-labels.idx|images.idx' $(cleaning images.idx nine-labels.idx)
refused 65 'labels.idx' $(cleaning labels.idx labels.idx)
refused 2 'train|samples' $(cleaning images.idx labels.idx --problem.train 400)
refused 66 'absent.svm' $(selection absent.svm)
refused 65 'order.svm:3: ' $(selection order.svm)
refused 65 'word.svm:4: ' $(selection word.svm)
refused 65 'nan.svm:5: ' $(selection nan.svm)
refused 2 'problem.data' run quadratic.ini --run.output new --problem.name regularization --method.name f2sa

# --- networks -------------------------------------------------------------------------------------------------------
refused 66 'absent.txt' $(network absent.txt)
refused 65 'word.txt:3: ' $(network word.txt)
refused 65 'late.txt:3: ' $(network late.txt)
refused 65 'sum.txt.*1\.4' $(network sum.txt)
refused 65 'nan.txt:1: ' $(network nan.txt)
refused 2 'agents' $(network "$source/topologies/ring-8.txt" --network.agents 5)
refused 2 'connected' $(network split.txt)
refused 2 'stochastic' $(network row-stochastic.txt)
refused 2 'stochastic' "${quadratic[@]}" --network.topology star --network.weights uniform
refused 66 'absent.txt|nearest' topology absent.txt
refused 65 'word.txt:3: ' topology word.txt
refused 2 'nearest is `network.agents`' topology ring --agent 5
refused 2 'gossip-atc.*not doubly stochastic.*push-pull' $(network "$source/topologies/directed-8.txt" --consensus.strategy gossip-atc)
refused 2 'extra.*changes from round to round' "${quadratic[@]}" --consensus.strategy extra --network.topology one-peer-exponential
refused 2 'exact-diffusion.*without laziness' "${quadratic[@]}" --consensus.strategy exact-diffusion --consensus.lazy no --network.weights best-constant --network.topology path
refused 2 'hypercube.*12.*8.*16' "${quadratic[@]}" --network.topology hypercube --network.agents 12
refused 2 'random-regular' "${quadratic[@]}" --network.topology random-regular --network.degree 3 --network.agents 7
refused 2 'network.link_failure: 1 is out of range' "${quadratic[@]}" --network.link_failure 1
refused 2 'cycle.*starr.*star' "${quadratic[@]}" --network.cycle 'path, starr'
refused 2 'compression_ratio: 0 is out of range' "${quadratic[@]}" --consensus.strategy choco --consensus.compression_ratio 0
refused 2 'compression_ratio: 1.5 is out of range' "${quadratic[@]}" --consensus.strategy choco --consensus.compression_ratio 1.5
refused 2 'compression_bits: 9 is out of range' "${quadratic[@]}" --consensus.strategy choco --consensus.compressor quantization --consensus.compression_bits 9
refused 2 'compression_rank' "${quadratic[@]}" --consensus.strategy choco --consensus.compressor low-rank --consensus.compression_rank 50
refused 2 'consensus.compressor: there is no compressor called `top-kk`; the nearest is `top-k`' "${quadratic[@]}" --consensus.strategy choco --consensus.compressor top-kk
refused 2 'command line: consensus.local_steps is read by local-server, local-server-cv; this run uses gt-atc' "${quadratic[@]}" --consensus.local_steps 5
ECHELON_CONSENSUS_LOCAL_STEPS=5 refused 2 'ECHELON_CONSENSUS_LOCAL_STEPS in the environment: consensus.local_steps is read by .*; this run uses gt-atc' "${quadratic[@]}"
printf '[consensus]\nstrategy = choco\ncompressor = sign\ncompression_ratio = 0.5\n' >unread.ini
refused 2 'unread.ini:4: consensus.compression_ratio is read by random-k, random-k-unbiased, top-k; this run uses sign' run unread.ini --run.output new
refused 2 'consensus.mixing_rounds is read by .*gt-atc.*; this run uses local-server' "${quadratic[@]}" --consensus.strategy fedavg --consensus.mixing_rounds 2
refused 2 'consensus.lazy is read by extra, exact-diffusion; this run uses dynamic average consensus, since pgd-cqa combines means' "${quadratic[@]}" --method.name pgd-cqa --consensus.strategy extra --consensus.lazy no
refused 2 'estimator.saga_batches is read by saga; this run uses plain' "${quadratic[@]}" --estimator.saga_batches 4
refused 2 'steps.coupled is read by accumulated, accumulated-local; this run uses normalized' "${quadratic[@]}" --steps.rule normalized --steps.coupled yes
refused 2 'attack.scale is read by .*sign-flip.*; this run uses none' "${quadratic[@]}" --attack.scale 2
refused 2 'method.theta is read by .*soba.*; this run uses f2sa' "${quadratic[@]}" --method.name f2sa --method.theta 0.5
refused 2 'mixing_rounds: 0 is out of range' "${quadratic[@]}" --consensus.mixing_rounds 0
refused 2 'Chebyshev' "${quadratic[@]}" --consensus.chebyshev yes --consensus.mixing_rounds 3 --network.topology exponential
refused 2 'ring-16.txt: the sizes do not match .the file has 16 agents' "${quadratic[@]}" --network-x.topology file --network-x.file "$source/topologies/ring-16.txt"
refused 2 'run.trace: `5`' "${quadratic[@]}" --run.trace 5
refused 2 'run.trace: `7:7`' "${quadratic[@]}" --run.trace 7:7
refused 2 'saga_memory >= ' "${quadratic[@]}" --estimator.name saga --estimator.saga_memory 1e-9
refused 2 'picture: there are 3000 agents' topology ring --agents 3000 --svg new
printf '%%%%MatrixMarket matrix coordinate real general\n2 2 3\n1 1 1\n2 2 0.5\n2 3 0.5\n' >range.mtx
printf '%%%%MatrixMarket matrix coordinate real general\n2 2 4\n1 1 1.5\n1 2 -0.5\n2 1 0.5\n2 2 0.5\n' >negative.mtx
refused 65 'range.mtx:5: ' topology range.mtx
refused 65 'negative.mtx:4: the weight -0.5 ' topology negative.mtx
for graph in erdos-renyi-16.graphml torus-16.mtx hypercube-16.graph; do
  done_on 0 'spectral gap' topology "$source/topologies/$graph"
done
rm -f kept.mtx picture.svg
done_on 0 'repeats after 3 rounds' topology one-peer-exponential --agents 8 --svg picture.svg
python3 -c 'import xml.dom.minidom; xml.dom.minidom.parse("picture.svg")' || wrong "the picture is not XML"
refused 73 'picture.svg: exists already' topology ring --svg picture.svg
done_on 0 'spectral gap' topology ring --write kept.mtx
done_on 0 'diameter 4' topology kept.mtx
done_on 0 'consensus' describe push-pull
done_on 0 'consensus.compression_ratio' describe top-k
cases=$((cases + 1))
rm -rf traced
run_on 2 run quadratic.ini --run.output traced --run.iterations 30 --run.trace 10:12
[[ $code -eq 0 ]] || wrong "a traced run ends with $code"
python3 - <<'END' || wrong "the timeline is not what it should be"
import json
events = json.load(open("traced/trace.json"))["traceEvents"]
spans = [event for event in events if event["ph"] == "X"]
assert {event["pid"] for event in spans} == {0, 1}
for rank in 0, 1:
    names = [event["name"] for event in spans if event["pid"] == rank]
    assert names.count("iteration") == 2, names
    assert "gradients of g" in names and any(name.startswith("x") for name in names), names
assert all(event["dur"] >= 0 and event["ts"] >= 0 for event in spans)
END

# --- run directories and checkpoints ----------------------------------------------------------------------------------
refused 73 'kept: holds a run already.*resume' run quadratic.ini --run.output kept
refused 73 'quadratic.ini/new' run quadratic.ini --run.output quadratic.ini/new
refused 73 '/proc/new' run quadratic.ini --run.output /proc/new
refused 66 'absent' resume absent
mkdir -p empty
refused 66 'empty/config.ini' resume empty
refused 2 'problem.heterogeneity|configuration' resume kept --problem.heterogeneity 2
cp -r kept foreign
sed -i 's/^heterogeneity = .*/heterogeneity = 3/' foreign/config.ini
refused 2 'foreign.*configuration|configuration.*foreign' resume foreign
cp -r kept bare
rm -r bare/checkpoints
refused 66 'bare/checkpoints' resume bare

cp -r kept damaged
newest=$(ls damaged/checkpoints | sort | tail -1)
flip() { printf '\x5a' | dd of="$1" bs=1 seek=$(($(stat -c %s "$1") / 2)) conv=notrunc status=none; }
for shard in damaged/checkpoints/"$newest"/shard-*; do flip "$shard"; done
done_on 2 'note: .*resuming|note: ' resume damaged --run.iterations 45
for shard in damaged/checkpoints/*/shard-*; do flip "$shard"; truncate -s -1 "$shard"; done
refused 65 'damaged/checkpoints' resume damaged
run_on 0 inspect damaged
[[ $code -eq 65 ]] || wrong "inspect of damaged checkpoints ended with $code, not 65"
refused 66 'absent' inspect absent
head -c 500 /dev/urandom >noise.h5
run_on 0 inspect noise.h5
[[ $code -eq 65 ]] || wrong "inspect of noise ended with $code, not 65"

# --- what would go wrong silently ----------------------------------------------------------------------------------------
refused 2 'consensus.x is .none.*consensus.y = none' "${quadratic[@]}" --consensus.strategy none
refused 2 'holds a `#`' "${quadratic[@]}" --network.file 'a#b'
refused 2 'has no option --bogus' describe f2sa --bogus 3
refused 2 'would never be met' "${quadratic[@]}" --run.target 'hypergradient_norm <= 1'
refused 2 'iterations are made already' resume kept --run.iterations 1
refused 2 'resumed where it is' resume kept --run.output elsewhere

cases=$((cases + 1))
rm -rf new
timeout 20 "${mpi[@]}" -n 1 -x ECHELON_RUN_SEED=5 "$echelon" run quadratic.ini --run.output new --run.iterations 5 : -n 1 "$echelon" run quadratic.ini --run.output new --run.iterations 5 >out 2>err </dev/null
code=$?
[[ $code -eq 0 ]] && grep -q '^seed = 5' new/config.ini || wrong "rank 0's configuration is not everybody's (exit code $code)"

cases=$((cases + 1))
rm -rf new
"$echelon" run quadratic.ini --run.output new --run.iterations 100000000 >/dev/null 2>&1 </dev/null &
holder=$!
for ((i = 0; i < 100; ++i)); do
  [[ -e new/metrics.csv && $(wc -l <new/metrics.csv) -ge 2 ]] && break
  sleep 0.1
done
run_on 0 resume new
[[ $code -eq 73 ]] || wrong "a second process in one run directory ended with $code, not 73"
kill -USR2 "$holder"
wait "$holder"
[[ $? -eq 75 ]] || wrong "the first process was disturbed by the second"
run_on 0 resume new --run.iterations 100000000 --run.seconds 0.2
run_on 0 run new/config.ini --run.output again --run.iterations 3
grep -q '^iterations = 100000000' new/config.ini || wrong "a resumed run forgets its new limit"

cases=$((cases + 1))
cp -r kept again-done
run_on 0 resume again-done
[[ $code -eq 0 ]] && cmp -s kept/result.h5 again-done/result.h5 || wrong "resuming a finished run changes its result"

# --- a silent peer ----------------------------------------------------------------------------------------------------
# One of three ranks is stopped in mid-run: the others name iteration, variable, edge and peer, and end the job.
cases=$((cases + 1))
rm -rf silent
"${mpi[@]}" -n 3 "$echelon" run quadratic.ini --run.output silent --run.iterations 100000000 --comm.stall_seconds 2 >out 2>err </dev/null &
launcher=$!
for ((i = 0; i < 100; ++i)); do
  [[ -e silent/metrics.csv && $(wc -l <silent/metrics.csv) -ge 3 ]] && break
  sleep 0.1
done
victim=$(pgrep -P "$launcher" | tail -1)
kill -STOP "$victim"
(sleep 25 && kill -KILL "$launcher" "$victim") 2>/dev/null &
watchdog=$!
wait "$launcher"
code=$?
kill "$watchdog" 2>/dev/null
[[ $code -eq 76 ]] || wrong "a silent peer ended the run with $code, not 76"
grep -Eq 'echelon: (iteration [0-9]+: )?rank [0-9] waited [0-9]+ s for ' err || wrong "nobody says who is silent"

# --- divergence -----------------------------------------------------------------------------------------------------
refused 3 'diverged.*iteration' "${quadratic[@]}" --method.alpha 1e6 --run.iterations 2000

finish
