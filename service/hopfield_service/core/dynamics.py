"""Recall: the dynamics of a pairwise network from queries until they settle."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, IntEnum
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.interruption import Interruption, check
from hopfield_service.core.kernels import recall, updates
from hopfield_service.core.kernels.couplings import Basis, Couplings, Matrix, Patterns
from hopfield_service.core.patterns import Bits, Coding, Signs, Words, row_bytes

# What a kernel does between two questions whether anybody still waits, in additions: about ten milliseconds. A visit to a
# neuron takes as long as some additions, and a sweep at most one for each neuron and each value kept. A sweep is never interrupted.
_WORK_BETWEEN_QUESTIONS = 1 << 24
_VISIT = 64
# Recalls that are under way at the same time, so that what is kept of them stays in the cache.
_BLOCK = 64


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


@dataclass(frozen=True, slots=True, eq=False)
class RecallResults:
    """The answers of some recalls: a column a field of RecallResult, entry k of each for query k.

    Attributes:
        bits: (count, ceil(N / 8)) uint8, the states, packed.
        energies: (count,) float64.
        initial_energies: (count,) float64.
        iterations: (count,) int64.
        flips: (count,) int64.
        stop_reasons: count of them.
        nearest: (count,) int64; -1 where nothing is stored.
        overlaps: (count,) float64; NaN where nothing is stored.
        matches: count of them.
    """

    bits: Bits
    energies: NDArray[np.float64]
    initial_energies: NDArray[np.float64]
    iterations: NDArray[np.int64]
    flips: NDArray[np.int64]
    stop_reasons: list[StopReason]
    nearest: NDArray[np.int64]
    overlaps: NDArray[np.float64]
    matches: list[Match]


class Dynamics:
    """What the recalls of a network need of it: its weights in the forms that suit them, and its patterns."""

    def __init__(self, form: Couplings, heated_form: Couplings, values: Any, stored: Words) -> None:
        """Takes what is needed.

        Args:
            form: of the weights, for updates by the sign of the field.
            heated_form: of the weights, for updates by the size of the field.
            values: dtype of what `form` keeps of a state; another `heated_form` keeps float64.
            stored: (P, ceil(N / 64)) uint64, the patterns.
        """
        self.form = form
        self.heated_form = heated_form
        self.value = np.empty(0, values)
        self.stored = recall.Stored(stored, np.zeros((len(stored), 6), np.bool_))

    def form_for(self, options: RecallOptions) -> tuple[Couplings, NDArray[Any]]:
        """The form of the weights for some options, and an empty array of the dtype of what it keeps of a state."""
        if options.beta is None or self.heated_form is self.form:
            return self.form, self.value
        return self.heated_form, _FLOAT

    def wide(self) -> "Dynamics":
        """The same, with room for the overlaps of the largest networks."""
        return Dynamics(self.form, self.heated_form, np.int64, self.stored.words)

    @property
    def nbytes(self) -> int:
        """Bytes it takes in memory beside the patterns."""
        parts = [part for form in (self.form, self.heated_form) for part in form if isinstance(part, np.ndarray)]
        return sum({id(part): part.nbytes for part in parts}.values())


class Trajectories:
    """Recalls under way, which go on from where they are as often as asked, with the same results however they are cut.

    Each goes its way as if it were alone; query k has the seed of the options plus k (mod 2^64).

    Attributes:
        courses: where they are.
    """

    def __init__(self, dynamics: Dynamics, queries: Signs, options: RecallOptions) -> None:
        """Starts at the queries.

        Args:
            dynamics: of the network.
            queries: (count, N) int8: 1, -1, or 0 for an unknown neuron. Left as they are.
            options: how to run them.
        """
        count, neurons = queries.shape
        self._form, value = dynamics.form_for(options)
        (values, rounded, room), self._sweeps = _sizes_of(self._form), _sweeps_between_questions(self._form)
        self._stored = dynamics.stored
        self._rules = _rules(options, neurons, self._form.coding)
        before = neurons if options.update is UpdateRule.SYNCHRONOUS else 0
        generators = np.empty((count, 1), np.uint64)
        generators[:] = options.seed
        self.courses = recall.Courses(
            states=queries.copy(),
            before=np.zeros((count + 1, before), np.int8),
            held=np.zeros((count, neurons), np.bool_),
            words=np.empty((count, -(-neurons // 64)), np.uint64),
            values=np.empty((count, values), value.dtype),
            rounded=np.empty((count, rounded), np.int16),
            room=np.empty(room),
            generators=generators,
            numbers=np.zeros((count, 5), np.int64),
            energies=np.empty((count, 2)),
        )

    def settle(self, interruption: Interruption) -> None:
        """Runs from the queries to the end, asking every few milliseconds, or after each sweep where that takes longer, whether to go on.

        Raises:
            Interrupted: `interruption` said so.
        """
        check(interruption)
        self.start()
        while not self.advance(self._sweeps):
            check(interruption)
        self.finish()

    def start(self) -> None:
        """Begins, for whoever goes step by step."""
        recall.start(self._form, self._rules, self.courses)

    def advance(self, iterations: int) -> int:
        """Runs so many iterations altogether, fewer where all recalls end: returns how many are left."""
        left: int = recall.advance(self._form, self._rules, self._stored, self.courses, iterations)
        return left

    def finish(self) -> None:
        """Says of every recall what its state is."""
        recall.finish(self._form, self._stored, self.courses)

    def energies(self) -> NDArray[np.float64]:
        """Energies of the present states, (count,) float64, which depend on the states alone and not on the way to them."""
        aside = self.courses._replace(
            values=np.empty_like(self.courses.values),
            rounded=np.empty_like(self.courses.rounded),
            energies=np.empty_like(self.courses.energies),
        )
        recall.measure_all(self._form, aside)
        return aside.energies[:, recall.PRESENT]

    def steps(self, interruption: Interruption) -> Iterator[TraceStep]:
        """Runs the first recall to the end, iteration by iteration, and finishes it.

        Yields:
            The query, then where each iteration ended.

        Raises:
            Interrupted: `interruption` said so.
        """
        courses = self.courses
        self.start()
        yield TraceStep(0, courses.states[0].copy(), float(courses.energies[0, recall.INITIAL]), 0)
        while courses.numbers[0, recall.STATUS] == updates.RUNNING:
            check(interruption)
            before = int(courses.numbers[0, updates.FLIPS])
            self.advance(1)
            iterations, flips = courses.numbers[0, : recall.STATUS].tolist()
            yield TraceStep(iterations, courses.states[0].copy(), float(self.energies()[0]), flips - before)
        self.finish()

    def result(self) -> RecallResult:
        """What the first recall found, when it has ended."""
        energy, initial_energy = self.courses.energies[0].tolist()
        return _result(self.courses.states[0], energy, initial_energy, *self.courses.numbers[0].tolist())

    def results(self) -> RecallResults:
        """What all recalls found, when they have ended."""
        courses = self.courses
        neurons = courses.states.shape[1]
        iterations, flips, statuses, positions, products = courses.numbers.T
        return RecallResults(
            bits=courses.words.view(np.uint8)[:, : row_bytes(neurons)],
            energies=courses.energies[:, recall.PRESENT],
            initial_energies=courses.energies[:, recall.INITIAL],
            iterations=iterations,
            flips=flips,
            stop_reasons=[_STOP_REASONS[status] for status in statuses.tolist()],
            nearest=positions,
            overlaps=np.where(positions < 0, np.nan, products / neurons),
            matches=[
                _match(position, product, neurons)
                for position, product in zip(positions.tolist(), products.tolist(), strict=True)
            ],
        )


def recall_one(dynamics: Dynamics, query: Signs, options: RecallOptions, interruption: Interruption) -> RecallResult:
    """Runs the dynamics from one query.

    Args:
        dynamics: of the network.
        query: (N,) int8: 1, -1, or 0 for an unknown neuron. Left as it is.
        options: how to run them.
        interruption: asked every few milliseconds.

    Raises:
        Interrupted: `interruption` said so.
    """
    check(interruption)
    form, value = dynamics.form_for(options)
    rules = _rules(options, len(query), form.coding)
    seed, sweeps = np.uint64(options.seed), _sweeps_between_questions(form)
    left, state, energy, initial_energy, *numbers = recall.run(
        form, rules, dynamics.stored, query, seed, value, _sizes_of(form), sweeps
    )
    if left:
        return _result(state, energy, initial_energy, *numbers)
    # It takes longer, and has to be asked whether it is still waited for.
    trajectories = Trajectories(dynamics, query[np.newaxis], options)
    trajectories.settle(interruption)
    return trajectories.result()


def recall_all(
    dynamics: Dynamics, queries: Signs, options: RecallOptions, interruption: Interruption
) -> Iterator[RecallResults]:
    """Runs the dynamics from each query, some at a time; query k with the seed plus k (mod 2^64).

    Args:
        dynamics: of the network.
        queries: (count, N) int8: 1, -1, or 0 for an unknown neuron. Left as they are.
        options: how to run them.
        interruption: asked every few milliseconds.

    Raises:
        Interrupted: `interruption` said so.
    """
    for first in range(0, len(queries), _BLOCK):
        seed = (options.seed + first) % (1 << 64)
        trajectories = Trajectories(dynamics, queries[first : first + _BLOCK], replace(options, seed=seed))
        trajectories.settle(interruption)
        yield trajectories.results()


# By what a kernel says.
_STOP_REASONS = {
    updates.CONVERGED: StopReason.CONVERGED,
    updates.CYCLE: StopReason.CYCLE,
    recall.LIMIT: StopReason.ITERATION_LIMIT,
}
_NO_GAINS = np.zeros(1)


_FLOAT = np.empty(0)


def _sizes_of(form: Couplings) -> tuple[int, int, int]:
    """How many values a form keeps of a state, how many of them rounded, and how much room it takes for the energy."""
    match form:
        case Matrix():
            return len(form.totals), 0, len(form.rest_totals)
        case Patterns():
            return form.rows.shape[1], 0, 0
        case Basis():
            return form.exact.shape[1], form.rows.shape[1], 0


def _sweeps_between_questions(form: Couplings) -> int:
    neurons, values = form.weights.shape if isinstance(form, Matrix) else form.rows.shape
    return max(1, _WORK_BETWEEN_QUESTIONS // int(neurons * (values + _VISIT)))


def _rules(options: RecallOptions, neurons: int, coding: int) -> recall.Rules:
    if isinstance(options.order, Order) and options.beta is None:
        return _common_rules(options.update, options.order, neurons, options.tie, options.clamp, options.max_iterations)
    heated, limit, gains = 0, options.max_iterations, _NO_GAINS
    if options.beta is not None:
        # What the field is multiplied by in the exponent: 2 beta; beta where fields are twice as large.
        factor = 1.0 if coding == Coding.BINARY else 2.0
        # Finite, since a field of zero is to have even odds at any temperature.
        gains = np.minimum(np.atleast_1d(options.beta), np.finfo(np.float64).max / factor) * factor
        if isinstance(options.beta, np.ndarray):
            heated = len(gains)
            limit += heated
        else:
            heated = limit
    common = _common_rules(options.update, Order.RANDOM, neurons, options.tie, options.clamp, limit)
    order = options.order
    if not isinstance(order, Order):
        common = common._replace(random_order=False, order=order.astype(np.int32))
    elif order is Order.SEQUENTIAL:
        common = _common_rules(options.update, order, neurons, options.tie, options.clamp, limit)
    return common._replace(gains=gains, heated=heated)


@lru_cache(maxsize=64)
def _common_rules(
    update: UpdateRule, order: Order, neurons: int, tie: TieRule, clamp: bool, limit: int
) -> recall.Rules:
    return recall.Rules(
        update=recall.SYNCHRONOUS if update is UpdateRule.SYNCHRONOUS else recall.ASYNCHRONOUS,
        random_order=order is Order.RANDOM,
        order=np.arange(neurons if order is Order.SEQUENTIAL else 0, dtype=np.int32),
        tie=int(tie),
        clamp=clamp,
        gains=_NO_GAINS,
        heated=0,
        limit=limit,
    )


def _result(
    state: Signs,
    energy: float,
    initial_energy: float,
    iterations: int,
    flips: int,
    status: int,
    position: int,
    product: int,
) -> RecallResult:
    stored = position >= 0
    return RecallResult(
        state=state,
        energy=energy,
        initial_energy=initial_energy,
        iterations=iterations,
        flips=flips,
        stop_reason=_STOP_REASONS[status],
        nearest=position if stored else None,
        overlap=product / len(state) if stored else None,
        match=_match(position, product, len(state)),
    )


def _match(position: int, product: int, neurons: int) -> Match:
    """What a state is, by its overlap with the nearest pattern."""
    if position < 0:
        return Match.NONE
    if product == neurons:
        return Match.PATTERN
    return Match.INVERSE if product == -neurons else Match.SPURIOUS
