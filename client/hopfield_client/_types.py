"""What the calls return."""

import operator
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal, NamedTuple, SupportsIndex, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hopfield_client._models import AttractorModel, Model

LearningRule: TypeAlias = Literal["hebbian", "storkey", "storkey_second_order", "pseudo_inverse", "perceptron"]
"""How stored patterns become weights."""

Normalization: TypeAlias = Literal["neurons", "patterns", "none"]
"""What Hebb's sums of outer products are divided by: N, P, or nothing."""

Coding: TypeAlias = Literal["bipolar", "binary", "real"]
"""The values a neuron has: -1 and 1, or 0 and 1, or, in memories of Modern alone, real numbers."""

UpdateRule: TypeAlias = Literal["asynchronous", "synchronous", "glauber"]
"""Which neurons are updated when."""

TieRule: TypeAlias = Literal["keep", "plus", "minus"]
"""What a neuron does when its local field is zero."""

StopReason: TypeAlias = Literal["converged", "cycle", "iteration_limit", "unknown"]
"""Why a recall ended. "unknown" is a reason that only a later client knows."""

Match: TypeAlias = Literal["pattern", "inverse", "spurious", "none", "unknown"]
"""What the answer of a recall is, exactly: the stored pattern of its label, the inverse of it, or neither ("spurious", be it
settled or not, be it wrong in one neuron or in many); "none" where nothing is stored. "unknown" is a word that only a later
client knows."""

