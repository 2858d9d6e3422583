"""Parts of bench/federated: cost of rounds, a million clients, drift of local steps, policies by simulated seconds."""
import filecmp
import os
import shutil
import subprocess

from common import BUILD, ENVIRONMENT, IMAGES, LABELS, figure, row, run


def client_rounds(clients, method, pairs=20):
    """Seconds of a round, of its kernels, their ratio, client updates per second, kernels, peak bytes, bytes of samples."""
    command = [os.path.join(BUILD, "bench", "bench_client_rounds"), IMAGES, LABELS, str(clients), method, str(pairs)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def rounds():
    """10 000 clients of 60 samples, 784 x 10 softmax, 100 in a round, 10 local steps on batches of 10."""
    for method in "lower-only", "soba":
        seconds, kernels, ratio, updates, calls, peak, data = client_rounds(10000, method)
        row(f"10 000 clients, {method}: a round over its {calls:.0f} bare kernels", f"{ratio:.2f} ({1e3 * seconds:.1f} ms, {1e3 * kernels:.1f} ms)", "at most 2.0", ratio <= 2)
        row(f"10 000 clients, {method}: peak memory beyond the samples", f"{(peak - data) / 1e6:.0f} MB", "at most 200 MB", peak - data <= 2e8)
        print(f"{'':<4}{updates:.0f} client updates per second and core (published, other hardware: FLUTE 5.0, Flower 0.55)", flush=True)


def million():
    """Clients that share a pool of samples cost nothing while they do not take part."""
    few = client_rounds(1000, "lower-only")
    for clients in 10**5, 10**6:
        many = client_rounds(clients, "lower-only")
        row(f"{clients} clients: a round over one of 1000 clients", f"{many[0] / few[0]:.2f}; peak {many[5] / 1e6:.0f} MB", "at most 1.25; 24 GB",
            many[0] <= 1.25 * few[0] and many[5] <= 24e9)


QUADRATIC = {"problem.name": "quadratic", "problem.heterogeneity": .5, "method.name": "soba", "method.alpha": .02, "method.beta": .1, "method.gamma": .1,
             "metrics.every": 1000000}


def error(settings):
    last, _, folder = run({**QUADRATIC, **settings})
    shutil.rmtree(folder)
    return figure(last, "distance_to_solution")


def variates():
    """Five local steps on agents that differ, all of them in each round, then 6 of 24 clients."""
    for what, clients in (("8 agents", {"network.agents": 8}), ("6 of 24 clients", {"network.agents": 6, "participation.clients": 24})):
        common = {**clients, "run.iterations": 20000}
        alone = error({**common, "consensus.strategy": "local-server-cv", "consensus.local_steps": 1})
        controlled = error({**common, "consensus.strategy": "local-server-cv", "consensus.local_steps": 5})
        plain = error({**common, "consensus.strategy": "local-server", "consensus.local_steps": 5})
        row(f"{what}: 5 local steps with control variates, beside one", f"{controlled:.1e}, {alone:.1e}", "apart by at most 1e-6", abs(controlled - alone) <= 1e-6)
        row(f"{what}: plain averaging over control variates", f"{plain:.1e}", "at least 10 times farther", plain >= 10 * max(controlled, 1e-6))


def policies():
    """18 agents with log-normal delays, median 30 ms, sigma 1: simulated seconds to |x - x*| <= 1e-3."""
    base = {**QUADRATIC, "network.agents": 18, "run.iterations": 100000, "run.target": "distance_to_solution <= 1e-3", "metrics.every": 10,
            "participation.compute_seconds": .03, "participation.compute_sigma": 1}
    server = {"consensus.strategy": "local-server-cv", "consensus.local_steps": 1}
    kinds = {
        "wait-for-all": server,
        "cut-off at 60 ms": {**server, "participation.policy": "cut-off", "participation.deadline_seconds": .06},
        "over-commit, 9 of 18": {**server, "participation.policy": "over-commit", "participation.wait_for": 9},
        "bounded staleness, 9 reports, at most 15 steps old": {"consensus.strategy": "stale-server", "participation.policy": "bounded-staleness",
                                                               "participation.wait_for": 9, "participation.staleness": 15},
    }
    waiting = None
    for what, settings in kinds.items():
        last, _, folder = run({**base, **settings})
        _, _, again = run({**base, **settings})
        same = filecmp.cmp(os.path.join(folder, "result.h5"), os.path.join(again, "result.h5"), shallow=False)
        seconds = figure(last, "simulated_seconds")
        waiting = waiting or seconds
        row(f"log-normal delays, {what}: simulated seconds to 1e-3", f"{seconds:.1f} s in {last['iteration']} rounds, {last['answers']} answers, staleness {last['largest_staleness']}",
            "the reference" if what == "wait-for-all" else f"less than {waiting:.1f} s", what == "wait-for-all" or seconds < waiting)
        row(f"log-normal delays, {what}: the same run again", "the same bits" if same else "another result.h5", "the same bits", same)
        shutil.rmtree(folder)
        shutil.rmtree(again)
