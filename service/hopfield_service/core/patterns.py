"""Patterns as bits and as signs, and their overlaps.

Bits are packed least-significant bit first, each pattern padded to a whole byte with zeros; a set bit is +1. Whatever the coding of
a network, its states are -1 and +1 in here; what depends on the coding is the local field and the energy.
"""

from collections.abc import Iterator
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.kernels import fields

Bits = NDArray[np.uint8]
Signs = NDArray[np.int8]

_BLOCK_NEURONS = 1 << 24


class Coding(IntEnum):
    """The two values a neuron has for the caller."""

    BIPOLAR = fields.BIPOLAR
    BINARY = fields.BINARY


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
    return used == 0 or not bool(np.any(bits[:, -1] >> used))


def overlaps(stored: Bits, state: Bits, neurons: int) -> NDArray[np.float64]:
    """Overlap m = (1/N) sum_i xi_i s_i of a state with each stored pattern.

    Args:
        stored: (P, ceil(N / 8)) uint8, packed patterns.
        state: (ceil(N / 8),) uint8, a packed state.
        neurons: N.

    Returns:
        (P,) float64 in [-1, 1]; exactly 1 for an equal pattern and exactly -1 for its inverse.
    """
    differing: NDArray[np.int64] = np.bitwise_count(stored ^ state).sum(axis=1, dtype=np.int64)
    return (neurons - 2 * differing).astype(np.float64) / neurons


def nearest_patterns(stored: Bits, query: Signs, k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The stored patterns of largest |overlap| with a query, without dynamics.

    Args:
        stored: (P, ceil(N / 8)) uint8, packed patterns, oldest first.
        query: (N,) int8: 1, -1, or 0 for an unknown neuron, which adds nothing to an overlap.
        k: how many are asked for, at least 1.

    Returns:
        Positions, (min(k, P),) int64, by falling |overlap|, the oldest of equals first; and the signed overlaps
        m = (1/N) sum_i xi_i s_i with them, float64 in [-1, 1].
    """
    known = np.packbits(query != 0, bitorder="little")
    differing = np.bitwise_count((stored ^ pack(query[np.newaxis])) & known).sum(axis=1, dtype=np.int64)
    sums = np.count_nonzero(query) - 2 * differing
    positions = np.argsort(-np.abs(sums), kind="stable")[:k].astype(np.int64, copy=False)
    return positions, sums[positions] / len(query)
