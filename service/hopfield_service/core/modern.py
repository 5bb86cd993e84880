"""Modern Hopfield networks: real patterns, and a state that attention takes to the nearest (Ramsauer et al. 2020, arXiv 2008.02217)."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core.diagnostics import Diagnosis, Stability
from hopfield_service.core.exemplars import ExemplarNetwork, ExemplarSpec
from hopfield_service.core.interruption import Interruption, check, never
from hopfield_service.core.kernels import attention, products
from hopfield_service.core.kernels.elementary import logarithm
from hopfield_service.core.kernels.updates import CONVERGED, RUNNING
from hopfield_service.core.network import InvalidParameter, Store, StoredPatterns
from hopfield_service.core.options import Order, RecallOptions, TieRule, UpdateRule
from hopfield_service.core.patterns import Bits, Coding, Nearest, Queries
from hopfield_service.core.results import Attention, Match, RecallResult, RecallResults, StopReason, TraceStep

# Below, the energy would be what is left of (ln P) / beta.
_MIN_BETA, _MAX_BETA = 1e-6, 1e9
# Softmax weights that an answer tells, at most; see RecallResponse.attention_labels.
_TOLD = 8
# Of the nearest pattern, from which on an answer is that pattern.
_RETRIEVED = 0.99
# What a kernel does between two questions whether anybody still waits, in multiplications: about ten milliseconds.
_WORK_BETWEEN_QUESTIONS = 1 << 26
# Recalls that are under way at the same time: as many as have so many softmax weights together, within bounds.
_WEIGHTS = 1 << 21
_FEWEST, _MOST = 16, 256
_SINGLE = np.dtype("<f4")

Singles = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ModernSpec(ExemplarSpec["ModernNetwork"]):
    """The parameters of a modern Hopfield network.

    Attributes:
        neurons: N, the length of a pattern, at least 1.
        beta: inverse temperature of the softmax, 1e-6 to 1e9.
        tolerance: a recall has converged when an iteration changes the state by at most so much, at least 0.

    Raises:
        InvalidParameter: one is out of its range.
    """

    family: ClassVar[str] = "modern"

    neurons: int
    beta: float
    tolerance: float = 1e-6
    coding: Coding = field(default=Coding.REAL, init=False)

    def __post_init__(self) -> None:
        if not _MIN_BETA <= self.beta <= _MAX_BETA:
            raise InvalidParameter("beta", f"must be {_MIN_BETA:g} to {_MAX_BETA:g}, is {self.beta:g}")
        if not 0 <= self.tolerance < math.inf:
            raise InvalidParameter("tolerance", f"must be finite and at least 0, is {self.tolerance}")

    @property
    def row_bytes(self) -> int:
        """See Spec. A single a neuron."""
        return _SINGLE.itemsize * self.neurons

    def packed(self, states: NDArray[Any]) -> Bits:
        """See Spec."""
        return np.ascontiguousarray(states, _SINGLE).view(np.uint8)

    def unpacked(self, bits: Bits) -> Singles:
        """(count, N) float32, of states that were packed."""
        return np.ascontiguousarray(bits).view(_SINGLE).astype(np.float32)

    def check_options(self, options: RecallOptions) -> None:
        """See Spec."""
        given = {
            "update": options.update is not UpdateRule.ASYNCHRONOUS,
            "order": options.order is not Order.RANDOM,
            "tie": options.tie is not TieRule.KEEP,
            "clamp": options.clamp,
        }
        for name, is_given in given.items():
            if is_given:
                raise InvalidParameter(
                    name, "must not be set for a modern memory, which updates all neurons by attention"
                )

    @property
    def capacity(self) -> None:
        """See Spec. It grows exponentially with N, and depends on the separation of the patterns."""
        return None

    def advice(self, pattern_count: int, told: float | None) -> None:  # noqa: ARG002
        """See Spec."""
        return

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """See Spec."""
        if changes.get("neurons", self.neurons) != self.neurons:
            raise InvalidParameter("neurons", "cannot be changed")
        return self.from_parameters(self.parameters() | dict(changes))

    def parameters(self) -> dict[str, Any]:
        """See Spec."""
        return {"neurons": self.neurons, "beta": self.beta, "tolerance": self.tolerance}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """See Spec."""
        return cls(**parameters)

    def of(self, stored: StoredPatterns) -> "ModernNetwork":
        """See ExemplarSpec."""
        return ModernNetwork(self, stored)

    @classmethod
    def warming(cls) -> Iterator[Callable[[], None]]:
        """See Spec."""
        yield cls._warm

    @classmethod
    def _warm(cls) -> None:
        spec = cls(3, 1.0)
        patterns = np.array([[0.5, 1.0, -1.0], [1.0, 0.0, 0.25]], np.float32)
        network = spec.empty().apply(Store(spec.packed(patterns), ("a", "b")), never)
        network.recall(Queries.of(patterns[0]), RecallOptions(0), never)
        network.nearest(Queries.of(patterns[0]), 1)


class ModernNetwork(ExemplarNetwork):
    """A modern Hopfield network: its patterns, and nothing learnt from them. Immutable; see Network."""

    spec: ModernSpec

    @cached_property
    def rows(self) -> Singles:
        """(P, N) float32, the patterns."""
        return self.spec.unpacked(self.stored.bits)

    @cached_property
    def columns(self) -> Singles:
        """(N, P) float32, the patterns neuron by neuron."""
        return np.ascontiguousarray(self.rows.T)

    @cached_property
    def lengths(self) -> Doubles:
        """(P,) float64, |x_mu|."""
        squares = np.zeros(len(self.stored))
        for column in self.columns:
            squares += np.square(column, dtype=np.float64)
        return np.sqrt(squares)

    @cached_property
    def offset(self) -> float:
        """What the energy has in it beside the state: `(ln P) / beta + M^2 / 2`."""
        largest = float(np.square(self.lengths).max())
        return logarithm(float(len(self.stored))) / self.spec.beta + largest / 2

    def prepare(self, interruption: Interruption = never) -> None:
        """See Network."""
        check(interruption)
        if len(self.stored):
            _ = self.columns
            check(interruption)
            _ = self.offset

    @property
    def nbytes(self) -> int:
        """See Network."""
        return 3 * self.stored.bits.nbytes + 8 * len(self.stored)

    @property
    def recall_size(self) -> int:
        """See Network."""
        return 16 * len(self.stored) * self.spec.neurons

    def recall(self, query: Queries, options: RecallOptions, interruption: Interruption) -> RecallResult:
        """See Network."""
        retrieval = Retrieval(self, query, options.max_iterations)
        retrieval.settle(interruption)
        return retrieval.result()

    def recall_batch(
        self, queries: Queries, options: RecallOptions, interruption: Interruption
    ) -> Iterator[RecallResults]:
        """See Network."""
        size = min(_MOST, max(_FEWEST, _WEIGHTS // max(1, len(self.stored))))
        # An iteration of all of them is never interrupted.
        size = max(1, min(size, _WORK_BETWEEN_QUESTIONS // max(1, self.rows.size)))
        for first in range(0, len(queries.bits), size):
            retrieval = Retrieval(self, queries.part(first, first + size), options.max_iterations)
            retrieval.settle(interruption)
            yield retrieval.results()

    def trace(
        self, query: Queries, options: RecallOptions, interruption: Interruption
    ) -> Iterator[TraceStep | RecallResult]:
        """See Network."""
        retrieval = Retrieval(self, query, options.max_iterations)
        yield retrieval.step()
        while retrieval.goes_on:
            check(interruption)
            retrieval.advance(1)
            yield retrieval.step()
        yield retrieval.result()

    def nearest(self, query: Queries, count: int) -> Nearest:
        """See Network. By falling overlap, which is the cosine."""
        state = query.bits.view("<f4").astype(np.float64)
        overlaps = _cosines(self._products(state)[0], self.lengths, state)
        positions = np.argsort(-overlaps, kind="stable")[:count]
        return Nearest(positions, overlaps[positions])

    def cosines(self, positions: NDArray[np.int64], states: Doubles) -> Doubles:
        """(count,) float64, of each state and a pattern of its own, as `nearest` has it."""
        found = np.empty(len(states))
        products.multiply_pairs(states, self.rows, positions, found)
        return _cosines(found, self.lengths[positions], states)

    def _products(self, states: Doubles) -> Doubles:
        """(count, P) float64, `x . state` of all patterns and of each state."""
        found = np.empty((len(states), len(self.stored)))
        products.multiply(states, self.columns, np.arange(len(states)), found)
        return found

    def diagnose(self, interruption: Interruption) -> Diagnosis:
        """See Network. A pattern is stable where a recall from it ends with it; its margin is its separation."""
        count = len(self.stored)
        stable, separations = 0, np.empty(count)
        for mu, pattern in enumerate(self.rows):
            answer = self.recall(Queries.of(pattern), RecallOptions(seed=0), interruption)
            stable += answer.match is Match.PATTERN and answer.nearest == mu
            with_all = self._products(pattern[np.newaxis].astype(np.float64))[0]
            own, with_all[mu] = with_all[mu], -np.inf
            separations[mu] = own - with_all.max() if count > 1 else own
        stability = None
        verdict = "modern memory: nothing is stored"
        if count:
            stability = Stability(count, stable, 0, float(separations.min()), float(separations.mean()))
            plural, are = ("", "is") if count == 1 else ("s", "are")
            verdict = (
                f"modern memory with {count} pattern{plural}: {stable} of {count} {are} stable at beta {self.spec.beta:g}; the smallest "
                f"separation is {stability.smallest_margin:.3g}"
            )
        return Diagnosis(
            pattern_count=count,
            load=count / self.spec.neurons,
            capacity=None,
            stability=stability,
            similarity=None,
            weights=None,
            outcome=None,
            verdict=verdict,
        )


def _cosines(found: Doubles, lengths: Doubles, states: Doubles) -> Doubles:
    """`x . state / (|x| |state|)` of products, of the lengths of patterns, and of one state or as many; 0 where either is zero."""
    scale = lengths * np.sqrt(np.add.accumulate(np.square(states), axis=1)[:, -1])
    cosines = np.divide(found, scale, out=np.zeros(len(found)), where=scale > 0)
    np.clip(cosines, -1, 1, out=cosines)
    return cosines


class Retrieval:
    """Some recalls under way, each as if it were alone."""

    def __init__(self, network: ModernNetwork, queries: Queries, limit: int) -> None:
        """Starts at the queries, for at most so many iterations."""
        states = queries.bits.view("<f4").astype(np.float64)
        (count, neurons), patterns = states.shape, len(network.stored)
        self._network = network
        self._left = limit
        self._courses = attention.Courses(
            states=states,
            before=np.empty((count, neurons)),
            weights=np.empty((count, patterns)),
            numbers=np.zeros((count, 2), np.int64),
            energies=np.zeros(count),
        )
        self._courses.numbers[:, attention.STATUS] = RUNNING
        if patterns:
            attention.attend(network.columns, network.spec.beta, network.offset, np.arange(count), self._courses)
        self._initial_energies = self._courses.energies.copy()
        self.goes_on = True

    def settle(self, interruption: Interruption) -> None:
        """Runs to the end, asking every few milliseconds, or after each iteration where that takes longer, whether to go on.

        Raises:
            Interrupted: `interruption` said so.
        """
        size = len(self._courses.states) * max(1, self._network.rows.size)
        while self.goes_on:
            check(interruption)
            self.advance(max(1, _WORK_BETWEEN_QUESTIONS // size))

    def advance(self, iterations: int) -> None:
        """Goes on for at most so many iterations."""
        network, courses = self._network, self._courses
        if not len(network.stored):
            # Every state is at rest, and has no energy.
            courses.numbers[:] = 1, CONVERGED
            self.goes_on = False
            return
        spec, count = network.spec, min(iterations, self._left)
        running = attention.advance(
            network.rows, network.columns, spec.beta, network.offset, spec.tolerance, count, courses
        )
        self._left -= count
        self.goes_on = bool(running and self._left)

    def step(self) -> TraceStep:
        """Where the first is."""
        courses = self._courses
        iterations = int(courses.numbers[0, attention.ITERATIONS])
        return TraceStep(iterations, courses.states[0].astype(np.float32), float(courses.energies[0]), 0)

    def result(self) -> RecallResult:
        """What the first has found."""
        found = self.results()
        nearest = int(found.nearest[0])
        told = found.attention
        return RecallResult(
            bits=found.bits.tobytes(),
            neurons=self._network.spec.neurons,
            energy=float(found.energies[0]),
            initial_energy=float(found.initial_energies[0]),
            iterations=int(found.iterations[0]),
            flips=0,
            stop_reason=StopReason(found.stop_reasons[0]),
            nearest=None if nearest < 0 else nearest,
            overlap=None if nearest < 0 else float(found.overlaps[0]),
            match=Match(found.matches[0]),
            attention=None if told is None else Attention(told.positions[0], told.weights[0]),
        )

    def results(self) -> RecallResults:
        """What all of them have found."""
        network, courses = self._network, self._courses
        count, patterns = courses.weights.shape
        nearest, overlaps, told = np.full(count, -1), np.full(count, np.nan), None
        matches = np.full(count, Match.NONE)
        if patterns:
            positions = np.empty((count, min(_TOLD, patterns)), np.int64)
            attention.find_largest(courses.weights, positions)
            told = Attention(positions, np.take_along_axis(courses.weights, positions, axis=1))
            # Of its own, so that kernels meet the same kind of array whether there is one or are many.
            nearest = positions[:, 0].copy()
            overlaps = network.cosines(nearest, courses.states)
            matches = np.where(told.weights[:, 0] >= _RETRIEVED, Match.PATTERN, Match.SPURIOUS)
        return RecallResults(
            bits=network.spec.packed(courses.states),
            energies=courses.energies,
            initial_energies=self._initial_energies,
            iterations=courses.numbers[:, attention.ITERATIONS],
            flips=np.zeros(count, np.int64),
            stop_reasons=np.where(
                courses.numbers[:, attention.STATUS] == CONVERGED, StopReason.CONVERGED, StopReason.ITERATION_LIMIT
            ),
            nearest=nearest,
            overlaps=overlaps,
            matches=matches,
            attention=told,
        )
