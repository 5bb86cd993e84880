"""What learning rules compute. Weights are float64 here; Hebb's integer sums are numpy's."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.kernels.compilation import Floats, Indices, Signs, compiled


@compiled
def products_with(rows: Floats, count: int, vector: Floats, out: Floats) -> None:
    """`out = rows[:count] @ vector`, each sum in the order of the columns; eight sums at a time, none of which waits for another."""
    n = vector.shape[0]
    whole = count - count % 8
    for k in range(0, whole, 8):
        a, b, c, d, e, f, g, h = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(n):
            value = vector[i]
            a += rows[k, i] * value
            b += rows[k + 1, i] * value
            c += rows[k + 2, i] * value
            d += rows[k + 3, i] * value
            e += rows[k + 4, i] * value
            f += rows[k + 5, i] * value
            g += rows[k + 6, i] * value
            h += rows[k + 7, i] * value
        out[k], out[k + 1], out[k + 2], out[k + 3] = a, b, c, d
        out[k + 4], out[k + 5], out[k + 6], out[k + 7] = e, f, g, h
    for k in range(whole, count):
        total = 0.0
        for i in range(n):
            total += rows[k, i] * vector[i]
        out[k] = total


@compiled
def orthonormalise(basis: Floats, rank: int, pattern: Signs, out: Floats, products: Floats) -> float:
    """Writes what of `pattern` lies outside the span of `basis[:rank]` to `out`, normalised; returns its squared length.

    `r = xi - B'(B xi)`, taken twice (classical Gram-Schmidt with re-orthogonalisation: "twice is enough", Giraud,
    Langou and Rozloznik 2005). Where the squared length is at most 1e-9 N the pattern depends on the others: `out` is
    then of no use. `products` become those of the pattern with the basis, its new vector included.
    """
    n = pattern.shape[0]
    for i in range(n):
        out[i] = pattern[i]
    coefficients = np.empty(rank, np.float64)
    for turn in range(2):
        products_with(basis, rank, out, coefficients)
        if turn == 0:
            products[:rank] = coefficients
        for k in range(rank):
            for i in range(n):
                out[i] -= coefficients[k] * basis[k, i]
    length = 0.0
    for i in range(n):
        length += out[i] * out[i]
    if length > 1e-9 * n:
        norm = np.sqrt(length)
        products[rank] = 0.0
        for i in range(n):
            out[i] /= norm
            products[rank] += out[i] * pattern[i]
    return length


@compiled
def add_outer_products(rows: Floats, diagonal: bool, first: int, weights: Floats) -> None:
    """`weights += sum_k rows[k] rows[k]'`, off the diagonal or everywhere, each entry in the order of k.

    `weights` are those of the neurons from `first` on. Neuron by neuron, so that a row of the weights stays in the cache while
    every k is added to it.
    """
    for row in range(weights.shape[0]):
        i = first + row
        for k in range(rows.shape[0]):
            factor = rows[k, i]
            kept = weights[row, i]
            for j in range(weights.shape[1]):
                weights[row, j] += factor * rows[k, j]
            if not diagonal:
                weights[row, i] = kept


@compiled
def squared_lengths(rows: Floats, out: Floats) -> None:
    """`out_i = sum_k rows_ki^2`, in the order of k: the diagonal of a projection."""
    out[:] = 0.0
    for k in range(rows.shape[0]):
        for i in range(out.shape[0]):
            out[i] += rows[k, i] * rows[k, i]


@compiled
def round_to_step(weights: NDArray[Any], step: float, rounded: NDArray[np.int16], totals: NDArray[np.int32]) -> float:
    """`rounded = step * weights` to whole numbers, and their row sums; returns the largest `sum_j |weights_ij - rounded_ij / step|`."""
    largest = 0.0
    for i in range(weights.shape[0]):
        error = 0.0
        total = np.int64(0)
        for j in range(weights.shape[1]):
            value = np.floor(step * weights[i, j] + 0.5)
            rounded[i, j] = np.int16(value)
            total += np.int64(value)
            error += abs(weights[i, j] - value / step)
        totals[i] = total
        largest = max(largest, error)
    return largest


@compiled
def rests_of_rounding(
    weights: Floats,
    step: float,
    rounded: NDArray[np.int16],
    fine_step: int,
    fine: NDArray[np.int16],
    finest_step: int,
    finest: NDArray[np.int8],
    totals: Indices,
) -> None:
    """`fine = fine_step * (step * weights - rounded)` to whole numbers, `finest` what that takes likewise; and their row sums."""
    for i in range(weights.shape[0]):
        totals[:, i] = 0
        for j in range(weights.shape[1]):
            left = fine_step * (step * weights[i, j] - rounded[i, j])
            value = np.floor(left + 0.5)
            rest = np.floor(finest_step * (left - value) + 0.5)
            fine[i, j] = np.int16(value)
            finest[i, j] = np.int8(rest)
            totals[0, i] += np.int64(value)
            totals[1, i] += np.int64(rest)


@compiled
def add_signs(sums: NDArray[Any], patterns: Signs, sign: int, diagonal: int, out: NDArray[Any]) -> None:
    """`out = sums + sign * sum_mu xi^mu xi^mu'` in one pass, with `diagonal` on the diagonal."""
    kind = out.dtype.type
    for i in range(sums.shape[0]):
        before, row = sums[i], out[i]
        for mu in range(patterns.shape[0]):
            pattern = patterns[mu]
            # Without a multiplication, which takes longer than what it multiplies.
            if sign * pattern[i] > 0:
                for j in range(row.shape[0]):
                    row[j] = kind(before[j] + kind(pattern[j]))
            else:
                for j in range(row.shape[0]):
                    row[j] = kind(before[j] - kind(pattern[j]))
            before = row
        row[i] = diagonal


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
