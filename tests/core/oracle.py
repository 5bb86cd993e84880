"""Recall said as plainly as Python can: one neuron at a time, every sum from scratch, no arrays, nothing of the product.

Python's integers are exact and its floats are IEEE 754 doubles, one operation after the other as written. Where sums are
taken here in the order of the neurons, the product must do the same, to the last bit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

_MASK = (1 << 64) - 1


class SplitMix64:
    """The generator that is part of the interface: Steele, Lea and Flood (2014), and what is drawn from its words."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def word(self) -> int:
        self.state = (self.state + 0x9E3779B97F4A7C15) & _MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def below(self, bound: int) -> int:
        """Lemire (2019) on the high 32 bits: of the 2^32 products, the first 2^32 mod bound of each residue are drawn again."""
        while True:
            product = (self.word() >> 32) * bound
            if product % 2**32 >= 2**32 % bound:
                return product >> 32

    def sign(self) -> int:
        return 1 if self.word() >= 1 << 63 else -1

    def permutation(self, count: int) -> list[int]:
        """Fisher and Yates, from the last place to the second, on the identity."""
        order = list(range(count))
        for i in range(count - 1, 0, -1):
            j = self.below(i + 1)
            order[i], order[j] = order[j], order[i]
        return order


def in_order(values: Iterable[float]) -> float:
    """Their sum, one after the other: since Python 3.12 the sum() of floats carries a correction along."""
    total: float = 0
    for value in values:
        total += value
    return total


@dataclass
class Weights:
    """A network: `matrix = divisor * J`, of Python's integers or floats, and thresholds."""

    matrix: list[list[int]] | list[list[float]]
    divisor: float = 1.0
    thresholds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.thresholds = self.thresholds or [0.0] * len(self.matrix)

    @property
    def tolerance(self) -> float:
        exact = all(isinstance(weight, int) for row in self.matrix for weight in row)
        if exact and not any(self.thresholds):
            return 0.0
        return 1e-9 * max(1.0, *(in_order(abs(weight) for weight in row) / self.divisor for row in self.matrix))

    def total(self, i: int, state: Sequence[int]) -> float:
        return in_order(weight * s for weight, s in zip(self.matrix[i], state, strict=True))

    def local_field(self, i: int, state: Sequence[int]) -> float:
        return self.total(i, state) / self.divisor - self.thresholds[i]

    def energy(self, state: Sequence[int]) -> float:
        coupling = in_order(self.total(i, state) * state[i] for i in range(len(state)))
        external = in_order(threshold * s for threshold, s in zip(self.thresholds, state, strict=True))
        return -0.5 * (coupling / self.divisor) + external

    def decided(self, i: int, state: Sequence[int], tie: str, generator: SplitMix64) -> int:
        h = self.local_field(i, state)
        if abs(h) > self.tolerance:
            return 1 if h > 0 else -1
        if tie == "keep":
            return state[i] or generator.sign()
        return {"plus": 1, "minus": -1}[tie]


@dataclass
class History:
    """A recall: the state after each iteration (the query before the first), the flips up to then, why it ended."""

    states: list[list[int]]
    stop_reason: str = "iteration_limit"
    flips: list[int] = field(default_factory=lambda: [0])

    def add(self, state: list[int], flips: int) -> bool:
        """Takes note of an iteration, and says whether it changed nothing."""
        quiet = state == self.states[-1]
        self.states.append(state)
        self.flips.append(self.flips[-1] + flips)
        return quiet


def asynchronous(
    weights: Weights,
    query: Sequence[int],
    *,
    order: str | Sequence[int] = "random",
    seed: int = 0,
    tie: str = "keep",
    clamp: bool = False,
    max_iterations: int = 100,
) -> History:
    generator = SplitMix64(seed)
    history = History([list(query)])
    for _ in range(max_iterations):
        state = list(history.states[-1])
        flips = 0
        if order == "random":
            visits: Sequence[int] = generator.permutation(len(query))
        elif order == "sequential":
            visits = range(len(query))
        else:
            visits = [int(i) for i in order]
        for i in visits:
            if clamp and query[i] != 0:
                continue
            before = state[i]
            state[i] = weights.decided(i, state, tie, generator)
            flips += before == -state[i]
        if history.add(state, flips):
            history.stop_reason = "converged"
            break
    return history


def synchronous(
    weights: Weights,
    query: Sequence[int],
    *,
    seed: int = 0,
    tie: str = "keep",
    clamp: bool = False,
    max_iterations: int = 100,
) -> History:
    generator = SplitMix64(seed)
    history = History([list(query)])
    for _ in range(max_iterations):
        present = history.states[-1]
        state = [
            query[i] if clamp and query[i] != 0 else weights.decided(i, present, tie, generator)
            for i in range(len(query))
        ]
        if history.add(state, sum(before == -after for before, after in zip(present, state, strict=True))):
            history.stop_reason = "converged"
            break
        if len(history.states) > 2 and state == history.states[-3]:
            history.stop_reason = "cycle"
            break
    return history


def hebbian_sums(patterns: Sequence[Sequence[int]], neurons: int) -> list[list[int]]:
    """`N J` of Hebb's rule."""
    return [
        [0 if i == j else sum(int(xi[i]) * int(xi[j]) for xi in patterns) for j in range(neurons)]
        for i in range(neurons)
    ]


def rises(values: Sequence[float]) -> float:
    """How much a sequence rises at most from one value to the next; 0 where it never does."""
    return max((after - before for before, after in pairwise(values) if after > before), default=0.0)
