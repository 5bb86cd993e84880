"""Recall and learning said as plainly as Python can: one neuron at a time, every sum from scratch, nothing of the product.

Python's integers are exact and its floats are IEEE 754 doubles, one operation after the other as written. Where sums are
taken here in the order of the neurons, the product must do the same, to the last bit.
"""

import math
import sys
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

    def uniform(self) -> float:
        """In [0, 1): the highest 53 bits, behind the point."""
        return (self.word() >> 11) / 2**53

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


def exponential(x: float) -> float:
    """`exp(x)` of x <= 0: ln 2 is taken out of x as often as it fits, in two parts, and the rest goes through the series."""
    if x < -36.75:
        return 0.0
    power = math.floor(x * 1.4426950408889634 + 0.5)
    rest = (x - power * 0.693147180369123816490) - power * 1.90821492927058770002e-10
    total = 1.0
    for k in range(13, 0, -1):
        total = 1.0 + total * rest / k
    return math.ldexp(total, power)


def logistic(x: float) -> float:
    """`1 / (1 + exp(-x))`, in which no exponential is larger than 1."""
    if x >= 0:
        return 1.0 / (1.0 + exponential(-x))
    return exponential(x) / (1.0 + exponential(x))


@dataclass
class Weights:
    """A network: `matrix = divisor * J` (or T), of Python's integers or floats, thresholds, and the coding.

    A projection bounds the sums of its rows, `sum_j |J_ij| <= sqrt(N J_ii)`, and says so in `largest_row_sum`; otherwise they are summed.

    States are -1 and 1 in either coding, 0 for unknown. With V = (1 + s) / 2, `T V` is `(T s + T 1) / 2`.
    """

    matrix: list[list[int]] | list[list[float]]
    divisor: float = 1.0
    thresholds: list[float] = field(default_factory=list)
    binary: bool = False
    largest_row_sum: float | None = None

    def __post_init__(self) -> None:
        self.thresholds = self.thresholds or [0.0] * len(self.matrix)

    @property
    def tolerance(self) -> float:
        exact = all(isinstance(weight, int) for row in self.matrix for weight in row)
        if exact and not any(self.thresholds):
            return 0.0
        if self.largest_row_sum is not None:
            return 1e-9 * max(1.0, self.largest_row_sum)
        return 1e-9 * max(1.0, *(in_order(abs(weight) for weight in row) / self.divisor for row in self.matrix))

    def total(self, i: int, state: Sequence[int]) -> float:
        """`divisor * (J s)_i`, or `2 * divisor * (T V)_i`, the diagonal included."""
        total = in_order(weight * s for weight, s in zip(self.matrix[i], state, strict=True))
        return total + in_order(self.matrix[i]) if self.binary else total

    def local_field(self, i: int, state: Sequence[int]) -> float:
        """`sum_j J_ij s_j - U_i`, or `sum_{j != i} T_ij V_j - U_i + T_ii / 2`: of 0 and 1 the diagonal is linear."""
        total = self.total(i, state)
        if self.binary:
            total -= self.matrix[i][i] * state[i]
        return total / (self.divisor * (2 if self.binary else 1)) - self.thresholds[i]

    def energy(self, state: Sequence[int]) -> float:
        """`-1/2 s'Js + U's`, or `-1/2 V'TV + U'V`, here from 2 V, which is whole, with `V_i` for `V_i^2`."""
        values = [s + 1 for s in state] if self.binary else state
        coupling = in_order(self.total(i, state) * values[i] for i in range(len(state)))
        external = in_order(threshold * value for threshold, value in zip(self.thresholds, values, strict=True))
        if self.binary:
            coupling = in_order([coupling, *(self.matrix[i][i] for i, s in enumerate(state) if s == 0)])
            return -0.5 * (coupling / (self.divisor * 4)) + external / 2
        return -0.5 * (coupling / self.divisor) + external

    def decided(self, i: int, state: Sequence[int], tie: str, generator: SplitMix64) -> int:
        h = self.local_field(i, state)
        if abs(h) > self.tolerance:
            return 1 if h > 0 else -1
        if tie == "keep":
            return state[i] or generator.sign()
        return {"plus": 1, "minus": -1}[tie]

    def heated(self, i: int, state: Sequence[int], beta: float, generator: SplitMix64) -> int:
        """+1 with probability `1 / (1 + exp(-2 beta h))`, in 0/1 coding `1 / (1 + exp(-beta h))`: by the energies of its two states.

        They differ by 2 h, or h, of the field without what the neuron adds by its own weight: `J_ii s_i`; in 0/1 coding
        `T_ii (V_i - 1/2)`, since `E` has `-1/2 T_ii V_i` in it.
        """
        total = self.total(i, state) - self.matrix[i][i] * state[i]
        h = total / (self.divisor * (2 if self.binary else 1)) - self.thresholds[i]
        # Any beta is finite: a field of zero has even odds at every temperature.
        gain = min(beta * (1 if self.binary else 2), sys.float_info.max)
        return 1 if generator.uniform() < logistic(gain * h) else -1


