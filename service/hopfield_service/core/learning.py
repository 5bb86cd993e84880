"""Learning rules: each a fold `(state, patterns) -> state`.

The state of a rule is all it needs to go on learning and all that recall needs; it depends on the patterns and, for rules whose
arithmetic rounds, on their order, and on nothing else: not on how many came at a time, nor on where a snapshot fell.

Weights are learnt from patterns of -1 and +1, whatever the coding of the network, and never use their own diagonal.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.interruption import Interruption, check
from hopfield_service.core.kernels import fields
from hopfield_service.core.kernels import learning as kernels
from hopfield_service.core.patterns import Bits, Coding, Signs, row_bytes, unpack, unpacked_blocks

# Entries of the largest array that Hebb's rule makes beside the weights. float32 holds every integer up to 2^24, and no partial
# sum of that many products of signs is larger.
_BLOCK = 1 << 24
# What a kernel does between two questions whether anybody still waits, in passes over all weights times weights: some ten milliseconds.
_WORK_BETWEEN_QUESTIONS = 1 << 23


class Normalization(Enum):
    """What Hebb's sums of outer products are divided by."""

    NEURONS = "neurons"
    PATTERNS = "patterns"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class LearningParameters:
    """What learning depends on beside the patterns.

    Attributes:
        neurons: N.
        normalization: what Hebb's sums are divided by.
        self_coupling: whether the diagonal that the rule's formula gives is kept.
        kappa: the margin of the perceptron rule.
        max_sweeps: after which the perceptron rule gives up.
        thresholds: U, one number a neuron, or none where all are zero; the perceptron rule judges fields with them.
        coding: of the network, in which the perceptron rule judges fields.
    """

    neurons: int
    normalization: Normalization = Normalization.NEURONS
    self_coupling: bool = False
    kappa: float = 1.0
    max_sweeps: int = 1000
    thresholds: tuple[float, ...] = ()
    coding: Coding = Coding.BIPOLAR


@dataclass(frozen=True, slots=True)
class LearningOutcome:
    """How learning ended, for a rule that iterates until its goal is met.

    Attributes:
        converged: whether the goal was met.
        sweeps: over all patterns that were run, the quiet last one included.
    """

    converged: bool
    sweeps: int


@dataclass(frozen=True, slots=True)
class StateArray:
    """One array of a state as it is kept in a snapshot.

    Attributes:
        values: the array.
        symmetric: whether it is a symmetric matrix, of which one triangle says all.
    """

    values: NDArray[Any]
    symmetric: bool = False


