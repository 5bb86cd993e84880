"""What a matrix of weights says of a state: sums, and energy."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.kernels.compilation import Floats, Signs, compiled, leaf

# Codes shared with patterns.py.
BIPOLAR, BINARY, REAL = 0, 1, 2


@leaf
def add_row(weights: NDArray[Any], row: int, factor: int, sums: NDArray[Any]) -> None:
    """`sums += factor * weights[row]`: what one neuron's change does to everyone's sum, the weights being symmetric."""
    kind = sums.dtype.type
    times = kind(factor)
    for j in range(sums.shape[0]):
        # In the type of the sums, so that as many as possible are added at once.
        sums[j] = kind(sums[j] + times * kind(weights[row, j]))


@leaf
def add_rows(weights: NDArray[Any], state: Signs, most: int, rows: int, first: int, sums: NDArray[Any]) -> None:
    """`sums += (state - most)[:rows] @ weights[:rows]`, of the columns from `first` on, each sum in the order of the rows.

    Row by row, so that memory is read in order, and four rows at a time, so that it is asked for more than one.
    """
    kind = sums.dtype.type
    last = first + sums.shape[0]
    a, b, c, waiting = 0, 0, 0, 0
    for d in range(rows):
        if state[d] == most:
            continue
        if waiting < 3:
            a, b, c = (d, b, c) if waiting == 0 else (a, d, c) if waiting == 1 else (a, b, d)
            waiting += 1
            continue
        waiting = 0
        p, q, r, s = kind(state[a] - most), kind(state[b] - most), kind(state[c] - most), kind(state[d] - most)
        w, x, y, z = weights[a, first:last], weights[b, first:last], weights[c, first:last], weights[d, first:last]
        for j in range(sums.shape[0]):
            # In the type of the sums, so that as many as possible are added at once.
            total = kind(sums[j] + p * kind(w[j]))
            total = kind(total + q * kind(x[j]))
            total = kind(total + r * kind(y[j]))
            sums[j] = kind(total + s * kind(z[j]))
    for k in range(waiting):
        i = a if k == 0 else b if k == 1 else c
        factor, row = kind(state[i] - most), weights[i, first:last]
        for j in range(sums.shape[0]):
            sums[j] = kind(sums[j] + factor * kind(row[j]))


@compiled
def weighted_sums(weights: NDArray[Any], state: Signs, sums: NDArray[Any]) -> None:
    """`sums = weights @ state`, each sum in the order of the neurons."""
    sums[:] = 0
    add_rows(weights, state, 0, state.shape[0], 0, sums)


@compiled
def largest_row_sum(weights: NDArray[Any]) -> float:
    """`max_i sum_j |weights_ij|` of a symmetric matrix: no sum over a state is larger."""
    totals = np.zeros(weights.shape[0], np.float64)
    for i in range(weights.shape[0]):
        for j in range(weights.shape[0]):
            totals[j] += abs(weights[i, j])
    return float(totals.max())


@compiled
def energy(coupling: float, thresholds: Floats, state: Signs, coding: int) -> float:
    """`E = -1/2 s'Js + U's` of `coupling = s'Js`; or, of `coupling = 2 V'TV`, `E = -1/2 V'TV + U'V` with `V = (1 + s) / 2`."""
    external = 0.0
    for i in range(thresholds.shape[0]):
        external += thresholds[i] * (state[i] + coding)
    values = 1 + coding
    return -0.5 * (coupling / values) + external / values
