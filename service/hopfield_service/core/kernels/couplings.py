"""The three forms in which recall knows the weights of a network, and what each keeps of a state along a trajectory.

All of them answer the same questions, as the patterns of a network without weights do (interactions.py), with `v_i = s_i` of a neuron in bipolar coding and `v_i = s_i + 1`, twice its value, in binary
coding; `scale` is twice as large there. Which one a network has: see ARCHITECTURE.md.

In binary coding `V_i^2 = V_i`, so that the diagonal is a part of the linear term: the field of a
neuron is `sum_{j != i} T_ij V_j - U_i + T_ii / 2`, in units of twice that `T v - T_ii s_i`. Its
sign is the value of lower energy, and its fixed points are the local minima of the energy. (A
bipolar neuron that keeps its own weight counts it in full: `s_i^2 = 1` says nothing about `s_i`,
and the rule of Hopfield 1982 with a diagonal is what is asked for there.)
"""

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.kernels.compilation import (
    Floats,
    Indices,
    Order,
    Signs,
    answer,
    compiled,
    inlined,
    leaf,
    padded_product,
    prefetch,
)
from hopfield_service.core.kernels.fields import add_row, add_rows
from hopfield_service.core.kernels.overlaps import Words, bits_set, overlap
from hopfield_service.core.kernels.rests import (
    FINE_STEP,
    FINEST_STEP,
    commonest,
    sum_rests,
)

if TYPE_CHECKING:
    from hopfield_service.core.kernels.interactions import Interactions
# Visits that are made while what a later one needs is fetched.
_AHEAD = 8
# Bytes that are near enough to be read without asking for them before: they stay in the second cache.
NEAR = 1 << 18


class Kept(NamedTuple):
    """What is known of a state.

    Attributes:
        values: sums of the neurons, (N,), or overlaps with patterns or basis vectors, (P,) and more (see interactions.py).
        rounded: int16, the overlaps with basis vectors once more, or the terms that interactions make of overlaps with patterns.
        rests: SummedRests of a matrix of weights; otherwise None.
    """

    values: NDArray[Any]
    rounded: NDArray[np.int16]
    rests: Any


class Matrix(NamedTuple):
    """The weights themselves; the sum of every neuron is kept, and a change adds a row to all of them.

    Attributes:
        weights: (N, N) symmetric, float64 or int16, `scale` times the weights.
        totals: (N,) float64 or int32, `sum_j weights_ij`.
        whole: whether the weights are whole numbers, which may be added in any order.
        exact: (N, N) float64, `exact_scale` times the weights, where `weights` are rounded; otherwise (0, 0).
        exact_scale: what sums over those are divided by.
        fine: (N, N) int16, what rounding took, FINE_STEP to a unit, for energies; otherwise (0, 0).
        finest: (N, N) int8, what rounding took from that, FINEST_STEP to a unit of it; otherwise (0, 0).
        rest_totals: (2, N) int64, the sums of their rows; otherwise (0, 0).
        doubt: a field of at most this size may be off by so much that it is summed from the `exact` weights; negative: none is.
        scale: what sums are divided by.
        thresholds: (N,) float64.
        tolerance: a field of at most this size counts as zero.
        coding: BIPOLAR or BINARY.
        folded: (N,) as `weights`, their diagonal, in binary coding where it is not zero; otherwise
            (0,).
    """

    weights: NDArray[Any]
    totals: NDArray[Any]
    whole: bool
    exact: Floats
    exact_scale: float
    fine: NDArray[np.int16]
    finest: NDArray[np.int8]
    rest_totals: Indices
    doubt: float
    scale: float
    thresholds: Floats
    tolerance: float
    coding: int
    folded: NDArray[Any]