class Couplings(ABC):
    """The weights of a pairwise network and all it takes to keep them. Immutable.

    Attributes:
        divisor: the scale, kept apart from the weights so that sums of integers stay integers.
        outcome: how learning ended, where the rule iterates.
    """

    divisor: float
    outcome: LearningOutcome | None

    @property
    @abstractmethod
    def weights(self) -> NDArray[Any]:
        """(N, N) symmetric, `divisor * J`, of int32 or float64. Made anew each time where they are kept as factors."""

    @property
    def kept_as_factors(self) -> bool:
        """Whether the weights are kept as the patterns, or the basis, that they are a product of, and not as a matrix."""
        return False

    def weight_rows(self, rows: int) -> Iterator[NDArray[Any]]:
        """The weights in blocks of at most so many rows."""
        for start in range(0, len(self.weights), rows):
            yield self.weights[start : start + rows]

    @property
    def largest_row_sum(self) -> float:
        """`max_i sum_j |J_ij|`, or what that does not exceed."""
        return float(fields.largest_row_sum(self.weights)) / self.divisor

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes they take in memory."""

    @classmethod
    @abstractmethod
    def restored(cls, parameters: LearningParameters, arrays: Mapping[str, NDArray[Any]], stored: Bits) -> Self:
        """The couplings whose `arrays` had these values, after these patterns: (P, ceil(N / 8)) uint8."""

    @abstractmethod
    def arrays(self) -> dict[str, StateArray]:
        """What a snapshot must keep, by name."""


class LearningRule(Couplings):
    """Couplings that go on learning: the state of a fold.

    Every method that learns may raise Interrupted, when `interruption` says so.
    """

    parameters: LearningParameters

    @classmethod
    @abstractmethod
    def nothing(cls, parameters: LearningParameters) -> Self:
        """The state before the first pattern."""

    @abstractmethod
    def learn(self, added: Bits, stored: Bits, interruption: Interruption) -> Self:
        """The state after some more patterns.

        Args:
            added: (count, ceil(N / 8)) uint8, packed patterns, in order.
            stored: (P, ceil(N / 8)) uint8, all patterns learnt then, the added ones last.
            interruption: asked now and then.
        """

    def forget(self, forgotten: Bits, remaining: Bits, interruption: Interruption) -> Self:  # noqa: ARG002 - relearnt
        """The state as if some patterns had never been learnt: what remains is learnt anew.

        Args:
            forgotten: (count, ceil(N / 8)) uint8, packed patterns.
            remaining: (P, ceil(N / 8)) uint8, everything else that was learnt, in order.
            interruption: asked now and then.
        """
        return self.nothing(self.parameters).learn(remaining, remaining, interruption)

    def cost(self, count: int) -> int:
        """Of learning so many patterns once more on top of others, in passes over the weights."""
        return 1 + count // _PATTERNS_PER_PASS


# Patterns that Hebb's rule and the projection take in at the cost of some passes over the weights.
_PATTERNS_PER_PASS = 32
# Patterns that are added to a matrix faster one after the other than by way of a product of matrices.
_PATTERNS_IN_A_PASS = 4


def has_few(factors: int, neurons: int) -> bool:
    """Whether weights that are a product of so many factors are kept, and recalled with, as those: at most one to four neurons.

    Up to there a sweep over the factors costs less than the matrix, in time as in memory.
    """
    return 4 * factors <= neurons


@dataclass(frozen=True, slots=True)
class Hebbian(LearningRule):
    """Hebb's rule, `J = (1/N) sum_mu xi^mu xi^mu'` with zero diagonal (Hopfield 1982, eq. 2), or another normalization.

    A function of the patterns stored: kept as those where they are few, otherwise as the integer sums `N J`. So learning is
    exact, its order does not matter, and forgetting is subtraction. An entry is at most P in size, which int32 holds: no setting
    lets a memory store more than 2^24 patterns.
    """

    parameters: LearningParameters
    bits: Bits
    sums: NDArray[np.int32] | None
    divisor: float = field(init=False)
    outcome: LearningOutcome | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        divisors = {
            Normalization.NEURONS: self.parameters.neurons,
            Normalization.PATTERNS: max(1, len(self.bits)),
            Normalization.NONE: 1,
        }
        object.__setattr__(self, "divisor", float(divisors[self.parameters.normalization]))

    @classmethod
    def nothing(cls, parameters: LearningParameters) -> Self:
        """See LearningRule."""
        return cls(parameters, np.empty((0, row_bytes(parameters.neurons)), np.uint8), None)

    @classmethod
    def restored(cls, parameters: LearningParameters, arrays: Mapping[str, NDArray[Any]], stored: Bits) -> Self:
        """See Couplings."""
        few = has_few(len(stored), parameters.neurons)
        return cls(parameters, stored, None if few else arrays["sums"].astype(np.int32, copy=False))

    def arrays(self) -> dict[str, StateArray]:
        """See Couplings."""
        return {"sums": StateArray(self.weights, symmetric=True)}

    @property
    def weights(self) -> NDArray[np.int32]:
        """See Couplings."""
        if self.sums is not None:
            return self.sums
        neurons = self.parameters.neurons
        size = max(1, _BLOCK // neurons)
        sums = np.empty((neurons, neurons), np.int32)
        for start, block in zip(range(0, neurons, size), self._products(self.bits, size), strict=True):
            sums[start : start + size] = block
        return sums

    @property
    def kept_as_factors(self) -> bool:
        """See Couplings."""
        return self.sums is None

    def weight_rows(self, rows: int) -> Iterator[NDArray[Any]]:
        """See Couplings."""
        if self.sums is None:
            yield from self._products(self.bits, rows)
        else:
            for start in range(0, len(self.sums), rows):
                yield self.sums[start : start + rows]

    @property
    def nbytes(self) -> int:
        """See Couplings: the patterns are counted as stored ones."""
        return 0 if self.sums is None else self.sums.nbytes

    def learn(self, added: Bits, stored: Bits, interruption: Interruption) -> Self:
        """See LearningRule."""
        return self._of(stored, added, 1, interruption)

    def forget(self, forgotten: Bits, remaining: Bits, interruption: Interruption) -> Self:
        """See LearningRule: subtracts what was added."""
        return self._of(remaining, forgotten, -1, interruption)

    def _of(self, bits: Bits, changed: Bits, sign: int, interruption: Interruption) -> Self:
        """The state with these patterns, of which some came, or others went."""
        check(interruption)
        neurons = self.parameters.neurons
        if has_few(len(bits), neurons):
            return type(self)(self.parameters, bits, None)
        if self.sums is not None and len(changed) <= _PATTERNS_IN_A_PASS:
            sums = np.empty_like(self.sums)
            kernels.add_signs(self.sums, unpack(changed, neurons), sign, self._diagonal(len(bits)), sums)
            return type(self)(self.parameters, bits, sums)
        sums = np.empty((neurons, neurons), np.int32)
        size = max(1, _BLOCK // neurons)
        products = self._products(bits if self.sums is None else changed, size)
        for start in range(0, neurons, size):
            check(interruption)
            rows = slice(start, start + size)
            sums[rows] = next(products)
            if self.sums is not None:
                sums[rows] *= sign
                sums[rows] += self.sums[rows]
        np.fill_diagonal(sums, self._diagonal(len(bits)))
        return type(self)(self.parameters, bits, sums)

    def _diagonal(self, count: int) -> int:
        return count if self.parameters.self_coupling else 0

    def _products(self, bits: Bits, rows: int) -> Iterator[NDArray[Any]]:
        """`sum_mu xi^mu xi^mu'` in blocks of so many rows: whole numbers, as float32 where that holds them."""
        neurons = self.parameters.neurons
        if len(bits) * neurons <= _BLOCK:
            patterns = unpack(bits, neurons).astype(np.float32)
        for start in range(0, neurons, rows):
            stop = min(start + rows, neurons)
            if len(bits) * neurons <= _BLOCK:
                # BLAS may add in any order: sums of integers below 2^24 are exact in float32 all the same.
                block: NDArray[Any] = patterns[:, start:stop].T @ patterns
            else:
                block = np.zeros((stop - start, neurons), np.int32)
                for some in unpacked_blocks(bits, neurons):
                    wide = some.astype(np.float32)
                    block += (wide[:, start:stop].T @ wide).astype(np.int32)
            block[np.arange(stop - start), np.arange(start, stop)] = self._diagonal(len(bits))
            yield block


