"""Learning rules: each a fold `(state, patterns) -> state`.

The state of a rule is all it needs to go on learning and all that recall needs; it depends on the patterns and, for rules whose
arithmetic rounds, on their order, and on nothing else: not on how many came at a time, nor on where a snapshot fell.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core import kernels
from hopfield_service.core.patterns import Signs

# Entries of the largest array that Hebb's rule makes beside the weights. float32 holds every integer up to 2^24, and no partial
# sum of that many products of signs is larger.
_BLOCK = 1 << 24


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
        weights: (N, N) symmetric, `divisor * J`, of int32 or float64.
        divisor: the scale, kept apart from the weights so that sums of integers stay integers.
    """

    weights: NDArray[Any]
    divisor: float

    @classmethod
    @abstractmethod
    def restored(cls, neurons: int, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The couplings whose `arrays` had these values."""

    @abstractmethod
    def arrays(self) -> dict[str, StateArray]:
        """What a snapshot must keep, by name."""


class LearningRule(Couplings):
    """Couplings that go on learning: the state of a fold."""

    @classmethod
    @abstractmethod
    def nothing(cls, neurons: int) -> Self:
        """The state before the first pattern."""

    @abstractmethod
    def learn(self, patterns: Signs) -> Self:
        """The state after some more patterns.

        Args:
            patterns: (count, N) int8, every value 1 or -1, in order.
        """

    @abstractmethod
    def forget(self, forgotten: Iterable[Signs], remaining: Iterable[Signs]) -> Self:
        """The state as if some patterns had never been learnt.

        Args:
            forgotten: (count, N) int8 blocks of what to forget.
            remaining: (count, N) int8 blocks of everything else that was learnt, in order.
        """


@dataclass(frozen=True, slots=True)
class Hebbian(LearningRule):
    """Hebb's rule, `J = (1/N) sum_mu xi^mu xi^mu'` with zero diagonal (Hopfield 1982, eq. 2).

    Kept as the integer sums `N J`, so that learning is exact, its order does not matter, and forgetting is subtraction.
    An entry is at most P in size, which int32 holds: no setting lets a memory store more than 2^24 patterns.
    """

    weights: NDArray[np.int32]
    divisor: float

    @classmethod
    def nothing(cls, neurons: int) -> Self:
        """See LearningRule."""
        return cls(np.zeros((neurons, neurons), np.int32), float(neurons))

    @classmethod
    def restored(cls, neurons: int, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """See LearningRule."""
        return cls(arrays["sums"].astype(np.int32, copy=False), float(neurons))

    def arrays(self) -> dict[str, StateArray]:
        """See LearningRule."""
        return {"sums": StateArray(self.weights, symmetric=True)}

    def learn(self, patterns: Signs) -> Self:
        """See LearningRule."""
        sums = self.weights.copy()
        _add_outer_products(sums, patterns, 1)
        return type(self)(sums, self.divisor)

    def forget(self, forgotten: Iterable[Signs], remaining: Iterable[Signs]) -> Self:  # noqa: ARG002 - not relearnt
        """See LearningRule."""
        sums = self.weights.copy()
        for patterns in forgotten:
            _add_outer_products(sums, patterns, -1)
        return type(self)(sums, self.divisor)


def _add_outer_products(sums: NDArray[np.int32], patterns: Signs, sign: int) -> None:
    """`sums += sign * sum_mu xi^mu xi^mu'` off the diagonal, block by block: of the patterns, and of the rows of the sums."""
    size = max(1, _BLOCK // len(sums))
    for first in range(0, len(patterns), size):
        block = patterns[first : first + size].astype(np.float32)
        for top in range(0, len(sums), size):
            # BLAS may add in any order: sums of integers below 2^24 are exact in float32 all the same.
            products = (block[:, top : top + size].T @ block).astype(np.int32)
            products *= sign
            sums[top : top + size] += products
    np.fill_diagonal(sums, 0)


@dataclass(frozen=True, slots=True)
class PseudoInverse(LearningRule):
    """The projection rule, `J = (1/N) sum_mn xi^m (C^-1)_mn xi^n'` with zero diagonal.

    Personnaz, Guyon and Dreyfus (1985), eq. 3; zero diagonal after Kanter and Sompolinsky (1987). Kept as an orthonormal
    basis B of the patterns' span, one row for each pattern that is independent of those before it, so that the
    projection is `B'B` and the weights are `B'B - diag(B'B)`.
    """

    basis: NDArray[np.float64]
    weights: NDArray[np.float64]
    divisor: float = field(default=1.0, init=False)

    @classmethod
    def nothing(cls, neurons: int) -> Self:
        """See LearningRule."""
        return cls(np.empty((0, neurons)), np.zeros((neurons, neurons)))

    @classmethod
    def restored(cls, neurons: int, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """See LearningRule."""
        basis = np.ascontiguousarray(arrays["basis"], dtype=np.float64)
        weights = np.zeros((neurons, neurons))
        kernels.add_outer_products(basis, weights)
        return cls(basis, weights)

    def arrays(self) -> dict[str, StateArray]:
        """See LearningRule."""
        return {"basis": StateArray(self.basis)}

    def learn(self, patterns: Signs) -> Self:
        """See LearningRule."""
        neurons = patterns.shape[1]
        rank = len(self.basis)
        # A basis of N dimensions has at most N rows, however many patterns there are.
        basis = np.empty((min(rank + len(patterns), neurons) + 1, neurons))
        basis[:rank] = self.basis
        for pattern in np.ascontiguousarray(patterns):
            if rank < neurons and kernels.orthonormalise(basis, rank, pattern, basis[rank]) > 1e-9 * neurons:
                rank += 1
        learnt = basis[:rank].copy()
        weights = self.weights.copy()
        kernels.add_outer_products(learnt[len(self.basis) :], weights)
        return type(self)(learnt, weights)

    def forget(self, forgotten: Iterable[Signs], remaining: Iterable[Signs]) -> Self:  # noqa: ARG002 - relearnt
        """See LearningRule: relearns what remains, since every row of the basis depends on the patterns before it."""
        relearnt = self.nothing(self.weights.shape[0])
        for patterns in remaining:
            relearnt = relearnt.learn(patterns)
        return relearnt


@dataclass(frozen=True, slots=True)
class Imported(Couplings):
    """Weights given from outside, used as they are; they know of no patterns."""

    weights: NDArray[np.float64]
    divisor: float = field(default=1.0, init=False)

    @classmethod
    def restored(cls, neurons: int, arrays: Mapping[str, NDArray[Any]]) -> Self:  # noqa: ARG003 - the matrix says it
        """See Couplings."""
        return cls(np.ascontiguousarray(arrays["weights"], dtype=np.float64))

    def arrays(self) -> dict[str, StateArray]:
        """See Couplings."""
        return {"weights": StateArray(self.weights, symmetric=True)}
