"""The projection rule."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.interruption import Interruption, check
from hopfield_service.core.kernels import learning as kernels
from hopfield_service.core.learning import (
    WORK_BETWEEN_QUESTIONS,
    LearningOutcome,
    LearningParameters,
    LearningRule,
    StateArray,
    has_few,
    pieces,
)
from hopfield_service.core.patterns import Bits

# Squared length, in N, that the patterns of a basis one recalls with must each have outside the span of those before: patterns
# that differ in one neuron have 4. Of large networks 1 is enough.
_LEAST_APART = 1e-4


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
        for patterns in pieces(added, neurons):
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
        size = max(1, WORK_BETWEEN_QUESTIONS // neurons**2)
        for first in range(0 if self.matrix is None else before, rank, size):
            check(interruption)
            kernels.add_outer_products(factors.basis[first : first + size], self.parameters.self_coupling, 0, weights)
        return replace(factors, matrix=weights)