class _FloatRule(LearningRule):
    """A rule whose state is its weights, float64, `divisor` 1, that learns pattern by pattern in a kernel."""

    def __init__(self, parameters: LearningParameters, weights: NDArray[np.float64]) -> None:
        self.parameters = parameters
        self._weights = weights
        self.divisor = 1.0
        self.outcome = None

    @property
    def weights(self) -> NDArray[np.float64]:
        """See Couplings."""
        return self._weights

    @property
    def nbytes(self) -> int:
        """See Couplings."""
        return self._weights.nbytes

    @classmethod
    def nothing(cls, parameters: LearningParameters) -> Self:
        """See LearningRule."""
        return cls(parameters, np.zeros((parameters.neurons, parameters.neurons)))

    @classmethod
    def restored(cls, parameters: LearningParameters, arrays: Mapping[str, NDArray[Any]], stored: Bits) -> Self:  # noqa: ARG003
        """See Couplings."""
        return cls(parameters, np.ascontiguousarray(arrays["weights"], dtype=np.float64))

    def arrays(self) -> dict[str, StateArray]:
        """See Couplings."""
        return {"weights": StateArray(self.weights, symmetric=True)}

    def learn(self, added: Bits, stored: Bits, interruption: Interruption) -> Self:  # noqa: ARG002 - added is enough
        """See LearningRule."""
        weights = self.weights.copy()
        for patterns in _pieces(added, self.parameters.neurons):
            check(interruption)
            self._fold(patterns, weights)
        return type(self)(self.parameters, weights)

    @abstractmethod
    def _fold(self, patterns: Signs, weights: NDArray[np.float64]) -> None:
        """Learns the patterns into the weights, one after the other."""

    def cost(self, count: int) -> int:
        """See LearningRule."""
        return 1 + 2 * count


