"""Hebb's rule."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.blas import product
from hopfield_service.core.interruption import Interruption, check, never
from hopfield_service.core.kernels import learning as kernels
from hopfield_service.core.learning import (
    LearningOutcome,
    LearningParameters,
    LearningRule,
    Normalization,
    StateArray,
)
from hopfield_service.core.patterns import Bits, row_bytes, unpack, unpacked_blocks

# Entries of the largest array that Hebb's rule makes beside the weights. float32 holds every integer up to 2^24, and no partial
# sum of that many products of signs is larger.
_BLOCK = 1 << 24
# Entries that are turned into another type within some ten milliseconds.
_SMALL_BLOCK = 1 << 22
# Patterns that are added to a matrix faster one after the other than by way of a product of matrices.
_PATTERNS_IN_A_PASS = 4


def sums_dtype(count: int) -> type[np.signedinteger[Any]]:
    """What holds the sums of so many patterns."""
    return np.int16 if count <= np.iinfo(np.int16).max else np.int32


@dataclass(frozen=True, slots=True)
class Hebbian(LearningRule):
    """Hebb's rule, `J = (1/N) sum_mu xi^mu xi^mu'` with zero diagonal (Hopfield 1982, eq. 2), or another normalization.

    A function of the patterns stored: kept as those where they are few, otherwise as the integer sums `N J`. So learning is
    exact, its order does not matter, and forgetting is subtraction. An entry is at most P in size, which int16 holds, or else int32: no
    setting lets a memory store more than 2^24 patterns.
    """

    parameters: LearningParameters
    bits: Bits
    sums: NDArray[np.signedinteger[Any]] | None
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
    def restored(
        cls,
        parameters: LearningParameters,
        arrays: Mapping[str, NDArray[Any]],
        stored: Bits,
        interruption: Interruption = never,  # noqa: ARG003
    ) -> Self:
        """See Couplings."""
        few = _has_few(len(stored), parameters.neurons)
        return cls(parameters, stored, None if few else arrays["sums"].astype(sums_dtype(len(stored)), copy=False))

    def arrays(self, interruption: Interruption = never) -> dict[str, StateArray]:
        """See Couplings."""
        return {"sums": StateArray(self.weights_made(interruption), symmetric=True)}

    @property
    def weights(self) -> NDArray[np.signedinteger[Any]]:
        """See Couplings."""
        return self.weights_made(never)

    def weights_made(self, interruption: Interruption) -> NDArray[np.signedinteger[Any]]:
        """See Couplings."""
        if self.sums is not None:
            return self.sums
        neurons = self.parameters.neurons
        size = self._rows_at_once(len(self.bits))
        sums = np.empty((neurons, neurons), sums_dtype(len(self.bits)))
        for start, block in zip(range(0, neurons, size), self._products(self.bits, size, interruption), strict=True):
            sums[start : start + size] = block
        return sums

    @property
    def kept_as_factors(self) -> bool:
        """See Couplings."""
        return self.sums is None

    def weight_rows(self, rows: int, interruption: Interruption = never) -> Iterator[NDArray[Any]]:
        """See Couplings."""
        if self.sums is None:
            yield from self._products(self.bits, rows, interruption)
        else:
            for start in range(0, len(self.sums), rows):
                yield self.sums[start : start + rows]

    @property
    def row_sums(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See Couplings: of factors, whole numbers."""
        if self.sums is not None:
            return super(Hebbian, self).row_sums
        neurons, count = self.parameters.neurons, len(self.bits)
        sums = np.zeros(neurons)
        for patterns in unpacked_blocks(self.bits, neurons):
            sums += patterns.sum(axis=1, dtype=np.float64) @ patterns
        return sums - count, np.full(neurons, float(self._diagonal(count)))

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
        if _has_few(len(bits), neurons):
            return type(self)(self.parameters, bits, None)
        sums = np.empty((neurons, neurons), sums_dtype(len(bits)))
        # What does not fit on the way does again at the end: whole numbers are added modulo what a number holds.
        before = None if self.sums is None else self.sums.astype(sums.dtype, copy=False)
        if before is not None and len(changed) <= _PATTERNS_IN_A_PASS:
            kernels.add_signs(before, unpack(changed, neurons), sign, self._diagonal(len(bits)), sums)
            return type(self)(self.parameters, bits, sums)
        size = self._rows_at_once(len(bits if before is None else changed))
        products = self._products(bits if before is None else changed, size, interruption)
        for start in range(0, neurons, size):
            check(interruption)
            rows, product = slice(start, start + size), next(products)
            if before is None:
                sums[rows] = product
            else:
                sums[rows] = product.astype(np.int32, copy=False)
                sums[rows] *= sign
                sums[rows] += before[rows]
        np.fill_diagonal(sums, self._diagonal(len(bits)))
        return type(self)(self.parameters, bits, sums)

    def _rows_at_once(self, count: int) -> int:
        """How many rows of sums to make of so many patterns: few, where the patterns need not be unpacked anew for each block."""
        neurons = self.parameters.neurons
        return max(1, (_BLOCK if count * neurons > _BLOCK else _SMALL_BLOCK) // neurons)

    def _diagonal(self, count: int) -> int:
        return count if self.parameters.self_coupling else 0

    def _products(self, bits: Bits, rows: int, interruption: Interruption) -> Iterator[NDArray[Any]]:
        """`sum_mu xi^mu xi^mu'` in blocks of so many rows: whole numbers, as float32 where that holds them."""
        neurons = self.parameters.neurons
        if len(bits) * neurons <= _BLOCK:
            patterns = unpack(bits, neurons).astype(np.float32)
        for start in range(0, neurons, rows):
            stop = min(start + rows, neurons)
            if len(bits) * neurons <= _BLOCK:
                # BLAS may add in any order: sums of integers below 2^24 are exact in float32 all the same.
                block: NDArray[Any] = product(patterns[:, start:stop].T, patterns, interruption)
            else:
                block = np.zeros((stop - start, neurons), np.int32)
                for some in unpacked_blocks(bits, neurons):
                    wide = some.astype(np.float32)
                    block += product(wide[:, start:stop].T, wide, interruption).astype(np.int32)
            block[np.arange(stop - start), np.arange(start, stop)] = self._diagonal(len(bits))
            yield block


def _has_few(patterns: int, neurons: int) -> bool:
    """Whether so many patterns are kept, and recalled with, as they are: at most one to four neurons.

    Up to there a sweep over them costs less than the matrix, in time as in memory.
    """
    return 4 * patterns <= neurons
