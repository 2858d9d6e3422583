"""The part `robust`: data hyper-cleaning with two attackers among ten agents, rule by attack.

The settings are those of examples/hyper-cleaning.ini with ten agents on a complete graph. Rules mix the nearest answers first
(consensus.mix_nearest), except in the rows that say otherwise. Each weight of x belongs to a training sample of one agent, so all other
agents have nothing to say about it, and its median is 0 whatever the owner says: without mixing, coordinate by coordinate, x hardly moves.
So there are also rows in which only y and z are combined that way, and x by centered clipping.

A cell is the test accuracy in percent, or `diverged`. Below the table, each cell of a rule is held against the run of plain means (or plain
gossip) without attackers.
"""
import concurrent.futures
import csv
import os
import subprocess
import tempfile

from common import ECHELON, ENVIRONMENT, IMAGES, LABELS, SCRATCH, row

DEMO = {
    "run.iterations": 120, "run.seed": 1, "network.agents": 10, "network.topology": "complete", "problem.name": "hyper-cleaning",
    "problem.images": IMAGES, "problem.labels": LABELS, "problem.train": 5000, "problem.validation": 1000, "problem.test": 4000,
    "problem.label_noise": .5, "method.name": "f2sa", "method.inner_steps": 5, "method.lambda": 5, "method.lambda_increment": 0,
    "method.alpha": 20000, "method.upper_decay": 1, "method.decay_offset": 1, "method.beta": .5, "method.gamma": .5, "metrics.every": 120,
}
SERVER = DEMO | {"consensus.strategy": "all-reduce"}
MIXED = {"consensus.mix_nearest": "yes"}


def by(rule):
    return SERVER | {"consensus.aggregation": rule}


def lower_by(rule):
    return by("centered-clipping") | {"consensus-y.aggregation": rule, "consensus-auxiliary.aggregation": rule}


RULES = {
    "mean": SERVER,
    "median": by("median") | MIXED,
    "trimmed-mean": by("trimmed-mean") | MIXED,
    "centered-clipping": by("centered-clipping") | MIXED,
    "median, unmixed": by("median"),
    "trimmed-mean, unmixed": by("trimmed-mean"),
    "centered-clipping, unmixed": by("centered-clipping"),
    "median of y, clipped x": lower_by("median"),
    "trimmed y, clipped x": lower_by("trimmed-mean"),
    "gossip-atc": DEMO | {"consensus.strategy": "gossip-atc"},
    "clipped-gossip": DEMO | {"consensus.strategy": "clipped-gossip"},
}
ATTACKS = {name: attack | ({"attack.fraction": .2} if attack else {}) for name, attack in {
    "none": {},
    "sign-flip 10": {"attack.kind": "sign-flip", "attack.scale": 10},
    "noise 100": {"attack.kind": "noise", "attack.scale": 100},
    "nan": {"attack.kind": "nan"},
    "little 1.5": {"attack.kind": "little", "attack.scale": 1.5},
    "dissensus 3": {"attack.kind": "dissensus", "attack.scale": 3},
}.items()}
POINTS = 2


def is_gossip(rule):
    return "gossip" in rule


def plain_of(rule):
    return "gossip-atc" if is_gossip(rule) else "mean"


def accuracy(settings):
    """In percent; None if the run diverged."""
    folder = tempfile.mkdtemp(dir=SCRATCH)
    ini = os.path.join(folder, "empty.ini")
    open(ini, "w").close()
    command = [ECHELON, "run", ini, "--run.output", os.path.join(folder, "run"), "--run.progress", "none"]
    for key, value in settings.items():
        command += ["--" + key, str(value)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
    if done.returncode != 0:
        if "diverged" in done.stdout + done.stderr:
            return None
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    with open(os.path.join(folder, "run", "metrics.csv")) as file:
        return 100 * float(list(csv.DictReader(file))[-1]["test_accuracy"])


def measure(workers):
    cells = [(rule, attack) for rule in RULES for attack in ATTACKS if attack != "dissensus 3" or is_gossip(rule)]
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        return dict(zip(cells, pool.map(lambda cell: accuracy(RULES[cell[0]] | ATTACKS[cell[1]]), cells)))


def print_table(measured):
    def cell(rule, attack):
        if (rule, attack) not in measured:
            return "-"
        value = measured[rule, attack]
        return "diverged" if value is None else f"{value:.1f}"

    print(f"{'test accuracy, %':<28}" + "".join(f"{attack:>14}" for attack in ATTACKS))
    for rule in RULES:
        print(f"{rule:<28}" + "".join(f"{cell(rule, attack):>14}" for attack in ATTACKS), flush=True)
    print()


def robust(workers=2):
    measured = measure(workers)
    print_table(measured)
    for rule, attack in measured:
        plain = plain_of(rule)
        if rule == plain:
            continue
        value = measured[rule, attack]
        least = measured[plain, "none"] - POINTS
        row(f"{rule}, 2 of 10 agents: {attack}", "diverged" if value is None else f"{value:.1f} %",
            f"at least {least:.1f} %, {plain} without attackers less {POINTS}", value is not None and value >= least)
