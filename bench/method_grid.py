"""The part `grid` of the driver `methods`: every method on every problem whose assumptions it meets.

A cell is one run by all-reduce, from the problem's start, with options that follow from the problem's scales by the rules below. It
reads `holds`, `FALLS`, `not meant` (what the method assumes is not met: not run) or `refused` (the method cannot keep the set, the term
or the constraints of that lower level, and says so before the first iteration).
"""
import collections
import concurrent.futures
import csv
import math
import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from typing import Callable

from common import ECHELON, run
from method_problems import PROBLEMS

ALONE = {"network.agents": 1, "network.topology": "complete", "consensus.strategy": "all-reduce", "metrics.every": 10000000}

# ---- Rules. L_f, L_g, L, L_F, mu as in method_problems.py. Step of y: .5 / L_g. Step of x: .3 / L_F.


def x_step(p, factor=.3):
    return factor / p.total


def y_step(p):
    return .5 / p.lower


def inner_steps(p, most=100):
    """Enough of them to follow x from the last solution: 2 / (beta mu)."""
    return min(most, max(10, math.ceil(2 / (y_step(p) * p.modulus))))


def long_steps(p, most=200):
    """Enough of them to forget the start: 15 / (beta mu)."""
    return min(most, max(60, math.ceil(15 / (y_step(p) * p.modulus))))


def settling_steps(p, most=200):
    """Enough of them for what restarts beside the solution: 8 / (beta mu)."""
    return min(most, max(10, math.ceil(8 / (y_step(p) * p.modulus))))


def penalty_weight(p, factor=1000):
    """Where f can no longer bend the lower level: a multiple of L_f / mu."""
    return factor * p.upper / p.modulus


def gap_curvature(p):
    """Of g(x, y) - min g(x, .), whose second term bends by the square of d2g/dxdy over mu."""
    return p.joint + (p.joint - p.lower) ** 2 / p.modulus


def penalty(factor, x_factor=.3, **more):
    def rule(p):
        return {"lambda": penalty_weight(p, factor), "alpha": x_step(p, x_factor), "beta": y_step(p), "gamma": y_step(p), "inner_steps": inner_steps(p)} | more
    return rule


def growing_penalty(p):
    return {"lambda": penalty_weight(p, 2), "alpha": x_step(p), "beta": y_step(p), "gamma": y_step(p), "inner_steps": inner_steps(p)}


def single_loop_penalty(p):
    return {"lambda": penalty_weight(p), "lambda_exponent": 0, "alpha": x_step(p, .05), "beta": y_step(p), "gamma": y_step(p)}


def stencil(p):
    """Differences divide the errors of the inner steps by nu."""
    return {"nu": 1e-3 * min(1, p.modulus / p.upper), "alpha": x_step(p), "beta": y_step(p), "inner_steps": long_steps(p)}


def joint_penalty(p):
    weight = penalty_weight(p, 100)
    step = 1 / (p.upper + weight * gap_curvature(p))
    return {"lambda": weight, "alpha": step, "beta": step, "gamma": y_step(p), "inner_steps": settling_steps(p)}


def gradient_penalty(p):
    weight = penalty_weight(p, 100)
    step = 1 / (p.upper + 2 * weight * p.joint ** 2)
    return {"lambda": weight, "alpha": step, "beta": step}


def primal_dual(p):
    step = .02 / gap_curvature(p)
    return {"alpha": step, "beta": step, "gamma": y_step(p), "delta": 1e-4, "inner_steps": inner_steps(p)}


def adam_penalty(p):
    """Steps of Adam are lengths: those of x a tenth of those of y and z, falling by a cosine."""
    return {"lambda": penalty_weight(p, 100), "alpha": 1e-3, "beta": 1e-2, "gamma": 1e-2, "horizon": 20000 * p.iterations}


def implicit(**more):
    def rule(p):
        return {"alpha": x_step(p), "beta": y_step(p), "gamma": y_step(p)} | more
    return rule


def aid(**more):
    def rule(p):
        return {"alpha": x_step(p), "beta": y_step(p), "inner_steps": inner_steps(p)} | more
    return rule


def neumann(**more):
    def rule(p):
        return {"alpha": x_step(p), "beta": y_step(p), "eta": y_step(p), "solver_steps": long_steps(p)} | more
    return rule


def crude(p):
    return aid(eta=1 / (p.hessian or p.lower))(p)


