"""Patterns under an interaction function, in place of weights, and what is kept of a state along a trajectory.

`E = -sum_mu F(M_mu)`, or the logarithm of its size, with the N-fold overlaps `M_mu = sum_i xi_i^mu s_i` (Krotov and Hopfield 2016,
arXiv 1606.01164, eq. 1). A neuron is to be 1 where that is the lower energy: where the gap between its two energies, the others as they are,
is positive (eq. 2):

    sum_mu F(xi_i + c) - F(-xi_i + c) = sum_mu xi_i^mu difference(c),    c = M_mu - xi_i^mu s_i,    difference(z) = F(z + 1) - F(z - 1).

Of a known neuron, `xi_i s_i` is 1 or -1. So the gap is `sum_mu xi_i^mu even(M_mu) + s_i sum_mu odd(M_mu)`, with
`even(z) = (F(z + 2) - F(z - 2)) / 2` and `odd(z) = F(z) - (F(z + 2) + F(z - 2)) / 2`: a product for each visit, of terms that change when a
neuron does, and a sum that all neurons share. The terms of the product are rounded to 16 bits, and the gap is summed from the differences
only where that leaves its sign in doubt.
"""

from typing import NamedTuple

import numpy as np

from hopfield_service.core.kernels.compilation import (
    Floats,
    Order,
    Signs,
    answer,
    compiled,
    leaf,
    padded_product,
    prefetch,
)
from hopfield_service.core.kernels.couplings import (
    NEAR,
    Kept,
    begin,
    change,
    coupling_of,
    field_of_others,
    is_exact,
    keeps_pattern_overlaps,
    look_ahead,
    pattern_overlap,
    sign_of,
    sign_of_field,
    soon,
)
from hopfield_service.core.kernels.elementary import logarithm
from hopfield_service.core.kernels.overlaps import Words, bits_set, overlap
from hopfield_service.core.kernels.recall import all_known

# Rows of `Interactions.tables`.
EVEN, ODD, DIFFERENCE, VALUE = 0, 1, 2, 3
# Places of `Kept.values`, from its end on, behind the overlaps: the sum of the odd terms, the overlap that the first column of the tables is
# for, and what the even terms are multiplied by to be rounded.
SHARED, FIRST, STEP = -3, -2, -1
SHARES = 3

# In place of zero, where it is divided by.
_TINY = 1e-290
_INT16, _INT32 = (1 << 15) - 1, (1 << 31) - 1
_COSH_1 = 1.5430806348152437


class Interactions(NamedTuple):
    """Patterns and an interaction function.

    Attributes:
        rows: (N, P) int8, the signs of a neuron in all patterns next to one another, with zeros behind.
        words: (P, W) uint64, the patterns packed.
        tables: (4, 2 N + 3) float64, the functions EVEN, ODD, DIFFERENCE and VALUE (F itself), of overlaps in falling order: from N + 1 on;
            or, of an exponential one, from one above the largest on, as shares of F there.
        exponential: whether it is `F(z) = exp(z)`, whose energy is the logarithm, `-ln sum_mu exp(M_mu)`.
        scale: what a sum of table entries is to be multiplied by, where it is not exponential.
        tolerance: a gap of at most this share of the sizes of its terms counts as zero; 0 where sums are of whole numbers and exact.
        thresholds: (0,) float64: there are none.
        coding: BIPOLAR: overlaps are those of states of -1 and 1.
    """

    rows: Signs
    words: Words
    tables: Floats
    exponential: bool
    scale: float
    tolerance: float
    thresholds: Floats
    coding: int