class Patterns(NamedTuple):
    """Hebb's sums by their patterns, `sum_mu xi_i^mu xi_j^mu`, without thresholds: the N-fold overlaps `M_mu = sum_i xi_i^mu v_i` are kept.

    Attributes:
        rows: (N, P) int8, the signs of a neuron in all patterns next to one another, with zeros behind.
        words: (P, W) uint64, the patterns packed.
        counts: (P,) int64, `sum_i xi_i^mu`.
        excluded: what the sum of a neuron has too much by its own weight: P where the diagonal is zero, 0 where it is kept.
        folded: the diagonal, P, where it is kept in binary coding; otherwise 0.
        scale, coding: as of Matrix.
        thresholds: (0,) float64: there are none, so that sums of whole numbers decide by themselves.
    """

    rows: Signs
    words: Words
    counts: Indices
    excluded: int
    folded: int
    scale: float
    coding: int
    thresholds: Floats


class Basis(NamedTuple):
    """A projection by its orthonormal basis, `sum_k B_ki B_kj`: the overlaps `b_k = sum_i B_ki v_i` are kept.

    Those of a state follow from its overlaps M with the patterns that span the basis, `X = L B`: `b = L^-1 M`.

    Attributes:
        rows: (N, r) int16, `step` times B, the numbers of a neuron next to one another, with zeros behind.
        exact: (N, r) float64, B.
        words: (r, W) uint64, the patterns that span it, packed.
        counts: (r,) int64, `sum_i xi_i` of each.
        upper: (r, r) float64, the transpose of L.
        diagonal: (N,) float64, `sum_k B_ki^2`.
        zeroed: 1 where the diagonal of the weights is zero, 0 where it is kept.
        folded: 1 where it is kept in binary coding; otherwise 0.
        step: of the rows.
        overlap_step: of the rounded overlaps.
        doubt: as of Matrix.
        scale, thresholds, tolerance, coding: as of Matrix.
    """

    rows: NDArray[np.int16]
    exact: Floats
    words: Words
    counts: Indices
    upper: Floats
    diagonal: Floats
    zeroed: int
    folded: int
    step: float
    overlap_step: float
    doubt: float
    scale: float
    thresholds: Floats
    tolerance: float
    coding: int


Couplings: TypeAlias = "Matrix | Patterns | Basis | Interactions"


# The questions. Each form answers them, below or in a file of its own; numba takes the answer that fits the form, at no cost.


def begin(couplings: Couplings, state: Signs, words: Words, known: Words, kept: Kept) -> None:
    """Writes what is kept of a state to `kept`.

    Args:
        couplings: of the network.
        state: (N,) int8: 1, -1, or 0 for an unknown neuron.
        words: (W,) uint64, the state packed.
        known: (W,) uint64, which neurons are known, packed.
        kept: to be written.
    """
    raise NotImplementedError


def is_exact(couplings: Couplings) -> bool:
    """Whether what is kept depends on the state alone, and not on the way to it: where it is whole numbers."""
    raise NotImplementedError


def look_ahead(couplings: Couplings, order: Order, position: int) -> None:
    """Has what the field of a neuron that is visited soon is made of fetched from memory, where that is far."""
    raise NotImplementedError


def sign_of_field(couplings: Couplings, kept: Kept, state: Signs, i: int) -> int:
    """The sign of the local field of neuron i, 0 where the field counts as zero."""
    raise NotImplementedError


def field_of_others(couplings: Couplings, kept: Kept, state: Signs, i: int) -> float:
    """The local field of neuron i to the last bit, without what the neuron adds to it by its own weight."""
    raise NotImplementedError


def change(couplings: Couplings, kept: Kept, i: int, difference: int) -> None:
    """Takes note that neuron i changed by so much."""
    raise NotImplementedError


def keeps_pattern_overlaps(couplings: Couplings) -> bool:
    """Whether `pattern_overlap` is to be had."""
    raise NotImplementedError


def pattern_overlap(couplings: Couplings, kept: Kept, mu: int) -> int:
    """`sum_i xi_i s_i` of a state with a stored pattern."""
    raise NotImplementedError


