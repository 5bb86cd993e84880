"""The random generator, which is part of the interface: a seed gives the same answer for ever."""

from typing import Any

import numpy as np

from hopfield_service.core.kernels.compilation import Order, Word, compiled, inlined

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_LOW_32 = np.uint64(0xFFFFFFFF)
_TWO_32 = np.uint64(1 << 32)


@compiled
def next_word(generator: Word) -> Any:
    """The next 64 random bits: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), whose state is `generator[0]`."""
    generator[0] += _GAMMA
    return mixed(generator[0])


@inlined
def mixed(z: Any) -> Any:
    """What SplitMix64 makes of its state."""
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


@compiled
def next_below(generator: Word, bound: int) -> int:
    """A uniform integer in [0, bound), 1 <= bound <= 2^32: Lemire's multiplication with rejection, on the high 32 bits."""
    n = np.uint64(bound)
    product = (next_word(generator) >> np.uint64(32)) * n
    if (product & _LOW_32) < n:
        threshold = (_TWO_32 - n) % n
        while (product & _LOW_32) < threshold:
            product = (next_word(generator) >> np.uint64(32)) * n
    return int(product >> np.uint64(32))


@compiled
def next_sign(generator: Word) -> int:
    """-1 or +1, each with probability one half, from the highest of the next 64 bits."""
    return 1 if next_word(generator) >> np.uint64(63) else -1


@compiled
def next_uniform(generator: Word) -> float:
    """A uniform double in [0, 1), a multiple of 2^-53, from the highest 53 of the next 64 bits."""
    return float(next_word(generator) >> np.uint64(11)) * 2.0**-53


@compiled
def shuffle(generator: Word, order: Order, draws: Order) -> None:
    """Fills `order` with a permutation of 0..N-1, each equally likely (Fisher and Yates; Durstenfeld 1964).

    Args:
        generator: of the draws.
        order: (N,), to be written.
        draws: (N,), room: several are drawn at once, and again one by one if any of them may have to be rejected.
    """
    n = order.shape[0]
    before = generator[0]
    rejected = False
    for k in range(n - 1):
        product = (mixed(before + np.uint64(k + 1) * _GAMMA) >> np.uint64(32)) * np.uint64(n - k)
        rejected |= (product & _LOW_32) < np.uint64(n - k)
        draws[k] = np.int32(product >> np.uint64(32))
    if rejected:
        for k in range(n - 1):
            draws[k] = next_below(generator, n - k)
    elif n > 0:
        generator[0] = before + np.uint64(n - 1) * _GAMMA
    for i in range(n):
        order[i] = i
    for k in range(n - 1):
        i, j = n - 1 - k, draws[k]
        order[i], order[j] = order[j], order[i]
