"""Recall: the dynamics of a network of neurons from queries until they settle."""

from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from hopfield_service.core.interruption import Interruption, check
from hopfield_service.core.kernels import recall, updates
from hopfield_service.core.kernels.compilation import specialised
from hopfield_service.core.kernels.couplings import Basis, Couplings, Kept, Matrix, Patterns
from hopfield_service.core.kernels.interactions import SHARES, Interactions
from hopfield_service.core.kernels.rests import SummedRests
from hopfield_service.core.options import Order, RecallOptions, TieRule, UpdateRule
from hopfield_service.core.patterns import Coding, Queries, Signs, Words, row_bytes
from hopfield_service.core.results import Match, RecallResult, RecallResults, StopReason, TraceStep

# What a kernel does between two questions whether anybody still waits, in additions: about ten milliseconds. A visit to a
# neuron takes as long as some additions, and a sweep at most one for each neuron and each value kept. A sweep is never interrupted.
_WORK_BETWEEN_QUESTIONS = 1 << 24
_VISIT = 64
# Recalls whose answers are passed on together.
_BLOCK = 1024


class Dynamics:
    """What the recalls of a network need of it: its couplings in the forms that suit them, and its patterns."""

    def __init__(self, form: Couplings, heated_form: Couplings, values: Any, stored: Words) -> None:
        """Takes what is needed.

        Args:
            form: of the couplings, for updates by the sign of the field.
            heated_form: of the couplings, for updates by the size of the field.
            values: dtype of what `form` keeps of a state; another `heated_form` keeps float64.
            stored: (P, ceil(N / 64)) uint64, the patterns.
        """
        self.form = form
        self.heated_form = heated_form
        self.stored = recall.Stored(stored, np.zeros((len(stored), 6), np.bool_))
        self.plan = Plan(form, values, self.stored)
        self._heated_plan = self.plan if heated_form is form else Plan(heated_form, np.float64, self.stored)

    def plan_for(self, options: RecallOptions) -> "Plan":
        """How recalls with these options are computed."""
        return self.plan if options.beta is None else self._heated_plan

    def recall(self, query: Queries, options: RecallOptions, interruption: Interruption) -> RecallResult:
        """See PatternNetwork."""
        return self.plan_for(options).settled(query, options, interruption)

    def recall_batch(
        self, queries: Queries, options: RecallOptions, interruption: Interruption
    ) -> Iterator[RecallResults]:
        """See PatternNetwork."""
        plan = self.plan_for(options)
        for first in range(0, len(queries.bits), _BLOCK):
            # Short ones end before they would ask, however many of them there are.
            check(interruption)
            of_block = options._replace(seed=(options.seed + first) % (1 << 64)) if first else options
            yield plan.all_settled(queries.part(first, first + _BLOCK), of_block, interruption)

    def trace(
        self, query: Queries, options: RecallOptions, interruption: Interruption
    ) -> Iterator[TraceStep | RecallResult]:
        """See PatternNetwork."""
        trajectory = Trajectory(self, query, options)
        yield from trajectory.steps(interruption)
        yield trajectory.result()

    def wide(self) -> "Dynamics":
        """The same, with room for the overlaps of the largest networks."""
        return Dynamics(self.form, self.heated_form, np.int64, self.stored.words)


