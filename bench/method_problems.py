"""Problems with known answers and the scales that step sizes follow from, as data of the driver `methods`."""
from dataclasses import dataclass

# Classes of problems, by their lower level.
#   convex        strongly convex
#   local         strongly convex around the branch of minimizers that the start leads to
#   flat          convex with many minimizers, everywhere or at the optimum
#   nonconvex     many minimizers, apart from each other
#   tie           the best branch changes at the optimum (a jump, a tie, or a bifurcation)
#   equalities, inequalities, nonsmooth
# A problem whose lower level is kept in a set says so in `lower_set`; methods that cannot project refuse it.


@dataclass
class Known:
    """A problem, its scales, and the values that count as an answer.

    upper, lower, joint: Lipschitz constants of the gradients of f, of grad_y g in y, and of those of g in (x, y), where the iterates go;
    total: that of dF; modulus: of strong convexity (of Polyak-Lojasiewicz where flat).
    values: F*, then those of other listed minima. For `measure` see bench/methods.
    """
    settings: dict
    kind: str
    values: tuple
    upper: float
    lower: float
    joint: float
    total: float
    modulus: float = 1
    lower_set: bool = False
    hessian: float = 0  # c where H = c I, which crude inverses need
    measure: str = "F"
    floor: float = 0  # least tolerance: the optimum is only approached (ridge, coreset: weights that vanish), or grad_y g falls faster than y
    iterations: float = 1  # factor of the iterations of every method
    factors: bool = False  # hessian_factors: for woodfisher


def analytic(instance, start=0, **more):
    return {"problem.name": "analytic", "problem.instance": instance, "problem.start": start, **more}


PROBLEMS = {
    "p-q": Known({"problem.name": "p-q"}, "convex", (), 2, 2, 3, 3, .5, measure="x"),
    "qg-1": Known({"problem.name": "finite-sum", "problem.instance": "qg-1"}, "convex", (), 1, 1, 1.2, 2, .1, measure="x"),
    "het-1": Known({"problem.name": "log-cosh", "network.agents": 8}, "convex", (), 1, 1.3, 1.8, 1.5, .9, measure="x"),
    "ridge": Known({"problem.name": "ridge", "metrics.hypergradient": "yes"}, "convex", (0,), 1.5, 2.5, 3.5, .3, .8, measure="dF", floor=2e-3, factors=True),
    "coreset": Known(analytic("coreset"), "convex", (.72,), .2, 2, 8, 1, 2, hessian=2, floor=1e-3, iterations=3),
    "vertex": Known(analytic("coreset-vertex"), "convex", (4.5,), 1, 1, 6, 3, hessian=1, floor=1e-2, iterations=3),
    "mac-hurter": Known(analytic("mac-hurter"), "convex", (203401 / 2501,), 2, 1, 51, 5002, hessian=1),
    "lampariello": Known(analytic("lampariello-3.2"), "convex", (.5,), 2, 2, 4, 4, 2, hessian=2),
    "weights": Known(analytic("simplex-weights"), "convex", (.72,), .2, 1, 6, 5, hessian=1),
    "henderson": Known(analytic("henderson-quandt"), "convex", (-9800 / 3,), 1.2, 2, 2.2, .75, 2, True),
    "de-silva": Known(analytic("de-silva"), "convex", (-1,), 2, 2, 4, 4, 2, True),
    "bard98": Known(analytic("bard98-02"), "convex", (0,), 1, 1, 3, 6, 1, True),
    "ball": Known(analytic("ball"), "convex", (2,), 1, 1, 2, 4, 1, True),
    "two-balls": Known(analytic("two-balls"), "convex", (5.625 - 3.25 ** .5 * 2,), 1, 1, 2, 4, 1, True),
    "simplex": Known(analytic("simplex"), "convex", (.67 / 6,), 1, 1, 2, 2, 1, True),
    "pbgd": Known(analytic("pbgd"), "local", (.199911, .442706, 1.243458), 20, 4, 8, 15, 2),
    "mb17": Known(analytic("mb17"), "local", (.1875,), 2, 4, 5, 4, 1, True),
    "mb18": Known(analytic("mb18", 1), "local", (-1, 0), 2, 8, 10, 4, 1, True),
    "mb21": Known(analytic("mb21", 1), "local", (.209505, .3105), 2, 5, 5, 4, .8, True),
    "lls": Known(analytic("lls"), "flat", (0,), 2, 1, 1.7, 2),
    "merely": Known(analytic("merely-convex"), "flat", (0,), 2, 1, 1.7, 2),
    "min-max": Known(analytic("min-max"), "flat", (0,), 1, 1, 2, 10, 1, True, measure="x"),
    "yezza96": Known(analytic("yezza96"), "flat", (1.5,), 4, 1, 4, 10, 1, True, measure="f"),
    "sine": Known(analytic("sine", 2), "nonconvex", (.253749, 15.51689, 24.46903, 70.25844), 2, 1, 2, 4, measure="f"),
    "mb12": Known(analytic("mb12"), "tie", (0,), 20, 6, 8, 20, 1, True, measure="f", floor=.3),
    "mb14": Known(analytic("mb14"), "tie", (.25, .0625, 1), 2, 2, 3, 4, 1, True, measure="f"),
    "mb16": Known(analytic("mb16"), "tie", (-2, -3, -1), 1, 4, 5, 4, 1, True, measure="f"),
    "mb18v": Known(analytic("mb18v"), "tie", (.25, 0, 1), 2, 8, 10, 4, 1, True, measure="f"),
    "mb20": Known(analytic("mb20"), "tie", (.3125, .03125, 1), 2, 2, 4, 4, 1, True, measure="f"),
    "mirrlees": Known(analytic("mirrlees"), "tie", (1.0018, .01125, 3.9215), 2, 4, 4, 4, 1, True, measure="f"),
    "lasso": Known(analytic("lasso"), "nonsmooth", (-.5,), 1, 1, 2, 4),
    "sparse": Known({"problem.name": "sparse-regression", "problem.groups": 1}, "nonsmooth", (), 2, 3, 4, 2, .5, measure="f"),
    "clark": Known(analytic("clark-westerberg"), "inequalities", (5, 9, 9.8), 2, 2, 2, 10, 2),
    "tuy": Known(analytic("tuy"), "inequalities", (22.5, 24.5), 2, 1, 1, 20),
    "p-q-eq": Known(analytic("p-q-eq"), "equalities", (), 2, 2, 2.5, 3, .5, measure="x"),
}
