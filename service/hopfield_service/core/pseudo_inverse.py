"""The projection rule."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.interruption import Interruption, check, never
from hopfield_service.core.kernels import learning as kernels
from hopfield_service.core.learning import (
    WORK_BETWEEN_QUESTIONS,
    LearningOutcome,
    LearningParameters,
    LearningRule,
    StateArray,
    pieces,
)
from hopfield_service.core.patterns import Bits, Signs

# Squared length, in N, that the patterns of a basis one recalls with must each have outside the span of those before: patterns
# that differ in one neuron have 4. Of large networks 1 is enough.
_LEAST_APART = 1e-4
# What of a pattern lies outside the span of others, in N, if it is more than rounding.
_LEAST_OUTSIDE = 1e-9
# Neurons to a vector of the basis, at least, to recall with it: with more vectors a sweep over them takes longer than the matrix.
_NEURONS_A_VECTOR = 3
# Rows of the basis that are kept together.
_BLOCK = 128


@dataclass(frozen=True, slots=True)
class PseudoInverse(LearningRule):
    """The projection rule, `J = (1/N) sum_mn xi^m (C^-1)_mn xi^n'` with zero diagonal.

    Personnaz, Guyon and Dreyfus (1985), eq. 3; zero diagonal after Kanter and Sompolinsky (1987). Kept as an orthonormal
    basis B of the patterns' span, one row for each pattern that is independent of those before it, so that the
    projection is `B'B` and the weights are `B'B - diag(B'B)`; as a matrix too, where the basis has many rows.

    The basis is that of Gram and Schmidt, modified, with re-orthogonalisation where it is needed: where half of the squared length of a
    pattern, or more, lies in the span of those before it (Daniel, Gragg, Kaufman and Stewart 1976), once, for "twice is enough" (Giraud,
    Langou and Rozloznik 2005). A pattern with at most 1e-9 N of it outside depends on the others.

    Attributes:
        parameters: what it depends on beside the patterns.
        blocks: (at most 128, N) float64 each, all but the last of 128 rows, the rows of B: what comes shares all but the last with what was.
        lower: (r, r) float64, lower triangular, how the independent patterns are made from the basis: `X = L B`.
        spanning: (r,) int64, where the independent patterns stand among those stored.
        matrix: (N, N) float64, the weights; None where they are kept as factors.
    """

    parameters: LearningParameters
    blocks: tuple[NDArray[np.float64], ...]
    lower: NDArray[np.float64]
    spanning: NDArray[np.int64]
    matrix: NDArray[np.float64] | None
    divisor: float = field(default=1.0, init=False)
    outcome: LearningOutcome | None = field(default=None, init=False)

    @classmethod
    def nothing(cls, parameters: LearningParameters) -> Self:
        """See LearningRule."""
        return cls(parameters, (), np.empty((0, 0)), np.empty(0, np.int64), None)

    @classmethod
    def restored(
        cls,
        parameters: LearningParameters,
        arrays: Mapping[str, NDArray[Any]],
        stored: Bits,  # noqa: ARG003
        interruption: Interruption = never,
    ) -> Self:
        """See Couplings."""
        basis = np.ascontiguousarray(arrays["basis"], dtype=np.float64)
        lower = np.ascontiguousarray(arrays["lower"], dtype=np.float64)
        blocks = tuple(basis[first : first + _BLOCK] for first in range(0, len(basis), _BLOCK))
        factors = cls(parameters, blocks, lower, arrays["spanning"].astype(np.int64, copy=False), None)
        return factors if factors.suits_recall else replace(factors, matrix=factors.weights_made(interruption))

    def arrays(self, interruption: Interruption = never) -> dict[str, StateArray]:  # noqa: ARG002
        """See Couplings."""
        return {
            "basis": StateArray(np.concatenate([np.empty((0, self.parameters.neurons)), *self.blocks])),
            "lower": StateArray(self.lower),
            "spanning": StateArray(self.spanning),
        }

    @property
    def rank(self) -> int:
        """r, how many patterns are independent."""
        return len(self.lower)

    @property
    def suits_recall(self) -> bool:
        """Whether the basis is small enough, and its vectors far enough from dependent, to recall with it.

        `L b = M` is solved to a rounding error that grows as the patterns come near to depending on one another.
        """
        rank, neurons = self.rank, self.parameters.neurons
        apart = rank == 0 or float(self.lower.diagonal().min()) ** 2 >= min(1.0, _LEAST_APART * neurons)
        return _NEURONS_A_VECTOR * rank <= neurons and apart

    @property
    def kept_as_factors(self) -> bool:
        """See Couplings."""
        return self.matrix is None

    @property
    def weights(self) -> NDArray[np.float64]:
        """See Couplings."""
        return self.weights_made(never)

    def weights_made(self, interruption: Interruption) -> NDArray[np.float64]:
        """See Couplings."""
        if self.matrix is not None:
            return self.matrix
        neurons = self.parameters.neurons
        return self.matrix_with(np.zeros((neurons, neurons)), 0, interruption)

    def weight_rows(self, rows: int, interruption: Interruption = never) -> Iterator[NDArray[Any]]:
        """See Couplings."""
        neurons = self.parameters.neurons
        for start in range(0, neurons, rows):
            if self.matrix is not None:
                yield self.matrix[start : start + rows]
            else:
                some = np.zeros((min(rows, neurons - start), neurons))
                for block in self.blocks:
                    check(interruption)
                    kernels.add_outer_products(some, block, self.parameters.self_coupling, start, some)
                yield some

    @property
    def diagonal(self) -> NDArray[np.float64]:
        """(N,) float64, the diagonal of the projection."""
        squares = np.zeros(self.parameters.neurons)
        for block in self.blocks:
            kernels.add_squares(block, squares)
        return squares

    @property
    def row_sums(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See Couplings."""
        sums, diagonal = np.zeros(self.parameters.neurons), self.diagonal
        for block in self.blocks:
            sums += block.sum(axis=1) @ block
        return sums - diagonal, diagonal if self.parameters.self_coupling else np.zeros_like(diagonal)

    @property
    def largest_row_sum(self) -> float:
        """What no row sum exceeds: of a projection, `sum_j |J_ij| <= sqrt(N sum_j J_ij^2) = sqrt(N J_ii)`."""
        return math.sqrt(self.parameters.neurons * float(self.diagonal.max(initial=0.0)))

    def row_sum_of(self, weights: NDArray[Any]) -> float:  # noqa: ARG002 - the basis tells
        """See Couplings."""
        return self.largest_row_sum

    @property
    def nbytes(self) -> int:
        """See Couplings."""
        return 8 * self.rank * (self.parameters.neurons + self.rank) + (
            0 if self.matrix is None else self.matrix.nbytes
        )

    def learn(self, added: Bits, stored: Bits, interruption: Interruption) -> Self:
        """See LearningRule."""
        neurons = self.parameters.neurons
        basis = _GrowingBasis(self.blocks, self.lower, len(added), neurons)
        spanning = self.spanning.tolist()
        position = len(stored) - len(added)
        for patterns in pieces(added, neurons):
            check(interruption)
            for pattern in patterns:
                if basis.takes_in(pattern, interruption):
                    spanning.append(position)
                position += 1
        blocks, lower = basis.ended()
        factors = type(self)(self.parameters, blocks, lower, np.array(spanning, np.int64), None)
        if factors.suits_recall:
            return factors
        if self.matrix is None:
            return replace(factors, matrix=factors.weights_made(interruption))
        return replace(factors, matrix=factors.matrix_with(self.matrix, self.rank, interruption))

    def matrix_with(self, before: NDArray[np.float64], first: int, interruption: Interruption) -> NDArray[np.float64]:
        """(N, N) float64, the weights, of a matrix that has the products of the first vectors of the basis in it already.

        Raises:
            Interrupted: `interruption` said so.
        """
        if first == self.rank:
            return before
        neurons = self.parameters.neurons
        skipped = first // _BLOCK
        added = [self.blocks[skipped][first % _BLOCK :], *self.blocks[skipped + 1 :]]
        weights = np.empty((neurons, neurons))
        # So many rows that a block, which does not fit into a fast cache, is not read for each.
        size = max(1, WORK_BETWEEN_QUESTIONS // (neurons * _BLOCK))
        for start in range(0, neurons, size):
            rows = slice(start, start + size)
            there = before[rows]
            for block in added:
                check(interruption)
                kernels.add_outer_products(there, block, self.parameters.self_coupling, start, weights[rows])
                there = weights[rows]
        return weights


class _GrowingBasis:
    """A basis that takes in patterns. The blocks of another are left as they are."""

    def __init__(
        self, blocks: tuple[NDArray[np.float64], ...], lower: NDArray[np.float64], room: int, neurons: int
    ) -> None:
        """Begins with another basis, to take in at most `room` patterns."""
        self._blocks = list(blocks)
        self._rank = len(lower)
        # A basis of N dimensions has at most N rows, however many patterns there are.
        self._most = min(self._rank + room, neurons)
        self._neurons = neurons
        self._lower = np.zeros((self._most, self._most))
        self._lower[: self._rank, : self._rank] = lower
        if self._rank % _BLOCK and self._rank < self._most:
            begun = self._blocks.pop()
            self._blocks.append(self._block())
            self._blocks[-1][: len(begun)] = begun

    def _block(self) -> NDArray[np.float64]:
        """Room for the block that the next vector is in."""
        return np.empty((min(_BLOCK, self._most - self._rank // _BLOCK * _BLOCK), self._neurons))

    def takes_in(self, pattern: Signs, interruption: Interruption) -> bool:
        """Adds what of a pattern lies outside the span, unless that is nothing.

        Raises:
            Interrupted: `interruption` said so. The basis is of no use then.
        """
        if self._rank == self._neurons:
            return False
        vector, products = pattern.astype(np.float64), self._lower[self._rank]
        squared = self._outside(vector, products, interruption)
        if 2 * squared < self._neurons:
            squared = self._outside(vector, products, interruption)
        if squared <= _LEAST_OUTSIDE * self._neurons:
            products[:] = 0
            return False
        if self._rank % _BLOCK == 0:
            self._blocks.append(self._block())
        products[self._rank] = length = math.sqrt(squared)
        np.divide(vector, length, out=self._blocks[-1][self._rank % _BLOCK])
        self._rank += 1
        return True

    def _outside(self, vector: NDArray[np.float64], products: NDArray[np.float64], interruption: Interruption) -> float:
        """Takes out of a vector what of it lies in the span, and says how long it then is, squared."""
        for first in range(0, self._rank, _BLOCK):
            last = min(first + _BLOCK, self._rank)
            # Not for each of few, since to ask takes about as long as they do.
            if first:
                check(interruption)
            kernels.take_out(self._blocks[first // _BLOCK][: last - first], vector, products[first:last])
        return float(kernels.squared_length(vector))

    def ended(self) -> tuple[tuple[NDArray[np.float64], ...], NDArray[np.float64]]:
        """The blocks, and how the patterns are made from them."""
        rank, last = self._rank, self._rank % _BLOCK
        if last and len(self._blocks[-1]) > last:
            # Of patterns that depended on others, and have left room.
            self._blocks[-1] = self._blocks[-1][:last].copy()
        return tuple(self._blocks), self._lower if rank == self._most else self._lower[:rank, :rank].copy()
