"""What learning rules compute. Weights are float64 here; Hebb's integer sums are numpy's."""

import numpy as np

from hopfield_service.core.kernels.compilation import Floats, Signs, compiled


@compiled
def orthonormalise(basis: Floats, rank: int, pattern: Signs, out: Floats) -> float:
    """Writes what of `pattern` lies outside the span of `basis[:rank]` to `out`, normalised; returns its squared length.

    `r = xi - B'(B xi)`, taken twice (classical Gram-Schmidt with re-orthogonalisation: "twice is enough", Giraud,
    Langou and Rozloznik 2005). Where the squared length is at most 1e-9 N the pattern depends on the others: `out` is
    then of no use.
    """
    n = pattern.shape[0]
    for i in range(n):
        out[i] = pattern[i]
    coefficients = np.empty(rank, np.float64)
    for _ in range(2):
        for k in range(rank):
            total = 0.0
            for i in range(n):
                total += basis[k, i] * out[i]
            coefficients[k] = total
        for k in range(rank):
            for i in range(n):
                out[i] -= coefficients[k] * basis[k, i]
    length = 0.0
    for i in range(n):
        length += out[i] * out[i]
    if length > 1e-9 * n:
        norm = np.sqrt(length)
        for i in range(n):
            out[i] /= norm
    return length


@compiled
def add_outer_products(rows: Floats, diagonal: bool, weights: Floats) -> None:
    """`weights += sum_k rows[k] rows[k]'`, off the diagonal or everywhere, each entry in the order of k.

    Neuron by neuron, so that a row of the weights stays in the cache while every k is added to it.
    """
    n = weights.shape[0]
    for i in range(n):
        for k in range(rows.shape[0]):
            factor = rows[k, i]
            kept = weights[i, i]
            for j in range(n):
                weights[i, j] += factor * rows[k, j]
            if not diagonal:
                weights[i, i] = kept


@compiled
def fields_without_diagonal(weights: Floats, values: Floats, fields: Floats) -> None:
    """`fields_i = sum_{j != i} weights_ij values_j`, each sum in the order of the neurons, the weights being symmetric."""
    n = weights.shape[0]
    fields[:] = 0.0
    for i in range(n):
        value = values[i]
        if value != 0.0:
            kept = fields[i]
            for j in range(n):
                fields[j] += value * weights[i, j]
            fields[i] = kept


@compiled
def storkey(patterns: Signs, diagonal: bool, weights: Floats) -> None:
    """Storkey's rule: `w_ij += (1/N)(x_i x_j - x_i h_ji - h_ij x_j)`, `h_ij = sum_{k != i, j} w_ik x_k`, pattern by pattern.

    With the field `h_i = sum_{k != i} w_ik x_k` it is `h_ij = h_i - w_ij x_j` off the diagonal, where the increment therefore
    is `(x_i x_j - (x_i h_j + h_i x_j) + 2 w_ij) / N`, the same bits for (i, j) and (j, i); on it, `(1 - 2 x_i h_i) / N`.
    """
    n = weights.shape[0]
    x = np.empty(n, np.float64)
    h = np.empty(n, np.float64)
    for mu in range(patterns.shape[0]):
        for i in range(n):
            x[i] = patterns[mu, i]
        fields_without_diagonal(weights, x, h)
        for i in range(n):
            kept = weights[i, i]
            for j in range(n):
                weights[i, j] += (x[i] * x[j] - (x[i] * h[j] + h[i] * x[j]) + 2.0 * weights[i, j]) / n
            weights[i, i] = kept + (1.0 - 2.0 * x[i] * h[i]) / n if diagonal else 0.0


@compiled
def storkey_second_order(patterns: Signs, diagonal: bool, weights: Floats) -> None:
    """Storkey's rule of second order: `W += (1/N)(x - h)(x - h)'`, `h = W x` without the diagonal, pattern by pattern."""
    n = weights.shape[0]
    x = np.empty(n, np.float64)
    h = np.empty(n, np.float64)
    for mu in range(patterns.shape[0]):
        for i in range(n):
            x[i] = patterns[mu, i]
        fields_without_diagonal(weights, x, h)
        for i in range(n):
            h[i] = x[i] - h[i]
        for i in range(n):
            for j in range(n):
                weights[i, j] += h[i] * h[j] / n
            if not diagonal:
                weights[i, i] = 0.0


@compiled
def perceptron(patterns: Signs, thresholds: Floats, kappa: float, coding: int, diagonal: bool, sums: Floats) -> int:
    """The symmetric perceptron rule, one pattern after the other; returns how many had a neuron within the margin.

    `sums` is N J, of integers, which float64 adds exactly. All neurons of a pattern are judged on the same weights, without their
    diagonal: `v_i = 1` where `xi_i h_i <= kappa`; then `(N J)_ij += (v_i + v_j) xi_i xi_j`.
    """
    n = sums.shape[0]
    values = np.empty(n, np.float64)
    h = np.empty(n, np.float64)
    v = np.empty(n, np.float64)
    within = 0
    for mu in range(patterns.shape[0]):
        for i in range(n):
            values[i] = (patterns[mu, i] + coding) / (1.0 + coding)
        fields_without_diagonal(sums, values, h)
        count = 0
        for i in range(n):
            v[i] = 1.0 if patterns[mu, i] * (h[i] / n - thresholds[i]) <= kappa else 0.0
            count += int(v[i])
        if count == 0:
            continue
        within += 1
        for i in range(n):
            sign = float(patterns[mu, i])
            kept = sums[i, i]
            if v[i] == 1.0 or 4 * count > n:
                for j in range(n):
                    sums[i, j] += (v[i] + v[j]) * sign * patterns[mu, j]
            else:
                for j in range(n):
                    if v[j] == 1.0:
                        sums[i, j] += sign * patterns[mu, j]
            sums[i, i] = kept + 2.0 * v[i] if diagonal else 0.0
    return within