class Storkey(_FloatRule):
    """Storkey's rule (Storkey 1997; Storkey and Valabregue 1999, eq. 1), one pattern after the other, with zero diagonal.

    `w_ij += (1/N)(x_i x_j - x_i h_ji - h_ij x_j)`, `h_ij = sum_{k != i, j} w_ik x_k` from the weights before. The order of patterns
    matters; the first one is learnt as by Hebb's rule.
    """

    def _fold(self, patterns: Signs, weights: NDArray[np.float64]) -> None:
        kernels.storkey(patterns, self.parameters.self_coupling, weights)


class StorkeySecondOrder(_FloatRule):
    """Storkey's rule of second order: `W += (1/N)(x - h)(x - h)'`, `h = W x` from the weights before, with zero diagonal."""

    def _fold(self, patterns: Signs, weights: NDArray[np.float64]) -> None:
        kernels.storkey_second_order(patterns, self.parameters.self_coupling, weights)


def _pieces(bits: Bits, neurons: int) -> Iterator[Signs]:
    """Unpacks patterns, so few at a time that a kernel that passes over the weights for each returns soon."""
    size = max(1, _WORK_BETWEEN_QUESTIONS // neurons**2)
    for start in range(0, len(bits), size):
        yield from unpacked_blocks(bits[start : start + size], neurons)


@dataclass(frozen=True, slots=True)
class PseudoInverse(LearningRule):
    """The projection rule, `J = (1/N) sum_mn xi^m (C^-1)_mn xi^n'` with zero diagonal.

    Personnaz, Guyon and Dreyfus (1985), eq. 3; zero diagonal after Kanter and Sompolinsky (1987). Kept as an orthonormal
    basis B of the patterns' span, one row for each pattern that is independent of those before it, so that the
    projection is `B'B` and the weights are `B'B - diag(B'B)`; as a matrix too, where the basis has many rows.

    Attributes:
        parameters: what it depends on beside the patterns.
        basis: (r, N) float64, B.
        lower: (r, r) float64, the products `X B'` of the independent patterns with the basis, the lower triangle of which says
            how they are made from it: `X = L B`.
        spanning: (r,) int64, where the independent patterns stand among those stored.
        matrix: (N, N) float64, the weights; None where they are kept as factors.
    """

    parameters: LearningParameters
    basis: NDArray[np.float64]
    lower: NDArray[np.float64]
    spanning: NDArray[np.int64]
    matrix: NDArray[np.float64] | None
    divisor: float = field(default=1.0, init=False)
    outcome: LearningOutcome | None = field(default=None, init=False)

    @classmethod
    def nothing(cls, parameters: LearningParameters) -> Self:
        """See LearningRule."""
        return cls(parameters, np.empty((0, parameters.neurons)), np.empty((0, 0)), np.empty(0, np.int64), None)

    @classmethod
    def restored(cls, parameters: LearningParameters, arrays: Mapping[str, NDArray[Any]], stored: Bits) -> Self:  # noqa: ARG003
        """See Couplings."""
        basis = np.ascontiguousarray(arrays["basis"], dtype=np.float64)
        lower = np.ascontiguousarray(arrays["lower"], dtype=np.float64)
        factors = cls(parameters, basis, lower, arrays["spanning"].astype(np.int64, copy=False), None)
        return factors if factors.suits_recall else replace(factors, matrix=factors.weights)

    def arrays(self) -> dict[str, StateArray]:
        """See Couplings."""
        return {
            "basis": StateArray(self.basis),
            "lower": StateArray(self.lower),
            "spanning": StateArray(self.spanning),
        }

    @property
    def suits_recall(self) -> bool:
        """Whether the basis is small enough, and its vectors far enough from dependent, to recall with it.

        `L b = M` is solved to a rounding error that grows as the patterns come near to depending on one another.
        """
        rank, neurons = self.basis.shape
        apart = rank == 0 or float(self.lower.diagonal().min()) ** 2 >= min(1.0, _LEAST_APART * neurons)
        return has_few(rank, neurons) and apart

    @property
    def kept_as_factors(self) -> bool:
        """See Couplings."""
        return self.matrix is None

    @property
    def weights(self) -> NDArray[np.float64]:
        """See Couplings."""
        if self.matrix is not None:
            return self.matrix
        return next(self.weight_rows(self.parameters.neurons))

    def weight_rows(self, rows: int) -> Iterator[NDArray[Any]]:
        """See Couplings."""
        neurons = self.parameters.neurons
        for start in range(0, neurons, rows):
            if self.matrix is not None:
                yield self.matrix[start : start + rows]
            else:
                block = np.zeros((min(rows, neurons - start), neurons))
                kernels.add_outer_products(self.basis, self.parameters.self_coupling, start, block)
                yield block

    @property
    def diagonal(self) -> NDArray[np.float64]:
        """(N,) float64, the diagonal of the projection."""
        squares = np.empty(self.parameters.neurons)
        kernels.squared_lengths(self.basis, squares)
        return squares

    @property
    def largest_row_sum(self) -> float:
        """See Couplings: of a projection, `sum_j |J_ij| <= sqrt(N sum_j J_ij^2) = sqrt(N J_ii)`."""
        return math.sqrt(self.parameters.neurons * float(self.diagonal.max(initial=0.0)))

    @property
    def nbytes(self) -> int:
        """See Couplings."""
        return self.basis.nbytes + self.lower.nbytes + (0 if self.matrix is None else self.matrix.nbytes)

    def learn(self, added: Bits, stored: Bits, interruption: Interruption) -> Self:
        """See LearningRule."""
        neurons = self.parameters.neurons
        rank = before = len(self.basis)
        # A basis of N dimensions has at most N rows, however many patterns there are.
        room = min(rank + len(added), neurons) + 1
        basis, lower = np.empty((room, neurons)), np.zeros((room, room))
        basis[:rank], lower[:rank, :rank] = self.basis, self.lower
        spanning = self.spanning.tolist()
        position = len(stored) - len(added)
        for patterns in _pieces(added, neurons):
            check(interruption)
            for pattern in patterns:
                if rank < neurons:
                    length = kernels.orthonormalise(basis, rank, pattern, basis[rank], lower[rank])
                    if length > 1e-9 * neurons:
                        spanning.append(position)
                        rank += 1
                position += 1
        factors = type(self)(
            self.parameters, basis[:rank].copy(), lower[:rank, :rank].copy(), np.array(spanning, np.int64), None
        )
        if factors.suits_recall:
            return factors
        weights = np.zeros((neurons, neurons)) if self.matrix is None else self.matrix.copy()
        size = max(1, _WORK_BETWEEN_QUESTIONS // neurons**2)
        for first in range(0 if self.matrix is None else before, rank, size):
            check(interruption)
            kernels.add_outer_products(factors.basis[first : first + size], self.parameters.self_coupling, 0, weights)
        return replace(factors, matrix=weights)


# Squared length, in N, that the patterns of a basis one recalls with must each have outside the span of those before: patterns
# that differ in one neuron have 4. Of large networks 1 is enough.
_LEAST_APART = 1e-4


@dataclass(frozen=True, slots=True)
class Perceptron(LearningRule):
    """The symmetric perceptron rule: Gardner (1988), Krauth and Mezard (1987); symmetric after Diederich and Opper (1987).

    From J = 0, over all patterns in their order, all neurons of a pattern judged on the same weights: `v_i = 1` where
    `xi_i h_i <= kappa`, then `J_ij += (v_i + v_j) xi_i xi_j / N`; until a sweep finds none, or `max_sweeps` are run. Kept as the
    integers N J. A function of the patterns stored, learnt anew from all of them at every change.
    """

    parameters: LearningParameters
    matrix: NDArray[np.float64]
    outcome: LearningOutcome
    patterns: int
    divisor: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "divisor", float(self.parameters.neurons))

    @property
    def weights(self) -> NDArray[np.float64]:
        """See Couplings."""
        return self.matrix

    @property
    def nbytes(self) -> int:
        """See Couplings."""
        return self.matrix.nbytes

    @classmethod
    def nothing(cls, parameters: LearningParameters) -> Self:
        """See LearningRule."""
        neurons = parameters.neurons
        return cls(parameters, np.zeros((neurons, neurons)), LearningOutcome(converged=True, sweeps=0), 0)

    @classmethod
    def restored(cls, parameters: LearningParameters, arrays: Mapping[str, NDArray[Any]], stored: Bits) -> Self:  # noqa: ARG003
        """See Couplings."""
        converged, sweeps, patterns = arrays["outcome"].tolist()
        weights = np.ascontiguousarray(arrays["weights"], dtype=np.float64)
        return cls(parameters, weights, LearningOutcome(bool(converged), sweeps), patterns)

    def arrays(self) -> dict[str, StateArray]:
        """See Couplings."""
        outcome = np.array([self.outcome.converged, self.outcome.sweeps, self.patterns], np.int64)
        return {"weights": StateArray(self.matrix, symmetric=True), "outcome": StateArray(outcome)}

    def learn(self, added: Bits, stored: Bits, interruption: Interruption) -> Self:  # noqa: ARG002 - all are learnt anew
        """See LearningRule."""
        parameters = self.parameters
        thresholds = np.array(parameters.thresholds or np.zeros(parameters.neurons), np.float64)
        sums = np.zeros_like(self.matrix)
        sweeps, within = 0, len(stored)
        while within and sweeps < parameters.max_sweeps:
            sweeps += 1
            within = 0
            for patterns in _pieces(stored, parameters.neurons):
                check(interruption)
                within += kernels.perceptron(
                    patterns, thresholds, parameters.kappa, int(parameters.coding), parameters.self_coupling, sums
                )
        return type(self)(parameters, sums, LearningOutcome(within == 0, sweeps), len(stored))

    def cost(self, count: int) -> int:  # noqa: ARG002 - all are learnt anew
        """See LearningRule."""
        return 1 + 2 * self.outcome.sweeps * self.patterns


@dataclass(frozen=True, slots=True)
class Imported(Couplings):
    """Weights given from outside, used as they are; they know of no patterns."""

    matrix: NDArray[np.float64]
    divisor: float = field(default=1.0, init=False)
    outcome: LearningOutcome | None = field(default=None, init=False)

    @property
    def weights(self) -> NDArray[np.float64]:
        """See Couplings."""
        return self.matrix

    @property
    def nbytes(self) -> int:
        """See Couplings."""
        return self.matrix.nbytes

    @classmethod
    def restored(cls, parameters: LearningParameters, arrays: Mapping[str, NDArray[Any]], stored: Bits) -> Self:  # noqa: ARG003
        """See Couplings: the matrix says it all."""
        return cls(np.ascontiguousarray(arrays["weights"], dtype=np.float64))

    def arrays(self) -> dict[str, StateArray]:
        """See Couplings."""
        return {"weights": StateArray(self.matrix, symmetric=True)}