def quasi_newton(p):
    return {"alpha": x_step(p), "beta": y_step(p)}


def bome(p):
    step = .1 / max(1, p.upper, p.joint)
    return {"alpha": step, "beta": step, "gamma": y_step(p), "inner_steps": settling_steps(p)}


def envelope(p):
    """A smoothing s that makes the lower level convex; steps .3 / (L_g + 1/s), those of x by the curvature of the gap."""
    smoothing = min(1, .4 / p.lower) if p.kind in ("nonconvex", "tie", "local") else 1
    step = .3 / (p.lower + 1 / smoothing)
    return {"alpha": .3 / gap_curvature(p), "beta": step, "gamma": step, "smoothing": smoothing}


def meha(p):
    return envelope(p) | {"lambda": 2 * p.upper / p.modulus}


def moreau(p):
    return envelope(p) | {"mu": .01 * p.modulus / p.upper}


def programs(p):
    """gamma .01 for unit scales."""
    return {"alpha": 1, "gamma": .01 / max(1, p.upper / 2), "safeguard": "yes", "lower_step": y_step(p)}


def residual(p):
    """y is off by about epsilon / mu."""
    return .01 * min(1, 2 * p.modulus)


def barrier_flow(p):
    return {"epsilon": residual(p), "alpha": 1, "gamma": .001 / max(1, p.upper / 2), "safeguard": "yes", "lower_step": y_step(p)}


def line_search(p):
    return {"epsilon": residual(p), "safeguard": "yes", "lower_step": y_step(p)}


def unrolled(**more):
    def rule(p):
        return {"alpha": x_step(p), "beta": y_step(p), "inner_steps": long_steps(p)} | more
    return rule


def truncated(p):
    return unrolled(truncation=min(long_steps(p), math.ceil(10 / (y_step(p) * p.modulus))))(p)


def perturbed(p):
    return {"alpha": x_step(p, .1), "beta": y_step(p), "inner_steps": settling_steps(p), "mu": 1e-3, "upper_decay": .5}


def active_rows(p):
    return {"alpha": x_step(p)}


def bounded_steps(p):
    return {"norm_weight": 20, "norm_offset": 3 * p.total}


def equalities(p):
    return {"alpha": x_step(p), "beta": y_step(p)}


# ---- Which problems a method is meant for, and how near it has to come.

SMOOTH = ("convex", "local")
CONVEX = ("convex", "flat")
ANY = ("convex", "local", "flat", "nonconvex", "tie")

# Of |F - F*| / (1 + |F*|). A penalty method's x is off by about L_f / (mu lambda), bome's by the root of its last step, meha's by 1 / c_K,
# that of moreau by mu, of programs by their residual; F is flat at the optimum, but where a set holds x or F has a kink it moves as x.
EXACT, PENALTY, WEAK = 1e-4, 5e-3, 2e-2


@dataclass
class Meant:
    rule: Callable
    kinds: tuple
    tolerance: float
    iterations: int
    where: Callable = lambda p: True  # a further condition on the problem, and
    why: str = ""  # what it is


