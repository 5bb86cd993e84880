"""Patterns as bits and as signs, and their overlaps.

Bits are packed least-significant bit first, each pattern padded to a whole byte with zeros; a set bit is +1. Whatever the coding of
a network, its states are -1 and +1 in here; what depends on the coding is the local field and the energy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.kernels import fields, overlaps, recall

Bits = NDArray[np.uint8]
Signs = NDArray[np.int8]
Words = NDArray[np.uint64]

_BLOCK_NEURONS = 1 << 24


class Coding(IntEnum):
    """The values a neuron has for the caller."""

    BIPOLAR = fields.BIPOLAR
    BINARY = fields.BINARY
    REAL = fields.REAL


TWO_VALUED = (Coding.BIPOLAR, Coding.BINARY)
"""The codings of neurons that have two values."""


def row_bytes(neurons: int) -> int:
    """Bytes of one packed pattern."""
    return (neurons + 7) // 8


def pack(signs: Signs) -> Bits:
    """Packs patterns.

    Args:
        signs: (count, N) int8, every value 1 or -1.

    Returns:
        (count, ceil(N / 8)) uint8.
    """
    return np.packbits(signs > 0, axis=1, bitorder="little")


def unpack(bits: Bits, neurons: int) -> Signs:
    """Unpacks patterns.

    Args:
        bits: (count, ceil(N / 8)) uint8.
        neurons: N.

    Returns:
        (count, N) int8, every value 1 or -1.
    """
    unpacked = np.unpackbits(bits, axis=1, count=neurons, bitorder="little").view(np.int8)
    unpacked *= 2
    unpacked -= 1
    return unpacked


def unpacked_blocks(bits: Bits, neurons: int) -> Iterator[Signs]:
    """Unpacks patterns a block at a time, so that many never stand in memory at eight times their size.

    Args:
        bits: (count, ceil(N / 8)) uint8.
        neurons: N.

    Yields:
        (at most 2^24 / N, N) int8, every value 1 or -1; at least one pattern a block.
    """
    size = max(1, _BLOCK_NEURONS // neurons)
    for start in range(0, len(bits), size):
        yield unpack(bits[start : start + size], neurons)


def padding_is_clear(bits: Bits, neurons: int) -> bool:
    """Whether the bits behind the last neuron of each packed pattern are zero."""
    used = neurons % 8
    if used == 0 or not len(bits):
        return True
    # Of a single pattern numpy would take ten times as long.
    last = int(bits[0, -1]) if len(bits) == 1 else int(bits[:, -1].max())
    return last >> used == 0


def words(bits: Bits) -> Words:
    """Packed patterns as kernels compare them, 64 neurons a word: (count, ceil(N / 64)) uint64, of (count, ceil(N / 8)) uint8."""
    count, width = bits.shape
    padded = np.zeros((count, (width + 7) // 8 * 8), np.uint8)
    padded[:, :width] = bits
    return padded.view(np.uint64)


_NO_BITS = np.empty((0, 0), np.uint8)


class Queries(recall.Queries):
    """States to begin from, packed, since that is how they come and how kernels take them.

    Attributes:
        bits: (count, bytes of a state) uint8, contiguous: a bit a neuron, set where it is 1, or a float32 where neurons are real.
        known: of the same shape, which neurons are known, a bit each; none at all, (0, any), for all. One that is not known has a clear
            bit in `bits`.
    """

    __slots__ = ()

    @classmethod
    def of(cls, states: NDArray[Any]) -> Self:
        """Packs states, (N,) or (count, N): int8 of 1, -1, or 0 for an unknown neuron; or float32 of real neurons."""
        rows = np.atleast_2d(states)
        if rows.dtype == np.float32:
            return cls(np.ascontiguousarray(rows, "<f4").view(np.uint8), _NO_BITS)
        return cls(pack(rows), _NO_BITS if rows.all() else pack(np.abs(rows)))

    def part(self, start: int, end: int) -> "Queries":
        """Some of them."""
        return Queries(self.bits[start:end], self.known[start:end])


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """Some stored patterns, the nearest first: by the size of the overlap, the oldest first of equals.

    Attributes:
        positions: (k,) int64, where they stand among those stored.
        overlaps: (k,) float64, `m = (1/N) sum_i xi_i s_i` with each, in [-1, 1]: exactly 1 for an equal pattern and exactly -1 for
            its inverse.
    """

    positions: NDArray[np.int64]
    overlaps: NDArray[np.float64]


def nearest(stored: Words, query: Queries, neurons: int, count: int) -> Nearest:
    """The stored patterns that a state is nearest to.

    Args:
        stored: (P, ceil(N / 64)) uint64, patterns as `words` gives them, oldest first.
        query: one state; an unknown neuron counts for nothing.
        neurons: N.
        count: how many at most, at least 1.
    """
    known = query.known if len(query.known) else pack(np.ones((1, neurons), np.int8))
    products, ranks = np.empty(len(stored), np.int64), np.empty(len(stored), np.int64)
    overlaps.rank_by_overlap(stored, words(query.bits)[0], words(known)[0], products, ranks)
    positions = np.arange(len(stored)) if count >= len(stored) else np.argpartition(ranks, count)[:count]
    positions = positions[np.argsort(ranks[positions])]
    return Nearest(positions, products[positions] / neurons)