def coupling_of(couplings: Couplings, kept: Kept, state: Signs) -> float:
    """`s'Js`, or in binary coding `2 V'TV`, of a state of which `kept` was just written: what `energy` takes.

    In binary coding `V_i^2` is read as `V_i`, which says the same of a known neuron: so an unknown
    one, `V_i = 1/2`, has the mean energy of its two values, and to take the one of lower energy
    never raises it.
    """
    raise NotImplementedError


@inlined
def sign_of(field: float, tolerance: float) -> int:
    """The sign of a field. By arithmetic, since a branch on what is as good as random is guessed wrong every other time."""
    return int(field > tolerance) - int(field < -tolerance)


@inlined
def soon(order: Order, position: int) -> int:
    """The neuron that is visited some visits later, or last."""
    return int(order[min(position + _AHEAD, order.shape[0] - 1)])


def _matrix_begin(couplings: Matrix, state: Signs, words: Words, known: Words, kept: Kept) -> None:  # noqa: ARG001
    sums, totals = kept.values, couplings.totals
    # Only the rows of the neurons that are not what most are. Floats are added in the order of the neurons, from none on.
    most = commonest(state) if couplings.whole else 0
    for i in range(sums.shape[0]):
        sums[i] = most * totals[i]
    add_rows(couplings.weights, state, most, state.shape[0], 0, sums)
    if couplings.coding != 0:
        for i in range(sums.shape[0]):
            sums[i] += totals[i]


def _matrix_is_exact(couplings: Matrix) -> bool:
    return couplings.whole


def _matrix_look_ahead(couplings: Matrix, order: Order, position: int) -> None:
    pass


def _matrix_sign(couplings: Matrix, kept: Kept, state: Signs, i: int) -> int:
    total = kept.values[i]
    if couplings.folded.shape[0] > 0:
        total -= couplings.folded[i] * state[i]
    field = total / couplings.scale - couplings.thresholds[i]
    if abs(field) <= couplings.doubt:
        field = exact_field(couplings, state, i)
    return sign_of(field, couplings.tolerance)


@leaf
def exact_field(couplings: Matrix, state: Signs, i: int) -> float:
    """The local field of neuron i by the exact weights, summed in the order of the neurons."""
    total, constant = 0.0, 0.0
    for j in range(state.shape[0]):
        total += couplings.exact[i, j] * state[j]
    if couplings.coding != 0:
        for j in range(state.shape[0]):
            constant += couplings.exact[i, j]
        total += constant
        total -= couplings.exact[i, i] * state[i]
    return float(total / couplings.exact_scale - couplings.thresholds[i])


def _matrix_field_of_others(couplings: Matrix, kept: Kept, state: Signs, i: int) -> float:
    own = couplings.weights[i, i] * state[i]
    return float((kept.values[i] - own) / couplings.scale - couplings.thresholds[i])


def _matrix_change(couplings: Matrix, kept: Kept, i: int, difference: int) -> None:
    add_row(couplings.weights, i, difference, kept.values)


def _matrix_coupling(couplings: Matrix, kept: Kept, state: Signs) -> float:
    coupling = 0 * kept.values[0]
    for i in range(state.shape[0]):
        coupling += kept.values[i] * (state[i] + couplings.coding)
    folded = couplings.folded.shape[0] > 0
    if folded:
        for i in range(state.shape[0]):
            coupling += couplings.folded[i] * (state[i] == 0)
    if couplings.fine.shape[0] == 0:
        return float(coupling / couplings.scale)
    sum_rests(couplings, kept.rests, state)
    fine, finest = kept.rests.sums[0], kept.rests.sums[1]
    if folded:
        for i in range(state.shape[0]):
            fine += couplings.fine[i, i] * (state[i] == 0)
            finest += couplings.finest[i, i] * (state[i] == 0)
    rest = fine + finest / FINEST_STEP
    return float((coupling + rest / FINE_STEP) / couplings.scale)


# Patterns


