"""How well a network holds its patterns: stability, crosstalk, overlaps, weights."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.blas import product
from hopfield_service.core.interruption import Interruption, check
from hopfield_service.core.learning import LearningOutcome
from hopfield_service.core.local_field import LocalField
from hopfield_service.core.patterns import Bits, unpack

# Entries of the largest array that is made on the way.
_BLOCK = 1 << 22


@dataclass(frozen=True, slots=True)
class Stability:
    """Whether stored patterns are fixed points, and by how much.

    Attributes:
        pattern_count: P.
        stable_count: patterns in which no neuron's field points against it, so that the tie rule *keep* leaves them as they are.
        marginal_count: how many of those have a neuron whose field is zero, which nothing but that tie rule holds.
        smallest_margin: smallest `xi_i h_i` of any neuron of any pattern.
        mean_margin: mean `xi_i h_i` of all of them.
    """

    pattern_count: int
    stable_count: int
    marginal_count: int
    smallest_margin: float
    mean_margin: float

    @property
    def held_count(self) -> int:
        """Patterns in which every field points to the neuron's value."""
        return self.stable_count - self.marginal_count


@dataclass(frozen=True, slots=True)
class Similarity:
    """How alike stored patterns are.

    Attributes:
        crosstalk: root mean square of `(1/N) sum_{mu != nu} sum_{j != i} xi_i^mu xi_j^mu xi_j^nu`, what other patterns add to the
            field of a neuron under Hebb's rule (Hertz, Krogh and Palmer 1991, eq. 2.11): about sqrt(P / N) for random patterns.
        mean_overlap: mean |m| between two patterns: about sqrt(2 / (pi N)) for random ones.
    """

    crosstalk: float
    mean_overlap: float


@dataclass(frozen=True, slots=True)
class WeightStatistics:
    """The weights in numbers: of those off the diagonal but for the last two."""

    min: float
    max: float
    mean: float
    standard_deviation: float
    mean_diagonal: float
    asymmetry: float


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """How well a network holds its patterns.

    Attributes:
        pattern_count: P.
        load: P / N.
        capacity: load up to which the rule holds random patterns; None where there is no rule.
        stability: None where nothing is stored.
        similarity: None where less than two patterns are.
        weights: in numbers; None where there are none.
        outcome: how learning ended, where the rule iterates.
        verdict: all that in a few words.
    """

    pattern_count: int
    load: float
    capacity: float | None
    stability: Stability | None
    similarity: Similarity | None
    weights: WeightStatistics | None
    outcome: LearningOutcome | None
    verdict: str


def stability(local_field: LocalField, stored: Bits, interruption: Interruption) -> Stability | None:
    """Whether patterns are fixed points of a network.

    Sums go through BLAS, in any order: those of integers are exact in float64 all the same.

    Args:
        local_field: of the network.
        stored: (P, ceil(N / 8)) uint8, packed patterns.
        interruption: asked between blocks.

    Raises:
        Interrupted: `interruption` said so.
    """
    weights = local_field.weights
    neurons = len(weights)
    if not len(stored):
        return None
    check(interruption)
    offsets = local_field.sums(np.zeros(neurons, np.int8))
    stable_count, held_count, smallest, total = 0, 0, np.inf, 0.0
    for patterns in _blocks(stored, neurons):
        lowest = np.full(len(patterns), np.inf)
        for rows in _slices(neurons, neurons):
            check(interruption)
            sums = product(patterns, weights[rows].T.astype(np.float64), interruption) + offsets[rows]
            if local_field.folds_diagonal:
                sums -= weights.diagonal()[rows] * patterns[:, rows]
            margins = patterns[:, rows] * (sums / local_field.scale - local_field.thresholds[rows])
            lowest = np.minimum(lowest, margins.min(axis=1))
            total += float(margins.sum())
        smallest = min(smallest, float(lowest.min()))
        stable_count += int(np.count_nonzero(lowest >= -local_field.tolerance))
        held_count += int(np.count_nonzero(lowest > local_field.tolerance))
    return Stability(len(stored), stable_count, stable_count - held_count, smallest, total / (len(stored) * neurons))


def similarity(stored: Bits, neurons: int, interruption: Interruption) -> Similarity | None:
    """How alike patterns are. Arguments and errors: as `stability`."""
    count = len(stored)
    if count < 2:
        return None
    squares, pairs = 0.0, 0.0
    for patterns in _blocks(stored, neurons):
        sums = np.zeros(patterns.shape)
        # So many that their products with the patterns make a small block. All these sums are of integers, and exact.
        for others in _blocks(stored, neurons, 4 * len(patterns)):
            products = product(patterns, others.T, interruption)
            pairs += float(np.abs(products).sum())
            sums += product(products, others, interruption)
        noise = (sums - (neurons + count - 1) * patterns) / neurons
        squares += float(np.square(noise).sum())
    # Every pair was met twice, and every pattern once with itself.
    mean_overlap = (pairs / neurons - count) / (count * (count - 1))
    return Similarity(float(np.sqrt(squares / (count * neurons))), mean_overlap)


def weight_statistics(local_field: LocalField, interruption: Interruption) -> WeightStatistics:
    """The weights of a network in numbers. Arguments and errors: as `stability`."""
    weights, divisor = local_field.weights, local_field.divisor
    neurons = len(weights)
    off_diagonal = neurons * (neurons - 1)
    low, high, total, asymmetry = np.inf, -np.inf, 0.0, 0.0
    for rows in _slices(neurons, neurons):
        # Each of these takes some ten milliseconds.
        check(interruption)
        block = weights[rows] / divisor
        check(interruption)
        asymmetry = max(asymmetry, float(np.abs(block - weights[:, rows].T / divisor).max()))
        check(interruption)
        others = block[_off_diagonal(rows, neurons)]
        check(interruption)
        if others.size:
            low, high = min(low, float(others.min())), max(high, float(others.max()))
            total += float(others.sum())
    diagonal = float(weights.diagonal().mean()) / divisor
    if not off_diagonal:
        return WeightStatistics(0.0, 0.0, 0.0, 0.0, diagonal, asymmetry)
    mean, squares = total / off_diagonal, 0.0
    # In a pass of its own: from sums of squares alone, little is left where the mean is large beside the deviation.
    for rows in _slices(neurons, neurons):
        check(interruption)
        squares += float(np.square((weights[rows] / divisor - mean)[_off_diagonal(rows, neurons)]).sum())
    return WeightStatistics(low, high, mean, math.sqrt(squares / off_diagonal), diagonal, asymmetry)


def _off_diagonal(rows: slice, neurons: int) -> NDArray[np.bool_]:
    """Which entries of some rows of a matrix are not on its diagonal."""
    others: NDArray[np.bool_] = np.arange(neurons) != np.arange(neurons)[rows, np.newaxis]
    return others


def correlated(similarity: Similarity, neurons: int) -> bool:
    """Whether patterns overlap at least twice as much as random ones do."""
    return similarity.mean_overlap >= 2 * math.sqrt(2 / (math.pi * neurons))


def _blocks(stored: Bits, neurons: int, width: int = 0) -> Iterator[NDArray[np.float64]]:
    """The patterns, so many at a time that a block of rows as wide as they are, or as `width`, is no larger than a block."""
    for rows in _slices(len(stored), max(neurons, width)):
        yield unpack(stored[rows], neurons).astype(np.float64)


def _slices(count: int, width: int) -> Iterator[slice]:
    """0 to count - 1 in pieces of so many that each makes a block of rows of this width."""
    size = max(1, _BLOCK // width)
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
