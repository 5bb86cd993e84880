"""Recall: the dynamics of a pairwise network from a query until they settle. Fields and energies: see LocalField."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, IntEnum

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.interruption import Interruption, check
from hopfield_service.core.kernels import updates
from hopfield_service.core.local_field import LocalField
from hopfield_service.core.patterns import Coding, Signs, Words, nearest

# What a kernel does between two questions whether anybody still waits, in additions: about ten milliseconds. A visit to a
# neuron takes as long as some additions, and a flip one addition a neuron. A sweep is never interrupted.
_WORK_BETWEEN_QUESTIONS = 1 << 24
_VISIT = 64


class UpdateRule(Enum):
    """Which neurons are updated when."""

    ASYNCHRONOUS = "asynchronous"
    SYNCHRONOUS = "synchronous"
    GLAUBER = "glauber"


class Order(Enum):
    """In which order the neurons are visited, one after the other."""

    RANDOM = "random"
    SEQUENTIAL = "sequential"


class TieRule(IntEnum):
    """What a neuron does in a local field of zero."""

    KEEP = updates.TIE_KEEP
    PLUS = updates.TIE_PLUS
    MINUS = updates.TIE_MINUS


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


@dataclass(frozen=True, slots=True)
class RecallOptions:
    """How a recall is run.

    Attributes:
        seed: of the generator, 0 to 2^64 - 1.
        update: which neurons are updated when.
        order: of the visits, for asynchronous updates: drawn anew each iteration, ascending, or (N,) int64 with every
            neuron once.
        max_iterations: at most so many sweeps, at least 1; exactly so many where `beta` is a number.
        tie: what a neuron does in a local field of zero.
        clamp: hold the known neurons of the query fixed.
        beta: for Glauber updates, finite and not negative: the inverse temperature of every sweep; or that of each of some
            sweeps, (sweeps,) float64, which asynchronous ones then follow. None for the other updates.
    """

    seed: int
    update: UpdateRule = UpdateRule.ASYNCHRONOUS
    order: Order | NDArray[np.int64] = Order.RANDOM
    max_iterations: int = 100
    tie: TieRule = TieRule.KEEP
    clamp: bool = False
    beta: float | NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RecallResult:
    """The answer of a recall.

    Attributes:
        state: (N,) int8, every value 1 or -1.
        energy: of that state.
        initial_energy: of the query, an unknown neuron half-way between its values.
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


@dataclass(frozen=True, slots=True, eq=False)
class TraceStep:
    """One step of a recall that is watched.

    Attributes:
        iteration: how many were run when the state was reached; 0 for the query.
        state: (N,) int8: 1, -1, or 0 for a neuron that is still unknown.
        energy: of that state, an unknown neuron half-way between its values.
        flips: how often a neuron changed between 1 and -1 in this iteration.
    """

    iteration: int
    state: Signs
    energy: float
    flips: int