GRID = {
    "f2sa": Meant(growing_penalty, SMOOTH, PENALTY, 5000),
    "f2ba": Meant(penalty(1000), SMOOTH, PENALTY, 2000),
    "accf2ba": Meant(penalty(1000), SMOOTH, PENALTY, 1000),
    "f3sa": Meant(single_loop_penalty, SMOOTH, PENALTY, 20000),
    "f2sa-p": Meant(stencil, SMOOTH, EXACT, 2000),
    "v-pbgd": Meant(joint_penalty, SMOOTH + ("flat",), WEAK, 20000),
    "g-pbgd": Meant(gradient_penalty, SMOOTH + ("flat",), WEAK, 100000),
    "pdbo": Meant(primal_dual, CONVEX, WEAK, 20000),
    "bvfim": Meant(implicit(), (), 0, 0, why="no answer is guaranteed"),
    "scalebio": Meant(adam_penalty, SMOOTH, WEAK, 20000),
    "soba": Meant(implicit(), SMOOTH, EXACT, 10000),
    "hjfbio": Meant(implicit(), SMOOTH, EXACT, 10000),
    "ma-soba": Meant(implicit(), SMOOTH, EXACT, 10000),
    "fsla": Meant(implicit(), SMOOTH, EXACT, 10000),
    "fdehbo": Meant(implicit(), SMOOTH, EXACT, 20000),
    "fmbo": Meant(implicit(), SMOOTH, EXACT, 20000),
    "aid-cg": Meant(aid(), SMOOTH, EXACT, 4000),
    "aid-neumann": Meant(neumann(), SMOOTH, EXACT, 4000),
    "aid-woodfisher": Meant(aid(), SMOOTH, EXACT, 4000, lambda p: p.factors, "needs factors of the Hessian"),
    "aid-identity": Meant(crude, SMOOTH, EXACT, 4000, lambda p: p.hessian, "needs H = c I"),
    "one-step": Meant(crude, SMOOTH, EXACT, 4000, lambda p: p.hessian, "needs H = c I"),
    "stocbio": Meant(neumann(), SMOOTH, EXACT, 4000),
    "sustain": Meant(neumann(truncation="sum"), SMOOTH, EXACT, 6000),
    "mrbo": Meant(neumann(), SMOOTH, EXACT, 6000),
    "qnbo": Meant(quasi_newton, SMOOTH, EXACT, 4000),
    "ma-dsbo": Meant(implicit(), SMOOTH, EXACT, 4000),
    "fedmsa": Meant(implicit(), SMOOTH, EXACT, 10000),
    "fednest": Meant(neumann(), SMOOTH, EXACT, 4000),
    "lower-only": Meant(implicit(), (), 0, 0, why="x stays"),
    "adbo": Meant(implicit(), (), 0, 0, why="exact only where its inner step is the inverse of H"),
    "bome": Meant(bome, SMOOTH + ("flat",), WEAK, 40000),
    "meha": Meant(meha, ANY + ("nonsmooth",), WEAK, 60000),
    "moreau": Meant(moreau, ANY, WEAK, 60000),
    "pgd-cqa": Meant(programs, ANY, WEAK, 20000),
    "rxgf": Meant(barrier_flow, ANY, WEAK, 40000),
    "sqcqp": Meant(line_search, ANY, WEAK, 2000),
    "unroll-backward": Meant(unrolled(), SMOOTH, EXACT, 2000),
    "unroll-truncated": Meant(truncated, SMOOTH, EXACT, 2000),
    "unroll-forward": Meant(unrolled(), SMOOTH, EXACT, 2000),
    "unroll-sign": Meant(unrolled(), (), 0, 0, why="y starts at x in meta-learning alone"),
    "bda": Meant(unrolled(inner_steps=400), CONVEX, WEAK, 1000),
    "pzobo": Meant(perturbed, SMOOTH, WEAK, 4000),
    "hozog": Meant(perturbed, SMOOTH, WEAK, 4000),
    "sigd": Meant(active_rows, ("inequalities",), EXACT, 2000),
    "ds-blo": Meant(bounded_steps, ("inequalities",), WEAK, 4000),
    "aipod": Meant(equalities, ("equalities",), EXACT, 2000),
    "e-aipod": Meant(equalities, ("equalities",), EXACT, 2000),
}

# Cells where a method's own theory asks for other options.
EXCEPTIONS = {
    # f is as stiff as g along y*(x) = 50 x - 500: a weight of 1 bends it little, and steps are those of that weight.
    ("v-pbgd", "mac-hurter"): {"lambda": 1, "alpha": 4e-4, "beta": 4e-4},
    ("pdbo", "mac-hurter"): {"bound": 10, "alpha": 4e-5, "beta": 4e-5, "iterations": 200000},
    # F = 10 |x| has a kink, on which constant steps chatter: small or falling ones.
    ("v-pbgd", "min-max"): {"lambda": 10, "alpha": .01, "beta": .01},
    ("bda", "min-max"): {"alpha": .003, "upper_decay": .5},
    # y*(x) has a kink at the optimum, on both sides of which the nodes of the stencil lie.
    ("f2sa-p", "de-silva"): {"alpha": .001, "iterations": 10000},
    # Adam's steps are lengths, and these answers are 43 and 500 away (in y).
    ("scalebio", "henderson"): {"alpha": .01, "beta": .1, "gamma": .1},
    ("scalebio", "mac-hurter"): {"alpha": .004, "beta": 1, "gamma": 1},
    # Gaps of this size drive the multiplier to its bound at once, which steps have to bear.
    ("pdbo", "henderson"): {"bound": 50, "alpha": .004, "beta": .004},
    # Weights of f that make the answer's bias small against the target; at qg-1 the other way round, for speed.
    ("moreau", "sine"): {"mu": .002},
    ("moreau", "mb17"): {"mu": .002},
    ("moreau", "min-max"): {"mu": .001, "iterations": 400000},
    ("meha", "mb17"): {"lambda": 40},
    ("meha", "qg-1"): {"lambda": 2, "iterations": 200000},
    # Small steps of x against small curvatures of F.
    ("meha", "min-max"): {"iterations": 200000},
    ("meha", "ridge"): {"lambda": .5, "iterations": 400000},
    ("meha", "vertex"): {"iterations": 100000},
    ("meha", "sparse"): {"iterations": 200000},
    ("moreau", "qg-1"): {"iterations": 400000},
    ("moreau", "ridge"): {"iterations": 200000},
    ("v-pbgd", "qg-1"): {"iterations": 200000},
    ("v-pbgd", "ridge"): {"iterations": 100000},
    ("g-pbgd", "qg-1"): {"iterations": 300000},
    ("g-pbgd", "ridge"): {"iterations": 400000},
    ("rxgf", "ridge"): {"iterations": 200000},
    ("rxgf", "qg-1"): {"iterations": 200000},
    ("sqcqp", "qg-1"): {"iterations": 20000},
    ("f3sa", "qg-1"): {"iterations": 60000},
    # Noise of variance p / directions.
    ("pzobo", "p-q"): {"directions": 40, "iterations": 10000},
}