PatternArray: TypeAlias = NDArray[np.int8 | np.bool_ | np.float32]
"""Patterns: int8 of -1 and 1 (of 0 and 1 in memories of binary coding), or bool where True is 1; float32 of real numbers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LearningOutcome:
    """How learning ended, for a rule that sweeps over the patterns until its goal is met.

    Attributes:
        converged: whether the goal was met: under the perceptron rule, whether every neuron of every pattern exceeds the margin.
        sweeps: sweeps over all patterns that were run, the quiet last one included.
    """

    converged: bool
    sweeps: int


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class MemoryInfo:
    """A memory as it was when the server described it.

    Attributes:
        name: the name its maker chose.
        uid: made by the server: a memory deleted and made anew under the same name has another one.
        neurons: number of neurons N.
        family: which kind of network it is: "pairwise" (the classical one, with a weight for each pair of neurons), "dense", "modern", "ring" or
            "sheet". "unknown", here and in the words below, is one that only a later client knows.
        model: its kind, such as Dense(degree=3); None for the classical one. Some of what follows only that one has, and is None, or False, with
            others.
        rule: its learning rule, a LearningRule, or "imported" where the weights came from outside. None with a model.
        normalization: what Hebb's sums are divided by, a Normalization; None under other rules.
        self_coupling: whether the rule's diagonal is kept.
        coding: the values a neuron has, a Coding.
        kappa: margin of the perceptron rule, in the unit of the local field; None under other rules.
        max_sweeps: sweeps after which the perceptron rule gives up; None under other rules.
        learning: how learning ended; None for rules that do not iterate.
        pattern_count: number of stored patterns P.
        load: P / N.
        capacity: load up to which the memory as it is holds random patterns: 0.138 for Hebb's rule;
            0.069 in 0/1 coding without thresholds, and 0.138 again with thresholds of half the row
            sums of the weights; of an exponential dense memory a lower bound. None where the
            weights were imported, or no patterns are stored.
        revision: how many commits (stores, forgets, updates, imports) it has seen.
        created: when it was made, by the server's clock, in UTC.
        updated: when the last commit was made, by the server's clock, in UTC.
        thresholds: threshold of each neuron, (N,), in the unit of the local field; None when all are zero.
    """

    name: str
    uid: str
    neurons: int
    family: str
    model: Model | None
    rule: str | None
    normalization: str | None
    self_coupling: bool
    coding: str | None
    kappa: float | None
    max_sweeps: int | None
    learning: LearningOutcome | None
    pattern_count: int
    load: float
    capacity: float | None
    revision: int
    created: datetime
    updated: datetime
    thresholds: NDArray[np.float64] | None = field(repr=False, compare=False)

    def __repr__(self) -> str:
        not_had = set()
        if self.model is not None:
            not_had |= {"self_coupling"}
        if isinstance(self.model, AttractorModel):
            not_had |= {"pattern_count", "load"}
        values = {
            each.name: getattr(self, each.name) for each in fields(self) if each.repr and each.name not in not_had
        }
        shown = (
            f"{name}={f'{value:.6g}' if isinstance(value, float) else repr(value)}"
            for name, value in values.items()
            if value is not None
        )
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Stored(MemoryInfo):
    """The memory right after patterns were stored, and the labels they were stored under.

    Attributes:
        labels: label of each pattern, in the order of the patterns: the ones given, or those the server chose.
    """

    labels: tuple[str, ...]


class StoredPattern(NamedTuple):
    """A stored pattern and its label; `dict(memory.patterns())` maps labels to patterns.

    Attributes:
        label: the label it was stored under.
        pattern: the pattern in the shape of the handle: int8 of -1 and 1, or of 0 and 1 in a memory of binary coding; or float32.
    """

    label: str
    pattern: NDArray[Any]

    def __repr__(self) -> str:
        return f"StoredPattern({self.label!r}, {_outline(self.pattern)})"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Recall:
    """Where the dynamics ended that began at a query.

    Attributes:
        pattern: the state in which they ended, in the shape of the query: bool when the query was bool, else int8 of -1 and 1, or
            of 0 and 1 in a memory of binary coding.
        energy: energy of that state, E = -1/2 s'Js + U's, or E = -1/2 V'TV + U'V in a memory of binary coding; that of a model is with the
            model.
        initial_energy: energy of the query; an unknown neuron counts as 0, in a memory of binary coding as 1/2.
        iterations: sweeps over all neurons, the quiet one that proves convergence included.
        flips: how often a neuron changed between its two values.
        stop_reason: why it ended: "converged", "cycle" or "iteration_limit".
        label: label of the stored pattern with the largest |overlap|; None when nothing is stored.
        overlap: overlap with that pattern, -1 to 1; None when nothing is stored.
        match: what the answer is. "pattern": exactly the stored pattern of `label`; "inverse": exactly its inverse; "spurious":
            settled or not, no stored pattern exactly; "none": nothing is stored. Near the edge of capacity a retrieved pattern
            with a few wrong bits is "spurious" too: look at `overlap`. In a memory of Modern "pattern" means that its softmax weight is at
            least 0.99.
        seed: the seed used: the same call with `seed=` this gives the same answer.
        revision: revision of the memory the answer was computed at.
        uid: uid of that memory.
        attention: in a memory of Modern the labels of the patterns with the largest softmax weights, at most 8, and those weights, largest
            first; in others empty.
    """

    pattern: PatternArray
    energy: float
    initial_energy: float
    iterations: int
    flips: int
    stop_reason: StopReason
    label: str | None
    overlap: float | None
    match: Match
    seed: int
    revision: int
    uid: str
    attention: dict[str, float] = field(default_factory=dict)

    @property
    def converged(self) -> bool:
        """Whether a whole iteration changed nothing: the pattern is a fixed point."""
        return self.stop_reason == "converged"

    def __repr__(self) -> str:
        overlap = "None" if self.overlap is None else f"{self.overlap:.4g}"
        return (
            f"Recall(label={self.label!r}, match={self.match!r}, overlap={overlap}, stop_reason={self.stop_reason!r}, "
            f"iterations={self.iterations}, flips={self.flips}, energy={self.energy:.6g} from {self.initial_energy:.6g}, "
            f"pattern={_outline(self.pattern)})"
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class RecallBatch:
    """The answers to many queries, a column a field; entry k of each belongs to query k.

    `len(batch)`, `batch[k]` and iteration give single Recalls. Columns are arrays, so that they select from one another:
    `batch.patterns[batch.matches == "pattern"]`.

    Attributes:
        patterns: the states, in the shape of the queries: bool when the queries were bool, else int8, as `Recall.pattern`.
        energies: energy of each.
        initial_energies: energy of each query.
        iterations: iterations of each.
        flips: flips of each.
        stop_reasons: why each ended, as `Recall.stop_reason`.
        labels: label of the nearest stored pattern of each, str; None when nothing is stored.
        overlaps: overlap with that pattern; NaN when nothing is stored.
        matches: what each answer is, as `Recall.match`.
        seeds: the seed of each: `memory.recall(queries[k], seed=batch.seeds[k])` gives the same answer.
        revision: revision of the memory the answers were computed at.
        uid: uid of that memory.
        attentions: `Recall.attention` of each.
    """

    patterns: PatternArray
    energies: NDArray[np.float64]
    initial_energies: NDArray[np.float64]
    iterations: NDArray[np.uint32]
    flips: NDArray[np.uint64]
    stop_reasons: NDArray[np.str_]
    labels: NDArray[np.object_]
    overlaps: NDArray[np.float64]
    matches: NDArray[np.str_]
    seeds: NDArray[np.uint64]
    revision: int
    uid: str
    attentions: NDArray[np.object_]

    @property
    def converged(self) -> NDArray[np.bool_]:
        """Whether each ended in a fixed point."""
        return np.equal(self.stop_reasons, "converged")

    def __len__(self) -> int:
        return len(self.energies)

    def __getitem__(self, index: SupportsIndex) -> Recall:
        index = operator.index(index)  # columns can be sliced, answers cannot
        label = self.labels[index]
        # Plain Python values, as memory.recall gives them.
        return Recall(
            pattern=self.patterns[index],
            energy=self.energies[index].item(),
            initial_energy=self.initial_energies[index].item(),
            iterations=self.iterations[index].item(),
            flips=self.flips[index].item(),
            stop_reason=self.stop_reasons[index].item(),
            label=label,
            overlap=None if label is None else self.overlaps[index].item(),
            match=self.matches[index].item(),
            seed=self.seeds[index].item(),
            revision=self.revision,
            uid=self.uid,
            attention=self.attentions[index],
        )

    def __iter__(self) -> Iterator[Recall]:
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        matches = ", ".join(f"{count} {match}" for match, count in Counter(self.matches.tolist()).most_common())
        return (
            f"RecallBatch({len(self)} answers: {matches}; {np.count_nonzero(self.converged)} converged, "
            f"patterns={_outline(self.patterns)})"
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class NearestPattern:
    """A stored pattern that is near to a query.

    Attributes:
        label: the label it was stored under.
        overlap: its overlap with the query, -1 to 1; negative where its inverse is nearer to the query than itself. An unknown neuron
            of the query counts as 0.
        pattern: the pattern, in the shape and type of `Recall.pattern`; None where it was not asked for.
    """

    label: str
    overlap: float
    pattern: PatternArray | None

    def __repr__(self) -> str:
        pattern = "" if self.pattern is None else f", pattern={_outline(self.pattern)}"
        return f"NearestPattern(label={self.label!r}, overlap={self.overlap:.4g}{pattern})"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class RingRecall:
    """Where the dynamics of a ring led from some rates.

    Attributes:
        rates: what the neurons fire in the end, (N,) float32, in Hz.
        heading: where the bump is, in degrees, 0 to below 360: the angle of the population vector; nan where there is no bump.
        energy: energy of these rates (Cohen and Grossberg 1983).
        initial_energy: energy of the rates it began at.
        time: seconds of the ring's own time that it took.
        converged: whether it came to rest.
        revision: revision of the memory the answer was computed at.
        uid: uid of that memory.
    """

    rates: NDArray[np.float32]
    heading: float
    energy: float
    initial_energy: float
    time: float
    converged: bool
    revision: int
    uid: str

    def __repr__(self) -> str:
        return (
            f"RingRecall(heading={self.heading:.6g}, converged={self.converged}, time={self.time:.4g}, "
            f"energy={self.energy:.6g} from {self.initial_energy:.6g}, rates={_outline(self.rates)})"
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class SheetRecall:
    """Where the dynamics of a sheet led from some rates.

    Attributes:
        rates: what the neurons fire in the end, as an image, (n, n) float32, in units of their input at rest.
        phase: where the lattice is: how far along each of its two vectors, (2,), 0 to below 1; nan where there is none.
        lattice: these vectors, (2, 2), in neurons: the lattice is the same when it is moved by `lattice[0]` or `lattice[1]`.
        time: seconds of the sheet's own time that it took.
        converged: whether it came to rest.
        revision: revision of the memory the answer was computed at.
        uid: uid of that memory.
    """

    rates: NDArray[np.float32]
    phase: NDArray[np.float64]
    lattice: NDArray[np.float64]
    time: float
    converged: bool
    revision: int
    uid: str

    def __repr__(self) -> str:
        return (
            f"SheetRecall(phase=({self.phase[0]:.4g}, {self.phase[1]:.4g}), converged={self.converged}, time={self.time:.4g}, "
            f"rates={_outline(self.rates)})"
        )


class TraceStep(NamedTuple):
    """One iteration of a recall.

    Attributes:
        iteration: iterations run so far; 0 for the query.
        pattern: the state they led to, in the shape and type of `Recall.pattern`. Only while neurons are unknown and not visited
            yet it differs: they are 0 among -1 and 1; where the pattern is bool, or of 0 and 1, it is a numpy masked array.
        energy: energy of that state; an unknown neuron counts as in `Recall.initial_energy`.
        flips: how often a neuron changed between its two values in this iteration; 0 for the query.
    """

    iteration: int
    pattern: PatternArray
    energy: float
    flips: int

    def __repr__(self) -> str:
        return (
            f"TraceStep(iteration={self.iteration}, energy={self.energy:.6g}, flips={self.flips}, "
            f"pattern={_outline(self.pattern)})"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerInfo:
    """What a server is and what it accepts at most.

    Attributes:
        version: version of the server's distribution.
        max_neurons: neurons of a memory.
        max_patterns: patterns stored in one memory at a time.
        max_iterations: largest `max_iterations` of a recall.
        max_message_bytes: bytes of one message.
        learning_rules: the learning rules it knows.
        update_rules: the update rules it knows.
    """

    version: str
    max_neurons: int
    max_patterns: int
    max_iterations: int
    max_message_bytes: int
    learning_rules: tuple[str, ...]
    update_rules: tuple[str, ...]


def _outline(array: NDArray[Any]) -> str:
    """Type and shape in place of the values, which may be thousands."""
    return f"{array.dtype}{list(array.shape)}"
