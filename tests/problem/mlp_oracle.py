#!/usr/bin/python3
"""Writes mlp_oracle.hpp: losses, gradients and Hessian products of small perceptrons, in NumPy.

    tests/problem/mlp_oracle.py > tests/problem/mlp_oracle.hpp

Samples, parameters and directions are formulas of their number, which the test repeats. Gradients are taken by complex steps of the
losses and Hessian products by complex steps of a gradient written out layer by layer, so that nothing is shared with the kernel.
"""
import numpy as np

ACTIVATIONS = {
    "sigmoid": (lambda t: 1 / (1 + np.exp(-t)), lambda t: np.exp(-t) / (1 + np.exp(-t)) ** 2),
    "tanh": (lambda t: np.sinh(t) / np.cosh(t), lambda t: 1 / np.cosh(t) ** 2),
    "relu": (lambda t: np.where(t.real > 0, t, 0), lambda t: np.where(t.real > 0, 1.0, 0)),
}
CASES = [([3, 4], "tanh", 5), ([5, 4, 3], "sigmoid", 7), ([4, 6, 5, 3], "tanh", 150), ([4, 6, 5, 3], "relu", 150)]


def numbers(count, stride, scale):
    """Entry k is scale * sin(stride * (k + 1)), like `formula` of the test."""
    return scale * np.sin(stride * np.arange(1, count + 1))


def layers(widths, parameters):
    first = 0
    for below, width in zip(widths, widths[1:]):
        yield parameters[first:first + (below + 1) * width].reshape(width, below + 1)
        first += (below + 1) * width


def forward(widths, activation, samples, parameters):
    """Pre-activations of all layers, one sample per row."""
    values, found = samples.astype(parameters.dtype), []
    matrices = list(layers(widths, parameters))
    for number, matrix in enumerate(matrices):
        found.append(values @ matrix[:, :-1].T + matrix[:, -1])
        values = ACTIVATIONS[activation][0](found[-1]) if number + 1 < len(matrices) else found[-1]
    return found


def losses(widths, activation, samples, labels, parameters):
    z = forward(widths, activation, samples, parameters)[-1]
    return np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(labels)), labels]


def gradient(widths, activation, samples, labels, parameters):
    apply, slope = ACTIVATIONS[activation]
    pre = forward(widths, activation, samples, parameters)
    matrices = list(layers(widths, parameters))
    delta = np.exp(pre[-1]) / np.exp(pre[-1]).sum(axis=1, keepdims=True)
    delta[np.arange(len(labels)), labels] -= 1
    parts = []
    for number in reversed(range(len(matrices))):
        below = apply(pre[number - 1]) if number > 0 else samples.astype(delta.dtype)
        parts.append(np.hstack([delta.T @ below, delta.sum(axis=0)[:, None]]).ravel())
        if number > 0:
            delta = (delta @ matrices[number][:, :-1]) * slope(pre[number - 1])
    return np.concatenate(parts[::-1])


def listed(values):
    return "{" + ", ".join(repr(float(value)) for value in values) + "}"


def case(widths, activation, rows):
    samples = numbers(rows * widths[0], 1.7, 1.0).astype(np.float32).astype(float).reshape(rows, widths[0])
    labels = np.array([3 * k % widths[-1] for k in range(rows)])
    size = sum((a + 1) * b for a, b in zip(widths, widths[1:]))
    parameters, direction = numbers(size, 2.3, 0.8), numbers(size, 3.1, 1.0)
    h = 1e-30
    slopes = []
    for k in range(size):
        moved = parameters.astype(complex)
        moved[k] += 1j * h
        slopes.append(losses(widths, activation, samples, labels, moved).sum().imag / h)
    written_out = gradient(widths, activation, samples, labels, parameters)
    assert np.abs(np.array(slopes) - written_out).max() < 1e-11
    product = gradient(widths, activation, samples, labels, parameters + 1j * h * direction).imag / h
    total = losses(widths, activation, samples, labels, parameters).sum()
    return (f"    {{{{{', '.join(map(str, widths))}}}, Activation::{activation}, {rows}, {float(total)!r},\n"
            f"     {listed(slopes)},\n     {listed(product)}}},")


print("""#pragma once
/// Written by mlp_oracle.py.

#include <vector>

#include "echelon/problem/mlp_kernel.hpp"

namespace echelon {

struct MlpOracle {
  std::vector<Index> widths;
  Activation activation;
  std::int64_t rows;
  double loss;  ///< sum over the samples
  std::vector<double> gradient;
  std::vector<double> product;  ///< Hessian times direction
};

inline const std::vector<MlpOracle> mlp_oracles = {""")
for widths, activation, rows in CASES:
    print(case(widths, activation, rows))
print("};\n\n}  // namespace echelon")
