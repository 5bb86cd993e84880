"""Learning rules: each a fold `(state, patterns) -> state`.

The state of a rule is all it needs to go on learning and all that recall needs; it depends on the patterns and, for rules whose
arithmetic rounds, on their order, and on nothing else: not on how many came at a time, nor on where a snapshot fell.

Weights are learnt from patterns of -1 and +1, whatever the coding of the network, and never use
their own diagonal; but for the perceptron rule, which learns the fields that recall uses.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.interruption import Interruption, check, never
from hopfield_service.core.kernels import fields
from hopfield_service.core.kernels import learning as kernels
from hopfield_service.core.patterns import Bits, Coding, Signs, unpacked_blocks

# What a kernel does between two questions whether anybody still waits, in passes over all weights times weights: some ten milliseconds.
WORK_BETWEEN_QUESTIONS = 1 << 23
# Entries of a matrix that numpy passes over a few times meanwhile.
_ENTRIES_BETWEEN_QUESTIONS = 1 << 21


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
        """(N, N) symmetric, `divisor * J`, of int16, int32 or float64. Made anew each time where they are kept as factors."""

    def weights_made(self, interruption: Interruption) -> NDArray[Any]:  # noqa: ARG002 - where they are kept, there is nothing to wait for
        """`weights`, which may take long to make.

        Raises:
            Interrupted: `interruption` said so.
        """
        return self.weights

    @property
    def kept_as_factors(self) -> bool:
        """Whether the weights are kept as the patterns, or the basis, that they are a product of, and not as a matrix."""
        return False

    def weight_rows(self, rows: int, interruption: Interruption = never) -> Iterator[NDArray[Any]]:  # noqa: ARG002 - as `weights_made`
        """The weights in blocks of at most so many rows.

        Raises:
            Interrupted: `interruption` said so.
        """
        for start in range(0, len(self.weights), rows):
            yield self.weights[start : start + rows]

    def row_sum_of(self, weights: NDArray[Any]) -> float:
        """`max_i sum_j |J_ij|` of these `weights`, or what that does not exceed."""
        return float(fields.largest_row_sum(weights)) / self.divisor

    @property
    def row_sums(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """`sum_{j != i} weights_ij`, and the diagonal, (N,) float64 each."""
        weights = self.weights
        sums, diagonal = np.empty(len(weights)), weights.diagonal().astype(np.float64)
        fields.weighted_sums(weights, np.ones(len(weights), np.int8), sums)
        return sums - diagonal, diagonal

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes they take in memory."""

    @classmethod
    @abstractmethod
    def restored(
        cls,
        parameters: LearningParameters,
        arrays: Mapping[str, NDArray[Any]],
        stored: Bits,
        interruption: Interruption = never,
    ) -> Self:
        """The couplings whose `arrays` had these values, after these patterns: (P, ceil(N / 8)) uint8.

        Raises:
            Interrupted: `interruption` said so.
        """

    @abstractmethod
    def arrays(self, interruption: Interruption = never) -> dict[str, StateArray]:
        """What a snapshot must keep, by name.

        Raises:
            Interrupted: `interruption` said so.
        """


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
    def restored(
        cls,
        parameters: LearningParameters,
        arrays: Mapping[str, NDArray[Any]],
        stored: Bits,  # noqa: ARG003
        interruption: Interruption = never,  # noqa: ARG003
    ) -> Self:
        """See Couplings."""
        return cls(parameters, np.ascontiguousarray(arrays["weights"], dtype=np.float64))

    def arrays(self, interruption: Interruption = never) -> dict[str, StateArray]:  # noqa: ARG002
        """See Couplings."""
        return {"weights": StateArray(self.weights, symmetric=True)}

    def learn(self, added: Bits, stored: Bits, interruption: Interruption) -> Self:  # noqa: ARG002 - added is enough
        """See LearningRule."""
        weights = self.weights.copy()
        for patterns in pieces(added, self.parameters.neurons):
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


def pieces(bits: Bits, neurons: int) -> Iterator[Signs]:
    """Unpacks patterns, so few at a time that a kernel that passes over the weights for each returns soon."""
    size = max(1, WORK_BETWEEN_QUESTIONS // neurons**2)
    for start in range(0, len(bits), size):
        yield from unpacked_blocks(bits[start : start + size], neurons)


@dataclass(frozen=True, slots=True)
class Perceptron(LearningRule):
    """The symmetric perceptron rule: Gardner (1988), Krauth and Mezard (1987); symmetric after Diederich and Opper (1987).

    From J = 0, over all patterns in their order, all neurons of a pattern judged on the same
    weights: `v_i = 1` where `xi_i h_i <= kappa`, then `J_ij += (v_i xi_i x_j + v_j xi_j x_i) / N`,
    where x are the values of the neurons: in bipolar coding `(v_i + v_j) xi_i xi_j / N`; until a
    sweep finds none, or `max_sweeps` are run. Kept as the integers N J. A function of the patterns
    stored, learnt anew from all of them at every change.
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
    def restored(
        cls,
        parameters: LearningParameters,
        arrays: Mapping[str, NDArray[Any]],
        stored: Bits,  # noqa: ARG003
        interruption: Interruption = never,  # noqa: ARG003
    ) -> Self:
        """See Couplings."""
        converged, sweeps, patterns = arrays["outcome"].tolist()
        weights = np.ascontiguousarray(arrays["weights"], dtype=np.float64)
        return cls(parameters, weights, LearningOutcome(bool(converged), sweeps), patterns)

    def arrays(self, interruption: Interruption = never) -> dict[str, StateArray]:  # noqa: ARG002
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
            for patterns in pieces(stored, parameters.neurons):
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
    """Weights given from outside, used as they are; they know of no patterns.

    Kept as integers where they are, so that fields of zero are zero exactly, as those of Hebb's sums.
    """

    matrix: NDArray[Any]
    divisor: float = field(default=1.0, init=False)
    outcome: LearningOutcome | None = field(default=None, init=False)

    @property
    def weights(self) -> NDArray[Any]:
        """See Couplings."""
        return self.matrix

    @property
    def nbytes(self) -> int:
        """See Couplings."""
        return self.matrix.nbytes

    @classmethod
    def restored(
        cls,
        parameters: LearningParameters,  # noqa: ARG003
        arrays: Mapping[str, NDArray[Any]],
        stored: Bits,  # noqa: ARG003
        interruption: Interruption = never,
    ) -> Self:
        """See Couplings: the matrix says it all."""
        matrix = np.ascontiguousarray(arrays["weights"], dtype=np.float64)
        integers = np.empty(matrix.shape, np.int32)
        limits, size = np.iinfo(np.int32), max(1, _ENTRIES_BETWEEN_QUESTIONS // max(1, len(matrix)))
        for start in range(0, len(matrix), size):
            check(interruption)
            rows = matrix[start : start + size]
            if np.abs(rows).max() > limits.max:
                return cls(matrix)
            integers[start : start + size] = rows
            if not np.array_equal(integers[start : start + size], rows):
                return cls(matrix)
        return cls(integers)

    def arrays(self, interruption: Interruption = never) -> dict[str, StateArray]:  # noqa: ARG002
        """See Couplings."""
        return {"weights": StateArray(self.matrix, symmetric=True)}