@inlined
def pattern_product(rows: Signs, i: int, overlaps: NDArray[Any]) -> Any:
    """The same, of overlaps that may be too large for that."""
    if overlaps.itemsize == 2:
        return padded_product(rows[i], overlaps)
    total = 0
    for mu in range(overlaps.shape[0]):
        total += rows[i, mu] * overlaps[mu]
    return total


@compiled
def overlaps_with(
    patterns: Words, counts: Indices, coding: int, words: Words, known: Words, overlaps: NDArray[Any]
) -> None:
    """`overlaps_mu = sum_i xi_i^mu v_i` of a packed state."""
    known_count = bits_set(known)
    for mu in range(patterns.shape[0]):
        overlaps[mu] = overlap(patterns[mu], words, known, known_count) + coding * counts[mu]


def _patterns_begin(couplings: Patterns, state: Signs, words: Words, known: Words, kept: Kept) -> None:  # noqa: ARG001
    kept.values[:] = 0
    overlaps_with(couplings.words, couplings.counts, couplings.coding, words, known, kept.values)


def _patterns_is_exact(couplings: Patterns) -> bool:  # noqa: ARG001
    return True


def _patterns_look_ahead(couplings: Patterns, order: Order, position: int) -> None:
    if couplings.rows.size > NEAR:
        prefetch(couplings.rows, soon(order, position))


def _patterns_sign(couplings: Patterns, kept: Kept, state: Signs, i: int) -> int:
    total = pattern_product(couplings.rows, i, kept.values)
    own = couplings.excluded * (state[i] + couplings.coding) + couplings.folded * state[i]
    return int(total > own) - int(total < own)


def _patterns_field_of_others(couplings: Patterns, kept: Kept, state: Signs, i: int) -> float:
    # Its own weight is the number of patterns, or zero already.
    own = couplings.words.shape[0] * state[i] + couplings.coding * couplings.excluded
    return float((pattern_product(couplings.rows, i, kept.values) - own) / couplings.scale)


def _patterns_change(couplings: Patterns, kept: Kept, i: int, difference: int) -> None:
    row, overlaps = couplings.rows[i], kept.values
    for mu in range(overlaps.shape[0]):
        overlaps[mu] += difference * row[mu]


def _patterns_keeps_overlaps(couplings: Patterns) -> bool:  # noqa: ARG001
    return True


def _pattern_overlap(couplings: Patterns, kept: Kept, mu: int) -> int:
    return int(kept.values[mu] - couplings.coding * couplings.counts[mu])


def _patterns_coupling(couplings: Patterns, kept: Kept, state: Signs) -> float:
    squares, lengths = np.int64(0), np.int64(0)
    for mu in range(kept.values.shape[0]):
        squares += np.int64(kept.values[mu]) * np.int64(kept.values[mu])
    for i in range(state.shape[0]):
        lengths += (state[i] + couplings.coding) * (state[i] + couplings.coding)
    coupling = squares - couplings.excluded * lengths
    if couplings.folded != 0:
        for i in range(state.shape[0]):
            coupling += couplings.folded * (state[i] == 0)
    return float(coupling / couplings.scale)


# Basis


def _basis_begin(couplings: Basis, state: Signs, words: Words, known: Words, kept: Kept) -> None:  # noqa: ARG001
    overlaps, upper = kept.values, couplings.upper
    overlaps_with(couplings.words, couplings.counts, couplings.coding, words, known, overlaps)
    # L b = M, solved column by column.
    rank = overlaps.shape[0]
    for k in range(rank):
        overlaps[k] /= upper[k, k]
        column, later = upper[k, k + 1 :], overlaps[k + 1 :]
        for below in range(later.shape[0]):
            later[below] -= column[below] * overlaps[k]
    kept.rounded[:] = 0
    round_overlaps(overlaps, couplings.overlap_step, kept.rounded)


@compiled
def round_overlaps(overlaps: Floats, step: float, rounded: NDArray[np.int16]) -> None:
    """`rounded = step * overlaps`, to whole numbers."""
    for k in range(overlaps.shape[0]):
        rounded[k] = np.int16(np.floor(step * overlaps[k] + 0.5))