class Trajectory:
    """A recall under way, which goes on from where it is as often as asked, with the same results however it is cut.

    Attributes:
        state: (N,) int8, where it is.
        iterations: sweeps run so far.
        flips: of neurons that were 1 or -1 before, so far.
        stop_reason: why it ended, or None while it goes on.
    """

    def __init__(self, local_field: LocalField, query: Signs, options: RecallOptions) -> None:
        """Starts at the query.

        Args:
            local_field: of the network.
            query: (N,) int8: 1, -1, or 0 for an unknown neuron. Left as it is.
            options: how to run it.
        """
        neurons = len(query)
        self._field = local_field
        self._options = options
        self.state = query.astype(np.int8)
        self._before = np.zeros(neurons, np.int8)
        self._sums = local_field.sums(self.state)
        self._held = (self.state != 0) if options.clamp else np.zeros(neurons, np.bool_)
        self._order = np.arange(neurons) if isinstance(options.order, Order) else options.order.astype(np.int64)
        self._generator = np.array([options.seed], np.uint64)
        self._counters = np.zeros(2, np.int64)
        self._gains = self._gains_of(options)
        # How many iterations have a temperature, and how many there are at most.
        self._heated, self._limit = 0, options.max_iterations
        if isinstance(options.beta, np.ndarray):
            self._heated = len(options.beta)
            self._limit += self._heated
        elif options.beta is not None:
            self._heated = options.max_iterations
        self.stop_reason: StopReason | None = None

    def _gains_of(self, options: RecallOptions) -> NDArray[np.float64]:
        """What the field is multiplied by in the exponent: 2 beta; beta where fields are twice as large."""
        factor = 1.0 if self._field.coding is Coding.BINARY else 2.0
        beta = np.atleast_1d(np.asarray(0.0 if options.beta is None else options.beta, np.float64))
        # Finite, since a field of zero is to have even odds at any temperature.
        largest = np.finfo(np.float64).max / factor
        return np.minimum(beta, largest) * factor

    @property
    def iterations(self) -> int:
        """Sweeps run so far."""
        return int(self._counters[updates.ITERATIONS])

    @property
    def flips(self) -> int:
        """Changes of neurons that were 1 or -1 before, so far."""
        return int(self._counters[updates.FLIPS])

    def energy(self) -> float:
        """Energy of the present state, from sums taken anew where sums are rounded, so that it depends on the state alone."""
        rounded = self._sums.dtype == np.float64
        return self._field.energy(self.state, self._field.sums(self.state) if rounded else self._sums)

    def advance(self, iterations: int) -> None:
        """Runs at most so many iterations, fewer where it ends; none where it has ended."""
        end = min(self.iterations + iterations, self._limit)
        if self.stop_reason is None and self.iterations < self._heated:
            self._heat(min(end, self._heated) - self.iterations)
        if self.stop_reason is None and self.iterations < end:
            self._cool(end - self.iterations)
        if self.stop_reason is None and self.iterations == self._limit:
            self.stop_reason = StopReason.ITERATION_LIMIT

    def _heat(self, sweeps: int) -> None:
        local_field = self._field
        network = (local_field.weights, local_field.scale, local_field.thresholds)
        updates.glauber(
            *network, self._gains, self._held, self.state, self._sums, self._generator, self._counters, sweeps
        )
        if self.iterations == self._limit:
            last = float(self._gains[-1])
            updates.heat_unknown(*network, last, self.state, self._sums, self._generator, self._counters)

    def _cool(self, sweeps: int) -> None:
        local_field, options = self._field, self._options
        network = (local_field.weights, local_field.scale, local_field.thresholds, local_field.tolerance)
        if options.update is UpdateRule.SYNCHRONOUS:
            status = updates.synchronous(
                *network,
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
            status = updates.asynchronous(
                *network,
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
        self.stop_reason = {updates.CONVERGED: StopReason.CONVERGED, updates.CYCLE: StopReason.CYCLE}.get(status)

    def settle(self, interruption: Interruption) -> StopReason:
        """Runs to the end, asking every few milliseconds, or after each sweep where that takes longer, whether to go on.

        Raises:
            Interrupted: `interruption` said so.
        """
        neurons = len(self.state)
        iterations = max(1, _WORK_BETWEEN_QUESTIONS // (neurons * (neurons + _VISIT)))
        while self.stop_reason is None:
            check(interruption)
            self.advance(iterations)
        return self.stop_reason

    def steps(self, interruption: Interruption) -> Iterator[TraceStep]:
        """Runs to the end, iteration by iteration.

        Yields:
            The query, then where each iteration ended.

        Raises:
            Interrupted: `interruption` said so.
        """
        yield TraceStep(0, self.state.copy(), self.energy(), 0)
        while self.stop_reason is None:
            check(interruption)
            before = self.flips
            self.advance(1)
            yield TraceStep(self.iterations, self.state.copy(), self.energy(), self.flips - before)


def match(stored: Words, state: Signs) -> tuple[int | None, float | None, Match]:
    """Which stored pattern a state is nearest to by |overlap|, the oldest of equals.

    Args:
        stored: (P, ceil(N / 64)) uint64, patterns as `words` gives them, oldest first.
        state: (N,) int8, every value 1 or -1.

    Returns:
        Its position and the signed overlap with it (None where nothing is stored), and what the state is.
    """
    if not len(stored):
        return None, None, Match.NONE
    found = nearest(stored, state, 1)
    overlap = float(found.overlaps[0])
    return int(found.positions[0]), overlap, {1.0: Match.PATTERN, -1.0: Match.INVERSE}.get(overlap, Match.SPURIOUS)