@dataclass
class Interactions:
    """A dense memory: `E = -sum_mu F(xi^mu . s)`, `F(z) = z^degree` in whole numbers, or, without a degree, `-ln sum_mu exp(xi^mu . s)`.

    `whole` says whether the product is to find ties exactly, or by the rule for floats.
    """

    patterns: list[list[int]]
    degree: int | None
    whole: bool = True

    def overlap(self, xi: Sequence[int], state: Sequence[int]) -> int:
        return sum(x * s for x, s in zip(xi, state, strict=True))

    def energy(self, state: Sequence[int]) -> float:
        overlaps = [self.overlap(xi, state) for xi in self.patterns]
        if self.degree is not None:
            return -float(sum(overlap**self.degree for overlap in overlaps))
        if not overlaps:
            return 0.0
        largest = max(overlaps)
        return -(largest + math.log(math.fsum(math.exp(overlap - largest) for overlap in overlaps)))

    def terms(self, i: int, state: Sequence[int]) -> list[float] | list[int]:
        """`F(xi_i + c) - F(-xi_i + c)` of each pattern, of exponentials in the unit of the largest."""
        fields = [(xi[i], self.overlap(xi, state) - xi[i] * state[i]) for xi in self.patterns]
        if self.degree is not None:
            return [(x + c) ** self.degree - (c - x) ** self.degree for x, c in fields]
        largest = max((c for _, c in fields), default=0)
        return [math.exp(x + c - largest) - math.exp(c - x - largest) for x, c in fields]

    def decided(self, i: int, state: Sequence[int], tie: str, generator: SplitMix64) -> int:
        terms = self.terms(i, state)
        gap = sum(terms) if self.degree is not None else math.fsum(terms)
        if abs(gap) > (0 if self.whole else 1e-9 * math.fsum(map(abs, terms))):
            return 1 if gap > 0 else -1
        if tie == "keep":
            return state[i] or generator.sign()
        return {"plus": 1, "minus": -1}[tie]

    def heated(self, i: int, state: Sequence[int], beta: float, generator: SplitMix64) -> int:
        """+1 with probability `1 / (1 + exp(-beta (E(-1) - E(+1))))`."""
        low, high = ([*state[:i], s, *state[i + 1 :]] for s in (-1, 1))
        gap = self.energy(low) - self.energy(high) if self.degree is None else float(sum(self.terms(i, state)))
        return 1 if generator.uniform() < logistic(beta * gap) else -1


Couplings = Weights | Interactions


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
    weights: Couplings,
    query: Sequence[int],
    *,
    order: str | Sequence[int] = "random",
    seed: int = 0,
    tie: str = "keep",
    clamp: bool = False,
    max_iterations: int = 100,
    schedule: Sequence[float] = (),
) -> History:
    """One neuron after the other; where there is a schedule, after annealing along it, one sweep at each beta."""
    generator = SplitMix64(seed)
    history = History([list(query)])
    for beta in schedule:
        _glauber_sweep(weights, query, history, beta, generator, clamp=clamp)
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


def glauber(
    weights: Couplings,
    query: Sequence[int],
    *,
    beta: float,
    seed: int = 0,
    clamp: bool = False,
    max_iterations: int = 100,
) -> History:
    """Heated all the time; a neuron that no draw has hit takes its first state at the end."""
    generator = SplitMix64(seed)
    history = History([list(query)])
    for _ in range(max_iterations):
        _glauber_sweep(weights, query, history, beta, generator, clamp=clamp)
    last = history.states[-1]
    for i in range(len(query)):
        if last[i] == 0:
            last[i] = weights.heated(i, last, beta, generator)
    return history


