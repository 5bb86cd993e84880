"""The form in which recall takes the weights of a network: see ARCHITECTURE.md, "How a recall is computed"."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.hebbian import Hebbian
from hopfield_service.core.interruption import Interruption, check, never
from hopfield_service.core.kernels import couplings as forms
from hopfield_service.core.kernels import fields
from hopfield_service.core.kernels import learning as kernels
from hopfield_service.core.kernels.compilation import PADDED
from hopfield_service.core.kernels.rests import FINE_STEP, FINEST_STEP
from hopfield_service.core.local_field import LocalField, tolerance_of
from hopfield_service.core.patterns import Bits, Coding, Signs, Words, unpack, words
from hopfield_service.core.pseudo_inverse import PseudoInverse

# Bytes of all arrays together that have a number or two for each neuron, or for each pattern.
_ENTRY = 64
# Neurons whose weights, of 64 bits each, are soon read.
_FEW = 512
# Weights that a kernel passes over between two questions whether anybody still waits: some ten milliseconds.
_WEIGHTS_BETWEEN_QUESTIONS = 1 << 22
_INT16, _INT32 = (1 << 15) - 1, (1 << 31) - 1


def patterns_form(couplings: Hebbian, packed: Words, coding: Coding, interruption: Interruption) -> forms.Patterns:
    """Hebb's weights, without thresholds, as their patterns.

    Args:
        couplings: kept as factors.
        packed: (P, ceil(N / 64)) uint64, the patterns.
        coding: of the network.
        interruption: asked between blocks.

    Raises:
        Interrupted: `interruption` said so.
    """
    neurons, count = couplings.parameters.neurons, len(packed)
    signs = neuron_by_neuron(couplings.bits, neurons, interruption)
    return forms.Patterns(
        rows=signs,
        words=packed,
        counts=signs.sum(axis=0, dtype=np.int64)[:count],
        excluded=0 if couplings.parameters.self_coupling else count,
        folded=count if couplings.parameters.self_coupling and coding is Coding.BINARY else 0,
        scale=couplings.divisor * (1.0 + coding),
        coding=int(coding),
        thresholds=np.empty(0),
    )


def overlaps_dtype(form: forms.Patterns) -> type[np.signedinteger[Any]]:
    """How wide overlaps with the patterns are kept: int16 where none can be larger than that, however alike the patterns.

    An overlap is at most N in size, 2 N in binary coding, and a sum over the patterns at most P times that: with at most one
    pattern to four neurons 2^28, which the int32 that kernels then add in holds.
    """
    return np.int16 if form.rows.shape[0] * (1 + form.coding) <= _INT16 else np.int64


def basis_form(
    couplings: PseudoInverse,
    stored: Bits,
    thresholds: NDArray[np.float64],
    coding: Coding,
    interruption: Interruption,
) -> forms.Basis:
    """A projection as its basis.

    Overlaps with the basis are at most `|v| <= sqrt(N) (1 + coding)` in size, all together: they are those of a projection. So
    steps can be chosen with which nothing overflows, and what rounding takes from a field can be bounded by the inequality of Cauchy and
    Schwarz.

    Args:
        couplings: kept as factors.
        stored: (P, ceil(N / 8)) uint8, the patterns.
        thresholds: (N,) float64.
        coding: of the network.
        interruption: asked between blocks.

    Raises:
        Interrupted: `interruption` said so.
    """
    rank, neurons = couplings.rank, couplings.parameters.neurons
    spanning = stored[couplings.spanning]
    diagonal = couplings.diagonal
    longest, radius = math.sqrt(float(diagonal.max(initial=0.0))), math.sqrt(neurons) * (1 + coding)
    overlap_step = _power_of_two(_INT16 / radius)
    largest = max((float(np.abs(block).max()) for block in couplings.blocks), default=0.0)
    # The sum of the products is at most |row| |overlaps|, and what rounding adds to both.
    room = _INT32 / 4 / ((longest + 1e-9) * radius * overlap_step)
    step = _power_of_two(min(_INT16 / max(largest, 1e-9), room))
    exact, rows = np.empty((neurons, rank)), np.zeros((neurons, padded(rank)), np.int16)
    first = 0
    for block in couplings.blocks:
        check(interruption)
        kernels.turn_neuron_by_neuron(block, first, step, exact, rows)
        first += len(block)
    tolerance = tolerance_of(couplings.largest_row_sum)
    rounding = math.sqrt(rank) * (longest / (2 * overlap_step) + (radius + math.sqrt(rank)) / (2 * step))
    return forms.Basis(
        rows=rows,
        exact=exact,
        words=words(spanning),
        counts=2 * np.unpackbits(spanning, axis=1).sum(axis=1, dtype=np.int64) - neurons,
        upper=np.ascontiguousarray(couplings.lower.T),
        diagonal=diagonal,
        zeroed=int(not couplings.parameters.self_coupling),
        folded=int(couplings.parameters.self_coupling and coding is Coding.BINARY),
        step=step,
        overlap_step=overlap_step,
        doubt=1.001 * rounding + 2 * tolerance,
        scale=1.0 + coding,
        thresholds=thresholds,
        tolerance=tolerance,
        coding=int(coding),
    )


def matrix_form(local_field: LocalField, interruption: Interruption = never) -> forms.Matrix:
    """Weights as a matrix: of 16 bits each where that says all, or enough of them; of 64 where they are few or need it.

    Raises:
        Interrupted: `interruption` said so.
    """
    weights, neurons = local_field.weights, len(local_field.weights)
    if weights.dtype == np.float64 and neurons <= _FEW:
        return exact_form(local_field)
    if weights.dtype == np.int16:
        row_sum = float(fields.largest_row_sum(weights))
        if (1 + local_field.coding) * (row_sum + neurons) <= _INT32:
            return whole_form(local_field)
    form = rounded_form(local_field, interruption)
    # Whole numbers that do not fit into 16 bits, or their sums into 32.
    return exact_form(local_field) if form.doubt >= 0 and local_field.is_whole else form


def whole_form(local_field: LocalField) -> forms.Matrix:
    """Weights that are whole numbers of 16 bits, as they are."""
    return _unrounded(local_field, local_field.weights, local_field.totals.astype(np.int32))


def rounded_form(local_field: LocalField, interruption: Interruption = never) -> forms.Matrix:
    """Weights as a matrix of 16 bits each, enough for fields that are not near zero, and 24 bits more for energies.

    With all of them, a weight is known to 2^-37 of the largest.

    Raises:
        Interrupted: `interruption` said so.
    """
    weights, coding = local_field.weights, local_field.coding
    neurons, largest = len(weights), 0.0
    for some in _rows(neurons, interruption):
        largest = max(largest, float(np.abs(weights[some]).max()))
    step = step_of(largest, float(fields.largest_row_sum(weights)), neurons, coding)
    rounded, totals = np.empty((neurons, neurons), np.int16), np.empty(neurons, np.int32)
    error = 0.0
    for some in _rows(neurons, interruption):
        error = max(error, kernels.round_to_step(weights[some], step, rounded[some], totals[some]))
    size = neurons if error > 0 else 0
    fine, finest = np.empty((size, size), np.int16), np.empty((size, size), np.int8)
    rest_totals = np.empty((2, size), np.int64)
    for some in _rows(size, interruption):
        of_some = np.empty((2, len(fine[some])), np.int64)
        kernels.rests_of_rounding(
            weights[some], step, rounded[some], FINE_STEP, fine[some], FINEST_STEP, finest[some], of_some
        )
        rest_totals[:, some] = of_some
    return forms.Matrix(
        weights=rounded,
        totals=totals,
        whole=True,
        exact=weights.astype(np.float64, copy=False) if error > 0 else np.empty((0, 0)),
        fine=fine,
        finest=finest,
        rest_totals=rest_totals,
        exact_scale=local_field.scale,
        doubt=1.001 * error / local_field.divisor + 2 * local_field.tolerance if error > 0 else -1.0,
        scale=step * local_field.scale,
        thresholds=local_field.thresholds,
        tolerance=local_field.tolerance,
        coding=int(coding),
        folded=_folded(local_field, rounded),
    )


def _rows(neurons: int, interruption: Interruption) -> Iterator[slice]:
    """The rows of a matrix, so many at a time that a pass over them takes some ten milliseconds."""
    size = max(1, _WEIGHTS_BETWEEN_QUESTIONS // max(1, neurons))
    for start in range(0, neurons, size):
        check(interruption)
        yield slice(start, start + size)


def step_of(largest: float, largest_row_sum: float, neurons: int, coding: Coding) -> float:
    """What weights are multiplied by before they are rounded: a power of two, so that it takes nothing from them.

    Rounded weights fit into 16 bits, and a sum of them, at most that of the sizes in a row, twice in binary coding, in 32.

    Args:
        largest: size of any weight.
        largest_row_sum: of the sizes of the weights.
        neurons: N.
        coding: of the network.
    """
    room = (_INT32 / (1 + coding) - neurons) / max(largest_row_sum, 1e-300)
    return _power_of_two(min(_INT16 / max(largest, 1e-300), room))


def exact_form(local_field: LocalField) -> forms.Matrix:
    """Weights as a matrix of float64, to the last bit."""
    return _unrounded(local_field, local_field.weights.astype(np.float64, copy=False), local_field.totals)


def _unrounded(local_field: LocalField, weights: NDArray[Any], totals: NDArray[Any]) -> forms.Matrix:
    return forms.Matrix(
        weights=weights,
        totals=totals,
        whole=local_field.is_whole,
        exact=np.empty((0, 0)),
        fine=np.empty((0, 0), np.int16),
        finest=np.empty((0, 0), np.int8),
        rest_totals=np.empty((2, 0), np.int64),
        exact_scale=local_field.scale,
        doubt=-1.0,
        scale=local_field.scale,
        thresholds=local_field.thresholds,
        tolerance=local_field.tolerance,
        coding=int(local_field.coding),
        folded=_folded(local_field, weights),
    )


def _folded(local_field: LocalField, weights: NDArray[Any]) -> NDArray[Any]:
    """The diagonal of some weights, where fields have half of it in them; otherwise (0,)."""
    return weights.diagonal().copy() if local_field.folds_diagonal else np.empty(0, weights.dtype)


def patterns_nbytes(neurons: int, count: int) -> int:
    """Bytes that so many patterns take in that form, beside those stored."""
    return neurons * padded(count) + _ENTRY * count


def basis_nbytes(neurons: int, rank: int) -> int:
    """Bytes that so many vectors take in that form."""
    return neurons * (2 * padded(rank) + 8 * rank + _ENTRY) + rank * (8 * rank + neurons // 8 + _ENTRY)


def matrix_nbytes(neurons: int, rounded: int) -> int:
    """Bytes that a matrix takes in that form, beside the weights learnt, with so many of each weight."""
    return neurons * (neurons * rounded + _ENTRY)


def _power_of_two(limit: float) -> float:
    """The largest that is not above a limit: numbers are rounded to its inverse, and scaled by it, exactly."""
    exponent = math.frexp(limit)[1] - 1
    return math.ldexp(1.0, max(-1000, min(1000, exponent)))


def padded(count: int) -> int:
    """Length of a row of so many factors, with the zeros behind."""
    return -(-count // PADDED) * PADDED


def neuron_by_neuron(bits: Bits, neurons: int, interruption: Interruption) -> Signs:
    """(N, P padded) int8, the signs of a neuron in all patterns next to one another, with zeros behind.

    Raises:
        Interrupted: `interruption` said so.
    """
    rows = np.zeros((neurons, padded(len(bits))), np.int8)
    size = max(1, _WEIGHTS_BETWEEN_QUESTIONS // neurons)
    for start in range(0, len(bits), size):
        check(interruption)
        patterns = unpack(bits[start : start + size], neurons)
        rows[:, start : start + len(patterns)] = patterns.T
    return rows