class Plan:
    """How recalls are computed with a form of the weights.

    Attributes:
        form: of the weights.
        stored: the patterns.
        neurons: N.
        sweeps: how many make up the time between two questions whether anybody still waits.
    """

    def __init__(self, form: Couplings, values: Any, stored: recall.Stored) -> None:
        """Takes what is needed.

        Args:
            form: of the weights.
            values: dtype of what the form keeps of a state.
            stored: the patterns.
        """
        match form:
            case Matrix():
                neurons, width = form.weights.shape
                sizes = len(form.totals), 0
            case Patterns():
                neurons, width = form.rows.shape
                sizes = width, 0
            case Basis():
                neurons, width = form.rows.shape
                sizes = form.exact.shape[1], width
            case Interactions():
                neurons, width = form.rows.shape
                sizes = len(form.words) + SHARES, width
        self.form, self.stored = form, stored
        self.sweeps = max(1, _WORK_BETWEEN_QUESTIONS // int(neurons * (width + _VISIT)))
        self.neurons, self._values, self._sizes = neurons, np.dtype(values), sizes
        self._words = -(-neurons // 64)
        self._idle: list[tuple[recall.Course, recall.Answers]] = []

    def course(self) -> recall.Course:
        """Room for a recall that is under way."""
        neurons, (values, rounded) = self.neurons, self._sizes
        return recall.Course(
            state=np.empty(neurons, np.int8),
            before=np.empty((2, neurons), np.int8),
            held=np.empty(neurons, np.bool_),
            order=np.empty((2, neurons), np.int32),
            words=np.empty((2, self._words), np.uint64),
            kept=Kept(
                np.empty(values, self._values),
                np.empty(rounded, np.int16),
                _summed_rests(self.form) if isinstance(self.form, Matrix) else None,
            ),
            generator=np.empty(1, np.uint64),
        )

    def answers(self, count: int) -> recall.Answers:
        """Room for what so many recalls find."""
        return recall.Answers(
            np.empty((count, self._words), np.uint64), np.zeros((count, 5), np.int64), np.empty((count, 2))
        )

    @cached_property
    def settle(self) -> Callable[..., int]:
        """The kernel `recall.settle`, compiled for the form."""
        rules = _common_rules(UpdateRule.ASYNCHRONOUS, Order.RANDOM, self.neurons, TieRule.KEEP, clamp=False, limit=1)
        queries = Queries.of(np.empty((0, 0), np.int8))
        return specialised(
            recall.settle, self.form, rules, self.stored, queries, np.uint64(0), self.course(), self.answers(1), 1
        )

    def settled(self, query: Queries, options: RecallOptions, interruption: Interruption) -> RecallResult:
        """Runs one recall to its end. Otherwise as `all_settled`."""
        room = self._room()
        course, answer = room
        answer.numbers.fill(0)
        self._settle(query, options, course, answer, interruption)
        result = _result(answer, self.neurons)
        self._idle.append(room)
        return result

    def all_settled(self, queries: Queries, options: RecallOptions, interruption: Interruption) -> RecallResults:
        """Runs recalls to their ends, asking every few milliseconds, or after each sweep where that takes longer, whether to go on.

        Args:
            queries: to begin from.
            options: how to run them; query k has the seed plus k (mod 2^64).
            interruption: is asked.

        Raises:
            Interrupted: `interruption` said so.
        """
        room, answers = self._room(), self.answers(len(queries.bits))
        self._settle(queries, options, room[0], answers, interruption)
        self._idle.append(room)
        return _results(answers, self.neurons)

    def _room(self) -> tuple[recall.Course, recall.Answers]:
        """Room for a recall and for what it finds. What one was under way in the next may be, on whichever thread."""
        try:
            return self._idle.pop()
        except IndexError:
            return self.course(), self.answers(1)

    def _settle(
        self,
        queries: Queries,
        options: RecallOptions,
        course: recall.Course,
        answers: recall.Answers,
        interruption: Interruption,
    ) -> None:
        rules = _rules(options, self.neurons, self.form.coding)
        while not self.settle(self.form, rules, self.stored, queries, options.seed, course, answers, self.sweeps):
            check(interruption)


def _summed_rests(form: Matrix) -> SummedRests:
    """Of a state of zeros, to begin with."""
    neurons = len(form.fine)
    return SummedRests(
        sums=np.zeros(2, np.int64),
        of=np.zeros(neurons, np.int16),
        rows=np.empty(neurons, np.int32),
        factors=np.empty(neurons, np.int16),
        others=np.empty(neurons, np.int16),
    )


class Trajectory:
    """A recall that goes on from where it is as often as asked, with the same results however it is cut."""

    def __init__(self, dynamics: Dynamics, query: Queries, options: RecallOptions) -> None:
        """Starts at the query.

        Args:
            dynamics: of the network.
            query: one.
            options: how to run it.
        """
        self._plan = plan = dynamics.plan_for(options)
        self._rules = _rules(options, plan.neurons, plan.form.coding)
        self._query, self._seed = query, options.seed
        self._course, self._answers = plan.course(), plan.answers(1)
        self.advance(0)

    def advance(self, iterations: int) -> None:
        """Runs so many iterations, fewer where the recall ends."""
        plan = self._plan
        plan.settle(
            plan.form, self._rules, plan.stored, self._query, self._seed, self._course, self._answers, iterations
        )

    @property
    def state(self) -> Signs:
        """(N,) int8, where it is: a view of it."""
        return self._course.state

    @property
    def initial_energy(self) -> float:
        """Of the query, an unknown neuron half-way between its values."""
        return float(self._answers.energies[0, recall.INITIAL])

    @property
    def energy(self) -> float:
        """Of the present state, which it depends on alone, and not on the way to it."""
        plan, answers = self._plan, self._plan.answers(1)
        present = Queries.of(self.state)
        plan.settle(plan.form, self._rules, plan.stored, present, self._seed, plan.course(), answers, 0)
        return float(answers.energies[0, recall.INITIAL])

    @property
    def iterations(self) -> int:
        """How many were run."""
        return int(self._answers.numbers[0, updates.ITERATIONS])

    @property
    def flips(self) -> int:
        """How often a neuron changed between 1 and -1."""
        return int(self._answers.numbers[0, updates.FLIPS])

    @property
    def stop_reason(self) -> StopReason | None:
        """Why it ended; None while it has not."""
        return _STOP_REASONS.get(int(self._answers.numbers[0, recall.STATUS]))

    def steps(self, interruption: Interruption) -> Iterator[TraceStep]:
        """Runs to the end, iteration by iteration.

        Yields:
            The query, then where each iteration ended.

        Raises:
            Interrupted: `interruption` said so.
        """
        yield TraceStep(0, self.state.copy(), self.initial_energy, 0)
        while self.stop_reason is None:
            check(interruption)
            before = self.flips
            self.advance(1)
            yield TraceStep(self.iterations, self.state.copy(), self.energy, self.flips - before)

    def result(self) -> RecallResult:
        """What it found, when it has ended."""
        return _result(self._answers, len(self.state))


# By what a kernel says.
_STOP_REASONS = {
    updates.CONVERGED: StopReason.CONVERGED,
    updates.CYCLE: StopReason.CYCLE,
    recall.LIMIT: StopReason.ITERATION_LIMIT,
}
_MATCHES = tuple(Match)
_NO_GAINS = np.zeros(1)


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


def _result(answers: recall.Answers, neurons: int) -> RecallResult:
    words, numbers, energies = answers
    ((iterations, flips, status, position, product),) = numbers.tolist()
    ((energy, initial_energy),) = energies.tolist()
    stored = position >= 0
    return RecallResult(
        words.tobytes()[: row_bytes(neurons)],
        neurons,
        energy,
        initial_energy,
        iterations,
        flips,
        _STOP_REASONS[status],
        position if stored else None,
        product / neurons if stored else None,
        _MATCHES[(1 + (product == neurons) + 2 * (product == -neurons)) if stored else 0],
    )


def _results(answers: recall.Answers, neurons: int) -> RecallResults:
    words, numbers, energies = answers
    iterations, flips, statuses, positions, products = numbers.T
    matches = (1 + (products == neurons) + 2 * (products == -neurons)) * (positions >= 0)
    return RecallResults(
        bits=words.view(np.uint8)[:, : row_bytes(neurons)],
        energies=energies[:, recall.PRESENT],
        initial_energies=energies[:, recall.INITIAL],
        iterations=iterations,
        flips=flips,
        stop_reasons=statuses,
        nearest=positions,
        overlaps=np.where(positions < 0, np.nan, products / neurons),
        matches=matches,
    )