@leaf
def derive(interactions: Interactions, kept: Kept) -> None:
    """Writes what follows from the overlaps."""
    count = interactions.words.shape[0]
    overlaps, even, odd = kept.values, interactions.tables[EVEN], interactions.tables[ODD]
    neurons = interactions.rows.shape[0]
    highest, lowest = -neurons, neurons
    for mu in range(count):
        highest = max(highest, int(overlaps[mu]))
        lowest = min(lowest, int(overlaps[mu]))
    first = (highest if interactions.exponential else neurons) + 1
    # Even terms grow with the overlap, those of powers with its size.
    largest = max(abs(even[first - highest]), abs(even[first - lowest])) if count else 0.0
    # A sum of so many has to have room in an int32.
    step = min(_INT16, _INT32 // max(interactions.rows.shape[1], 1)) / max(largest, _TINY)
    shared = 0.0
    for mu in range(count):
        behind = first - int(overlaps[mu])
        shared += odd[behind]
        kept.rounded[mu] = np.int16(np.floor(step * even[behind] + 0.5))
    overlaps[SHARED] = shared
    overlaps[FIRST] = first
    overlaps[STEP] = step


@leaf
def exact_gap(interactions: Interactions, kept: Kept, state: Signs, i: int) -> float:
    """The gap of neuron i in the unit of the tables, in the order of the patterns; 0 where it counts as zero."""
    first, differences = int(kept.values[FIRST]), interactions.tables[DIFFERENCE]
    total, size = 0.0, 0.0
    for mu in range(interactions.words.shape[0]):
        sign = interactions.rows[i, mu]
        term = differences[first - (int(kept.values[mu]) - sign * state[i])]
        total += sign * term
        size += abs(term)
    return total if abs(total) > interactions.tolerance * size else 0.0


@leaf
def value(interactions: Interactions, kept: Kept) -> float:
    """`sum_mu F(M_mu)` in the unit of the tables, in the order of the patterns."""
    first, total = int(kept.values[FIRST]), 0.0
    for mu in range(interactions.words.shape[0]):
        total += interactions.tables[VALUE, first - int(kept.values[mu])]
    return total


def _begin(interactions: Interactions, state: Signs, words: Words, known: Words, kept: Kept) -> None:  # noqa: ARG001
    known_count = bits_set(known)
    for mu in range(interactions.words.shape[0]):
        kept.values[mu] = overlap(interactions.words[mu], words, known, known_count)
    kept.rounded[:] = 0
    derive(interactions, kept)


def _is_exact(interactions: Interactions) -> bool:  # noqa: ARG001
    return True


def _look_ahead(interactions: Interactions, order: Order, position: int) -> None:
    if interactions.rows.size > NEAR:
        prefetch(interactions.rows, soon(order, position))


def _keeps_overlaps(interactions: Interactions) -> bool:  # noqa: ARG001
    return True


def _overlap(interactions: Interactions, kept: Kept, mu: int) -> int:  # noqa: ARG001
    return int(kept.values[mu])


def _sign(interactions: Interactions, kept: Kept, state: Signs, i: int) -> int:
    if state[i] != 0:
        rough = padded_product(interactions.rows[i], kept.rounded) / kept.values[STEP] + state[i] * kept.values[SHARED]
        # Rounding adds at most one half for each pattern; what is left covers the tolerance, and the rounding of floats.
        if abs(rough) * kept.values[STEP] > 0.51 * interactions.rows.shape[1]:
            return sign_of(rough, 0.0)
    return sign_of(exact_gap(interactions, kept, state, i), 0.0)


def _field_of_others(interactions: Interactions, kept: Kept, state: Signs, i: int) -> float:
    # Half the gap, which is what the field is to a network of weights.
    total = exact_gap(interactions, kept, state, i)
    if not interactions.exponential or interactions.words.shape[0] == 0:
        return 0.5 * interactions.scale * total
    present = value(interactions, kept)
    if state[i] == 0:
        return float(0.5 * logarithm((_COSH_1 * present + 0.5 * total) / (_COSH_1 * present - 0.5 * total)))
    return float(0.5 * state[i] * logarithm(present / (present - state[i] * total)))


def _change(interactions: Interactions, kept: Kept, i: int, difference: int) -> None:
    row, overlaps = interactions.rows[i], kept.values
    for mu in range(interactions.words.shape[0]):
        overlaps[mu] += difference * row[mu]
    derive(interactions, kept)


def _coupling(interactions: Interactions, kept: Kept, state: Signs) -> float:  # noqa: ARG001
    # Twice the energy and its sign turned, which is what it is to a network of weights.
    if interactions.words.shape[0] == 0:
        return 0.0
    total = value(interactions, kept)
    if interactions.exponential:
        return float(2.0 * (kept.values[FIRST] + logarithm(total)))
    return 2.0 * interactions.scale * total


answer(begin, {Interactions: _begin})
answer(is_exact, {Interactions: _is_exact})
answer(look_ahead, {Interactions: _look_ahead})
answer(keeps_pattern_overlaps, {Interactions: _keeps_overlaps})
answer(pattern_overlap, {Interactions: _overlap})
answer(sign_of_field, {Interactions: _sign})
answer(field_of_others, {Interactions: _field_of_others})
answer(change, {Interactions: _change})
answer(coupling_of, {Interactions: _coupling})


@compiled
def measure_fields(
    interactions: Interactions, states: Signs, words: Words, first: int, last: int, fields: Floats, signs: Signs
) -> None:
    """Writes what known states do to their neurons from `first` to before `last`.

    Args:
        interactions: of the network.
        states: (count, N) int8, every value 1 or -1.
        words: (count, W) uint64, the same packed.
        first: neuron.
        last: the neuron after the last.
        fields: (count, N) float64, the local field of every neuron without what it adds to it itself.
        signs: (count, N) int8, the sign of the whole field, 0 where it counts as zero.
    """
    known = np.empty(words.shape[1], np.uint64)
    all_known(states.shape[1], known)
    kept = Kept(
        np.empty(interactions.words.shape[0] + SHARES),
        np.empty(interactions.rows.shape[1], np.int16),
        None,
    )
    for k in range(states.shape[0]):
        begin(interactions, states[k], words[k], known, kept)
        for i in range(first, last):
            fields[k, i] = field_of_others(interactions, kept, states[k], i)
            signs[k, i] = sign_of_field(interactions, kept, states[k], i)
