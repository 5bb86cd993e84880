"""Patterns as bits and as signs, and their overlaps.

Bits are packed least-significant bit first, each pattern padded to a whole byte with zeros; a set bit is +1. Whatever the coding of
a network, its states are -1 and +1 in here; what depends on the coding is the local field and the energy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.kernels import fields, overlaps

Bits = NDArray[np.uint8]
Signs = NDArray[np.int8]
Words = NDArray[np.uint64]

_BLOCK_NEURONS = 1 << 24
# (256, 8) int8: the eight neurons that a byte packs.
_SIGNS_OF_BYTE = np.where(np.arange(256)[:, np.newaxis] >> np.arange(8) & 1, 1, -1).astype(np.int8)


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
    if len(bits) == 1:
        # In half of the time. For many it would take several times as long.
        signs: Signs = _SIGNS_OF_BYTE.take(bits[0], axis=0).reshape(1, -1)
        return signs[:, :neurons]
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
    return used == 0 or int(bits[:, -1].max(initial=0)) >> used == 0


def words(bits: Bits) -> Words:
    """Packed patterns as kernels compare them, 64 neurons a word: (count, ceil(N / 64)) uint64, of (count, ceil(N / 8)) uint8."""
    count, width = bits.shape
    padded = np.zeros((count, (width + 7) // 8 * 8), np.uint8)
    padded[:, :width] = bits
    return padded.view(np.uint64)


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


def nearest(stored: Words, state: Signs, count: int) -> Nearest:
    """The stored patterns that a state is nearest to.

    Args:
        stored: (P, ceil(N / 64)) uint64, patterns as `words` gives them, oldest first.
        state: (N,) int8: 1, -1, or 0 for an unknown neuron, which counts for nothing.
        count: how many at most, at least 1.
    """
    rows = state[np.newaxis]
    products, ranks = np.empty(len(stored), np.int64), np.empty(len(stored), np.int64)
    overlaps.rank_by_overlap(stored, words(pack(rows))[0], words(pack(np.abs(rows)))[0], products, ranks)
    positions = np.arange(len(stored)) if count >= len(stored) else np.argpartition(ranks, count)[:count]
    positions = positions[np.argsort(ranks[positions])]
    return Nearest(positions, products[positions] / len(state))
