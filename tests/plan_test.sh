#!/usr/bin/env bash
# What a run says before it starts: --dry-run, memory, partitions.   plan_test.sh EXECUTABLE SOURCE
# shellcheck source=tests/cli_support.sh
source "$(dirname "${BASH_SOURCE[0]}")/cli_support.sh" "$@"

says() { # says PATTERN: on standard output of the last run
  cases=$((cases + 1))
  grep -Eq -- "$1" out || wrong "the output does not say /$1/"
}

cat >quadratic.ini <<'END'
[run]
iterations = 40
[network]
agents = 6
[problem]
name = quadratic
[method]
name = soba
alpha = 0.05
[metrics]
every = 10
END

# --- dry runs ---------------------------------------------------------------------------------------------------------
before=$(ls)
for ranks in 0 3; do
  done_on "$ranks" '^method     soba' run --dry-run quadratic.ini --run.output new
  says '^6 agents, 6 edges'
  says '^memory     [0-9.]+ [kM]?B \(data [0-9.]+ kB, state [0-9.]+ kB, buffers [0-9.]+ [kM]?B\)'
  says 'free on its machine: [0-9.]+ [MGT]B, for '"$((ranks > 0 ? ranks : 1))"' rank'
  says '^traffic    per agent and iteration: .* to each neighbor; p = '
  says '^directory  new$'
  says '^iterations = 40$'
  is 'a dry run writes nothing' test "$(ls | grep -Ev '^(out|err|is.out)$')" == "$before"
done
done_on 0 'kept' run quadratic.ini --run.output kept
done_on 0 'dry' run quadratic.ini --run.output dry
before=$(fingerprint kept)
done_on 0 'holds a run already' run quadratic.ini --dry-run --run.output kept
is 'a dry run changes nothing' test "$(fingerprint kept)" == "$before"
refused 2 'nearest is `method.alpha`' run --dry-run quadratic.ini --run.output new --method.alhpa 1
refused 66 'absent.ini' run --dry-run absent.ini
refused 2 'no option --dry-run' resume --dry-run kept
refused 2 'takes no value' run --dry-run=yes quadratic.ini

# What is predicted for the run is what the run counts, apart from the first iteration.
cases=$((cases + 1))
run_on 0 run --dry-run quadratic.ini
predicted=$(sed -n 's/^ *for the run *\([0-9.]*\) kB between.*/\1/p' out)
counted=$(awk -F, 'NR == 1 { for (i = 1; i <= NF; ++i) if ($i == "bytes_sent") c = i } END { print $c / 1000 }' kept/metrics.csv)
awk -v a="$predicted" -v b="$counted" 'BEGIN { exit !(a > 0 && b > 0.9 * a && b < 1.1 * a) }' || wrong "predicted $predicted kB, counted $counted kB"

done_on 0 'round 0: ' run --dry-run quadratic.ini --consensus.strategy local-server --consensus.local_steps 4 --participation.clients 20 --participation.dropout 0.3 --participation.compute_seconds 2
says '^rounds     10 of 4 iterations: 6 seats for 20 clients'
says 'round 4: 6 participants, [0-6] answers.*, ends at 40 s simulated'

# Slow links: x, y and v of 10 numbers each, once per round and both ways, at 100 bytes per second.
slow=(quadratic.ini --consensus.strategy local-server --consensus.local_steps 4 --participation.link_rate 100)
done_on 0 'round 4: .*, ends at 24 s simulated' run --dry-run "${slow[@]}"
done_on 2 'done after 40' run "${slow[@]}" --run.output slow
is 'the run takes what was planned' python3 - <<'END'
import csv
assert abs(float(list(csv.DictReader(open("slow/metrics.csv")))[-1]["simulated_seconds"]) - 48) < 1e-9
END

# --- memory -----------------------------------------------------------------------------------------------------------
done_on 2 '^memory     .* on the fullest rank, which may take 2 GB' run quadratic.ini --run.output new --participation.memory 2
rm -rf new
refused 2 'memory: rank [0-9] would take .* but may take 1 kB .*fewer agents' run quadratic.ini --run.output new --participation.memory 1e-6
refused 2 'memory: rank [0-9] would take' run --dry-run quadratic.ini --participation.memory 1e-6
refused 2 'memory: rank [0-9] would take [0-9.]+ [MG]B \(data [0-9.]+ [MG]B, state [0-9.]+ MB.* may take 1 MB' run quadratic.ini --run.output new --participation.memory 0.001 --network.agents 1000 --problem.upper_dimension 100 --problem.lower_dimension 100
refused 2 'memory: rank' resume kept --participation.memory 1e-6