# Cells that fall by what the method is, not by its options: the reason, printed beside the figures.
LIMITS = {
    ("moreau", "min-max"): "a bilinear game: with a weight of f that stays, x and y drift on beside x = 0",
    ("sqcqp", "mb12"): "follows y = 0 past the optimum, where it is a maximizer; the safeguard leaves it at x = 1 for y = -1, a corner where f has a local minimum under a residual of epsilon",
    ("bda", "yezza96"): "F jumps at the optimum, and T steps of a nearly flat lower level do not follow the jump",
}

MARKS = {"holds": "+", "FALLS": "F", "not meant": ".", "refused": "r"}

# ---- A cell.


def error_of(problem, figures):
    """By the problem's measure: F at x against F* or another listed minimum; f, where F knows one branch alone; |x - x*|; |dF|."""
    if problem.measure == "x":
        return figures["distance_to_solution"]
    if problem.measure == "dF":
        return figures["hypergradient_norm"]
    value = figures["upper_value"]
    if problem.measure == "F":
        value = figures["hyperobjective"] if not math.isnan(figures["hyperobjective"]) else figures["upper_value"]
    return min(abs(value - known) / (1 + abs(known)) for known in problem.values)


def numbers(row):
    return {key: float(value) if value else math.nan for key, value in row.items()}


@dataclass
class Cell:
    method: str
    problem: str
    verdict: str
    what: str = ""
    error: float = math.nan
    tolerance: float = 0


def sparse_optimum(problem):
    """min F over the one weight e^x of the penalty, by golden section: with x held and f of no weight, meha solves the lower level alone."""
    def value(x):
        last, _, folder = run({**ALONE, **problem.settings, "problem.start_weight": math.exp(x), "method.name": "meha", "run.iterations": 3000,
                               "method.alpha": 0, "method.lambda": 1e12})
        shutil.rmtree(folder)
        return float(last["upper_value"])

    low, high, golden = math.log(1e-4), math.log(1), (math.sqrt(5) - 1) / 2
    inner = [high - golden * (high - low), low + golden * (high - low)]
    values = [value(x) for x in inner]
    for _ in range(16):
        if values[0] < values[1]:
            high, inner[1], values[1] = inner[1], inner[0], values[0]
            inner[0] = high - golden * (high - low)
            values[0] = value(inner[0])
        else:
            low, inner[0], values[0] = inner[0], inner[1], values[1]
            inner[1] = low + golden * (high - low)
            values[1] = value(inner[1])
    return min(values)


def features_served(name):
    text = subprocess.run([ECHELON, "describe", name], capture_output=True, text=True).stdout
    return next(line for line in text.splitlines() if line.startswith("serves:"))


def is_served(serves, problem):
    if problem.kind in ("equalities", "inequalities"):
        return "linear " + problem.kind.replace("ies", "y") + " constraints" in serves
    if "linear" in serves:
        return False
    return ("box" in serves or not problem.lower_set) and ("nonsmooth" in serves or problem.kind != "nonsmooth")


