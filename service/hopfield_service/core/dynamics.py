"""Recall: the dynamics of a pairwise network from a query until they settle.

State `s in {-1, +1}^N`, local field `h = J s - U`, energy `E = -1/2 s'Js + U's` (Hopfield 1982).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core import kernels
from hopfield_service.core.patterns import Bits, Signs, overlaps, pack

# What a kernel does between two questions whether anybody still waits, in additions: about ten milliseconds. A visit to a
# neuron takes as long as some additions, and a flip one addition a neuron. A sweep is never interrupted.
_WORK_BETWEEN_QUESTIONS = 1 << 24
_VISIT = 64


class UpdateRule(Enum):
    """Which neurons are updated when."""

    ASYNCHRONOUS = "asynchronous"
    SYNCHRONOUS = "synchronous"


class Order(Enum):
    """In which order the neurons are visited, one after the other."""

    RANDOM = "random"
    SEQUENTIAL = "sequential"


class TieRule(IntEnum):
    """What a neuron does in a local field of zero."""

    KEEP = kernels.TIE_KEEP
    PLUS = kernels.TIE_PLUS
    MINUS = kernels.TIE_MINUS


class StopReason(Enum):
    """Why a recall ended."""

    CONVERGED = "converged"
    CYCLE = "cycle"
    ITERATION_LIMIT = "iteration_limit"


class Match(Enum):
    """What the answer of a recall is."""

    PATTERN = "pattern"
    INVERSE = "inverse"
    SPURIOUS = "spurious"
    NONE = "none"


class RecallInterrupted(Exception):
    """Nobody waits for the answer any longer."""


@dataclass(frozen=True, slots=True)
class RecallOptions:
    """How a recall is run.

    Attributes:
        seed: of the generator, 0 to 2^64 - 1.
        update: which neurons are updated when.
        order: of the visits, for asynchronous updates: drawn anew each iteration, ascending, or (N,) int64 with every
            neuron once.
        max_iterations: at most so many sweeps, at least 1.
        tie: what a neuron does in a local field of zero.
        clamp: hold the known neurons of the query fixed.
    """

    seed: int
    update: UpdateRule = UpdateRule.ASYNCHRONOUS
    order: Order | NDArray[np.int64] = Order.RANDOM
    max_iterations: int = 100
    tie: TieRule = TieRule.KEEP
    clamp: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class RecallResult:
    """The answer of a recall.

    Attributes:
        state: (N,) int8, every value 1 or -1.
        energy: of that state.
        initial_energy: of the query, an unknown neuron counting as 0.
        iterations: sweeps run, the quiet one that proves convergence included.
        flips: how often a neuron changed between 1 and -1.
        stop_reason: why it ended.
        nearest: position of the stored pattern with the largest |overlap|, the oldest of equals; None if none is stored.
        overlap: with that pattern; None if none is stored.
        match: what the state is.
    """

    state: Signs
    energy: float
    initial_energy: float
    iterations: int
    flips: int
    stop_reason: StopReason
    nearest: int | None
    overlap: float | None
    match: Match


class Trajectory:
    """A recall under way, which goes on from where it is as often as asked, with the same results however it is cut.

    Attributes:
        state: (N,) int8, where it is.
        iterations: sweeps run so far.
        flips: of neurons that were 1 or -1 before, so far.
        stop_reason: why it ended, or None while it goes on.
    """

    def __init__(
        self,
        weights: NDArray[Any],
        divisor: float,
        thresholds: NDArray[np.float64],
        tolerance: float,
        query: Signs,
        options: RecallOptions,
    ) -> None:
        """Starts at the query.

        Args:
            weights: (N, N) int32 or float64, symmetric, `divisor * J`.
            divisor: the scale of the weights.
            thresholds: (N,) float64.
            tolerance: a field of at most this size counts as zero.
            query: (N,) int8: 1, -1, or 0 for an unknown neuron. Left as it is.
            options: how to run it.
        """
        neurons = len(query)
        self._weights = weights
        self._divisor = divisor
        self._thresholds = thresholds
        self._tolerance = tolerance
        self._options = options
        self.state = query.astype(np.int8)
        self._before = np.zeros(neurons, np.int8)
        # A sum is at most (N - 1) P in size, for the largest N and P that Settings allows below 2^17 * 2^24.
        self._sums: NDArray[Any] = np.empty(neurons, np.int64 if weights.dtype == np.int32 else np.float64)
        kernels.weighted_sums(weights, self.state, self._sums)
        self._held = (self.state != 0) if options.clamp else np.zeros(neurons, np.bool_)
        self._order = np.arange(neurons) if isinstance(options.order, Order) else options.order.astype(np.int64)
        self._generator = np.array([options.seed], np.uint64)
        self._counters = np.zeros(2, np.int64)
        self.stop_reason: StopReason | None = None

    @property
    def iterations(self) -> int:
        """Sweeps run so far."""
        return int(self._counters[kernels.ITERATIONS])

    @property
    def flips(self) -> int:
        """Changes of neurons that were 1 or -1 before, so far."""
        return int(self._counters[kernels.FLIPS])

    def energy(self) -> float:
        """Energy of the present state, from sums taken anew where sums are rounded, so that it depends on the state alone."""
        if self._sums.dtype == np.float64:
            sums = np.empty_like(self._sums)
            kernels.weighted_sums(self._weights, self.state, sums)
        else:
            sums = self._sums
        return float(kernels.energy(sums, self._divisor, self._thresholds, self.state))

    def advance(self, iterations: int) -> None:
        """Runs at most so many iterations, fewer where it ends; none where it has ended."""
        if self.stop_reason is not None:
            return
        options = self._options
        sweeps = min(iterations, options.max_iterations - self.iterations)
        if options.update is UpdateRule.SYNCHRONOUS:
            status = kernels.synchronous(
                self._weights,
                self._divisor,
                self._thresholds,
                self._tolerance,
                int(options.tie),
                self._held,
                self.state,
                self._before,
                self._sums,
                self._generator,
                self._counters,
                sweeps,
            )
        else:
            status = kernels.asynchronous(
                self._weights,
                self._divisor,
                self._thresholds,
                self._tolerance,
                int(options.tie),
                options.order is Order.RANDOM,
                self._held,
                self.state,
                self._sums,
                self._order,
                self._generator,
                self._counters,
                sweeps,
            )
        if status == kernels.CONVERGED:
            self.stop_reason = StopReason.CONVERGED
        elif status == kernels.CYCLE:
            self.stop_reason = StopReason.CYCLE
        elif self.iterations >= options.max_iterations:
            self.stop_reason = StopReason.ITERATION_LIMIT

    def settle(self, interrupted: Callable[[], bool]) -> StopReason:
        """Runs to the end, asking every few milliseconds, or after each sweep where that takes longer, whether to go on.

        Raises:
            RecallInterrupted: `interrupted` said so.
        """
        neurons = len(self.state)
        iterations = max(1, _WORK_BETWEEN_QUESTIONS // (neurons * (neurons + _VISIT)))
        while self.stop_reason is None:
            if interrupted():
                raise RecallInterrupted
            self.advance(iterations)
        return self.stop_reason


def nearest(stored: Bits, state: Signs) -> tuple[int | None, float | None, Match]:
    """Which stored pattern a state is nearest to by |overlap|, the oldest of equals.

    Args:
        stored: (P, ceil(N / 8)) uint8, packed patterns, oldest first.
        state: (N,) int8, every value 1 or -1.

    Returns:
        Its position and the signed overlap with it (None where nothing is stored), and what the state is.
    """
    if not len(stored):
        return None, None, Match.NONE
    m = overlaps(stored, pack(state[np.newaxis])[0], len(state))
    position = int(np.argmax(np.abs(m)))
    overlap = float(m[position])
    match = {1.0: Match.PATTERN, -1.0: Match.INVERSE}.get(overlap, Match.SPURIOUS)
    return position, overlap, match