# --- partitions -------------------------------------------------------------------------------------------------------
python3 - <<'END'
import random
for name, qid in ("plain.svm", False), ("qid.svm", True):
    random.seed(3)
    with open(name, "w") as file:
        for j in range(400):
            label = random.choice((-1, 1))
            group = f" qid:w{j % 8}" if qid else ""
            file.write(f"{label:+d}{group} 1:{label + random.gauss(0, 1):.4f} 2:{random.gauss(0, 1):.4f}\n")
with open("writers.txt", "w") as file:
    file.write("# writers\n" + "".join(f"w{j % 8}\n" for j in range(400)))
END
head -399 writers.txt >short.txt
selection() { echo run quadratic.ini --run.output new --problem.name regularization --method.name f2sa --problem.data "$@"; }
for partition in even label-shards dirichlet dirichlet-sizes power-law; do
  rm -rf new new3
  done_on 0 "^partition  $partition.*: 300 samples to 6 agents, each [0-9]+ / [0-9]+ / [0-9]+ .* of 2 labels" $(selection plain.svm --problem.partition "$partition" --run.iterations 2)
  done_on 0 "partition.csv: partition $partition.*seed 1; 6 agents with [0-9]+ / [0-9]+ / [0-9]+ samples" inspect new
  done_on 3 "$partition" $(selection plain.svm --problem.partition "$partition" --run.iterations 2) --run.output new3
  is "$partition is the same on 3 ranks" cmp new/partition.csv new3/partition.csv
  is "$partition gives the same result on 3 ranks" cmp new/result.h5 new3/result.h5
done
is 'each sample is dealt once' awk -F, 'NR > 2 { sum += $2; labels += $3 + $4 } END { exit !(NR == 8 && sum == 300 && labels == 300) }' new/partition.csv
sed -i '4s/,/,1/' new/partition.csv
run_on 0 inspect new
[[ $code -eq 65 ]] && grep -q 'partition.csv: DAMAGED (line 4' out || wrong "a damaged partition.csv is not found ($code)"
rm -rf new
run_on 0 $(selection qid.svm --problem.partition natural --network.agents 8 --run.iterations 2)
mv new by-qid
run_on 0 $(selection plain.svm --problem.partition natural --problem.partition_file writers.txt --network.agents 8 --run.iterations 2)
is 'ids in the data and in a file deal alike' cmp by-qid/partition.csv new/partition.csv
is 'each agent has the samples of its id' grep -Eq '^7,[0-9]+,[0-9]+,[0-9]+,w7$' new/partition.csv
done_on 0 '300 samples to 3 agents' $(selection qid.svm --problem.partition natural --network.agents 3 --run.output new2 --run.iterations 2)
is 'ids are dealt in turn' grep -Eq '^1,[0-9]+,[0-9]+,[0-9]+,w1 w4 w7$' new2/partition.csv
natural() { selection "$@" --problem.partition natural --network.agents 8; }
refused 2 'natural deals by ids, but the data have none.*partition_file' $(natural plain.svm)
refused 2 'natural deals 8 ids to 9 agents' $(natural qid.svm) --network.agents 9
refused 65 'short.txt: 398 ids .but there are 400 samples' $(natural plain.svm --problem.partition_file short.txt)
refused 66 'absent.txt' $(natural plain.svm --problem.partition_file absent.txt)
refused 2 'would not be read' $(selection plain.svm --problem.partition_file writers.txt)
refused 2 'natural gives agent [0-9] .id w[0-9]. 3[0-6] training samples, but it needs 37; choose fewer agents' $(natural qid.svm --problem.minimum_samples 37)
refused 2 'problem.dirichlet_alpha is read by .*regularization.* if problem.partition is dirichlet or dirichlet-sizes' $(selection plain.svm --problem.dirichlet_alpha 0.3)
refused 2 'problem.shards_per_agent is read by .* if problem.partition is label-shards' $(selection plain.svm --problem.partition dirichlet --problem.shards_per_agent 3)
refused 2 'power_exponent: -1 is out of range' $(selection plain.svm --problem.partition power-law --problem.power_exponent -1)
refused 2 'dirichlet_alpha: 0 is out of range' $(selection plain.svm --problem.partition dirichlet-sizes --problem.dirichlet_alpha 0)
refused 2 'minimum_samples: 51 for each of 6 agents is too much .there are 300 samples' $(selection plain.svm --problem.partition dirichlet-sizes --problem.minimum_samples 51)
refused 2 'nearest is `power-law`' $(selection plain.svm --problem.partition powerlaw)
{ echo '-1 1:1'; for ((i = 0; i < 39; ++i)); do echo "+1 1:$i 2:1"; done; } >rare.svm
lost=$(for ((seed = 1; seed < 30; ++seed)); do "$echelon" $(selection rare.svm --network.agents 2 --run.seed $seed) --dry-run >/dev/null 2>err && continue; echo $seed; break; done)
refused 2 'no agent holds a training sample of class 0 .all 1 of rare.svm validate' $(selection rare.svm --network.agents 2 --run.seed "$lost")

finish
