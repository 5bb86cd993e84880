"""Dense associative memories: an interaction function of the overlaps in place of weights.

Krotov and Hopfield 2016 (arXiv 1606.01164) for powers, Demircigil et al. 2017 (arXiv 1702.01929) for the exponential.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from hopfield_service.core import diagnostics, interactions
from hopfield_service.core.diagnostics import Diagnosis, Stability
from hopfield_service.core.dynamics import Dynamics
from hopfield_service.core.exemplars import ExemplarNetwork, ExemplarSpec
from hopfield_service.core.interruption import Interruption, check, never
from hopfield_service.core.kernels.interactions import Interactions, measure_fields
from hopfield_service.core.network import InvalidParameter, Store, StoredPatterns
from hopfield_service.core.options import RecallOptions
from hopfield_service.core.patterns import Coding, Nearest, Queries, Signs, Words, nearest, unpack
from hopfield_service.core.results import RecallResult, RecallResults, TraceStep
from hopfield_service.core.verdict import verdict

MAX_DEGREE = 30
# The exponential holds more patterns than any number here can say from about so many neurons on.
_MANY_NEURONS = 2000
# Patterns whose fields are computed at a time.
_BLOCK = 64
# Additions between two questions whether anybody still waits: some ten milliseconds.
_WORK_BETWEEN_QUESTIONS = 1 << 24


@dataclass(frozen=True, slots=True)
class DenseSpec(ExemplarSpec["DenseNetwork"]):
    """The parameters of a dense associative memory: `E = -sum_mu F(xi^mu . s)`.

    Attributes:
        neurons: N, at least 1.
        degree: of `F(z) = z^degree`, 2 to 30; 0 where it is exponential.
        exponential: whether `F(z) = exp(z)`.

    Raises:
        InvalidParameter: one is out of its range, or both are given.
    """

    family: ClassVar[str] = "dense"

    neurons: int
    degree: int = 0
    exponential: bool = False
    # Overlaps are those of states of -1 and 1; the literature knows no other coding.
    coding: Coding = field(default=Coding.BIPOLAR, init=False)

    def __post_init__(self) -> None:
        if self.exponential:
            if self.degree:
                raise InvalidParameter("degree", "must not be set where exponential is")
        elif not 2 <= self.degree <= MAX_DEGREE:
            raise InvalidParameter("degree", f"must be 2 to {MAX_DEGREE}, or exponential set; is {self.degree}")

    @property
    def interaction(self) -> str:
        """The interaction function in words."""
        return "exponential" if self.exponential else f"degree {self.degree}"

    def __str__(self) -> str:
        return "exponential dense memory" if self.exponential else f"dense memory of degree {self.degree}"

    @property
    def capacity(self) -> float:
        """See Spec. `K_max / N`: almost every random pattern is stable; of the exponential a lower bound."""
        if self.exponential:
            return math.pow(2, min(self.neurons, _MANY_NEURONS) / 2) / self.neurons
        double_factorial = math.prod(range(1, 2 * self.degree - 2, 2))
        return float(self.neurons ** (self.degree - 2) / (2 * double_factorial * math.log(max(self.neurons, 2))))

    def advice(self, pattern_count: int, told: float | None) -> str | None:
        """See Spec."""
        load = pattern_count / self.neurons
        if told is None or load <= told:
            return None
        patterns, are = ("pattern", "is") if pattern_count == 1 else ("patterns", "are")
        held = math.floor(told * self.neurons)
        least = "at least " if self.exponential else ""
        advice = (
            f"{pattern_count} {patterns} in {self.neurons} neurons {are} a load of {load:.3f}; "
            f"{'an' if self.exponential else 'a'} {self} holds random patterns up to {least}{told:.3f} "
            f"({held} of them): recalls may go wrong"
        )
        return advice if self.exponential else f"{advice}; a higher degree, or the exponential, holds more"

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """See Spec. A degree that is given ends the exponential, and the other way round."""
        if changes.get("neurons", self.neurons) != self.neurons:
            raise InvalidParameter("neurons", "cannot be changed")
        parameters = self.parameters() | dict(changes)
        if changes.get("exponential") and "degree" not in changes:
            parameters["degree"] = 0
        if changes.get("degree") and "exponential" not in changes:
            parameters["exponential"] = False
        return self.from_parameters(parameters)

    def parameters(self) -> dict[str, Any]:
        """See Spec."""
        return {"neurons": self.neurons, "degree": self.degree, "exponential": self.exponential}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """See Spec."""
        return cls(**parameters)

    def of(self, stored: StoredPatterns) -> "DenseNetwork":
        """See ExemplarSpec."""
        return DenseNetwork(self, stored)

    @classmethod
    def warming(cls) -> Iterator[Callable[[], None]]:
        """See Spec: one recall compiles what all of them take, whatever the function."""
        yield cls._warm

    @classmethod
    def _warm(cls) -> None:
        bits = np.array([[23, 1], [98, 0], [201, 1]], np.uint8)
        query = Queries.of(np.array([1, -1, 0, 1, 1, -1, -1, 1, 1], np.int8))
        network = cls(9, exponential=True).empty().apply(Store(bits, ("a", "b", "c")), never)
        network.recall(query, RecallOptions(0), never)
        network.nearest(query, 1)
        network.diagnose(never)


class DenseNetwork(ExemplarNetwork):
    """A dense associative memory: its patterns, and nothing learnt from them. Immutable; see Network."""

    spec: DenseSpec

    @cached_property
    def form(self) -> Interactions:
        """The patterns and the interaction function as recalls take them."""
        return self._form_made(never)

    def _form_made(self, interruption: Interruption) -> Interactions:
        spec, stored = self.spec, self.stored
        if spec.exponential:
            return interactions.exponentials(stored.bits, stored.words, spec.neurons, interruption)
        return interactions.powers(stored.bits, stored.words, spec.neurons, spec.degree, interruption)

    @cached_property
    def dynamics(self) -> Dynamics:
        """What recalls need."""
        return Dynamics(self.form, self.form, np.float64, self.stored.words)

    def prepare(self, interruption: Interruption = never) -> None:
        """See Network."""
        if "form" not in vars(self):
            self.form = self._form_made(interruption)
        _ = self.dynamics

    @property
    def nbytes(self) -> int:
        """See Network."""
        return self.stored.nbytes + interactions.nbytes(self.spec.neurons, len(self.stored))

    @property
    def recall_size(self) -> int:
        """See Network."""
        return len(self.stored) * self.spec.neurons

    def recall(self, query: Queries, options: RecallOptions, interruption: Interruption) -> RecallResult:
        """See Network."""
        return self.dynamics.recall(query, options, interruption)

    def recall_batch(
        self, queries: Queries, options: RecallOptions, interruption: Interruption
    ) -> Iterator[RecallResults]:
        """See Network."""
        return self.dynamics.recall_batch(queries, options, interruption)

    def trace(
        self, query: Queries, options: RecallOptions, interruption: Interruption
    ) -> Iterator[TraceStep | RecallResult]:
        """See Network."""
        return self.dynamics.trace(query, options, interruption)

    def nearest(self, query: Queries, count: int) -> Nearest:
        """See Network."""
        return nearest(self.stored.words, query, self.spec.neurons, count)

    def diagnose(self, interruption: Interruption) -> Diagnosis:
        """See Network."""
        stability = self.stability(interruption)
        similarity = diagnostics.similarity(self.stored.bits, self.spec.neurons, interruption)
        load = len(self.stored) / self.spec.neurons
        return Diagnosis(
            pattern_count=len(self.stored),
            load=load,
            capacity=self.spec.capacity,
            stability=stability,
            similarity=similarity,
            weights=None,
            outcome=None,
            verdict=verdict(
                str(self.spec),
                load,
                self.spec.capacity,
                ", at least" if self.spec.exponential else "",
                stability,
                None if similarity is None else diagnostics.correlated(similarity, self.spec.neurons),
                None,
                None,
                self._trials(interruption),
            ),
        )

    def stability(self, interruption: Interruption) -> Stability | None:
        """Whether the patterns are fixed points; None where nothing is stored.

        Raises:
            Interrupted: `interruption` said so.
        """
        count, neurons = len(self.stored), self.spec.neurons
        if not count:
            return None
        stable, held, smallest, total = 0, 0, np.inf, 0.0
        self.prepare(interruption)
        for start in range(0, count, _BLOCK):
            patterns = unpack(self.stored.bits[start : start + _BLOCK], neurons)
            fields, signs = np.empty(patterns.shape), np.empty_like(patterns)
            words = self.stored.words[start : start + _BLOCK]
            self._measure_fields(patterns, words, fields, signs, interruption)
            margins = patterns * fields
            smallest = min(smallest, float(margins.min()))
            total += float(margins.sum())
            stable += int(np.count_nonzero((signs * patterns >= 0).all(axis=1)))
            held += int(np.count_nonzero((signs == patterns).all(axis=1)))
        return Stability(count, stable, stable - held, smallest, total / (count * neurons))

    def _measure_fields(
        self, patterns: Signs, words: Words, fields: NDArray[np.float64], signs: Signs, interruption: Interruption
    ) -> None:
        """Calls `measure_fields` for so many states, or for so many neurons of one, that it returns soon."""
        neurons, stored = self.spec.neurons, len(self.stored)
        states = max(1, _WORK_BETWEEN_QUESTIONS // (stored * neurons))
        width = min(neurons, max(1, _WORK_BETWEEN_QUESTIONS // stored))
        for start in range(0, len(patterns), states):
            some = slice(start, start + states)
            for first in range(0, neurons, width):
                check(interruption)
                last = min(first + width, neurons)
                measure_fields(self.form, patterns[some], words[some], first, last, fields[some], signs[some])

    def _trials(self, interruption: Interruption) -> Iterator[tuple[str, Stability | None]]:
        """What other interaction functions would make of the patterns, found by trying them."""
        if not self.spec.exponential:
            higher: list[dict[str, Any]] = [{"degree": self.spec.degree + 1}] if self.spec.degree < MAX_DEGREE else []
            for changes in (*higher, {"exponential": True}):
                spec = self.spec.changed(changes)
                yield spec.interaction, DenseNetwork(spec, self.stored).stability(interruption)
