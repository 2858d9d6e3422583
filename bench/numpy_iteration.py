"""One F2SA iteration of the demo problem, Echelon against NumPy on OpenBLAS, one thread each, interleaved in one run.

    numpy_iteration.py PROGRAM IMAGES LABELS     prints one line per precision: the ratio of medians and of what it is made

The NumPy side evaluates y and z in one product (stacked heads), which is its fastest form.
"""
import os

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = "1"

import gzip
import statistics
import subprocess
import sys
import time

import numpy as np

INNER_STEPS = 5
ROUNDS = 15


def read_idx(path, offset):
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), dtype=np.uint8, offset=offset)


def softmax(scores):
    scores = scores - scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    return scores


class Iteration:
    """State and data of one agent; arrays of one dtype throughout."""

    def __init__(self, images, labels, dtype):
        rows = np.random.default_rng(1).permutation(len(labels))
        data = (images[rows].astype(np.float32) / np.float32(255)).astype(dtype)
        data = np.hstack([data, np.ones((len(data), 1), dtype)])
        labels = labels[rows]
        self.train, self.validation = data[:5000].copy(), data[5000:6000].copy()
        self.train_labels, self.validation_labels = labels[:5000].copy(), labels[5000:6000].copy()
        self.x = np.zeros(5000, dtype)
        self.y = np.zeros((785, 10), dtype)
        self.z = np.zeros((785, 10), dtype)
        self.k = 0

    def lower_gradients(self):
        """grad_y g at y and z, one pass."""
        scores = self.train @ np.hstack([self.y, self.z])
        residual = softmax(scores.reshape(-1, 2, 10))
        rows = np.arange(len(self.train))
        residual[rows, :, self.train_labels] -= 1
        residual *= (1 / (1 + np.exp(-self.x)) / len(self.train))[:, None, None]
        gradient = self.train.T @ residual.reshape(-1, 20)
        reg = self.x.dtype.type(0.002)
        return gradient[:, :10] + reg * self.y, gradient[:, 10:] + reg * self.z

    def upper_gradient(self):
        residual = softmax(self.validation @ self.y)
        residual[np.arange(len(self.validation)), self.validation_labels] -= 1
        return self.validation.T @ residual / self.x.dtype.type(len(self.validation))

    def losses(self):
        scores = (self.train @ np.hstack([self.y, self.z])).reshape(-1, 2, 10)
        scores -= scores.max(axis=2, keepdims=True)
        at_label = scores[np.arange(len(self.train)), :, self.train_labels]
        return np.log(np.exp(scores).sum(axis=2)) - at_label

    def run(self):
        real = self.x.dtype.type
        for _ in range(INNER_STEPS):
            gy, gz = self.lower_gradients()
            fy = self.upper_gradient()
            self.z -= real(0.5) * gz
            self.y -= real(0.5) * (fy / real(5) + gy)
        losses = self.losses()
        weight = 1 / (1 + np.exp(-self.x))
        self.x -= real(2500 / (1 + self.k)) * real(5) * weight * (1 - weight) * (losses[:, 0] - losses[:, 1]) / real(5000)
        self.k += 1


def main():
    program, images_path, labels_path = sys.argv[1:4]
    images = read_idx(images_path, 16).reshape(-1, 784)
    labels = read_idx(labels_path, 8)
    for precision, dtype in (("float", np.float32), ("double", np.float64)):
        theirs = Iteration(images, labels, dtype)
        ours = subprocess.Popen([program, precision, images_path, labels_path, str(INNER_STEPS)], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True, bufsize=1, env={**os.environ, "OMP_NUM_THREADS": "1"})
        pairs = []
        for round_number in range(ROUNDS + 2):
            ours.stdin.write("go\n")
            ours.stdin.flush()
            own = float(ours.stdout.readline())
            begin = time.perf_counter()
            theirs.run()
            numpy_seconds = time.perf_counter() - begin
            if round_number >= 2:  # the first rounds warm caches
                pairs.append((own, numpy_seconds))
        ours.stdin.close()
        ours.stdout.read()
        ours.wait()
        ratio = statistics.median(own / other for own, other in pairs)
        print(precision, f"{ratio:.4f}", f"{statistics.median(p[0] for p in pairs):.6f}", f"{statistics.median(p[1] for p in pairs):.6f}")


main()
