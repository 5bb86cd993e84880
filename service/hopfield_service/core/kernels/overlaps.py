"""Overlaps of packed patterns: of two states of N neurons, N less twice the neurons in which they differ.

Patterns are packed 64 neurons a word. Which bit of a word is which neuron does not matter, as long as it is the same in all
that are compared.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.kernels.compilation import Indices, compiled, popcount

Words = NDArray[np.uint64]


@compiled
def overlap(pattern: Words, state: Words, known: Words, known_count: int) -> Any:
    """`sum_i xi_i s_i` of a pattern and a state, whose neurons that are not `known` are 0 and whose bits there are clear.

    Args:
        pattern: (W,), packed.
        state: (W,), packed.
        known: (W,), packed; clear behind the last neuron.
        known_count: how many bits of `known` are set.
    """
    differing = np.uint64(0)
    for w in range(pattern.shape[0]):
        differing += popcount((pattern[w] ^ state[w]) & known[w])
    return known_count - 2 * np.int64(differing)


@compiled
def bits_set(words: Words) -> Any:
    """How many bits are set."""
    count = np.uint64(0)
    for w in range(words.shape[0]):
        count += popcount(words[w])
    return np.int64(count)


@compiled
def rank_by_overlap(patterns: Words, state: Words, known: Words, overlaps: Indices, ranks: Indices) -> None:
    """Writes the overlap with each pattern, and a number that is the smaller the nearer the pattern: no two are equal.

    Nearer is a larger overlap in size and, of equals, the older: `-|N m| P` less what is left of P behind the pattern.
    At most 2^17 neurons times 2^24 patterns, which an int64 holds.
    """
    count = patterns.shape[0]
    known_count = bits_set(known)
    for mu in range(count):
        overlaps[mu] = overlap(patterns[mu], state, known, known_count)
        ranks[mu] = mu - abs(overlaps[mu]) * count
