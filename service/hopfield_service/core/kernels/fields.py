"""What a matrix of weights says of a state: sums, and energy."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.kernels.compilation import Floats, Signs, compiled

# Codes shared with patterns.py.
BIPOLAR, BINARY = 0, 1


@compiled
def add_row(weights: NDArray[Any], row: int, factor: int, sums: NDArray[Any]) -> None:
    """`sums += factor * weights[row]`: what one neuron's change does to everyone's sum, the weights being symmetric."""
    kind = sums.dtype.type
    times = kind(factor)
    for j in range(sums.shape[0]):
        # In the type of the sums, so that as many as possible are added at once.
        sums[j] = kind(sums[j] + times * kind(weights[row, j]))


@compiled
def weighted_sums(weights: NDArray[Any], state: Signs, sums: NDArray[Any]) -> None:
    """`sums = weights @ state`, each sum in the order of the neurons. Row by row, so that memory is read in order."""
    sums[:] = 0
    for i in range(state.shape[0]):
        if state[i] != 0:
            add_row(weights, i, state[i], sums)


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
