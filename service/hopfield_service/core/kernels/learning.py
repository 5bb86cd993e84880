"""What learning rules compute. Weights are float64 here; Hebb's integer sums are numpy's."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.kernels.compilation import Floats, Indices, Signs, compiled, inlined


@inlined
def product(row: Floats, other: Floats) -> float:
    """`sum_i row_i other_i`: eight sums, of every eighth term each, in order, none of which waits for another; then those in pairs."""
    n = row.shape[0]
    whole = n - n % 8
    a, b, c, d, e, f, g, h = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(0, whole, 8):
        a += row[i] * other[i]
        b += row[i + 1] * other[i + 1]
        c += row[i + 2] * other[i + 2]
        d += row[i + 3] * other[i + 3]
        e += row[i + 4] * other[i + 4]
        f += row[i + 5] * other[i + 5]
        g += row[i + 6] * other[i + 6]
        h += row[i + 7] * other[i + 7]
    total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for i in range(whole, n):
        total += row[i] * other[i]
    return total


@compiled
def take_out(basis: Floats, vector: Floats, products: Floats) -> None:
    """Takes out of a vector what of it lies in the span of orthonormal rows, row by row (modified Gram-Schmidt), and adds what of each to `products`."""
    for k in range(basis.shape[0]):
        row = basis[k]
        taken = product(row, vector)
        products[k] += taken
        for i in range(vector.shape[0]):
            vector[i] -= taken * row[i]


@compiled
def squared_length(vector: Floats) -> float:
    """`sum_i vector_i^2`, in the order of `product`."""
    return product(vector, vector)


@compiled
def add_outer_products(before: Floats, rows: Floats, diagonal: bool, first: int, weights: Floats) -> None:
    """`weights = before + sum_k rows[k] rows[k]'`, off the diagonal or everywhere, each entry in the order of k.

    `weights` are those of the neurons from `first` on, and so are `before`, which may be the same. For 512 others at a time, so that what
    128 rows have for them stays in the second cache; four rows at a time, so that a weight is read and written once for all four.
    """
    n, count = weights.shape[1], rows.shape[0]
    fours = count - count % 4
    for row in range(weights.shape[0]):
        if not diagonal:
            # Where it is put back from, at the end.
            weights[row, first + row] = before[row, first + row]
    for left in range(0, n, 512):
        right = min(left + 512, n)
        for row in range(weights.shape[0]):
            i = first + row
            there, out = before[row, left:right], weights[row, left:right]
            kept = weights[row, i]
            for k in range(0, fours, 4):
                e, f, g, h = rows[k, i], rows[k + 1, i], rows[k + 2, i], rows[k + 3, i]
                of_e, of_f = rows[k, left:right], rows[k + 1, left:right]
                of_g, of_h = rows[k + 2, left:right], rows[k + 3, left:right]
                for j in range(out.shape[0]):
                    out[j] = (((there[j] + e * of_e[j]) + f * of_f[j]) + g * of_g[j]) + h * of_h[j]
                there = out
            for k in range(fours, count):
                factor, others = rows[k, i], rows[k, left:right]
                for j in range(out.shape[0]):
                    out[j] = there[j] + factor * others[j]
                there = out
            if not diagonal:
                weights[row, i] = kept


@compiled
def add_squares(rows: Floats, out: Floats) -> None:
    """`out_i += sum_k rows_ki^2`, in the order of k: the diagonal of a projection."""
    for k in range(rows.shape[0]):
        for i in range(out.shape[0]):
            out[i] += rows[k, i] * rows[k, i]


@compiled
def turn_neuron_by_neuron(basis: Floats, first: int, step: float, exact: Floats, rounded: NDArray[np.int16]) -> None:
    """Writes the numbers of each neuron next to one another, from `first` on: as they are, and `step` times, to whole numbers.

    So many neurons at a time that what is written stays in the cache.
    """
    neurons = basis.shape[1]
    for start in range(0, neurons, 64):
        for k in range(basis.shape[0]):
            for i in range(start, min(start + 64, neurons)):
                exact[i, first + k] = basis[k, i]
                rounded[i, first + k] = np.int16(np.floor(step * basis[k, i] + 0.5))


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

    `sums` is N J, of integers, which float64 adds exactly. All neurons of a pattern are judged on
    the same weights: `v_i = 1` where `xi_i h_i <= kappa`; then `(N J)_ij += v_i xi_i x_j + v_j xi_j
    x_i`, where x are the values that neurons have, -1 and 1 or 0 and 1, so that a step raises each
    margin that is too small. The bipolar field leaves out the diagonal here, which the step above
    makes 2 v_i; the binary one has half of it, as in recall, and the step is `v_i xi_i`.
    """
    n = sums.shape[0]
    values = np.empty(n, np.float64)
    h = np.empty(n, np.float64)
    steps = np.empty(n, np.float64)
    within = 0
    for mu in range(patterns.shape[0]):
        for i in range(n):
            values[i] = (patterns[mu, i] + coding) / (1.0 + coding)
        fields_without_diagonal(sums, values, h)
        count = 0
        for i in range(n):
            field = (h[i] + 0.5 * coding * sums[i, i]) / n - thresholds[i]
            steps[i] = patterns[mu, i] if patterns[mu, i] * field <= kappa else 0
            count += int(steps[i] != 0.0)
        if count == 0:
            continue
        within += 1
        for i in range(n):
            value, step, kept = values[i], steps[i], sums[i, i]
            if step != 0.0 or 4 * count > n:
                for j in range(n):
                    sums[i, j] += step * values[j] + value * steps[j]
            elif value != 0.0:
                for j in range(n):
                    if steps[j] != 0.0:
                        sums[i, j] += value * steps[j]
            own = step if coding != 0 else 2.0 * abs(step)
            sums[i, i] = kept + own if diagonal else 0.0
    return within