def cell(name, title, serves):
    meant, problem = GRID[name], PROBLEMS[title]
    served = is_served(serves, problem)
    if served and (problem.kind not in meant.kinds or not meant.where(problem)):
        return Cell(name, title, "not meant")
    options = meant.rule(problem) | EXCEPTIONS.get((name, title), {})
    iterations = round(options.pop("iterations", meant.iterations) * problem.iterations) if served else 1
    tolerance = max(options.pop("tolerance", meant.tolerance), problem.floor)
    settings = {**ALONE, **problem.settings, "method.name": name, "run.iterations": iterations}
    if served:
        settings |= {(key if "." in key else "method." + key): value for key, value in options.items()}
    try:
        try:
            last, _, folder = run(settings)
        except RuntimeError as why:
            if "MPI_INIT" not in str(why):
                raise
            last, _, folder = run(settings)  # what fails before MPI has started says nothing about a method
    except RuntimeError as why:
        message = str(why).strip().splitlines()[-1]
        refused = "this method does not" in message or "this method is made for" in message
        return Cell(name, title, "refused" if refused and not served else "FALLS", message)
    with open(os.path.join(folder, "metrics.csv")) as file:
        start = error_of(problem, numbers(next(csv.DictReader(file))))
    shutil.rmtree(folder)
    if not served:
        return Cell(name, title, "FALLS", "runs, although it does not serve this lower level")
    figures = numbers(last)
    tolerance = min(tolerance, start / 5)  # a start that is nearly there proves nothing
    error = error_of(problem, figures)
    scale = 1 + abs(problem.values[0]) if problem.values else 1
    linear = problem.kind in ("equalities", "inequalities")  # which the residual does not know
    solved = linear or figures["lower_gradient_norm"] <= 10 * tolerance * scale
    holds = error <= tolerance and solved
    what = f"{problem.measure} off by {error:.1e} (at most {tolerance:g}); f {figures['upper_value']:.6g}, lower residual {figures['lower_gradient_norm']:.1e}, " \
           f"|x - x*| {figures['distance_to_solution']:.1e}"
    return Cell(name, title, "holds" if holds else "FALLS", what, error, tolerance)


def run_grid(methods=(), problems=()):
    listed = subprocess.run([ECHELON, "list", "methods"], capture_output=True, text=True).stdout.splitlines()[1:]
    names = [line.split()[0] for line in listed if not methods or line.split()[0] in methods]
    titles = [title for title in PROBLEMS if not problems or title in problems]
    described = subprocess.run([ECHELON, "describe", "analytic"], capture_output=True, text=True).stdout
    choices = next(line for line in described.splitlines() if "problem.instance" in line and "|" in line).split("problem.instance")[1].split(", default")[0]
    for instance in set(choices.replace("|", " ").split()) - {problem.settings.get("problem.instance") for problem in PROBLEMS.values()}:
        print(f"{instance} FALLS: it has no column in this table")
    for name in set(names) - set(GRID):
        print(f"{name} FALLS: it has no row in this table")
    names = [name for name in names if name in GRID]
    if "sparse" in titles:
        PROBLEMS["sparse"] = replace(PROBLEMS["sparse"], values=(sparse_optimum(PROBLEMS["sparse"]),))
    serves = {name: features_served(name) for name in names}
    print("columns: " + ", ".join(f"{column} {title}" for column, title in enumerate(titles, 1)))
    print("cells: " + ", ".join(f"{mark} {verdict}" for verdict, mark in MARKS.items()) + "\n")
    print(" " * 17 + "".join(f"{column:>3}" for column in range(1, len(titles) + 1)))
    cells = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        rows = {name: [pool.submit(cell, name, title, serves[name]) for title in titles] for name in names}
        for name, row in rows.items():
            done = [future.result() for future in row]
            cells += done
            print(f"{name:<17}" + "".join(f"{MARKS[one.verdict]:>3}" for one in done), flush=True)
    print()
    for one in cells:
        if one.verdict == "FALLS":
            print(f"{one.method} on {one.problem} FALLS: {one.what}" + "".join(f"; {why}" for why in [LIMITS.get((one.method, one.problem))] if why))
    for name in names:
        if GRID[name].why:
            print(f"{name}: {GRID[name].why}")
    totals = collections.Counter(one.verdict for one in cells)
    print(", ".join(f"{totals[verdict]} {verdict}" for verdict in MARKS), flush=True)