def _glauber_sweep(
    weights: Couplings, query: Sequence[int], history: History, beta: float, generator: SplitMix64, *, clamp: bool
) -> None:
    """N draws of one neuron each, with replacement."""
    state = list(history.states[-1])
    flips = 0
    for _ in query:
        i = generator.below(len(query))
        if not (clamp and query[i] != 0):
            before = state[i]
            state[i] = weights.heated(i, state, beta, generator)
            flips += before == -state[i]
    history.add(state, flips)


def synchronous(
    weights: Couplings,
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


def hebbian_sums(patterns: Sequence[Sequence[int]], neurons: int, *, diagonal: bool = False) -> list[list[int]]:
    """`N J` of Hebb's rule."""
    return [
        [0 if i == j and not diagonal else sum(int(xi[i]) * int(xi[j]) for xi in patterns) for j in range(neurons)]
        for i in range(neurons)
    ]


def storkey(patterns: Sequence[Sequence[int]], neurons: int, *, diagonal: bool = False) -> list[list[float]]:
    """`w_ij += (1/N)(x_i x_j - x_i h_ji - h_ij x_j)`, `h_ij = sum_{k != i, j} w_ik x_k`; the fields never see the diagonal."""
    w = [[0.0] * neurons for _ in range(neurons)]

    def h(i: int, j: int, x: Sequence[int]) -> float:
        return in_order(w[i][k] * x[k] for k in range(neurons) if k not in {i, j})

    for x in patterns:
        w = [
            [
                w[i][j] + (x[i] * x[j] - x[i] * h(j, i, x) - h(i, j, x) * x[j]) / neurons if i != j or diagonal else 0.0
                for j in range(neurons)
            ]
            for i in range(neurons)
        ]
    return w


def storkey_second_order(
    patterns: Sequence[Sequence[int]], neurons: int, *, diagonal: bool = False
) -> list[list[float]]:
    """`w_ij += (1/N)(x_i - h_i)(x_j - h_j)`, `h_i = sum_{k != i} w_ik x_k`."""
    w = [[0.0] * neurons for _ in range(neurons)]
    for x in patterns:
        rest = [x[i] - in_order(w[i][k] * x[k] for k in range(neurons) if k != i) for i in range(neurons)]
        w = [
            [w[i][j] + rest[i] * rest[j] / neurons if i != j or diagonal else 0.0 for j in range(neurons)]
            for i in range(neurons)
        ]
    return w


def perceptron(
    patterns: Sequence[Sequence[int]],
    neurons: int,
    *,
    kappa: float,
    max_sweeps: int,
    thresholds: Sequence[float] = (),
    binary: bool = False,
    diagonal: bool = False,
) -> tuple[list[list[int]], bool, int]:
    """`N J`, whether a sweep found no neuron within the margin, and the sweeps over all patterns that were run."""
    sums = [[0] * neurons for _ in range(neurons)]
    if not patterns:
        return sums, True, 0
    thresholds = thresholds or [0.0] * neurons
    for sweep in range(max_sweeps):
        quiet = True
        for xi in patterns:
            values = [(s + 1) // 2 for s in xi] if binary else xi
            h = [
                (sum(sums[i][j] * values[j] for j in range(neurons) if j != i) + sums[i][i] / 2 * binary) / neurons
                - thresholds[i]
                for i in range(neurons)
            ]
            v = [1 if xi[i] * h[i] <= kappa else 0 for i in range(neurons)]
            quiet = quiet and not any(v)
            for i in range(neurons):
                for j in range(neurons):
                    if i != j:
                        sums[i][j] += v[i] * xi[i] * values[j] + v[j] * xi[j] * values[i]
                    elif diagonal:
                        sums[i][i] += v[i] * xi[i] if binary else 2 * v[i]
        if quiet:
            return sums, True, sweep + 1
    return sums, False, max_sweeps


def rises(values: Sequence[float]) -> float:
    """How much a sequence rises at most from one value to the next; 0 where it never does."""
    return max((after - before for before, after in pairwise(values) if after > before), default=0.0)