@leaf
def basis_field(couplings: Basis, kept: Kept, i: int, own: float) -> float:
    """The local field of neuron i to the last bit, of which `own` times its diagonal element is taken away."""
    total = 0.0
    for k in range(kept.values.shape[0]):
        total += couplings.exact[i, k] * kept.values[k]
    return float((total - own * couplings.diagonal[i]) / couplings.scale - couplings.thresholds[i])


def _basis_is_exact(couplings: Basis) -> bool:  # noqa: ARG001
    return False


def _basis_look_ahead(couplings: Basis, order: Order, position: int) -> None:
    if 2 * couplings.rows.size > NEAR:
        prefetch(couplings.rows, soon(order, position))


def _basis_sign(couplings: Basis, kept: Kept, state: Signs, i: int) -> int:
    own = couplings.zeroed * (state[i] + couplings.coding) + couplings.folded * state[i]
    rough = padded_product(couplings.rows[i], kept.rounded) / (couplings.step * couplings.overlap_step)
    field = (rough - own * couplings.diagonal[i]) / couplings.scale - couplings.thresholds[i]
    if abs(field) <= couplings.doubt:
        field = basis_field(couplings, kept, i, own)
    return sign_of(field, couplings.tolerance)


def _basis_field_of_others(couplings: Basis, kept: Kept, state: Signs, i: int) -> float:
    return basis_field(couplings, kept, i, state[i] + couplings.coding * couplings.zeroed)


def _basis_change(couplings: Basis, kept: Kept, i: int, difference: int) -> None:
    overlaps = kept.values
    for k in range(overlaps.shape[0]):
        overlaps[k] += difference * couplings.exact[i, k]
    round_overlaps(overlaps, couplings.overlap_step, kept.rounded)


def _basis_coupling(couplings: Basis, kept: Kept, state: Signs) -> float:
    squares, own = 0.0, 0.0
    for k in range(kept.values.shape[0]):
        squares += kept.values[k] * kept.values[k]
    if couplings.zeroed:
        for i in range(state.shape[0]):
            own += couplings.diagonal[i] * ((state[i] + couplings.coding) * (state[i] + couplings.coding))
    if couplings.folded:
        for i in range(state.shape[0]):
            own -= couplings.diagonal[i] * (state[i] == 0)
    return float((squares - own) / couplings.scale)


# What a matrix and a basis have in common


def _keeps_none(couplings: Matrix | Basis) -> bool:  # noqa: ARG001
    return False


def _no_overlap(couplings: Matrix | Basis, kept: Kept, mu: int) -> int:  # noqa: ARG001
    return 0


# Which answer fits

answer(begin, {Matrix: _matrix_begin, Patterns: _patterns_begin, Basis: _basis_begin})
answer(is_exact, {Matrix: _matrix_is_exact, Patterns: _patterns_is_exact, Basis: _basis_is_exact})
answer(look_ahead, {Matrix: _matrix_look_ahead, Patterns: _patterns_look_ahead, Basis: _basis_look_ahead})
answer(sign_of_field, {Matrix: _matrix_sign, Patterns: _patterns_sign, Basis: _basis_sign})
answer(
    field_of_others,
    {Matrix: _matrix_field_of_others, Patterns: _patterns_field_of_others, Basis: _basis_field_of_others},
)
answer(change, {Matrix: _matrix_change, Patterns: _patterns_change, Basis: _basis_change})
answer(keeps_pattern_overlaps, {Matrix: _keeps_none, Patterns: _patterns_keeps_overlaps, Basis: _keeps_none})
answer(pattern_overlap, {Matrix: _no_overlap, Patterns: _pattern_overlap, Basis: _no_overlap})
answer(coupling_of, {Matrix: _matrix_coupling, Patterns: _patterns_coupling, Basis: _basis_coupling})
