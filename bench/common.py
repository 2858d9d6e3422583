"""What the drivers of the benchmarks share: a row of the table, and a run of the executable."""
import csv
import os
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build")
ECHELON = os.path.join(BUILD, "echelon")
MNIST = os.path.join(ROOT, "examples", "data", "mnist")
IMAGES = os.path.join(MNIST, "t10k-images-idx3-ubyte.gz")
LABELS = os.path.join(MNIST, "t10k-labels-idx1-ubyte.gz")
A9A = os.path.join(ROOT, "examples", "data", "a9a", "a9a.t.gz")
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMP_NUM_THREADS": "1",
               "PATH": "/usr/bin:/bin:" + os.environ.get("PATH", "")}
SCRATCH = tempfile.mkdtemp(prefix="echelon-bench-")


def row(what, measured, target, holds):
    print(f"{what:<66}  {measured:<44}  {target:<34}  {'holds' if holds else 'FALLS'}", flush=True)


def run(settings, ranks=1, folder=None, resume=False):
    """Runs the executable and returns (last row of metrics.csv, what it printed, its folder)."""
    folder = folder or tempfile.mkdtemp(dir=SCRATCH)
    ini = os.path.join(SCRATCH, "empty.ini")
    with open(ini, "w") as file:
        file.write("# everything is on the command line\n")
    command = [ECHELON] + (["resume", folder] if resume else ["run", ini, "--run.output", folder]) + ["--run.progress", "none"]
    for key, value in settings.items():
        command += ["--" + key, str(value)]
    if ranks > 1:
        command = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)] + command
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    with open(os.path.join(folder, "metrics.csv")) as file:
        return list(csv.DictReader(file))[-1], done.stdout, folder


def figure(last, name):
    return float(last[name])
